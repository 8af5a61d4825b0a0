//! Whether the process serves, and whether it can do something.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::body::respond;
use super::error::ApiError;
use crate::Client;

/// The id that readiness looks for. Whether it is there does not matter.
const PROBE: &str = "readyz";

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// It answers.
pub(super) fn alive() -> Response {
    respond(StatusCode::OK, &Health { status: "alive" })
}

/// It reads one row of the store.
pub(super) async fn ready(client: &Client) -> Result<Response, ApiError> {
    client.get_instance(PROBE).await?;
    Ok(respond(StatusCode::OK, &Health { status: "ready" }))
}
