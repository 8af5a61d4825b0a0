//! All tests that run in an ordinary process, in one binary, so that the library is linked only once.
//!
//! `auto_register` finds all orchestrators and activities of these modules, so each needs a name of its own.
//! `registry.rs` tests programs that contain the same name twice, or that need a value that other programs do not have.

mod conformance;
mod examples;
mod host;
mod http;
mod http_edges;
mod logged;
mod migration;
mod pages;
mod passed_on;
#[cfg(unix)]
mod public_api;
mod reads;
mod runtime;
mod sqlite;
mod system;
mod ui;
