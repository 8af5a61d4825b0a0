//! `POST /instances/{id}/terminate`, `/suspend`, `/resume` and `/retry`

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::ClientError;
use crate::http::call::Call;
use crate::http::error::ApiError;

/// Ends an instance without running its code.
pub(in crate::http) async fn terminate(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let terminate = call.client().terminate(call.id(id)?, reason(call));
    match call.query.flag("recursive", false)? {
        true => terminate.recursive().await?,
        false => terminate.await?,
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Suspends an instance.
pub(in crate::http) async fn suspend(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    call.client().suspend(call.id(id)?, reason(call)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Resumes a suspended instance.
pub(in crate::http) async fn resume(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    call.client().resume(call.id(id)?, reason(call)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Tries a parked instance again.
pub(in crate::http) async fn retry(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    match call.client().retry_parked(call.id(id)?).await {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(ClientError::InvalidState { id, .. }) => {
            let text = format!("The instance {id} is not parked.");
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "System.InvalidOperationException", text))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn reason<'a>(call: &'a Call<'_>) -> &'a str {
    call.query.get("reason").unwrap_or_default()
}
