//! Durable orchestrations for Rust.

pub mod model;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
