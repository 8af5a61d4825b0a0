//! `POST /instances/{id}/raiseEvent/{eventName}`

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;

use crate::ClientError;
use crate::http::body::{is_json, json_text};
use crate::http::call::Call;
use crate::http::error::ApiError;

/// Raises an event for an instance. The event is recorded when the request is answered.
pub(in crate::http) async fn raise(call: &Call<'_>, id: &str, event: &str, body: &[u8]) -> Result<Response, ApiError> {
    let payload = match payload(call, event, body) {
        Ok(payload) => call.event(id, event, payload).await,
        Err(error) => Err(error),
    };
    let payload = match payload {
        Ok(payload) => payload,
        // As in Durable Functions, a problem with the instance is reported before a problem with the event.
        Err(error) => return Err(refusal(call, id).await?.unwrap_or(error)),
    };
    call.client().raise_event(call.id(id)?, event, &payload).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn payload(call: &Call<'_>, event: &str, body: &[u8]) -> Result<Box<RawValue>, ApiError> {
    if !is_json(call.headers) {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "System.ArgumentException",
            "Only application/json request content is supported",
        ));
    }
    let longest = call.service.settings.options.limits.event_name_chars;
    if event.chars().count() > longest {
        return Err(ApiError::bad_argument(format!("the name of an event has at most {longest} characters")));
    }
    json_text(body)?.ok_or_else(|| ApiError::invalid_json("the body is empty; an event without a value is `null`"))
}

async fn refusal(call: &Call<'_>, id: &str) -> Result<Option<ApiError>, ApiError> {
    let metadata = call.read(id).await?;
    let ended = ClientError::InstanceEnded { id: metadata.instance_id().clone(), status: metadata.runtime_status() };
    Ok(metadata.is_ended().then(|| ended.into()))
}
