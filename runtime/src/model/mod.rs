//! Plain data, and the words of the whole crate.
