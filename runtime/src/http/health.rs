//! Whether the process answers, and whether it can do its work.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::body::respond;
use super::error::ApiError;
use crate::Client;

/// The id that the readiness check reads. Whether the instance exists does not matter.
const PROBE: &str = "readyz";

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Answers that the process is alive.
pub(super) fn alive() -> Response {
    respond(StatusCode::OK, &Health { status: "alive" })
}

/// Checks readiness by reading one row of the store.
pub(super) async fn ready(client: &Client) -> Result<Response, ApiError> {
    client.get_instance(PROBE).await?;
    Ok(respond(StatusCode::OK, &Health { status: "ready" }))
}
