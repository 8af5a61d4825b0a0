//! `DELETE /instances/{id}` and `DELETE /instances/`

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::client::ClientError;
use crate::http::body::respond;
use crate::http::call::Call;
use crate::http::error::ApiError;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Purged {
    instances_deleted: u64,
}

/// Removes an ended instance.
pub(in crate::http) async fn purge(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    match call.client().purge(call.id(id)?).await {
        Ok(()) => Ok(respond(StatusCode::OK, &Purged { instances_deleted: 1 })),
        Err(ClientError::NotEnded { id, status }) => {
            let text = format!(
                "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID {id} has status {status}"
            );
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "System.InvalidOperationException", text))
        }
        Err(error) => Err(error.into()),
    }
}
