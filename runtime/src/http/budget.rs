//! Limits how many bytes of answers are in memory at a time, and how long a reader may keep them there.
//!
//! ```text
//! a list, a history ─► a place to be read ─► the answer ─► bytes of the budget ─► pieces, as the reader takes them
//! everything else ────────────────────────► the answer ─► bytes of the budget, or 503 at once
//! a large event of a stream ─► a place in line ─► bytes of the budget ─► the event ─► pieces
//! ```
//! A connection buffers whatever it is given. Answers are therefore passed on in pieces: what is still to be sent is
//! counted here, and it is dropped when its reader takes nothing for too long.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::error::ApiError;
use super::limits::{HttpLimits, Place};

/// Answers up to this size are not counted, because a connection itself costs about as much.
const SMALL: usize = 16 * 1024;
/// The size of one piece.
const PIECE: usize = 64 * 1024;
/// The number of bytes that one permit stands for.
const UNIT: usize = 1024;
/// The number of large answers that may be read from the store at a time. They are not counted until their size is
/// known.
const READS: usize = 4;
/// The number of large events of streams that may wait for bytes at a time. The others wait for a place in this line, so
/// that lists and histories never wait behind thousands of streams.
const EVENTS_IN_LINE: usize = 4;

/// The bytes that answers may occupy.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    total: u32,
    reads: Arc<Semaphore>,
    line: Arc<Semaphore>,
    /// How long a reader may take nothing.
    write_time: Duration,
    /// How long a large answer may wait for its turn, and again for its bytes.
    patience: Duration,
}

/// Keeps a place taken until the answer is sent or given up. It is stored in the extensions of the answer.
#[derive(Clone)]
pub(super) struct Keeps {
    _place: Arc<Place>,
}

impl Keeps {
    pub(super) fn new(place: Place) -> Self {
        Self { _place: Arc::new(place) }
    }
}

impl Budget {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let total = u32::try_from(limits.answer_bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
            reads: Arc::new(Semaphore::new(READS)),
            line: Arc::new(Semaphore::new(EVENTS_IN_LINE)),
            write_time: limits.write_time,
            // Once for its turn and once for its bytes, and the read between them takes its time too.
            patience: limits.request_time / 4,
        }
    }

    /// Waits for the turn of an answer that may be large. The turn ends when the place is dropped.
    pub(super) async fn turn(&self) -> Result<Place, ApiError> {
        let turn = Arc::clone(&self.reads).acquire_owned();
        let turn = tokio::time::timeout(self.patience, turn).await.map_err(|_| full())?;
        turn.map_err(ApiError::internal)
    }

    /// Counts an answer that has its turn. Waits until other answers are sent or given up.
    pub(super) async fn count_in_turn(&self, answer: Response) -> Result<Response, ApiError> {
        let Some(bytes) = size(&answer) else { return Ok(answer) };
        let units = Arc::clone(&self.units).acquire_many_owned(self.units_of(bytes));
        let units = tokio::time::timeout(self.patience, units).await.map_err(|_| full())?;
        Ok(self.in_pieces(answer, units.map_err(ApiError::internal)?))
    }

    /// Counts an answer. If there is no room for it, the answer is dropped.
    pub(super) fn count(&self, answer: Response) -> Result<Response, ApiError> {
        let Some(bytes) = size(&answer) else { return Ok(answer) };
        let units = Arc::clone(&self.units).try_acquire_many_owned(self.units_of(bytes)).map_err(|_| full())?;
        Ok(self.in_pieces(answer, units))
    }

    /// Returns whether an event of a stream with this many bytes is so large that it must be counted.
    pub(super) fn counts(bytes: usize) -> bool {
        bytes > SMALL
    }

    /// Waits until there is room for a large event of a stream. Unlike an answer, it waits for as long as the stream is
    /// open, because its reader has nothing else to do. Returns `None` if the budget does not exist any more.
    pub(super) async fn room_for_event(self, bytes: usize) -> Option<Place> {
        let units = self.units_of(bytes);
        let _in_line = self.line.acquire_owned().await.ok()?;
        self.units.acquire_many_owned(units).await.ok()
    }

    /// Returns the number of permits. An answer that is larger than the whole budget may be sent alone.
    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.total)
    }

    fn in_pieces(&self, mut answer: Response, units: Place) -> Response {
        let keeps = answer.extensions_mut().remove::<Keeps>();
        let write_time = self.write_time;
        answer.extensions_mut().insert(Counted);
        answer.map(|body| Body::new(Pieces::new(body, units, keeps, write_time)))
    }
}

