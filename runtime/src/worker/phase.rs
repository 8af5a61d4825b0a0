//! What the engine thread is at: a session, or taking the store over.

use std::time::Instant;

use super::recovery::Recovery;
use super::session::Session;
use super::shutdown::Remaining;

pub(crate) enum Phase {
    Running(Box<Session>),
    Recovering(Recovery),
}

impl Phase {
    /// When the store is asked again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Running(session) => session.wake_at(now),
            Self::Recovering(recovery) => recovery.wake_at(now),
        }
    }

    /// Why the store does not work at the moment.
    pub(crate) fn trouble(&self) -> Option<&str> {
        match self {
            Self::Running(session) => session.trouble(),
            Self::Recovering(recovery) => recovery.trouble(),
        }
    }

    /// Whether a commit is under way.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self, Self::Running(session) if session.is_writing())
    }

    /// What a stop still waits for.
    pub(crate) fn remaining(&self, running: usize) -> Remaining {
        let drained = matches!(self, Self::Running(session) if session.is_drained());
        Remaining { running, drained, trouble: self.trouble().is_some() }
    }
}
