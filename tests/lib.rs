//! Whole-system tests of persevere: what they share.

pub mod crash;
pub mod example_program;

#[cfg(doctest)]
#[doc = include_str!("../docs/http.md")]
struct HttpPage;
