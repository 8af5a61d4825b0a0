//! The state of a partition: it has a session, or it is being taken over.

use std::time::Instant;

use super::recovery::Recovery;
use super::session::Session;

pub(crate) enum PartitionState {
    Running(Box<Session>),
    Recovering(Recovery),
}

impl PartitionState {
    /// Returns when the store is asked again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Running(session) => session.wake_at(now),
            Self::Recovering(recovery) => recovery.wake_at(now),
        }
    }

    /// Returns why the store currently does not work.
    pub(crate) fn trouble(&self) -> Option<&str> {
        match self {
            Self::Running(session) => session.trouble(),
            Self::Recovering(recovery) => recovery.trouble(),
        }
    }

    /// Returns whether a commit is on its way.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self, Self::Running(session) if session.is_writing())
    }

    /// Returns whether a stop has nothing to wait for. A worker that does not own the partition has nothing to record.
    pub(crate) fn is_drained(&self) -> bool {
        match self {
            Self::Running(session) => session.is_drained(),
            Self::Recovering(recovery) => recovery.is_elsewhere(),
        }
    }

    /// Returns whether the partition must be closed at the end, because this runtime has claimed it or may have.
    pub(crate) fn is_ours(&self) -> bool {
        !matches!(self, Self::Recovering(recovery) if recovery.is_elsewhere())
    }
}
