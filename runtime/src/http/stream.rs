//! The custom status of one run as server-sent events (HTML standard, 9.2).
//!
//! ```text
//! id: 549755813889.3
//! event: customStatus
//! data: {"customStatus":{"city":"London"},"customStatusVersion":3,"runtimeStatus":"Running"}
//!
//! event: end                                  the last one; its data is the status document
//! ```
//! The connection pulls: a value is taken from the watch when there is room for it, and the watch keeps the newest only. So
//! a slow reader costs one value, and skips the rest.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use chrono::Utc;
use futures_core::Stream;
use serde::Serialize;

use super::call::Call;
use super::error::ApiError;
use super::limits::Place;
use super::status_body::{Embedded, StatusBody};
use crate::{InstanceWatch, OrchestrationMetadata, RuntimeStatus, StatusToken};

/// Tells proxies not to hold events back (nginx's name for it).
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Opens a stream. An instance that is not there is an answer, not a stream.
pub(super) async fn open(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let place = call.service.places.stream()?;
    let show_input = call.query.flag("showInput", true)?;
    let id = call.id(id)?;
    // What is no token begins with the current value.
    let seen = call.headers.get("last-event-id").and_then(|token| token.to_str().ok()?.trim().parse().ok());
    let mut watch = call.client().watch_instance(&id);
    let first = watch.next().await.ok_or_else(|| ApiError::no_instance(id.as_str()))??;
    let events = StatusEvents {
        watch,
        first: Some(first),
        seen,
        show_input,
        then: None,
        leave: leave(call),
        over: false,
        _place: place,
    };
    let keep_alive = KeepAlive::new().interval(call.service.settings.options.limits.keep_alive);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    response.headers_mut().extend([NO_BUFFERING]);
    Ok(response)
}

/// When to go although the instance goes on: the server closes, or the code that opened the stream expires.
fn leave(call: &Call<'_>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let closing = call.service.closed();
    let left = call.access.expires().map(|expires| expires.saturating_sub(Utc::now().timestamp()));
    Box::pin(async move {
        let Some(left) = left.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))) else {
            return closing.await;
        };
        tokio::select! {
            () = closing => {}
            () = tokio::time::sleep(left) => {}
        }
    })
}

struct StatusEvents {
    watch: InstanceWatch,
    first: Option<OrchestrationMetadata>,
    seen: Option<StatusToken>,
    show_input: bool,
    /// The end, behind the last value.
    then: Option<Event>,
    leave: Pin<Box<dyn Future<Output = ()> + Send>>,
    over: bool,
    _place: Place,
}

impl StatusEvents {
    /// What there is to say of a head. One that brings nothing new is passed over.
    fn judge(&mut self, head: &OrchestrationMetadata) -> Option<Event> {
        let token = head.custom_status_token();
        let changed = self.seen.replace(token) != Some(token);
        if head.is_ended() {
            self.over = true;
            self.then = Some(event("end", token, &StatusBody::new(head, self.show_input)));
        }
        let value = changed.then(|| event("customStatus", token, &Value::of(head)));
        value.or_else(|| self.then.take())
    }
}

impl Stream for StatusEvents {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.then.take() {
                return Poll::Ready(Some(Ok(event)));
            }
            if this.over {
                return Poll::Ready(None);
            }
            if this.first.is_none() && this.leave.as_mut().poll(cx).is_ready() {
                this.over = true;
                continue;
            }
            let head = match this.first.take() {
                Some(first) => Some(Ok(first)),
                None => ready!(Pin::new(&mut this.watch).poll_next(cx)),
            };
            // A run that is gone, or a runtime that has stopped, closes the stream: who asks again learns which.
            let Some(Ok(head)) = head else {
                this.over = true;
                continue;
            };
            if let Some(event) = this.judge(&head) {
                return Poll::Ready(Some(Ok(event)));
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    custom_status: Option<Embedded<'a>>,
    custom_status_version: u64,
    runtime_status: RuntimeStatus,
}

impl<'a> Value<'a> {
    fn of(head: &'a OrchestrationMetadata) -> Self {
        Self {
            custom_status: head.serialized_custom_status().map(Embedded),
            custom_status_version: head.custom_status_version(),
            runtime_status: head.runtime_status(),
        }
    }
}

fn event(name: &str, token: StatusToken, data: &impl Serialize) -> Event {
    // Texts, numbers and embedded JSON: they have a JSON form.
    let data = serde_json::to_string(data).unwrap_or_default();
    // In JSON text line breaks stand between values only; one line is easier to read than several.
    Event::default().id(token.to_string()).event(name).data(data.replace(['\r', '\n'], " "))
}
