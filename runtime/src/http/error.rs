//! The answers to refused requests. All of them have the JSON form of `HttpError` in Durable Functions.

use std::error::Error;
use std::fmt;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ClientError;

/// A request that was not done. Its answer is `{"Message", "ExceptionMessage", "ExceptionType"}`.
///
/// The handlers of the API return it, and your own handlers can return it too: a [`ClientError`] can be converted to
/// it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    message: String,
    exception_message: String,
    exception_type: &'static str,
    retry_after: Option<u32>,
    /// Shown only in development mode, because causes can contain paths and rows.
    detail: Option<String>,
}

/// The text of a 400 answer without further details, as in Durable Functions.
const BAD_ARGUMENT: &str = "One or more of the arguments submitted is incorrect";
/// The text of a 500 answer, as in Durable Functions.
const WENT_WRONG: &str = "Something went wrong while processing your request";

/// How many seconds a caller waits before it repeats a request that failed because there was no room or the store did
/// not work.
const RETRY_SECONDS: u32 = 5;

impl ApiError {
    pub(super) fn new(status: StatusCode, exception_type: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Parts {
            status,
            exception_message: message.clone(),
            message,
            exception_type,
            retry_after: None,
            detail: None,
        }))
    }

    /// 400: an argument is wrong, with the reason.
    pub(super) fn bad_argument(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "System.ArgumentException", BAD_ARGUMENT).because(what)
    }

    pub(super) fn invalid_json(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Newtonsoft.Json.JsonReaderException", "Invalid JSON content").because(what)
    }

    /// 422: the body is JSON, but not what the orchestrator expects.
    pub(super) fn unprocessable(what: impl Into<String>) -> Self {
        let text = "The body is not the input of this orchestrator.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Newtonsoft.Json.JsonSerializationException", text).because(what)
    }

    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "RouteNotFound", "There is nothing at this path for this method.")
    }

    pub(super) fn no_instance(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "InstanceNotFound", format!("There is no instance with the ID {id}."))
    }

    pub(super) fn already_exists(id: &str) -> Self {
        let name = "DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException";
        Self::new(StatusCode::CONFLICT, name, format!("An orchestration instance with the ID {id} already exists."))
    }

    pub(super) fn unauthorized(what: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", what)
    }

    pub(super) fn forbidden(what: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", what)
    }

    /// 503: there is no room at the moment.
    pub(super) fn busy(what: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyRequests", what).retry()
    }

    /// 500: an error that the caller could not have avoided. The detail is in the log, and in the answer only in
    /// development mode.
    pub(super) fn internal(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "System.Exception", WENT_WRONG).detailed(detail)
    }

    fn because(mut self, what: impl Into<String>) -> Self {
        self.0.exception_message = what.into();
        self
    }

    fn retry(mut self) -> Self {
        self.0.retry_after = Some(RETRY_SECONDS);
        self
    }

    fn detailed(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// Returns the status code.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the `Message` of the answer.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Logs internal errors, whatever the caller sees.
    pub(super) fn log(&self) {
        if let Some(detail) = &self.0.detail {
            tracing::error!(target: "persevere::http", status = self.0.status.as_u16(), detail, "a request failed");
        }
    }

    /// Creates the answer. In development mode, it contains the detail.
    pub(super) fn respond(&self, development: bool) -> Response {
        let parts = &*self.0;
        let body = Body {
            message: &parts.message,
            exception_message: &parts.exception_message,
            exception_type: parts.exception_type,
            stack_trace: development.then(|| parts.detail.as_deref().unwrap_or(&parts.exception_message)),
        };
        // These are only texts, which can always be written as JSON.
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (parts.status, text).into_response();
        response.headers_mut().insert(CONTENT_TYPE, super::body::JSON);
        if let Some(seconds) = parts.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if parts.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    message: &'a str,
    exception_message: &'a str,
    exception_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_trace: Option<&'a str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        self.respond(false)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { message, exception_message, .. } = &*self.0;
        if message == exception_message { f.write_str(message) } else { write!(f, "{message}: {exception_message}") }
    }
}

impl Error for ApiError {}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        let text = error.to_string();
        match error {
            ClientError::NotFound { id } | ClientError::Replaced { id } => Self::no_instance(id.as_str()),
            ClientError::WrongOrchestrator { .. } => Self::new(StatusCode::NOT_FOUND, "InstanceNotFound", text),
            ClientError::AlreadyExists { id, .. } => Self::already_exists(id.as_str()),
            ClientError::InstanceEnded { .. } => Self::new(StatusCode::GONE, "System.InvalidOperationException", text),
            ClientError::NotReplayable { .. } => {
                Self::new(StatusCode::CONFLICT, "System.InvalidOperationException", text)
            }
            ClientError::NotEnded { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "System.InvalidOperationException", text)
            }
            // The client of Durable Functions throws here, and its HTTP API has no separate answer for it.
            ClientError::InvalidState { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "System.InvalidOperationException", WENT_WRONG)
                    .because(text)
            }
            ClientError::NotRegistered { .. }
            | ClientError::InvalidInstanceId(_)
            | ClientError::InvalidFilter { .. }
            | ClientError::Encode(_)
            | ClientError::TextTooLong { .. }
            | ClientError::CustomStatusTooLarge { .. } => Self::bad_argument(text),
            ClientError::PayloadTooLarge { .. } => too_large(text),
            ClientError::TooManyEvents { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", text).retry()
            }
            ClientError::StoreUnavailable { .. } | ClientError::RuntimeStopped | ClientError::Fatal { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Nothing can be done at the moment.")
                    .retry()
                    .detailed(text)
            }
            ClientError::OutcomeUnknown { .. } => {
                Self::internal(text).because("It is not known whether this was done: read the instance to find out.")
            }
            ClientError::Corrupt { .. } | ClientError::Decode { .. } => Self::internal(text),
        }
    }
}

/// 413: something is too large.
pub(super) fn too_large(what: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", what)
}
