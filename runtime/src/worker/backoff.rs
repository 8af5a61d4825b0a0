//! How long to wait before the store is asked again.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// A pause that doubles with each failure in a row, up to a second. It uses monotonic time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    pub(crate) fn failed(&mut self, now: Instant) {
        let delay = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + delay);
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Returns when to try again, or `None` if that is now.
    pub(crate) fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_end_with_success() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        assert_eq!(backoff.wait_until(now), None);
        let mut waits = Vec::new();
        for _ in 0..40 {
            backoff.failed(now);
            waits.push(backoff.wait_until(now).unwrap() - now);
        }
        assert_eq!((waits[0], waits[1], waits[39]), (FIRST, FIRST * 2, LONGEST));
        assert_eq!(backoff.wait_until(now + LONGEST), None);
        backoff.succeeded();
        assert_eq!(backoff.wait_until(now), None);
    }
}
