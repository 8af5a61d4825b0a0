//! The watch of a custom status: a stream of committed values, newest first to be seen, none of them twice.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::error::ClientError;
use super::heads::Heads;
use super::metadata::{OrchestrationMetadata, loose};
use super::target::Target;
use super::wait_error::WatchError;
use crate::contract::CustomStatus;
use crate::model::{Head, InstanceId, InstanceKey};

/// The custom status of one run of an instance, as it changes.
///
/// It yields the current value first, then every later committed value that it can, always the newest, in order, never
/// one twice. It ends when the instance ends, after the final value, and it belongs to one run: if the instance is
/// replaced, it ends.
///
/// - A slow reader skips values. It never slows the orchestration down, and costs memory for one value at most.
/// - A cleared status is skipped.
/// - A value of another type is a [`WatchError::Undecodable`] that carries it; the watch goes on.
/// - A parked instance is a [`WatchError::Parked`], once each time it is parked; the watch goes on.
/// - [`WatchError::Client`] is the last item.
///
/// It is registered when it is made, so that nothing committed afterwards is missed, and reads the store once at most.
/// Dropping it costs nothing; dropping the future of [`next`](Self::next) loses no value.
#[must_use = "a watch yields nothing unless it is asked for the next value"]
pub struct StatusWatch<S> {
    id: InstanceId,
    heads: Heads,
    cursor: Option<StatusToken>,
    parked: bool,
    /// Comes before anything else: one head may bring a value and the news that the instance is parked.
    then: Option<WatchError>,
    status: PhantomData<fn() -> S>,
}

impl<S: CustomStatus> StatusWatch<S> {
    pub(super) fn new(target: Target, cursor: Option<StatusToken>) -> Self {
        let id = target.id.clone();
        Self { id, heads: Heads::new(target), cursor, parked: false, then: None, status: PhantomData }
    }

    /// The next value; `None` once the instance has ended and its final value was yielded.
    ///
    /// Dropping the future before it is ready loses nothing: the next call gives the value.
    pub async fn next(&mut self) -> Option<Result<S, WatchError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Where this watch stands. Another watch that resumes from here yields what is newer, and nothing twice.
    ///
    /// `None` until something was seen.
    pub fn resume_token(&self) -> Option<StatusToken> {
        self.cursor
    }

    /// What there is to say of a head that was not seen before.
    fn judge(&mut self, head: &Head) -> Option<Result<S, WatchError>> {
        let parked = head.progress.parked.clone().filter(|_| !self.parked);
        self.parked = head.progress.parked.is_some();
        let parked = parked.map(|reason| WatchError::Parked { id: self.id.clone(), reason });

        let token = StatusToken::of(head);
        let changed = self.cursor.replace(token) != Some(token);
        let Some(text) = head.progress.custom_status.as_ref().filter(|_| changed) else { return parked.map(Err) };
        self.then = parked;
        let undecodable = |error| WatchError::Undecodable { id: self.id.clone(), value: loose(text), error };
        Some(S::__decode(text).map_err(undecodable))
    }
}

impl<S: CustomStatus> Stream for StatusWatch<S> {
    type Item = Result<S, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(error) = self.then.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let item = match ready!(self.heads.poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => Some(Err(error.into())),
                Some(Ok(head)) => self.judge(&head),
            };
            if item.is_some() {
                return Poll::Ready(item);
            }
        }
    }
}

impl<S> fmt::Debug for StatusWatch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusWatch").field("id", &self.id).field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

/// One run of an instance, as it changes: its head row at each commit that changed it. For callers that know the instance
/// by its id only, and want more than its custom status. [`Client::watch_instance`](crate::Client::watch_instance) makes
/// it.
///
/// It yields the instance as it is first, then as it is after the newest commit, in order. A slow reader skips what was
/// overwritten; it never slows the orchestration down, and costs memory for one row at most. It ends after the row that
/// has ended, or after an error.
///
/// It is registered when it is made, so that nothing committed afterwards is missed. A thousand watches of one instance
/// cost one read of the store together. Dropping the future of [`next`](Self::next) loses nothing.
///
/// # Examples
/// ```no_run
/// # async fn example(client: persevere::Client) -> Result<(), persevere::ClientError> {
/// let mut order = client.watch_instance("order-1");
/// while let Some(order) = order.next().await {
///     let order = order?;
///     println!("{}: {:?}", order.runtime_status(), order.serialized_custom_status());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a watch yields nothing unless it is asked for the next row"]
pub struct InstanceWatch(Heads);

impl InstanceWatch {
    pub(super) fn new(target: Result<Target, ClientError>) -> Self {
        Self(target.map_or_else(Heads::failed, Heads::new))
    }

    /// The next row; `None` after the one that has ended, and after an error.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::InvalidInstanceId`], [`ClientError::Corrupt`],
    /// [`ClientError::StoreUnavailable`], [`ClientError::RuntimeStopped`], [`ClientError::Fatal`].
    pub async fn next(&mut self) -> Option<Result<OrchestrationMetadata, ClientError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for InstanceWatch {
    type Item = Result<OrchestrationMetadata, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx).map(|head| head.map(|head| head.map(OrchestrationMetadata::from_head)))
    }
}

/// Where a watch of a custom status stands. Opaque: keep it, print it and parse it, compare it for equality.
///
/// It names one run of the instance. A token of another run is no error: what resumes from it begins with the current
/// value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusToken {
    key: InstanceKey,
    version: u64,
}

impl StatusToken {
    pub(super) fn of(head: &Head) -> Self {
        Self { key: head.life.key, version: head.progress.custom_status_version }
    }
}

impl fmt::Display for StatusToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key.0, self.version)
    }
}

/// A text is not a [`StatusToken`]. Leave the token out to begin with the current value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of a watch: leave it out to begin with the current value")]
#[non_exhaustive]
pub struct InvalidStatusToken;

impl FromStr for StatusToken {
    type Err = InvalidStatusToken;

    fn from_str(text: &str) -> Result<Self, InvalidStatusToken> {
        let (key, version) = text.split_once('.').ok_or(InvalidStatusToken)?;
        let number = |digits: &str| digits.parse().map_err(|_| InvalidStatusToken);
        Ok(Self { key: InstanceKey(number(key)?), version: number(version)? })
    }
}
