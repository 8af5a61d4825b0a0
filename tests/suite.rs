//! Everything that is tested in an ordinary process, in one binary: it links the library once.
//!
//! All orchestrators and activities of these modules are found by `auto_register`, so their names differ. Programs that
//! contain the same name twice, or need a value that others do not have, are tested in `registry.rs`.

mod conformance;
mod examples;
mod http;
mod http_edges;
mod logged;
mod migration;
mod pages;
#[cfg(unix)]
mod public_api;
mod reads;
mod runtime;
mod sqlite;
mod system;
mod ui;
