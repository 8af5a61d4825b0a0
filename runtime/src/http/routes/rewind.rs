//! `POST /instances/{id}/rewind`

use axum::http::StatusCode;
use axum::response::Response;

use crate::RuntimeStatus;
use crate::http::call::Call;
use crate::http::error::ApiError;

/// Answers that the instance cannot be rewound. No instance can, because the engine writes history and never rewrites
/// it.
pub(in crate::http) async fn rewind(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let status = call.read(id).await?.runtime_status();
    if status != RuntimeStatus::Failed {
        let text = format!(
            "This orchestration has status {status}, but only orchestrations in the \"Failed\" state can be rewound."
        );
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "System.InvalidOperationException", text));
    }
    let text = "Rewinding is not supported: restart the orchestration instead.";
    Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, "System.NotImplementedException", text))
}
