//! How often something is tried again, and how long each wait is.

use std::time::Duration;

/// How often a call or a block that failed is tried again, and how long to wait before each attempt.
///
/// Create one with [`RetryPolicy::attempts`]. All setters are `const fn`, so a policy can be a constant that many calls
/// share. Pass it to [`ActivityCall::retry`](crate::ActivityCall::retry),
/// [`SubOrchestrationCall::retry`](crate::SubOrchestrationCall::retry) or [`Context::retry`](crate::Context::retry).
///
/// An error that is marked as permanent ([`FailureDetails::is_non_retriable`](crate::FailureDetails::is_non_retriable)), or that has such an error among its
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
    pub(crate) attempts: u32,
    first_interval: Duration,
    coefficient: f64,
    max_interval: Duration,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) jitter: f64,
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
    pub(crate) fn interval(&self, attempt: u32) -> Duration {
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
}
