//! The store in PostgreSQL, on a server that is started for the tests.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

mod conformance;
mod database;
mod failover;
mod opening;
mod ownership;
mod proxy;
mod server;
