//! The attempts of something that is tried again: how many there were, and when the next one begins.

use std::time::Duration;

use super::Context;
use crate::contract::{RetryDecision, RetryPolicy};
use crate::model::{FailureDetails, Timestamp};

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
            RetryDecision::Retry => wait(&self.policy, ctx, self.number),
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

/// Returns the wait after this attempt, shortened by chance.
fn wait(policy: &RetryPolicy, ctx: &Context, attempt: u32) -> Duration {
    let interval = policy.interval(attempt);
    if policy.jitter == 0.0 || interval.is_zero() {
        return interval;
    }
    // The upper 53 bits are all that a fraction holds.
    let chance = (ctx.random() >> 11) as f64 / (1_u64 << 53) as f64;
    interval.mul_f64(1.0 - policy.jitter * chance)
}

/// Returns whether trying again cannot help: the failure, or one that caused it, is marked as permanent.
pub(super) fn is_permanent(failure: &FailureDetails) -> bool {
    failure.is_non_retriable() || failure.inner().is_some_and(is_permanent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_with_a_permanent_cause_is_permanent() {
        let cause = FailureDetails::new("shop.Declined", "declined").non_retriable();
        assert!(is_permanent(&cause));
        assert!(is_permanent(&FailureDetails::new("Error", "the call failed").with_inner(cause)));
        assert!(!is_permanent(&FailureDetails::new("Error", "no network")));
    }
}
