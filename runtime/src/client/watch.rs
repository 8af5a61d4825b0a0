//! The watch of a custom status: a stream of committed values, newest first to be seen, none of them twice.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::error::ClientError;
use super::metadata::loose;
use super::port::BoxFuture;
use super::target::{Subscription, Target};
use super::wait_error::WatchError;
use crate::contract::CustomStatus;
use crate::model::{InstanceHead, InstanceId, InstanceKey};

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
    state: State,
    cursor: Option<StatusToken>,
    parked: bool,
    /// Comes before anything else: one head may bring a value and the news that the instance is parked.
    then: Option<WatchError>,
    status: PhantomData<fn() -> S>,
}

enum State {
    Idle(Subscription),
    Waiting(BoxFuture<(Subscription, Result<Arc<InstanceHead>, ClientError>)>),
    Over,
}

impl<S: CustomStatus> StatusWatch<S> {
    pub(super) fn new(target: Target, cursor: Option<StatusToken>) -> Self {
        let subscription = Subscription::new(target);
        let id = subscription.id().clone();
        Self { id, state: State::Idle(subscription), cursor, parked: false, then: None, status: PhantomData }
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
    fn judge(&mut self, head: &InstanceHead) -> Option<Result<S, WatchError>> {
        let parked = head.parked.clone().filter(|_| !self.parked);
        self.parked = head.parked.is_some();
        let parked = parked.map(|reason| WatchError::Parked { id: self.id.clone(), reason });

        let token = StatusToken { key: head.key, version: head.custom_status_version };
        let changed = self.cursor.replace(token) != Some(token);
        let Some(text) = head.custom_status.as_ref().filter(|_| changed) else { return parked.map(Err) };
        self.then = parked;
        let undecodable = |error| WatchError::Undecodable { id: self.id.clone(), value: loose(text), error };
        Some(S::__decode(text).map_err(undecodable))
    }
}

impl<S: CustomStatus> Stream for StatusWatch<S> {
    type Item = Result<S, WatchError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(error) = this.then.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let (subscription, answer) = match &mut this.state {
                State::Over => return Poll::Ready(None),
                State::Waiting(answer) => ready!(answer.as_mut().poll(cx)),
                State::Idle(_) => {
                    if let State::Idle(mut subscription) = std::mem::replace(&mut this.state, State::Over) {
                        this.state = State::Waiting(Box::pin(async move {
                            let answer = subscription.next().await;
                            (subscription, answer)
                        }));
                    }
                    continue;
                }
            };
            this.state = State::Over;
            match answer {
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
                Ok(head) => {
                    if !head.is_ended() {
                        this.state = State::Idle(subscription);
                    }
                    if let Some(item) = this.judge(&head) {
                        return Poll::Ready(Some(item));
                    }
                }
            }
        }
    }
}

impl<S> fmt::Debug for StatusWatch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusWatch").field("id", &self.id).field("cursor", &self.cursor).finish_non_exhaustive()
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
