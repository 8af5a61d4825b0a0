//! Durable orchestrations for Rust.

pub mod engine;
pub mod model;
pub mod registry;
pub mod store;
