//! The heads of one life as a stream, for the watches.

use std::fmt;
use std::task::{Context, Poll};

use super::error::ClientError;
use super::port::BoxFuture;
use super::target::{Subscription, Target};
use crate::model::Head;

/// The current head, then the newest head after each commit. The last item is a head that has ended, or an error.
#[derive(Debug)]
pub(super) struct Heads(State);

enum State {
    Idle(Subscription),
    Waiting(BoxFuture<(Subscription, Result<Head, ClientError>)>),
    Over(Option<ClientError>),
}

impl Heads {
    /// Registers immediately, so that nothing is missed that is committed from now on.
    pub(super) fn new(target: Target) -> Self {
        Self(State::Idle(Subscription::new(target)))
    }

    /// Creates a stream that yields one error.
    pub(super) fn failed(error: ClientError) -> Self {
        Self(State::Over(Some(error)))
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Head, ClientError>>> {
        loop {
            match std::mem::replace(&mut self.0, State::Over(None)) {
                State::Over(error) => return Poll::Ready(error.map(Err)),
                State::Idle(mut subscription) => {
                    self.0 = State::Waiting(Box::pin(async move {
                        let answer = subscription.next().await;
                        (subscription, answer)
                    }));
                }
                State::Waiting(mut answer) => {
                    let Poll::Ready((subscription, answer)) = answer.as_mut().poll(cx) else {
                        self.0 = State::Waiting(answer);
                        return Poll::Pending;
                    };
                    if answer.as_ref().is_ok_and(|head| !head.is_ended()) {
                        self.0 = State::Idle(subscription);
                    }
                    return Poll::Ready(Some(answer));
                }
            }
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(subscription) => f.debug_tuple("Idle").field(subscription.id()).finish(),
            Self::Waiting(_) => f.write_str("Waiting"),
            Self::Over(error) => f.debug_tuple("Over").field(error).finish(),
        }
    }
}
