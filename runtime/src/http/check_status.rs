//! The URLs with which a started instance is followed and managed, and the 202 that hands them out.

use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::body::respond;
use super::error::ApiError;
use super::table::Operation;
use super::urls::Urls;

/// How many seconds a client waits before it asks for the status of what it has just started. The family's number.
const RETRY_SECONDS: u32 = 10;

/// The URLs with which an instance is managed, as the family's clients read them.
///
/// Each carries a code for this one instance where there are keys, and for what it does alone: whoever gets one may use it
/// until it expires. The one that restarts passes on all that its maker may do with the new instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HttpManagementPayload {
    /// The instance's id.
    pub id: String,
    /// Its status.
    pub status_query_get_uri: String,
    /// Raises an event: put its name in place of `{eventName}`.
    pub send_event_post_uri: String,
    /// Terminates it: put a reason in place of `{text}`.
    pub terminate_post_uri: String,
    /// Rewinds it; not in the answer to a start, where the family leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewind_post_uri: Option<String>,
    /// Purges it, once it has ended.
    pub purge_history_delete_uri: String,
    /// Starts it again.
    pub restart_post_uri: String,
    /// Pauses it.
    pub suspend_post_uri: String,
    /// Lets it go on.
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

/// The 202 of a start.
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

/// Says where and when to ask next.
pub(super) fn follow(response: &mut Response, location: &str, retry_seconds: u32) -> Result<(), ApiError> {
    let location = HeaderValue::from_str(location).map_err(ApiError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_seconds));
    Ok(())
}
