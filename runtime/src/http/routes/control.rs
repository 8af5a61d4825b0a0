//! `POST /instances/{id}/terminate`, `/suspend` and `/resume`

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::http::call::Call;
use crate::http::error::ApiError;

/// Ends an instance without its code.
pub(in crate::http) async fn terminate(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    call.client().terminate(call.id(id)?, reason(call)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Pauses an instance.
pub(in crate::http) async fn suspend(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    call.client().suspend(call.id(id)?, reason(call)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Lets a paused instance go on.
pub(in crate::http) async fn resume(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    call.client().resume(call.id(id)?, reason(call)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn reason<'a>(call: &'a Call<'_>) -> &'a str {
    call.query.get("reason").unwrap_or_default()
}
