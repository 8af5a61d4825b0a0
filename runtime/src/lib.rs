//! Durable orchestrations for Rust.

pub mod model;
