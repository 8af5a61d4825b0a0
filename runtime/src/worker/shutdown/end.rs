//! How a runtime has ended, which every later call is told.

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::client::{CloseReason, SubmitError};

/// The end of the runtime. It is set once, before the last call is answered.
#[derive(Debug, Default)]
pub(crate) struct RuntimeEnd {
    end: OnceLock<End>,
    /// Whether a thread is not waited for any more. Calls that it has may never be answered.
    abandoned: AtomicBool,
    abandons: Notify,
}

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
        let _ = self.end.set(end);
    }

    pub(crate) fn get(&self) -> Option<&End> {
        self.end.get()
    }

    /// Notes that the calls of a thread will not be answered.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.abandons.notify_waiters();
    }

    /// Waits for the answer to a call. Returns `None` if a thread that may have it is not waited for any more.
    pub(crate) async fn unless_abandoned<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut abandoned = pin!(self.abandons.notified());
        // Registering before checking makes sure that nothing is missed in between.
        abandoned.as_mut().enable();
        if self.abandoned.load(Ordering::Acquire) {
            return None;
        }
        tokio::select! {
            biased;
            answer = answer => Some(answer),
            () = abandoned => None,
        }
    }

    /// Returns the answer to a call that arrives after the end.
    pub(crate) fn error(&self) -> Option<SubmitError> {
        self.end.get().map(End::error)
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
