//! How a runtime ended: what every later call is told.

use std::sync::OnceLock;

use crate::client::{CloseReason, SubmitError};

/// Set once, before the last call is answered.
#[derive(Debug, Default)]
pub(crate) struct Ending(OnceLock<End>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to.
    Stopped,
    /// It could not go on.
    Fatal {
        /// Why.
        cause: String,
    },
}

impl Ending {
    /// The first end stays.
    pub(crate) fn set(&self, end: End) {
        let _ = self.0.set(end);
    }

    pub(crate) fn get(&self) -> Option<&End> {
        self.0.get()
    }

    /// What a call is told that comes after the end.
    pub(crate) fn error(&self) -> Option<SubmitError> {
        self.0.get().map(End::error)
    }
}

impl End {
    pub(crate) fn error(&self) -> SubmitError {
        match self {
            Self::Stopped => SubmitError::RuntimeStopped,
            Self::Fatal { cause } => SubmitError::Fatal { cause: cause.clone() },
        }
    }

    /// What those who wait for changes are told.
    pub(crate) fn close_reason(&self) -> CloseReason {
        match self {
            Self::Stopped => CloseReason::Stopped,
            Self::Fatal { cause } => CloseReason::Fatal { cause: cause.clone() },
        }
    }
}
