//! How much one caller, and all callers together, may use.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::Keeps;
use super::error::ApiError;

/// Limits of the HTTP API: how large requests may be, how long they may take, and how many may wait at a time. The
/// defaults suit most programs.
///
/// # Examples
/// ```
/// let mut limits = persevere::http::HttpLimits::default();
/// limits.body_bytes = 64 * 1024;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// The largest body of a request, in bytes. A larger one is answered with 413. The JSON in it can be nested up to
    /// 128 levels deep, which is the limit of serde_json.
    pub body_bytes: usize,
    /// The longest path and query of a request, in bytes. A longer one is answered with 414.
    pub url_bytes: usize,
    /// The largest size of the names and values of all headers of a request together, in bytes. More is answered with
    /// 431. A [`Server`](super::Server) accepts up to 100 headers.
    pub header_bytes: usize,
    /// The longest name of an event, in characters.
    pub event_name_chars: usize,
    /// The largest number of instances on a page of a list. A larger `top` is reduced to this.
    pub page: usize,
    /// How long a request may take that neither waits nor streams. A longer one is answered with 504.
    pub request_time: Duration,
    /// How long a request may wait. A longer `timeout` is reduced to this.
    pub wait_time: Duration,
    /// How many requests may wait at a time. Further ones are answered with 503.
    pub waits: usize,
    /// How many streams may be open at a time. Further ones are answered with 503.
    pub streams: usize,
    /// How many histories may be on their way at a time, from the store to the last byte that is sent. Further ones are
    /// answered with 503. Each may be as large as [`Limits::history_bytes`](crate::Limits::history_bytes) and is held
    /// in memory.
    pub histories: usize,
    /// How many bytes of answers may be on their way at a time, from the store to the last byte that is sent. A large answer
    /// waits for room, for half of [`request_time`](Self::request_time) at most; 503 beyond it. Answers up to 16 KiB are
    /// not counted, and neither are the four large ones that may be read from the store at a time. A large event of a
    /// stream, such as the end of an instance with a large output, counts too, and waits for as long as the stream is open.
    pub answer_bytes: usize,
    /// How long the reader of an answer or a stream may take nothing before its connection is closed. A router can only
    /// give up the answer; the server that contains it closes the connection.
    pub write_time: Duration,
    /// How often a stream without events sends a sign of life.
    pub keep_alive: Duration,
    /// How many connections the [`Server`](super::Server) serves at a time. Further ones wait to be accepted.
    pub connections: usize,
    /// How long the head of a request may take to arrive at the [`Server`](super::Server).
    pub header_time: Duration,
    /// How long running requests may continue when the [`Server`](super::Server) shuts down.
    pub shutdown_grace: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            url_bytes: 8 * 1024,
            header_bytes: 32 * 1024,
            event_name_chars: 256,
            page: 1_000,
            request_time: Duration::from_secs(30),
            wait_time: Duration::from_secs(120),
            waits: 1_000,
            streams: 10_000,
            histories: 8,
            answer_bytes: 64 * 1024 * 1024,
            write_time: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            connections: 20_000,
            header_time: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// The places for requests that take long.
#[derive(Debug)]
pub(super) struct Places {
    waits: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    histories: Arc<Semaphore>,
}

/// A place that is taken until this is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { waits: places(limits.waits), streams: places(limits.streams), histories: places(limits.histories) }
    }

    pub(super) fn wait(&self) -> Result<Place, ApiError> {
        take(&self.waits, "too many requests are waiting")
    }

    pub(super) fn stream(&self) -> Result<Place, ApiError> {
        take(&self.streams, "too many streams are open")
    }

    pub(super) fn history(&self) -> Result<Place, ApiError> {
        take(&self.histories, "too many histories are being sent")
    }
}

fn take(places: &Arc<Semaphore>, full: &'static str) -> Result<Place, ApiError> {
    Arc::clone(places).try_acquire_owned().map_err(|_| ApiError::busy(full))
}

/// Keeps a place taken until an answer is sent or given up.
pub(super) fn held(mut response: Response, place: Place) -> Response {
    response.extensions_mut().insert(Keeps::new(place));
    response
}
