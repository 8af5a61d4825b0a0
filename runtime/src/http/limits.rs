//! How much one caller, and all callers together, may take.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::Keeps;
use super::error::ApiError;

/// How much a request may hold, how long it may take, and how many may wait at a time. The defaults suit most programs.
///
/// # Examples
/// ```
/// let mut limits = persevere::http::HttpLimits::default();
/// limits.body_bytes = 64 * 1024;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// A request's body, in bytes: 413 beyond it. JSON in it may nest 128 deep, which is serde_json's limit.
    pub body_bytes: usize,
    /// Path and query of a request, in bytes: 414 beyond it.
    pub url_bytes: usize,
    /// The names and values of a request's headers together, in bytes: 431 beyond it. There may be 100 of them at a
    /// [`Server`](super::Server).
    pub header_bytes: usize,
    /// The name of an event, in characters.
    pub event_name_chars: usize,
    /// How many instances a page of a list has at most; a larger `top` is cut to it.
    pub page: usize,
    /// How long a request may take that neither waits nor streams: 504 beyond it.
    pub request_time: Duration,
    /// How long a request that waits may wait; a longer `timeout` is cut to it.
    pub wait_time: Duration,
    /// How many requests may wait at a time: 503 beyond it.
    pub waits: usize,
    /// How many streams may be open at a time: 503 beyond it.
    pub streams: usize,
    /// How many histories may be on their way at a time, from the store to the last byte that is sent: 503 beyond it. Each
    /// may be as large as [`Limits::history_bytes`](crate::Limits::history_bytes), and is held in memory.
    pub histories: usize,
    /// How many bytes of answers may be on their way at a time, from the store to the last byte that is sent. A large answer
    /// waits for room, for half of [`request_time`](Self::request_time) at most; 503 beyond it. Answers up to 16 KiB are
    /// not counted, and neither are the four large ones that may be read from the store at a time.
    pub answer_bytes: usize,
    /// How long the reader of an answer or a stream may take nothing before its connection is closed. A router can only give
    /// up the answer itself; the server that it is in closes the connection.
    pub write_time: Duration,
    /// How often a stream on which nothing happens says that it is alive.
    pub keep_alive: Duration,
    /// How many connections the [`Server`](super::Server) serves at a time; the next ones wait to be accepted.
    pub connections: usize,
    /// How long the head of a request may take to arrive at the [`Server`](super::Server).
    pub header_time: Duration,
    /// How long running requests may go on when the [`Server`](super::Server) shuts down.
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

/// The places for requests that stay.
#[derive(Debug)]
pub(super) struct Places {
    waits: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    histories: Arc<Semaphore>,
}

/// A place that is taken as long as this lives.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { waits: places(limits.waits), streams: places(limits.streams), histories: places(limits.histories) }
    }

    pub(super) fn wait(&self) -> Result<Place, ApiError> {
        take(&self.waits, "as many requests wait already as may")
    }

    pub(super) fn stream(&self) -> Result<Place, ApiError> {
        take(&self.streams, "as many streams are open already as may be")
    }

    pub(super) fn history(&self) -> Result<Place, ApiError> {
        take(&self.histories, "as many histories are on their way already as may be")
    }
}

fn take(places: &Arc<Semaphore>, full: &'static str) -> Result<Place, ApiError> {
    Arc::clone(places).try_acquire_owned().map_err(|_| ApiError::busy(full))
}

/// Keeps a place taken until an answer is sent, or given up.
pub(super) fn held(mut response: Response, place: Place) -> Response {
    response.extensions_mut().insert(Keeps::new(place));
    response
}
