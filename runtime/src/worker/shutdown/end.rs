//! How a runtime has ended, which every later call is told.

use std::sync::OnceLock;

use crate::client::{CloseReason, SubmitError};

/// The end of the runtime. It is set once, before the last call is answered.
#[derive(Debug, Default)]
pub(crate) struct RuntimeEnd(OnceLock<End>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The runtime was shut down or dropped.
    Stopped,
    /// The runtime stopped because of errors.
    Fatal {
        /// The last error.
        cause: String,
    },
}

impl RuntimeEnd {
    /// Sets the end. Only the first one counts.
    pub(crate) fn set(&self, end: End) {
        let _ = self.0.set(end);
    }

    pub(crate) fn get(&self) -> Option<&End> {
        self.0.get()
    }

    /// Returns the answer to a call that arrives after the end.
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

    /// Returns the reason for those who wait for changes.
    pub(crate) fn close_reason(&self) -> CloseReason {
        match self {
            Self::Stopped => CloseReason::Stopped,
            Self::Fatal { cause } => CloseReason::Fatal { cause: cause.clone() },
        }
    }
}
