//! `POST /instances/{id}/rewind`

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::control::reason;
use crate::ClientError;
use crate::http::call::Call;
use crate::http::error::ApiError;

/// Runs what failed in a failed instance again.
pub(in crate::http) async fn rewind(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    match call.client().rewind(call.id(id)?, reason(call)).await {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(ClientError::InvalidState { status, .. }) => {
            let text = format!(
                "This orchestration has status {status}, but only orchestrations in the \"Failed\" state can be rewound."
            );
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "System.InvalidOperationException", text))
        }
        Err(error) => Err(error.into()),
    }
}
