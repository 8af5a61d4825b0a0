//! Programs that list what they register with `registry![..]`. They stand in a process of their own because
//! `auto_register` would find the same name several times, and activities that need a value which no other program has.

mod bad_input;
mod services;
mod skeletons;
