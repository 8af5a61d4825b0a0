//! The body of a stream: server-sent events one after the other, and a comment when there was none for some time.
//!
//! An event that contains an input or an output may be large. Its bytes are counted like those of any other answer: the
//! event waits for room before it is written, and it is passed on in pieces.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use super::budget::Pieces;
use super::limits::{HttpLimits, Place};

/// A comment, which readers ignore.
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// One event as text. If it is large, it has the place of its bytes in the budget.
pub(super) struct WrittenEvent {
    pub(super) text: String,
    pub(super) place: Option<Place>,
}

/// Where the events come from.
pub(super) trait EventSource: Send + Unpin + 'static {
    /// Returns the next event, or `None` after the last one.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<WrittenEvent>>;
}

/// Creates the answer that sends these events.
pub(super) fn respond(source: impl EventSource, limits: &HttpLimits) -> Response {
    let body = EventBody {
        source,
        large: None,
        over: false,
        keep_alive: limits.keep_alive,
        silence: Box::pin(sleep(limits.keep_alive)),
        write_time: limits.write_time,
    };
    let mut response = Response::new(Body::new(body));
    response.headers_mut().extend([
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]);
    response
}

struct EventBody<S> {
    source: S,
    /// A large event that is being sent.
    large: Option<Pieces>,
    over: bool,
    keep_alive: Duration,
    /// Ends when the reader has received nothing for [`keep_alive`](Self::keep_alive).
    silence: Pin<Box<Sleep>>,
    write_time: Duration,
}

impl<S: EventSource> EventBody<S> {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            if let Some(large) = &mut self.large {
                match ready!(Pin::new(large).poll_frame(cx)) {
                    Some(piece) => return Poll::Ready(Some(piece)),
                    // Everything is sent, so the bytes are free for others.
                    None => self.large = None,
                }
            }
            if self.over {
                return Poll::Ready(None);
            }
            match ready!(self.source.poll_event(cx)) {
                Some(WrittenEvent { text, place: None }) => return Poll::Ready(Some(Ok(Frame::data(text.into())))),
                Some(WrittenEvent { text, place: Some(place) }) => {
                    self.large = Some(Pieces::new(text.into(), place, None, self.write_time));
                }
                None => self.over = true,
            }
        }
    }
}

impl<S: EventSource> HttpBody for EventBody<S> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let bytes = match this.poll_bytes(cx) {
            Poll::Ready(bytes) => bytes,
            Poll::Pending => {
                ready!(this.silence.as_mut().poll(cx));
                Some(Ok(Frame::data(SIGN_OF_LIFE)))
            }
        };
        this.silence.as_mut().reset(Instant::now() + this.keep_alive);
        Poll::Ready(bytes)
    }
}
