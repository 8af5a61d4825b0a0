//! The end of a runtime: how long activities may take to finish, and when there is nothing left to wait for.

use std::time::{Duration, Instant};

/// The runtime did not stop in good order. What was acknowledged is durable all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The store did not take what was left. Activities whose results it did not take run again after the next start.
    #[error(
        "the store did not take everything before the runtime stopped: {cause}; the rest is done again after the next start"
    )]
    NotDrained {
        /// What the store said.
        cause: String,
    },
    /// The store could not be closed in good order. The next start recovers it.
    #[error("the store could not be closed in good order: {cause}; the next start recovers it")]
    NotClosed {
        /// What the store said.
        cause: String,
    },
    /// The runtime had stopped by itself before. Find the cause in it and in the log, then start again.
    #[error("the runtime had stopped before: {cause}")]
    Fatal {
        /// Why.
        cause: String,
    },
}

/// A wish to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopRequest {
    /// How long running activities may go on.
    pub(crate) grace: Duration,
    /// How long they may take to return after they were asked to.
    pub(crate) after_cancel: Duration,
}

/// A stop under way.
#[derive(Debug)]
pub(crate) struct Stop {
    cancel_at: Instant,
    give_up_at: Instant,
    cancelled: bool,
}

/// What a stop waits for, in one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remaining {
    /// Activities that have not returned.
    pub(crate) running: usize,
    /// Whether everything that was given is recorded and durable.
    pub(crate) drained: bool,
    /// Whether the store is not writing what is left.
    pub(crate) trouble: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopStep {
    /// Go on, and look again at this time if nothing happens before.
    Wait(Option<Instant>),
    /// Ask the activities to stop.
    Cancel,
    /// Nothing is left to wait for, or nothing that waiting helps.
    Finish,
}

impl Stop {
    pub(crate) fn new(request: StopRequest, now: Instant) -> Self {
        let cancel_at = now + request.grace.min(FAR);
        let give_up_at = cancel_at + request.after_cancel.min(FAR);
        Self { cancel_at, give_up_at, cancelled: false }
    }

    /// A second wish shortens the wait, never prolongs it.
    pub(crate) fn join(&mut self, request: StopRequest, now: Instant) {
        let other = Self::new(request, now);
        self.cancel_at = self.cancel_at.min(other.cancel_at);
        self.give_up_at = self.give_up_at.min(other.give_up_at);
    }

    pub(crate) fn step(&mut self, remaining: Remaining, now: Instant) -> StopStep {
        let Remaining { running, drained, trouble } = remaining;
        if running == 0 && drained {
            return StopStep::Finish;
        }
        if running > 0 && !self.cancelled && now >= self.cancel_at {
            self.cancelled = true;
            return StopStep::Cancel;
        }
        if now < self.give_up_at {
            let next = if self.cancelled || running == 0 { self.give_up_at } else { self.cancel_at };
            return StopStep::Wait(Some(next));
        }
        // A store that writes gets the time that its commit takes.
        if drained || trouble { StopStep::Finish } else { StopStep::Wait(None) }
    }
}

/// Instants further away than this overflow on some systems.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn stop(grace: Duration, now: Instant) -> Stop {
        Stop::new(StopRequest { grace, after_cancel: SECOND }, now)
    }

    fn remaining(running: usize, drained: bool, trouble: bool) -> Remaining {
        Remaining { running, drained, trouble }
    }

    #[test]
    fn b21_activities_get_the_grace_period_and_then_a_sign() {
        let now = Instant::now();
        let mut stop = stop(SECOND * 10, now);
        assert_eq!(stop.step(remaining(1, true, false), now), StopStep::Wait(Some(now + SECOND * 10)));
        let late = now + SECOND * 10;
        assert_eq!(stop.step(remaining(1, true, false), late), StopStep::Cancel);
        assert_eq!(stop.step(remaining(1, true, false), late), StopStep::Wait(Some(now + SECOND * 11)));
        assert_eq!(stop.step(remaining(1, true, false), now + SECOND * 11), StopStep::Finish);
    }

    #[test]
    fn b21_nothing_left_ends_it_at_once() {
        let now = Instant::now();
        assert_eq!(stop(Duration::MAX, now).step(remaining(0, true, false), now), StopStep::Finish);
    }

    #[test]
    fn b21_a_commit_under_way_is_waited_for_and_a_store_that_refuses_is_not() {
        let now = Instant::now();
        let mut stop = stop(Duration::ZERO, now);
        let late = now + SECOND;
        assert_eq!(stop.step(remaining(0, false, true), now), StopStep::Wait(Some(late)));
        assert_eq!(stop.step(remaining(0, false, false), late), StopStep::Wait(None));
        assert_eq!(stop.step(remaining(0, false, true), late), StopStep::Finish);
    }

    #[test]
    fn a_second_wish_shortens_the_wait() {
        let now = Instant::now();
        let mut stop = stop(SECOND * 10, now);
        stop.join(StopRequest { grace: Duration::ZERO, after_cancel: Duration::ZERO }, now);
        assert_eq!(stop.step(remaining(1, true, false), now), StopStep::Cancel);
        assert_eq!(stop.step(remaining(1, true, false), now), StopStep::Finish);
    }
}
