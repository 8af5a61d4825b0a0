//! The custom status of one instance or of several, as server-sent events (HTML standard, 9.2).
//!
//! ```text
//! id: 549755813889.3                          of several instances: a token for each, in the order of the request
//! event: customStatus
//! data: {"customStatus":{"city":"London"},"customStatusVersion":3,"runtimeStatus":"Running"}
//!
//! event: end                                  the last one of an instance; its data is the status document
//! ```
//! The connection pulls: a value is taken from the watch when there is room for it, and the watch keeps only the newest
//! value. A slow reader therefore costs one value for each instance, and skips the others.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use chrono::Utc;
use futures_core::Stream;
use serde::Serialize;

use super::budget::Budget;
use super::call::Call;
use super::error::ApiError;
use super::event_body::{self, EventSource, WrittenEvent};
use super::limits::Place;
use super::status_body::{Embedded, StatusBody};
use crate::{ClientError, InstanceWatch, OrchestrationMetadata, RuntimeStatus, StatusToken};

/// Tells proxies not to buffer events (the header is named by nginx).
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Stands for the token of an instance of which nothing was seen yet.
const NOTHING_SEEN: &str = "-";

/// Opens the stream of one instance. If the instance does not exist, this is answered with an error and not with a
/// stream.
pub(super) async fn open(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let place = call.service.places.stream()?;
    let show_input = call.query.flag("showInput", true)?;
    let id = call.id(id)?;
    let mut watch = call.client().watch_instance(&id);
    let first = watch.next().await.ok_or_else(|| ApiError::no_instance(id.as_str()))??;
    let mut feed = Feed::new(id.as_str(), watch);
    feed.first = Some(first);
    // Without a valid token, the stream begins with the current value.
    feed.seen = last_event_id(call).and_then(|token| token.parse().ok());
    Ok(respond(call, StatusEvents { many: None, ..StatusEvents::new(call, vec![feed], show_input, place) }))
}

/// Opens one stream for several instances. If one does not exist, this is an event in the stream.
pub(super) fn open_many(call: &Call<'_>, ids: &[String]) -> Result<Response, ApiError> {
    let place = call.service.places.stream()?;
    let show_input = call.query.flag("showInput", true)?;
    let feed = |id: &String| Feed::new(id, call.client().watch_instance(id));
    let mut feeds: Vec<_> = ids.iter().map(feed).collect();
    let tokens: Vec<_> = last_event_id(call).unwrap_or_default().split(',').map(str::trim).collect();
    // Tokens of another list of instances cannot be used.
    if tokens.len() == feeds.len() {
        feeds.iter_mut().zip(tokens).for_each(|(feed, token)| feed.seen = token.parse().ok());
    }
    Ok(respond(call, StatusEvents::new(call, feeds, show_input, place)))
}

fn last_event_id<'a>(call: &'a Call<'_>) -> Option<&'a str> {
    call.headers.get("last-event-id").and_then(|token| token.to_str().ok()).map(str::trim)
}

fn respond(call: &Call<'_>, events: StatusEvents) -> Response {
    let mut response = event_body::respond(events, &call.service.settings.options.limits);
    response.headers_mut().extend([NO_BUFFERING]);
    response
}

/// Completes when the stream must end although an instance has not: when the server closes, or when the code that
/// opened the stream expires.
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

/// The news of one instance.
struct Feed {
    id: String,
    watch: InstanceWatch,
    first: Option<OrchestrationMetadata>,
    seen: Option<StatusToken>,
    /// The end, which follows the last value.
    then: Option<OrchestrationMetadata>,
    over: bool,
}

/// The room for an event, on its way.
type Room = Pin<Box<dyn Future<Output = Option<Place>> + Send>>;

/// An event about an instance.
enum News {
    Value(OrchestrationMetadata),
    End(OrchestrationMetadata),
    /// The instance does not exist, or does not exist any more.
    Gone,
}

/// The reason why a feed has no further events.
enum Silence {
    /// Everything was sent.
    Over,
    /// The runtime or the store does not answer. A new request returns the reason.
    Lost,
}

impl News {
    /// Returns about how many bytes the event has. Everything else in it is small.
    fn size(&self, show_input: bool) -> usize {
        let (Self::Value(head) | Self::End(head)) = self else { return 0 };
        let status = head.serialized_custom_status().map_or(0, str::len);
        if matches!(self, Self::Value(_)) {
            return status;
        }
        let input = if show_input { head.serialized_input().len() } else { 0 };
        let output = head.serialized_output().map_or(0, str::len);
        let failure = head.failure_details().map_or(0, |details| details.message().len());
        let tags: usize = head.tags().iter().map(|(key, value)| key.len() + value.len()).sum();
        status + input + output + failure + tags
    }
}

