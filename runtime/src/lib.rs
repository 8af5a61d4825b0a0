//! Durable orchestrations for Rust.

pub mod model;
pub mod store;
