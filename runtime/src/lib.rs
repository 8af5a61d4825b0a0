//! Durable orchestrations for Rust.

pub mod client;
mod context;
pub mod contract;
pub mod engine;
pub mod model;
pub mod registry;
pub mod store;
