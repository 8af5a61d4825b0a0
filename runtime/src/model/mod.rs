//! Plain data, and the words of the whole crate.

pub mod failure;
pub mod ids;
pub mod json;
