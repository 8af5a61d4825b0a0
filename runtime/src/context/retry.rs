//! Calls that are tried again when they fail. Each attempt is an operation of its own, with a durable timer before it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use super::attempts::{Attempts, is_permanent};
use super::durable::{Durable, sealed::Sealed};
use super::{Context, Timer};
use crate::contract::{RetryDecision, RetryPolicy};
use crate::model::{Attempt, FailureDetails, OperationId};

/// A call that can be tried again: [`ActivityCall`](crate::ActivityCall) and
/// [`SubOrchestrationCall`](crate::SubOrchestrationCall).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be tried again: only a call can",
    label = "is not a call",
    note = "write `.retry(policy)` directly behind the call, and `.timeout(&ctx, duration)` after it",
    note = "for several operations, write `ctx.retry(policy, async || {{ .. }})`"
)]
pub trait Retriable: Durable + Unpin + Sized {
    /// The error of a failed attempt.
    type Failed;

    #[doc(hidden)]
    fn __ctx(&self) -> &Context;

    /// Creates the same call again, as an operation that is not issued yet.
    #[doc(hidden)]
    fn __again(&self) -> Self;

    /// Returns the operation, if it was issued.
    #[doc(hidden)]
    fn __operation(&self) -> Option<OperationId>;

    /// Makes this call a later attempt of another one.
    #[doc(hidden)]
    fn __attempt(&mut self, attempt: Attempt);

    /// Creates the timer after which the next attempt begins, at the place of the call.
    #[doc(hidden)]
    fn __timer(&self, wait: Duration, next: Option<Attempt>) -> Timer;

    /// Returns the error, if the attempt failed.
    #[doc(hidden)]
    fn __failed(output: &Self::Output) -> Option<(&Self::Failed, &FailureDetails)>;
}

/// A call that is tried again when it fails, returned by [`ActivityCall::retry`](crate::ActivityCall::retry) and
/// [`SubOrchestrationCall::retry`](crate::SubOrchestrationCall::retry). Its output is that of the call: the result of the
/// attempt that succeeded, or the error of the last attempt.
#[must_use = "a call does nothing unless it is awaited or scheduled"]
pub struct Retry<C, F = ByPolicy> {
    /// The call as it was made. Attempts after the first one are copies of it.
    call: C,
    stage: Stage<C>,
    attempts: Attempts,
    decide: F,
    /// The operation of the first attempt.
    first: Option<OperationId>,
}

/// The policy alone decides whether there is another attempt.
#[derive(Debug, Clone, Copy)]
pub struct ByPolicy;

/// What decides after a failed attempt. It is a trait so that [`Retry`] without a function needs no bound of its call:
/// otherwise each mistake in an activity would be reported twice.
pub trait Decides<E> {
    #[doc(hidden)]
    fn __after(&self, error: &E, attempt: u32) -> RetryDecision;
}

#[diagnostic::do_not_recommend]
impl<E> Decides<E> for ByPolicy {
    fn __after(&self, _: &E, _: u32) -> RetryDecision {
        RetryDecision::Retry
    }
}

#[diagnostic::do_not_recommend]
impl<E, F: Fn(&E, u32) -> RetryDecision> Decides<E> for F {
    fn __after(&self, error: &E, attempt: u32) -> RetryDecision {
        self(error, attempt)
    }
}

enum Stage<C> {
    Running(C),
    Waiting(Timer),
    Ended,
}

impl<C: Retriable> Retry<C> {
    /// Of a call and a copy of it that was not issued.
    pub(super) fn new(running: C, call: C, policy: RetryPolicy) -> Self {
        let attempts = Attempts::new(policy);
        Self { call, stage: Stage::Running(running), attempts, decide: ByPolicy, first: None }
    }

    /// Decides after each failed attempt whether there is another one. The function gets the error and the number of the
    /// attempt that failed, counted from 1.
    ///
    /// It is not asked about the last attempt that the policy allows, nor about an error that is marked as permanent:
    /// these are never tried again.
    ///
    /// # Determinism
    /// Replay asks the function again, so it may use only its arguments, constants and captured values.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use persevere::{RetryDecision, RetryPolicy};
    /// use persevere::prelude::*;
    ///
    /// #[activity]
    /// async fn charge(cents: u32) -> Result<u32, ActivityError> {
    ///     Ok(cents)
    /// }
    ///
    /// #[orchestrator]
    /// async fn buy(ctx: OrchestrationContext, cents: u32) -> Result<u32, OrchestrationError> {
    ///     let charged = charge::call(&ctx, cents)
    ///         .retry(RetryPolicy::attempts(5))
    ///         .retry_if(|error, attempt| match error.app() {
    ///             Some(error) if error.details().message().contains("declined") => RetryDecision::GiveUp,
    ///             _ if attempt > 2 => RetryDecision::RetryAfter(Duration::from_secs(60)),
    ///             _ => RetryDecision::Retry,
    ///         })
    ///         .await?;
    ///     Ok(charged)
    /// }
    /// # fn main() {}
    /// ```
    pub fn retry_if<F: Fn(&C::Failed, u32) -> RetryDecision>(self, decide: F) -> Retry<C, F> {
        let Self { call, stage, attempts, first, .. } = self;
        Retry { call, stage, attempts, decide, first }
    }
}

impl<C: Retriable, F: Decides<C::Failed>> Retry<C, F> {
    /// Looks at the output of an attempt. Returns it if it is the result, and otherwise begins to wait.
    fn after(&mut self, output: C::Output) -> Option<C::Output> {
        let Some((error, details)) = C::__failed(&output) else { return Some(output) };
        let (decide, ctx) = (&self.decide, self.call.__ctx());
        let wait = self.attempts.after_failure(ctx, is_permanent(details), |attempt| decide.__after(error, attempt));
        let Some(wait) = wait else { return Some(output) };
        let failed = match &self.stage {
            Stage::Running(call) => call.__operation(),
            Stage::Waiting(_) | Stage::Ended => None,
        };
        self.first = self.first.or(failed);
        if wait.is_zero() {
            self.try_again();
        } else {
            let number = self.attempts.number;
            let next = failed.map(|operation| Attempt { number, operation });
            self.stage = Stage::Waiting(self.call.__timer(wait, next));
        }
        None
    }

    fn try_again(&mut self) {
        let mut call = self.call.__again();
        if let Some(operation) = self.first {
            call.__attempt(Attempt { number: self.attempts.number, operation });
        }
        self.stage = Stage::Running(call);
    }
}

impl<C: Unpin, F> Unpin for Retry<C, F> {}

impl<C: Retriable, F: Decides<C::Failed>> Future for Retry<C, F> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<C::Output> {
        let this = self.get_mut();
        this.attempts.begin(this.call.__ctx());
        loop {
            match &mut this.stage {
                Stage::Waiting(timer) => {
                    if Pin::new(timer).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.try_again();
                }
                Stage::Running(call) => {
                    let Poll::Ready(output) = Pin::new(call).poll(cx) else { return Poll::Pending };
                    if let Some(output) = this.after(output) {
                        this.stage = Stage::Ended;
                        return Poll::Ready(output);
                    }
                }
                Stage::Ended => return Poll::Pending,
            }
        }
    }
}

impl<C, F> Sealed for Retry<C, F> {}
#[diagnostic::do_not_recommend]
impl<C: Retriable, F: Decides<C::Failed>> Durable for Retry<C, F> {}

impl<C: fmt::Debug, F> fmt::Debug for Retry<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("call", &self.call)
            .field("attempt", &self.attempts.number)
            .finish_non_exhaustive()
    }
}
