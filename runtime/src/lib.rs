//! Durable orchestrations for Rust.

mod client;
mod context;
pub mod engine;
pub mod model;
pub mod registry;
pub mod store;
mod worker;

pub use client::Client;
pub use context::*;
pub use worker::*;
