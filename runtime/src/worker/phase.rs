//! What a partition is at: a session, or being taken over.

use std::time::Instant;

use super::recovery::Recovery;
use super::session::Session;

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

    /// Whether a stop has nothing to wait for. There is nothing to record for who is not the owner.
    pub(crate) fn is_drained(&self) -> bool {
        match self {
            Self::Running(session) => session.is_drained(),
            Self::Recovering(recovery) => recovery.is_elsewhere(),
        }
    }

    /// Whether the partition is to be closed at the end: it is, or may be, claimed by this runtime.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(self, Self::Recovering(recovery) if recovery.is_elsewhere())
    }
}
