//! Programs that list what they register with `registry![..]`. They are in a process of their own, because
//! `auto_register` would find the same name several times, and because some activities need a value that no other
//! program has.

mod bad_input;
mod deploys;
mod services;
mod skeletons;
