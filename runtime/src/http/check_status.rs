//! The URLs for following and managing a started instance, and the 202 answer that contains them.

use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::body::respond;
use super::error::ApiError;
use super::table::Operation;
use super::urls::Urls;

/// How many seconds a client waits before it requests the status of an instance that it has just started, as in Durable
/// Functions.
const RETRY_SECONDS: u32 = 10;

/// The URLs for managing an instance, in the form that clients of Durable Functions read.
///
/// If the API has keys, each URL contains a code that permits only its own operation on this one instance. Whoever
/// receives a URL can use it until it expires. The URL for a restart passes on all rights that its creator has to the
/// new instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HttpManagementPayload {
    /// The instance id.
    pub id: String,
    /// Reads the status.
    pub status_query_get_uri: String,
    /// Raises an event. Replace `{eventName}` with the name of the event.
    pub send_event_post_uri: String,
    /// Terminates the instance. Replace `{text}` with a reason.
    pub terminate_post_uri: String,
    /// Rewinds the instance. The answer to a start does not contain it, as in Durable Functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewind_post_uri: Option<String>,
    /// Purges the ended instance.
    pub purge_history_delete_uri: String,
    /// Starts the instance again.
    pub restart_post_uri: String,
    /// Suspends the instance.
    pub suspend_post_uri: String,
    /// Resumes the instance.
    pub resume_post_uri: String,
}

impl HttpManagementPayload {
    pub(super) fn new(urls: &Urls<'_>, id: &str) -> Self {
        let url = |operation| urls.of_operation(operation, id);
        Self {
            id: id.to_owned(),
            status_query_get_uri: url(Operation::Status),
            send_event_post_uri: url(Operation::Raise),
            terminate_post_uri: url(Operation::Terminate),
            rewind_post_uri: Some(url(Operation::Rewind)),
            purge_history_delete_uri: url(Operation::Purge),
            restart_post_uri: url(Operation::Restart),
            suspend_post_uri: url(Operation::Suspend),
            resume_post_uri: url(Operation::Resume),
        }
    }
}

/// Creates the 202 answer to a start.
pub(super) fn response(urls: &Urls<'_>, id: &str, error_on_failure: bool) -> Response {
    let mut payload = HttpManagementPayload { rewind_post_uri: None, ..HttpManagementPayload::new(urls, id) };
    if error_on_failure {
        payload.status_query_get_uri.push_str("&returnInternalServerErrorOnFailure=true");
    }
    let mut response = respond(StatusCode::ACCEPTED, &payload);
    if let Err(error) = follow(&mut response, &payload.status_query_get_uri, RETRY_SECONDS) {
        return error.respond(false);
    }
    response
}

/// Adds the headers that say where and when to ask next.
pub(super) fn follow(response: &mut Response, location: &str, retry_seconds: u32) -> Result<(), ApiError> {
    let location = HeaderValue::from_str(location).map_err(ApiError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_seconds));
    Ok(())
}
