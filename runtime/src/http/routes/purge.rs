//! `DELETE /instances/{id}` and `DELETE /instances/`

use axum::http::StatusCode;
use axum::response::Response;
use chrono::Utc;
use serde::Serialize;

use super::query::{self, States};
use crate::ClientError;
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

/// Removes every ended instance that was created within a period, with a bounded amount of work at a time.
pub(in crate::http) async fn purge_where(call: &Call<'_>) -> Result<Response, ApiError> {
    let query = &call.query;
    if query.get("createdTimeFrom").is_none() {
        let text = "Please provide value for 'createdTimeFrom' parameter.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "System.ArgumentException", text));
    }
    let states = States::parse(query);
    // A list ignores names that it does not know. Here, that would remove instances that the caller did not mean.
    if states.unreadable {
        return Err(ApiError::bad_argument("`runtimeStatus` names a state that there is not"));
    }
    let mut filter = query::filter(query)?;
    if query.get("createdTimeTo").is_none() {
        filter = filter.created_to(Utc::now());
    }
    let instances_deleted = match states.is_impossible() {
        true => 0,
        false => call.client().purge_where(filter.runtime_status(states.known)).await?,
    };
    if instances_deleted == 0 {
        let text = "There is no ended instance that meets the conditions.";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "InstanceNotFound", text));
    }
    Ok(respond(StatusCode::OK, &Purged { instances_deleted }))
}
