//! `POST /instances/{id}/restart`

use axum::http::StatusCode;
use axum::response::Response;

use crate::client::ClientError;
use crate::http::call::Call;
use crate::http::error::ApiError;

/// Begins an instance anew with its input, under a new id unless asked otherwise.
pub(in crate::http) async fn restart(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let unknown = || {
        let text = "InstanceId does not match a valid orchestration instance.";
        ApiError::new(StatusCode::BAD_REQUEST, "System.ArgumentException", text)
    };
    let id = call.id(id).map_err(|_| unknown())?;
    let mut restart = call.client().restart(&id);
    if call.query.flag("restartWithNewInstanceId", true)? {
        restart = restart.with_new_instance_id();
    }
    match restart.await {
        Ok(started) => call.started(started.id()).await,
        Err(ClientError::NotFound { .. }) => Err(unknown()),
        Err(ClientError::NotEnded { .. }) => {
            let text = "A non-terminal instance with this instance ID already exists.";
            Err(ApiError::new(StatusCode::CONFLICT, "System.InvalidOperationException", text))
        }
        Err(error) => Err(error.into()),
    }
}
