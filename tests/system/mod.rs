//! The library as its users run it: whole runtimes, and a process that is killed.

mod counts;
mod determinism;
mod kill;
mod lookups;
mod patterns;
mod poison;
mod promises;
mod stage;
mod status;
