//! The HTTP API of the Durable Functions, version 2, as a router and as a server; the feature `http`.
//!
//! Clients of the family work against it unchanged: routes, status codes, headers, keys and their order are theirs. Every
//! status answer holds the custom status, which can also be waited for and streamed.
//!
//! - [`serve`] and [`Server`] for a program that has no server.
//! - [`router`] for one that has: merge or nest it.
//! - [`Management`] for handlers of the program's own; [`start_handler`] and [`status_handler`] where they know the
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
//! # What differs from the family
//! - There are no entities, and nothing can be rewound (501).
//! - The headers `traceparent` and `tracestate` are accepted and not used.
//! - A parameter that cannot be read is an error (400), except names of states in a list, which are passed over as in
//!   the family: a filter that silently does not filter would purge too much.

mod body;
mod budget;
mod call;
mod capability;
mod check_status;
mod error;
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

/// The API as a router, to be merged or nested. The same as [`Management::router`].
///
/// It needs [`public_base_url`](HttpOptions::public_base_url): nothing else says at which address it is served. It has no
/// fallback, so that it merges with any other router. `/healthz`, `/readyz` and `/openapi.json` lie at its root.
///
/// # Errors
/// [`HttpOptionsError`] says what cannot work.
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
