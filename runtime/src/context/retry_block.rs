//! Several operations that are tried again together: `ctx.retry(policy, async || { .. })`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use super::attempts::{Attempts, is_permanent};
use super::durable::{Durable, sealed::Sealed};
use super::leaf::Leaf;
use super::{Context, Timer};
use crate::contract::{Failure, RetryDecision, RetryPolicy};

/// A block of an orchestrator that is tried again when it fails, returned by [`Context::retry`].
#[must_use = "futures do nothing unless you `.await` them"]
pub struct RetryBlock<F, D, E, G = fn(&E, u32) -> RetryDecision> {
    /// Says where the block is. It never becomes an operation.
    place: Leaf,
    make: F,
    stage: Stage<D>,
    attempts: Attempts,
    decide: G,
    error: std::marker::PhantomData<fn(E)>,
}

enum Stage<D> {
    /// The next attempt begins.
    Next,
    Running(Pin<Box<D>>),
    Waiting(Timer),
    Ended,
}

impl<F, D, E> RetryBlock<F, D, E> {
    #[track_caller]
    fn new(ctx: &Context, policy: RetryPolicy, make: F) -> Self {
        let decide: fn(&E, u32) -> RetryDecision = |_, _| RetryDecision::Retry;
        let attempts = Attempts::new(policy);
        Self { place: Leaf::new(ctx), make, stage: Stage::Next, attempts, decide, error: std::marker::PhantomData }
    }

    /// Decides after each failed attempt whether there is another one, as [`Retry::retry_if`](crate::Retry::retry_if) does
    /// for a call.
    ///
    /// # Determinism
    /// Replay asks the function again, so it may use only its arguments, constants and captured values.
    pub fn retry_if<G: Fn(&E, u32) -> RetryDecision>(self, decide: G) -> RetryBlock<F, D, E, G> {
        let Self { place, make, stage, attempts, error, .. } = self;
        RetryBlock { place, make, stage, attempts, decide, error }
    }
}

/// The running attempt is on the heap.
impl<F, D, E, G> Unpin for RetryBlock<F, D, E, G> {}

impl<F, D, T, E, G> Future for RetryBlock<F, D, E, G>
where
    F: FnMut() -> D,
    D: Durable + Future<Output = Result<T, E>>,
    E: Failure,
    G: Fn(&E, u32) -> RetryDecision,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<T, E>> {
        let this = self.get_mut();
        let ctx = this.place.ctx().clone();
        this.attempts.begin(&ctx);
        loop {
            match &mut this.stage {
                Stage::Next => this.stage = Stage::Running(Box::pin((this.make)())),
                Stage::Waiting(timer) => {
                    if Pin::new(timer).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.stage = Stage::Next;
                }
                Stage::Running(block) => {
                    let Poll::Ready(output) = block.as_mut().poll(cx) else { return Poll::Pending };
                    // Whatever the block still holds is dropped before anything else happens.
                    this.stage = Stage::Ended;
                    let Err(error) = &output else { return Poll::Ready(output) };
                    let (permanent, decide) = (is_permanent(&error.__to_details()), &this.decide);
                    let wait = this.attempts.after_failure(&ctx, permanent, |attempt| decide(error, attempt));
                    let Some(wait) = wait else { return Poll::Ready(output) };
                    this.stage = Stage::Waiting(Timer::before_attempt(this.place.again(), wait, None));
                }
                Stage::Ended => return Poll::Pending,
            }
        }
    }
}

impl<F, D, E, G> Sealed for RetryBlock<F, D, E, G> {}
#[diagnostic::do_not_recommend]
impl<F, D, T, E, G> Durable for RetryBlock<F, D, E, G>
where
    F: FnMut() -> D,
    D: Durable + Future<Output = Result<T, E>>,
    E: Failure,
    G: Fn(&E, u32) -> RetryDecision,
{
}

impl<F, D, E, G> fmt::Debug for RetryBlock<F, D, E, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBlock").field("attempt", &self.attempts.number).finish_non_exhaustive()
    }
}

impl Context {
    /// Tries several operations again together: when the block fails, it runs again from its beginning, as the policy says.
    /// For a single call, write [`.retry(policy)`](crate::ActivityCall::retry) behind the call.
    ///
    /// What an attempt of the block has done stays done. Each attempt issues operations of its own, so its activities have
    /// other idempotency keys than those of the attempt before.
    ///
    /// # Determinism
    /// The operations of the block and the timers between attempts are recorded. A replay repeats the attempts.
    ///
    /// # Examples
    /// ```
    /// use persevere::prelude::*;
    ///
    /// #[activity]
    /// async fn open(name: String) -> Result<u32, ActivityError> {
    ///     Ok(name.len() as u32)
    /// }
    ///
    /// #[activity]
    /// async fn read(session: u32) -> Result<String, ActivityError> {
    ///     Ok(format!("page of session {session}"))
    /// }
    ///
    /// #[orchestrator]
    /// async fn page(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    ///     // A session that has expired is opened again.
    ///     ctx.retry(RetryPolicy::attempts(3), async || {
    ///         let session = open::call(&ctx, name.clone()).await?;
    ///         Ok(read::call(&ctx, session).await?)
    ///     })
    ///     .await
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn retry<T, E, D, F>(&self, policy: RetryPolicy, make: F) -> RetryBlock<F, D, E>
    where
        E: Failure,
        F: FnMut() -> D,
        D: Durable + Future<Output = Result<T, E>>,
    {
        RetryBlock::new(self, policy, make)
    }
}
