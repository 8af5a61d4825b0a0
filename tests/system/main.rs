//! The library as its users have it: whole runtimes, and a process that is killed.

mod counts;
mod kill;
mod lookups;
mod patterns;
mod reads;
mod stage;
mod status;
