//! How often something is tried again, and how long each wait is.

use std::time::Duration;

use super::Context;
use crate::model::{FailureDetails, Timestamp};

/// How often a call or a block that failed is tried again, and how long to wait before each attempt.
///
/// Create one with [`RetryPolicy::attempts`]. All setters are `const fn`, so a policy can be a constant that many calls
/// share. Pass it to [`ActivityCall::retry`](crate::ActivityCall::retry),
/// [`SubOrchestrationCall::retry`](crate::SubOrchestrationCall::retry) or [`Context::retry`].
///
/// An error that is marked as permanent ([`FailureDetails::is_non_retriable`]), or that has such an error among its
/// causes, is never tried again.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use persevere::RetryPolicy;
///
/// /// Five attempts, with waits of about 1, 2, 4 and 8 seconds between them.
/// const GENTLE: RetryPolicy = RetryPolicy::attempts(5)
///     .first_interval(Duration::from_secs(1))
///     .coefficient(2.0)
///     .max_interval(Duration::from_secs(60))
///     .total_timeout(Duration::from_secs(600));
/// # assert_eq!(GENTLE, GENTLE.clone());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    attempts: u32,
    first_interval: Duration,
    coefficient: f64,
    max_interval: Duration,
    total_timeout: Option<Duration>,
    jitter: f64,
}

impl RetryPolicy {
    /// Creates a policy with at most this many attempts, including the first one. 0 counts as 1, which never tries
    /// again.
    ///
    /// By default, the first wait is one second, each wait is twice as long as the one before, no wait is longer than
    /// one hour, and chance shortens each wait by up to a fifth.
    pub const fn attempts(attempts: u32) -> Self {
        Self {
            attempts: if attempts == 0 { 1 } else { attempts },
            first_interval: Duration::from_secs(1),
            coefficient: 2.0,
            max_interval: Duration::from_secs(60 * 60),
            total_timeout: None,
            jitter: 0.2,
        }
    }

    /// Sets the wait between the first attempt and the second. Zero tries again at once.
    #[must_use]
    pub const fn first_interval(mut self, interval: Duration) -> Self {
        self.first_interval = interval;
        self
    }

    /// Sets by what each wait is multiplied to get the next one. 1 keeps the wait the same. A value below 1, and one that
    /// is not a number, counts as 1.
    #[must_use]
    pub const fn coefficient(mut self, coefficient: f64) -> Self {
        self.coefficient = if coefficient >= 1.0 { coefficient } else { 1.0 };
        self
    }

    /// Sets the longest wait that the policy chooses. It does not limit
    /// [`RetryDecision::RetryAfter`].
    #[must_use]
    pub const fn max_interval(mut self, interval: Duration) -> Self {
        self.max_interval = interval;
        self
    }

    /// Sets how long after the start of the first attempt another attempt may still begin. An attempt that has begun is
    /// not interrupted: for that, write [`.timeout(&ctx, duration)`](crate::Durable::timeout) after the retry.
    #[must_use]
    pub const fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(timeout);
        self
    }

    /// Sets by which share of its length chance may shorten a wait: with 0.2, a wait of 10 seconds takes between 8 and 10
    /// seconds. This keeps many instances that failed together from trying again together. 0 turns it off; a value above
    /// 1 counts as 1.
    #[must_use]
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = if share >= 1.0 {
            1.0
        } else if share > 0.0 {
            share
        } else {
            0.0
        };
        self
    }

    /// Returns the wait after this attempt, before chance shortens it.
    ///
    /// Only multiplications and comparisons are used. Their results are the same on every platform, which those of
    /// `powi` are not.
    fn interval(&self, attempt: u32) -> Duration {
        let longest = self.max_interval.as_secs_f64();
        let mut seconds = self.first_interval.as_secs_f64();
        let mut done = 1;
        while done < attempt && seconds < longest && self.coefficient > 1.0 && seconds > 0.0 {
            seconds *= self.coefficient;
            done += 1;
        }
        // It was the limit that ended the loop, or the number of attempts.
        Duration::try_from_secs_f64(seconds.min(longest)).unwrap_or(self.max_interval)
    }

    /// Returns the wait after this attempt, shortened by chance.
    fn wait(&self, ctx: &Context, attempt: u32) -> Duration {
        let interval = self.interval(attempt);
        if self.jitter == 0.0 || interval.is_zero() {
            return interval;
        }
        // The upper 53 bits are all that a fraction holds.
        let chance = (ctx.random() >> 11) as f64 / (1_u64 << 53) as f64;
        interval.mul_f64(1.0 - self.jitter * chance)
    }
}

