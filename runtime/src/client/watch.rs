//! Watching a custom status: a stream of committed values that yields the newest value and none twice.

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

/// A stream of the custom status of one life of an instance.
///
/// The stream yields the current value, then later committed values in their order: always the newest, and none twice.
/// It ends after the final value when the instance ends. It belongs to one life, so it also ends when the instance is
/// replaced.
///
/// - A slow reader skips values. It never slows the orchestration down, and it costs memory for at most one value.
/// - A cleared status is the value that `null` stands for: `None` if the type of the status is an `Option`. If the type has
///   no such value, a cleared status is skipped.
/// - A value of another type is yielded as [`WatchError::Undecodable`], which contains the value. The watch continues.
/// - When the instance is parked, the stream yields [`WatchError::Parked`] once. The watch continues.
/// - [`WatchError::Client`] is the last item.
///
/// The watch is registered when it is created, so nothing that is committed afterwards is missed, and it reads the
/// store at most once. Dropping it costs nothing. Dropping the future of [`next`](Self::next) loses no value.
#[must_use = "a watch does nothing until you ask for the next value"]
pub struct StatusWatch<S> {
    id: InstanceId,
    heads: Heads,
    cursor: Option<StatusToken>,
    parked: bool,
    /// An item to yield before anything else, because one head can contain a value and the news that the instance is
    /// parked.
    then: Option<WatchError>,
    status: PhantomData<fn() -> S>,
}

impl<S: CustomStatus> StatusWatch<S> {
    pub(super) fn new(target: Target, cursor: Option<StatusToken>) -> Self {
        let id = target.id.clone();
        Self { id, heads: Heads::new(target), cursor, parked: false, then: None, status: PhantomData }
    }

    /// Returns the next value, or `None` after the instance has ended and its final value was returned.
    ///
    /// Dropping the future before it is ready loses nothing: the next call returns the value.
    pub async fn next(&mut self) -> Option<Result<S, WatchError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Returns a token for the current position. Another watch that continues from it yields only newer values.
    ///
    /// Returns `None` until the watch has seen a head.
    pub fn resume_token(&self) -> Option<StatusToken> {
        self.cursor
    }

    /// Returns the item for a head that was not seen before.
    fn judge(&mut self, head: &Head) -> Option<Result<S, WatchError>> {
        let parked = head.progress.parked.clone().filter(|_| !self.parked);
        self.parked = head.progress.parked.is_some();
        let parked = parked.map(|reason| WatchError::Parked { id: self.id.clone(), reason });

        let token = StatusToken::of(head);
        let changed = self.cursor.replace(token) != Some(token);
        let Some(text) = head.progress.status_text().filter(|_| changed) else { return parked.map(Err) };
        let value = S::__decode(&text);
        if value.is_err() && head.progress.custom_status.is_none() {
            // The status was cleared, and its type has no value for that.
            return parked.map(Err);
        }
        self.then = parked;
        Some(value.map_err(|error| WatchError::Undecodable { id: self.id.clone(), value: loose(&text), error }))
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

/// A stream of the heads of one life of an instance, after each commit that changed them. It is for callers that know
/// only the instance id, or need more than the custom status. [`Client::watch_instance`](crate::Client::watch_instance)
/// creates it.
///
/// The stream yields the current state of the instance first, then its state after the newest commit, in order. A slow
/// reader skips states that were overwritten. It never slows the orchestration down, and it costs memory for at most
/// one head. The stream ends after the final state, or after an error.
///
/// The watch is registered when it is created, so nothing that is committed afterwards is missed. A thousand watches of
/// one instance together cost one read of the store. Dropping the future of [`next`](Self::next) loses nothing.
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
#[must_use = "a watch does nothing until you ask for the next state"]
pub struct InstanceWatch(Heads);

impl InstanceWatch {
    pub(super) fn new(target: Result<Target, ClientError>) -> Self {
        Self(target.map_or_else(Heads::failed, Heads::new))
    }

    /// Returns the next state. Returns `None` after the final state, and after an error.
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

/// The position of a watch of a custom status. The token is opaque: you can keep it, print it and parse it, and compare
/// it for equality.
///
/// A token identifies one life of the instance. It is not an error to use a token of another life; the watch then
/// begins with the current value.
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

/// The text is not a [`StatusToken`]. Leave the token out to begin with the current value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of a watch: omit it to begin with the current value")]
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
