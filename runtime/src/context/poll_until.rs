//! Asking again and again until the answer is the one that is waited for: `ctx.poll_until(..)`.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::Context;
use super::durable::{Block, Durable, block};
use super::leaf::Leaf;
use super::timer::Timer;
use crate::contract::{Failure, RetryPolicy, TimedOut};
use crate::model::FailureDetails;

/// How often [`Context::poll_until`] asks, and when it gives up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poll {
    /// The wait after the first answer.
    pub every: Duration,
    /// By what each wait is multiplied to get the next one. 1 keeps it the same, and so does a value below 1.
    pub backoff: f64,
    /// How long after the first question another one may still be asked. `None` never gives up.
    pub give_up_after: Option<Duration>,
}

impl Poll {
    /// Asks in regular intervals, without an end.
    pub const fn every(every: Duration) -> Self {
        Self { every, backoff: 1.0, give_up_after: None }
    }
}

/// Why [`Context::poll_until`] has no answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PollError<E> {
    /// A question failed. To try a failed question again, write `.retry(policy)` behind its call.
    Failed {
        /// The error of the call.
        error: E,
        /// The same error as it would be recorded.
        details: FailureDetails,
    },
    /// The time was over before the answer was the one that was waited for.
    GaveUp(TimedOut),
}

impl<E> fmt::Display for PollError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed { .. } => "the call that polls has failed",
            Self::GaveUp(_) => "the expected answer did not come in time",
        })
    }
}

impl<E: fmt::Debug> Error for PollError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { details, .. } => Some(details),
            Self::GaveUp(error) => Some(error),
        }
    }
}

impl Context {
    /// Calls something again and again until `is_ready` accepts the answer, and returns that answer. Use it for something
    /// that cannot send an event when it is ready.
    ///
    /// Each question costs a call and a timer. An orchestration that polls for days should use
    /// continue-as-new from time to time, so that its history stays short.
    ///
    /// # Errors
    /// Returns [`PollError::Failed`] if a call fails, and [`PollError::GaveUp`] if no further question may be asked within
    /// `give_up_after`.
    ///
    /// # Determinism
    /// The calls and the timers between them are recorded. Replay asks `is_ready` again, so it may use only its argument,
    /// constants and captured values.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use persevere::Poll;
    /// use persevere::prelude::*;
    ///
    /// #[activity]
    /// async fn progress(job: String) -> Result<u32, ActivityError> {
    ///     Ok(job.len() as u32)
    /// }
    ///
    /// #[orchestrator]
    /// async fn watch(ctx: OrchestrationContext, job: String) -> Result<u32, OrchestrationError> {
    ///     let hour = Duration::from_secs(60 * 60);
    ///     let poll = Poll { every: Duration::from_secs(30), backoff: 1.5, give_up_after: Some(6 * hour) };
    ///     Ok(ctx.poll_until(poll, || progress::call(&ctx, job.clone()), |percent| *percent == 100).await?)
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn poll_until<T, E, D, F, P>(
        &self,
        poll: Poll,
        mut make: F,
        is_ready: P,
    ) -> Block<impl Future<Output = Result<T, PollError<E>>> + use<T, E, D, F, P>>
    where
        E: Failure,
        F: FnMut() -> D,
        D: Durable + Future<Output = Result<T, E>>,
        P: Fn(&T) -> bool,
    {
        let place = Leaf::new(self);
        // The waits grow as those of a policy do, without a limit of their own.
        let waits = RetryPolicy::attempts(u32::MAX)
            .first_interval(poll.every)
            .coefficient(poll.backoff)
            .max_interval(Duration::MAX);
        block(async move {
            let ctx = place.ctx();
            let began = ctx.turn().turn_time;
            for question in 1.. {
                let answer = make().await.map_err(|error| {
                    let details = error.__to_details();
                    PollError::Failed { error, details }
                })?;
                if is_ready(&answer) {
                    return Ok(answer);
                }
                let wait = waits.interval(question);
                if let Some(limit) = poll.give_up_after
                    && ctx.turn().turn_time.plus(wait) > began.plus(limit)
                {
                    return Err(PollError::GaveUp(TimedOut::new(limit)));
                }
                Timer::before_attempt(place.again(), wait, None).await;
            }
            std::future::pending().await
        })
    }
}