/// What happens after a failed attempt. A function that `retry_if` takes returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryDecision {
    /// Try again after the wait that the policy chooses.
    Retry,
    /// Try again after this time. The number of attempts and the total time-out of the policy apply as well.
    RetryAfter(Duration),
    /// Do not try again. The error is the result.
    GiveUp,
}

/// The attempts of one call or block so far.
#[derive(Debug)]
pub(super) struct Attempts {
    policy: RetryPolicy,
    /// The number of the attempt that runs or comes next.
    pub(super) number: u32,
    /// The time of the turn in which the first attempt began.
    began: Option<Timestamp>,
}

impl Attempts {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { policy, number: 1, began: None }
    }

    /// Notes that something is tried now.
    pub(super) fn begin(&mut self, ctx: &Context) {
        self.began.get_or_insert_with(|| ctx.turn().turn_time);
    }

    /// Decides what follows a failed attempt. Returns how long to wait before the next one, or `None` if there is none.
    pub(super) fn after_failure(
        &mut self,
        ctx: &Context,
        is_permanent: bool,
        decide: impl FnOnce(u32) -> RetryDecision,
    ) -> Option<Duration> {
        if is_permanent || self.number >= self.policy.attempts {
            return None;
        }
        let wait = match decide(self.number) {
            RetryDecision::Retry => self.policy.wait(ctx, self.number),
            RetryDecision::RetryAfter(wait) => wait,
            RetryDecision::GiveUp => return None,
        };
        if let (Some(total), Some(began)) = (self.policy.total_timeout, self.began)
            && ctx.turn().turn_time.plus(wait) > began.plus(total)
        {
            return None;
        }
        self.number += 1;
        Some(wait)
    }
}

/// Returns whether trying again cannot help: the failure, or one that caused it, is marked as permanent.
pub(super) fn is_permanent(failure: &FailureDetails) -> bool {
    failure.is_non_retriable() || failure.inner().is_some_and(is_permanent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_grow_to_their_limit_and_are_the_same_everywhere() {
        let policy = RetryPolicy::attempts(9).first_interval(SECOND).coefficient(1.5).max_interval(4 * SECOND);
        let waits: Vec<_> = (1..7).map(|attempt| policy.interval(attempt).as_millis()).collect();
        assert_eq!(waits, [1000, 1500, 2250, 3375, 4000, 4000]);
        assert_eq!(policy.interval(u32::MAX), 4 * SECOND);
    }

    #[test]
    fn extreme_policies_neither_overflow_nor_loop() {
        for coefficient in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1.0, f64::MAX] {
            for interval in [Duration::ZERO, SECOND, Duration::MAX] {
                let policy = RetryPolicy::attempts(0).coefficient(coefficient).first_interval(interval);
                for policy in [policy, policy.max_interval(Duration::MAX), policy.max_interval(Duration::ZERO)] {
                    let wait = policy.interval(u32::MAX);
                    assert!(wait <= policy.max_interval, "{policy:?}: {wait:?}");
                }
            }
        }
    }

    #[test]
    fn a_failure_with_a_permanent_cause_is_permanent() {
        let cause = FailureDetails::new("shop.Declined", "declined").non_retriable();
        assert!(is_permanent(&cause));
        assert!(is_permanent(&FailureDetails::new("Error", "the call failed").with_inner(cause)));
        assert!(!is_permanent(&FailureDetails::new("Error", "no network")));
    }
}
