//! Durable timers, and the time-out that every durable future has.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use super::Context;
use super::durable::{Durable, sealed::Sealed};
use super::leaf::Leaf;
use super::operations::Awaits;
use crate::contract::TimedOut;
use crate::model::{Action, Attempt, Timestamp};

/// A durable timer, returned by [`Context::create_timer`]. It is created at its first poll. If it is dropped before it
/// is due, it is cancelled.
#[must_use = "a timer does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Timer {
    leaf: Leaf,
    due: Due,
    /// The attempt that begins when the timer is due.
    attempt: Option<Attempt>,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    After(Duration),
    At(Timestamp),
}

impl Timer {
    #[track_caller]
    pub(super) fn after(ctx: &Context, duration: Duration) -> Self {
        Self { leaf: Leaf::new(ctx), due: Due::After(duration), attempt: None }
    }

    #[track_caller]
    pub(super) fn at(ctx: &Context, time: Timestamp) -> Self {
        Self { leaf: Leaf::new(ctx), due: Due::At(time), attempt: None }
    }

    /// Creates the timer before an attempt of something that is tried again.
    pub(super) fn before_attempt(leaf: Leaf, wait: Duration, attempt: Option<Attempt>) -> Self {
        Self { leaf, due: Due::After(wait), attempt }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.leaf.is_issued() {
            if let Err(failure) = this.leaf.admit(0) {
                // A timer cannot return an error, so the whole execution fails.
                this.leaf.ctx().turn().fail(failure);
                return Poll::Pending;
            }
            let fire_at = match this.due {
                Due::After(duration) => this.leaf.ctx().turn().due(duration),
                Due::At(time) => time,
            };
            let attempt = this.attempt;
            let _ = this.leaf.issue(Awaits::Timer(fire_at), |operation, location| Action::CreateTimer {
                operation,
                fire_at,
                attempt,
                location,
            });
        }
        if this.leaf.take_result().is_some() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sealed for Timer {}
#[diagnostic::do_not_recommend]
impl Durable for Timer {}

/// A durable future with a time-out, returned by [`Durable::timeout`](super::Durable::timeout). The operation is issued
/// first, then the timer. Whichever is ready first wins, and the other is dropped. If both are ready, the operation
/// wins.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct Timeout<F> {
    future: Option<Pin<Box<F>>>,
    timer: Option<Timer>,
    after: Duration,
}

impl<F> Timeout<F> {
    #[track_caller]
    pub(crate) fn new(future: F, ctx: &Context, after: Duration) -> Self {
        Self { future: Some(Box::pin(future)), timer: Some(Timer::after(ctx, after)), after }
    }
}

impl<F: Durable> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(Poll::Ready(output)) = this.future.as_mut().map(|future| future.as_mut().poll(cx)) {
            this.future = None;
            this.timer = None;
            return Poll::Ready(Ok(output));
        }
        if let Some(Poll::Ready(())) = this.timer.as_mut().map(|timer| Pin::new(timer).poll(cx)) {
            this.timer = None;
            this.future = None;
            return Poll::Ready(Err(TimedOut::new(this.after)));
        }
        Poll::Pending
    }
}

impl<F: Durable> Sealed for Timeout<F> {}
#[diagnostic::do_not_recommend]
impl<F: Durable> Durable for Timeout<F> {}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("after", &self.after).finish_non_exhaustive()
    }
}
