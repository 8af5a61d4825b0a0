//! The HTTP API of Durable Functions, version 2, as a router and as a server (feature `http`).
//!
//! Existing clients work with it unchanged: it has the same routes, status codes, headers and fields. Every status answer
//! contains the custom status, which clients can also wait for and stream.
//!
//! - Use [`serve`] or [`Server`] in a program that has no server.
//! - Use [`router`] in a program that has one: merge or nest it.
//! - Use [`Management`] for your own handlers, and [`start_handler`] and [`status_handler`] for handlers that know their
//!   orchestrator.
//!
//! ```no_run
//! use persevere::http::{self, HttpOptions};
//! use persevere::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::builder().store(MemoryStore::new()).auto_register().start().await?;
//! http::serve(runtime.client().clone(), HttpOptions::new()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Differences from Durable Functions
//! - There are no entities, and instances cannot be rewound (501).
//! - A parameter that cannot be read is an error (400), because a filter that is ignored would purge too much. In a list,
//!   unknown names of states are ignored, as in Durable Functions.

mod body;
mod budget;
mod call;
mod capability;
mod check_status;
mod error;
mod event_body;
mod guard;
mod health;
mod history_body;
mod keys;
mod limits;
mod long_poll;
mod management;
mod openapi;
mod options;
mod payload;
mod route;
mod router;
mod routes;
mod scopes;
mod serve;
mod status_body;
mod stream;
mod suggestion;
mod table;
mod timed_io;
mod trace;
mod typed;
mod uri;
mod urls;

use crate::Client;

pub use check_status::HttpManagementPayload;
pub use error::ApiError;
pub use keys::{ApiKeys, KeysError};
pub use limits::HttpLimits;
pub use management::Management;
pub use options::{HttpOptions, HttpOptionsError};
pub use scopes::{Scopes, UnknownScope};
pub use serve::{ServeError, Server, serve};
pub use typed::{Started, TypedInput, TypedStatus, start_handler, status_handler};

/// Returns the API as a router, which you can merge or nest. This is the same as [`Management::router`].
///
/// The option [`public_base_url`](HttpOptions::public_base_url) is required, because nothing else says at which address
/// the router is served. The router has no fallback, so it can be merged with any other router. `/healthz`, `/readyz`
/// and `/openapi.json` are at its root.
///
/// # Errors
/// Returns [`HttpOptionsError`] if the options cannot work.
///
/// # Examples
/// ```no_run
/// use persevere::http::{self, HttpOptions};
///
/// # fn example(client: persevere::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let durable = http::router(client, HttpOptions::new().public_base_url("http://localhost:3000"))?;
/// let app = axum::Router::new().route("/", axum::routing::get(|| async { "Hello" })).merge(durable);
/// # let _: axum::Router = app;
/// # Ok(())
/// # }
/// ```
pub fn router(client: Client, options: HttpOptions) -> Result<axum::Router, HttpOptionsError> {
    Ok(Management::new(client, options)?.router())
}
