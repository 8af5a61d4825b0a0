//! `POST /instances/{id}/restart`

use axum::http::StatusCode;
use axum::response::Response;

use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::routes::start::random_id;
use crate::http::trace;
use crate::{ClientError, InstanceId, JsonText, StartedInstance};

/// Starts an instance again with its input, under a new id unless the caller asks for the same id.
pub(in crate::http) async fn restart(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let unknown = || {
        let text = "InstanceId does not match a valid orchestration instance.";
        ApiError::new(StatusCode::BAD_REQUEST, "System.ArgumentException", text)
    };
    let id = call.id(id).map_err(|_| unknown())?;
    let restarted = match call.query.flag("restartWithNewInstanceId", true)? {
        true => start_again(call, &id).await,
        false => call.client().restart(&id).await,
    };
    match restarted {
        Ok(started) => call.started(&started).await,
        Err(ClientError::NotFound { .. }) => Err(unknown()),
        Err(ClientError::NotEnded { .. }) => {
            let text = "A non-terminal instance with this instance ID already exists.";
            Err(ApiError::new(StatusCode::CONFLICT, "System.InvalidOperationException", text))
        }
        Err(error) => Err(error.into()),
    }
}

/// Starts the original orchestration again under a random id, because the id that
/// [`Client::restart`](crate::Client::restart) would create can be guessed.
async fn start_again(call: &Call<'_>, id: &InstanceId) -> Result<StartedInstance, ClientError> {
    let found = call.client().get_instance(id).await?;
    let found = found.ok_or_else(|| ClientError::NotFound { id: id.clone() })?;
    let input = JsonText::from_string(found.serialized_input().to_owned());
    let mut start = call.client().start_by_name(found.name(), &input).version(found.version().unwrap_or_default());
    if let Some(trace) = trace::of_start(call.headers) {
        start = start.trace_context(trace);
    }
    start.tags(found.tags().clone()).instance_id(random_id()).await
}