impl Feed {
    fn new(id: &str, watch: InstanceWatch) -> Self {
        Self { id: id.to_owned(), watch, first: None, seen: None, then: None, over: false }
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Result<News, Silence>> {
        loop {
            if let Some(end) = self.then.take() {
                return Poll::Ready(Ok(News::End(end)));
            }
            if self.over {
                return Poll::Ready(Err(Silence::Over));
            }
            let head = match self.first.take() {
                Some(first) => Some(Ok(first)),
                None => ready!(Pin::new(&mut self.watch).poll_next(cx)),
            };
            match head {
                Some(Ok(head)) => {
                    let token = head.custom_status_token();
                    let changed = self.seen.replace(token) != Some(token);
                    if head.is_ended() {
                        self.over = true;
                        self.then = Some(head.clone());
                    }
                    // A head that contains nothing new is skipped.
                    if changed {
                        return Poll::Ready(Ok(News::Value(head)));
                    }
                }
                None => self.over = true,
                Some(Err(error)) => {
                    self.over = true;
                    return Poll::Ready(match error {
                        ClientError::NotFound { .. }
                        | ClientError::Replaced { .. }
                        | ClientError::InvalidInstanceId(_) => Ok(News::Gone),
                        _ => Err(Silence::Lost),
                    });
                }
            }
        }
    }
}

struct StatusEvents {
    feeds: Vec<Feed>,
    /// With several instances, the one whose turn it is. Each sends one event in turn, so that none displaces the
    /// others.
    many: Option<usize>,
    show_input: bool,
    budget: Budget,
    /// A large event, whose instance has this place in the list, and which waits for room.
    waiting: Option<(usize, News, Room)>,
    leave: Pin<Box<dyn Future<Output = ()> + Send>>,
    begun: bool,
    over: bool,
    _place: Place,
}

impl StatusEvents {
    fn new(call: &Call<'_>, feeds: Vec<Feed>, show_input: bool, place: Place) -> Self {
        Self {
            feeds,
            many: Some(0),
            show_input,
            budget: call.service.budget.clone(),
            waiting: None,
            leave: leave(call),
            begun: false,
            over: false,
            _place: place,
        }
    }

    /// Returns the next event, or `None` if there are no more.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Option<WrittenEvent>> {
        if self.waiting.is_none() {
            let Some((place, news)) = ready!(self.poll_news(cx)) else { return Poll::Ready(None) };
            let size = news.size(self.show_input);
            if !Budget::counts(size) {
                return Poll::Ready(Some(WrittenEvent { text: self.write(place, &news), place: None }));
            }
            self.waiting = Some((place, news, Box::pin(self.budget.clone().room_for_event(size))));
        }
        let Some((_, _, room)) = &mut self.waiting else { return Poll::Ready(None) };
        let room = ready!(room.as_mut().poll(cx));
        let written = self.waiting.take().zip(room);
        Poll::Ready(
            written.map(|((place, news, _), room)| WrittenEvent { text: self.write(place, &news), place: Some(room) }),
        )
    }

    /// Returns the next news and the place of its instance in the list, or `None` if there are no more.
    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, News)>> {
        let first = self.many.unwrap_or_default();
        let mut silent = 0;
        for turn in 0..self.feeds.len() {
            let place = (first + turn) % self.feeds.len();
            match self.feeds[place].poll_news(cx) {
                Poll::Ready(Ok(News::Gone)) if self.many.is_none() => return Poll::Ready(None),
                Poll::Ready(Ok(news)) => {
                    self.many = self.many.map(|_| place + 1);
                    return Poll::Ready(Some((place, news)));
                }
                Poll::Ready(Err(Silence::Over)) => silent += 1,
                Poll::Ready(Err(Silence::Lost)) => return Poll::Ready(None),
                Poll::Pending => {}
            }
        }
        if silent == self.feeds.len() { Poll::Ready(None) } else { Poll::Pending }
    }

    fn write(&self, place: usize, news: &News) -> String {
        let tokens = self.feeds.iter().map(|feed| feed.seen.map_or_else(|| NOTHING_SEEN.to_owned(), |t| t.to_string()));
        let tokens = tokens.collect::<Vec<_>>().join(",");
        let instance_id = self.many.map(|_| &*self.feeds[place].id);
        match news {
            News::Value(head) => event("customStatus", &tokens, &Value::of(head, instance_id)),
            News::End(head) => event("end", &tokens, &StatusBody::new(head, self.show_input)),
            News::Gone => event("gone", &tokens, &Gone { instance_id: &self.feeds[place].id }),
        }
    }
}

impl EventSource for StatusEvents {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<WrittenEvent>> {
        let this = self;
        if this.over {
            return Poll::Ready(None);
        }
        // A caller that connects while the server closes still receives the current state.
        if this.begun && this.leave.as_mut().poll(cx).is_ready() {
            this.over = true;
            return Poll::Ready(None);
        }
        let event = this.poll_written(cx);
        // The stream must also be woken when it has to end.
        if event.is_pending() && !std::mem::replace(&mut this.begun, true) && this.leave.as_mut().poll(cx).is_ready() {
            this.over = true;
            return Poll::Ready(None);
        }
        let event = ready!(event);
        this.begun = true;
        this.over = event.is_none();
        Poll::Ready(event)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    custom_status: Option<Embedded<'a>>,
    custom_status_version: u64,
    runtime_status: RuntimeStatus,
}

impl<'a> Value<'a> {
    fn of(head: &'a OrchestrationMetadata, instance_id: Option<&'a str>) -> Self {
        Self {
            instance_id,
            custom_status: head.serialized_custom_status().map(Embedded),
            custom_status_version: head.custom_status_version(),
            runtime_status: head.runtime_status(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gone<'a> {
    instance_id: &'a str,
}

fn event(name: &str, token: &str, data: &impl Serialize) -> String {
    // These are texts, numbers and embedded JSON, which can always be written as JSON.
    let data = serde_json::to_string(data).unwrap_or_default();
    // In a JSON text, line breaks occur only between values. They would end the line of the event.
    format!("id: {token}\nevent: {name}\ndata: {}\n\n", data.replace(['\r', '\n'], " "))
}
