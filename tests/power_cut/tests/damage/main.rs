//! Single bits of the database file are flipped, in pages of every kind. What the store answers afterwards is right, or it is
//! an error that says what is damaged: never a second row for an id, and never the data of somebody else.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

mod fixture;
mod flips;
mod runtime;
