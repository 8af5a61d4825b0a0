//! The library as its users have it: whole runtimes, and a process that is killed.

mod kill;
