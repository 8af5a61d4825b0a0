//! The end of a runtime: how long activities may take to finish, and when there is nothing left to wait for.

mod end;
mod thread_end;
mod thread_results;

use std::time::{Duration, Instant};

pub(crate) use end::{End, RuntimeEnd};
pub(crate) use thread_end::end_process;
pub(crate) use thread_results::{Farewell, ThreadResults};

/// The runtime did not stop cleanly. Everything that was acknowledged is durable nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// Not everything was written, because the store did not write, or because the code of an orchestrator does not return
    /// from a turn; then the cause names its instance, and the store stays open until the code returns or the process ends.
    /// Activities whose results were not written run again after the next start.
    #[error(
        "not everything was written before the runtime stopped: {cause}; the rest is done again after the next start"
    )]
    NotDrained {
        /// The error of the store, or the instance whose code does not return.
        cause: String,
    },
    /// The store could not be closed cleanly. The next start recovers it.
    #[error("the store could not be closed cleanly: {cause}; the next start recovers it")]
    NotClosed {
        /// The error of the store.
        cause: String,
    },
    /// The runtime had already stopped because of errors. Find the cause here and in the log, then start it again.
    #[error("the runtime had already stopped: {cause}")]
    Fatal {
        /// The last error.
        cause: String,
    },
}

/// A request to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopRequest {
    /// How long running activities may continue.
    pub(crate) grace: Duration,
    /// How long they may take to return after they were asked to stop.
    pub(crate) after_cancel: Duration,
}

/// A stop in progress.
#[derive(Debug)]
pub(crate) struct Stop {
    cancel_at: Instant,
    give_up_at: Instant,
    cancelled: bool,
}

/// What a stop waits for on one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remaining {
    /// The number of activities that have not returned.
    pub(crate) running: usize,
    /// Whether every input is recorded and durable.
    pub(crate) drained: bool,
    /// Whether the store cannot write what is left.
    pub(crate) trouble: bool,
}

/// The next step of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopStep {
    /// Continue, and check again at this time if nothing happens before.
    Wait(Option<Instant>),
    /// Ask the activities to stop.
    Cancel,
    /// Finish: there is nothing left to wait for, or waiting does not help.
    Finish,
}

impl Stop {
    pub(crate) fn new(request: StopRequest, now: Instant) -> Self {
        let cancel_at = now + request.grace.min(FAR);
        let give_up_at = cancel_at + request.after_cancel.min(FAR);
        Self { cancel_at, give_up_at, cancelled: false }
    }

    /// Adds a second request, which can shorten the wait but never prolong it.
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
        // A store that is writing gets the time that its commit takes.
        if drained || trouble { StopStep::Finish } else { StopStep::Wait(None) }
    }
}

/// Times that are further away than this overflow on some systems.
pub(crate) const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

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
    fn b21_activities_get_the_grace_period_and_are_then_told_to_stop() {
        let now = Instant::now();
        let mut stop = stop(SECOND * 10, now);
        assert_eq!(stop.step(remaining(1, true, false), now), StopStep::Wait(Some(now + SECOND * 10)));
        let late = now + SECOND * 10;
        assert_eq!(stop.step(remaining(1, true, false), late), StopStep::Cancel);
        assert_eq!(stop.step(remaining(1, true, false), late), StopStep::Wait(Some(now + SECOND * 11)));
        assert_eq!(stop.step(remaining(1, true, false), now + SECOND * 11), StopStep::Finish);
    }

    #[test]
    fn b21_a_shutdown_without_work_ends_at_once() {
        let now = Instant::now();
        assert_eq!(stop(Duration::MAX, now).step(remaining(0, true, false), now), StopStep::Finish);
    }

    #[test]
    fn b21_a_shutdown_waits_for_a_commit_under_way_and_not_for_a_store_that_refuses() {
        let now = Instant::now();
        let mut stop = stop(Duration::ZERO, now);
        let late = now + SECOND;
        assert_eq!(stop.step(remaining(0, false, true), now), StopStep::Wait(Some(late)));
        assert_eq!(stop.step(remaining(0, false, false), late), StopStep::Wait(None));
        assert_eq!(stop.step(remaining(0, false, true), late), StopStep::Finish);
    }

    #[test]
    fn a_second_shutdown_request_shortens_the_wait() {
        let now = Instant::now();
        let mut stop = stop(SECOND * 10, now);
        stop.join(StopRequest { grace: Duration::ZERO, after_cancel: Duration::ZERO }, now);
        assert_eq!(stop.step(remaining(1, true, false), now), StopStep::Cancel);
        assert_eq!(stop.step(remaining(1, true, false), now), StopStep::Finish);
    }
}
