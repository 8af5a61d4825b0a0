//! One request that was admitted, and everything that its handler needs.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::body::respond;
use super::check_status::{self, follow};
use super::error::ApiError;
use super::guard::Access;
use super::history_body::EventBody;
use super::limits::Place;
use super::router::Service;
use super::status_body::StatusBody;
use super::uri::Query;
use super::urls::{Base, Urls};
use crate::{Client, InstanceId, OrchestrationMetadata, PendingRetry, RuntimeStatus, StartedInstance, WaitError};

/// How many seconds a client waits before it requests a status again, as in Durable Functions.
const RETRY_SECONDS: u32 = 5;

/// The header that identifies the custom status in an answer.
const CUSTOM_STATUS_TOKEN: HeaderName = HeaderName::from_static("x-custom-status-token");

/// One request that was admitted.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) access: Access,
    pub(super) base: Base,
    pub(super) query: Query,
    pub(super) headers: &'a HeaderMap,
    /// How long the request waits, if it does.
    pub(super) wait: Option<Wait>,
}

/// A wait that has its place.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) time: Duration,
    pub(super) _place: Place,
}

impl Call<'_> {
    pub(super) fn client(&self) -> &Client {
        &self.service.client
    }

    pub(super) fn urls(&self) -> Urls<'_> {
        Urls { settings: &self.service.settings, base: self.base.clone(), access: &self.access }
    }

    /// Returns the id of an instance that may exist. A text that is not a valid id names no instance.
    pub(super) fn id(&self, id: &str) -> Result<InstanceId, ApiError> {
        InstanceId::new(id).map_err(|_| ApiError::no_instance(id))
    }

    pub(super) async fn read(&self, id: &str) -> Result<OrchestrationMetadata, ApiError> {
        self.client().get_instance(self.id(id)?).await?.ok_or_else(|| ApiError::no_instance(id))
    }

    fn error_on_failure(&self) -> Result<bool, ApiError> {
        self.query.flag("returnInternalServerErrorOnFailure", false)
    }

    /// Creates the status document, with the status code and the headers that the state requires.
    pub(super) fn status(
        &self,
        metadata: &OrchestrationMetadata,
        history: Option<(&[EventBody<'_>], &[PendingRetry])>,
    ) -> Result<Response, ApiError> {
        let show_input = self.query.flag("showInput", true)?;
        let failed = metadata.runtime_status() == RuntimeStatus::Failed;
        let status = match (metadata.is_ended(), failed && self.error_on_failure()?) {
            (false, _) => StatusCode::ACCEPTED,
            (true, false) => StatusCode::OK,
            (true, true) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = respond(status, &StatusBody::new(metadata, show_input).with_history(history));
        // A long poll or a stream continues from this token. The version in the body is only valid within one life.
        if let Ok(token) = HeaderValue::from_str(&metadata.custom_status_token().to_string()) {
            response.headers_mut().insert(CUSTOM_STATUS_TOKEN, token);
        }
        if status == StatusCode::ACCEPTED {
            follow(&mut response, &self.own_url(metadata), RETRY_SECONDS)?;
        }
        Ok(response)
    }

    /// Returns the URL of this request, with a code for the instance in place of the received one. It is written again,
    /// so that it is a valid URL whatever was received.
    fn own_url(&self, metadata: &OrchestrationMetadata) -> String {
        let parameters: Vec<_> = self.query.pairs().filter(|(name, _)| !name.eq_ignore_ascii_case("code")).collect();
        self.urls().of_status(metadata.instance_id().as_str(), &parameters)
    }

    /// Answers a start: with the output if the instance completes in the time that the caller waits, and otherwise with
    /// the URLs to follow it.
    pub(super) async fn started(&self, started: &StartedInstance) -> Result<Response, ApiError> {
        let error_on_failure = self.error_on_failure()?;
        if let Some(wait) = &self.wait {
            let ended = tokio::select! {
                ended = started.wait_for_completion().timeout(wait.time) => Some(ended),
                () = self.service.closed() => None,
            };
            match ended {
                // The start is done, whether or not there is room for the output: the caller can request the output
                // later.
                Some(Ok(metadata)) => {
                    if let Ok(answer) = self.service.budget.count(self.ended(&metadata)?) {
                        return Ok(answer);
                    }
                }
                Some(Err(WaitError::Client(error))) => return Err(error.into()),
                Some(Err(_)) | None => {}
            }
        }
        Ok(check_status::response(&self.urls(), started.id().as_str(), error_on_failure))
    }

    fn ended(&self, metadata: &OrchestrationMetadata) -> Result<Response, ApiError> {
        if metadata.runtime_status() != RuntimeStatus::Completed {
            return self.status(metadata, None);
        }
        let output = metadata.serialized_output().unwrap_or("null");
        Ok(respond(StatusCode::OK, &super::status_body::Embedded(output)))
    }
}