/// Marks an answer that is already counted. It is stored in the extensions of the answer.
#[derive(Clone)]
struct Counted;

/// Returns the size of an answer that must be counted.
fn size(answer: &Response) -> Option<usize> {
    let size = answer.body().size_hint().exact().map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    size.filter(|size| *size > SMALL && answer.extensions().get::<Counted>().is_none())
}

fn full() -> ApiError {
    ApiError::busy("Too many bytes of other answers are on their way.")
}

/// The part of an answer that is still to be sent.
struct Rest {
    bytes: Bytes,
    /// The time when the reader last took something.
    taken: Instant,
    _units: Place,
    _keeps: Option<Keeps>,
}

/// An answer that is sent piece by piece.
pub(super) struct Pieces {
    /// `None` inside means that everything was sent or the reader was too slow.
    rest: Arc<Mutex<Option<Rest>>>,
    /// The number of remaining bytes, for the length in the head of the answer.
    length: u64,
    /// The source of the bytes, until the first piece is requested.
    whole: Option<(Body, Place, Option<Keeps>)>,
    write_time: Duration,
}

impl Pieces {
    pub(super) fn new(body: Body, units: Place, keeps: Option<Keeps>, write_time: Duration) -> Self {
        let length = body.size_hint().exact().unwrap_or_default();
        Self { rest: Arc::default(), length, whole: Some((body, units, keeps)), write_time }
    }

    /// Takes the bytes out of the body, which holds them in one piece, and begins to watch the reader.
    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        let Some((body, ..)) = &mut self.whole else { return Poll::Ready(Ok(())) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx)).transpose()?;
        let bytes = frame.and_then(|frame| frame.into_data().ok()).unwrap_or_default();
        if let Some((_, units, keeps)) = self.whole.take() {
            let rest = Rest { bytes, taken: Instant::now(), _units: units, _keeps: keeps };
            *lock(&self.rest) = Some(rest);
            tokio::spawn(watch(Arc::downgrade(&self.rest), self.write_time));
        }
        Poll::Ready(Ok(()))
    }
}

/// Drops the rest of an answer whose reader takes nothing for this long.
async fn watch(rest: Weak<Mutex<Option<Rest>>>, write_time: Duration) {
    loop {
        let Some(taken) = rest.upgrade().and_then(|rest| lock(&rest).as_ref().map(|rest| rest.taken)) else { return };
        let late = taken + write_time;
        if late <= Instant::now() {
            if let Some(rest) = rest.upgrade() {
                *lock(&rest) = None;
            }
            tracing::debug!(target: "persevere::http", "an answer was given up: its reader took nothing for too long");
            return;
        }
        tokio::time::sleep_until(late).await;
    }
}

fn lock(rest: &Mutex<Option<Rest>>) -> MutexGuard<'_, Option<Rest>> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Err(error) = std::task::ready!(self.begin(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        if self.length == 0 {
            return Poll::Ready(None);
        }
        let piece = lock(&self.rest).as_mut().map(|rest| {
            rest.taken = Instant::now();
            let piece = rest.bytes.len().min(PIECE);
            rest.bytes.split_to(piece)
        });
        let Some(piece) = piece.filter(|piece| !piece.is_empty()) else {
            let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "the reader took nothing for too long");
            return Poll::Ready(Some(Err(axum::Error::new(late))));
        };
        self.length = self.length.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
