//! The errors of waits and watches.

use std::fmt;
use std::time::Duration;

use super::error::ClientError;
use super::metadata::OrchestrationMetadata;
use crate::contract::{CallError, Failure};
use crate::model::{DecodeError, FailureDetails, InstanceId, ParkReason};

/// The reason why a wait ended without what it waited for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time-out has passed. `last` is the last head that was seen. Wait again, or decide by it.
    #[error("the time-out of {after:?} has passed; {}", describe(.last.as_deref()))]
    TimedOut {
        /// The length of the time-out.
        after: Duration,
        /// The last head that was seen, or `None` if the instance could not be read in that time.
        last: Option<Box<OrchestrationMetadata>>,
    },
    /// The instance has ended, so the awaited state will never be reached.
    #[error("the wait is over; {}", describe(Some(.last)))]
    Ended {
        /// The final state of the instance.
        last: Box<OrchestrationMetadata>,
    },
    /// The instance is parked. Remove the cause that the reason names, then retry or terminate the instance.
    #[error("instance `{}` is parked: {reason}", .last.instance_id())]
    Parked {
        /// Why the instance is parked.
        reason: ParkReason,
        /// The current state of the instance.
        last: Box<OrchestrationMetadata>,
    },
    /// The instance cannot be read.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn describe(last: Option<&OrchestrationMetadata>) -> String {
    let Some(last) = last else { return "the instance could not be read in that time".to_owned() };
    let status = last.serialized_custom_status().map_or_else(String::new, |text| format!(", custom status {text}"));
    format!("last seen: `{}` is {}{status}", last.instance_id(), last.runtime_status())
}

impl WaitError {
    /// Returns the last head that was seen.
    pub fn last(&self) -> Option<&OrchestrationMetadata> {
        match self {
            Self::TimedOut { last, .. } => last.as_deref(),
            Self::Ended { last } | Self::Parked { last, .. } => Some(last),
            Self::Client(_) => None,
        }
    }

    /// Returns whether the time-out has passed.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}

/// The reason why an orchestration returned no output.
///
/// The recorded failure of an orchestration is the `source`: print the error with `{:#}` to see that and its causes too.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError<E> {
    /// The orchestrator returned its declared error, which is available as a value.
    #[error(fmt = returned)]
    App {
        /// The error that was returned.
        error: E,
        /// The same error as it was recorded.
        #[source]
        details: FailureDetails,
    },
    /// The orchestration failed in another way: a panic, an error of another type, or a failure of the engine.
    #[error(fmt = failed)]
    Failed(#[source] FailureDetails),
    /// The instance was terminated.
    #[error("the orchestration was terminated: {reason}")]
    Terminated {
        /// The reason that was given.
        reason: String,
    },
    /// The instance is parked. Remove the cause that the reason names, then retry or terminate the instance.
    #[error("the orchestration is parked: {reason}")]
    Parked {
        /// Why the instance is parked.
        reason: ParkReason,
    },
    /// The time-out has passed. `last` is the last head that was seen.
    #[error("the orchestration did not end within {after:?}; {}", describe(.last.as_deref()))]
    TimedOut {
        /// The length of the time-out.
        after: Duration,
        /// The last head that was seen, or `None` if the instance could not be read in that time.
        last: Option<Box<OrchestrationMetadata>>,
    },
    /// The instance cannot be read, or its output has another type.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn returned<E>(_: &E, details: &FailureDetails, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    failed(details, f)
}

fn failed(details: &FailureDetails, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the orchestration failed")?;
    if f.alternate() { write!(f, ": {details:#}") } else { Ok(()) }
}

impl<E> ResultError<E> {
    /// Returns the error that the orchestrator returned, if that is what happened.
    pub fn app(&self) -> Option<&E> {
        match self {
            Self::App { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns the recorded failure, if the orchestration failed.
    pub fn details(&self) -> Option<&FailureDetails> {
        match self {
            Self::App { details, .. } | Self::Failed(details) => Some(details),
            _ => None,
        }
    }

    /// Returns whether the time-out has passed.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}

impl<E: Failure> ResultError<E> {
    pub(super) fn from_details(details: FailureDetails) -> Self {
        match CallError::from_details(details) {
            CallError::App { error, details } => Self::App { error, details },
            other => Self::Failed(other.details().clone()),
        }
    }
}

impl<E> From<WaitError> for ResultError<E> {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut { after, last } => Self::TimedOut { after, last },
            WaitError::Parked { reason, .. } => Self::Parked { reason },
            WaitError::Client(error) => Self::Client(error),
            // A wait for the end never ends with this error, because the end is its answer.
            WaitError::Ended { last } => Self::Client(ClientError::InstanceEnded {
                id: last.instance_id().clone(),
                status: last.runtime_status(),
            }),
        }
    }
}

/// The errors that a watch of the custom status yields in place of a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The value does not have the declared type, because an older version of the code or another program set it. The
    /// watch continues.
    #[error("the custom status of instance `{id}` is of another type: {value}")]
    Undecodable {
        /// The instance id.
        id: InstanceId,
        /// The value.
        value: serde_json::Value,
        /// The reason why the value could not be decoded.
        #[source]
        error: DecodeError,
    },
    /// The instance is parked. The watch continues, and yields further values if the instance is retried.
    #[error("instance `{id}` is parked: {reason}")]
    Parked {
        /// The instance id.
        id: InstanceId,
        /// Why the instance is parked.
        reason: ParkReason,
    },
    /// The instance cannot be read. The watch ends.
    #[error(transparent)]
    Client(#[from] ClientError),
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::contract::{ActivityError, EventError};

    /// No error of the chain repeats the text of the one that caused it.
    fn chain(error: &dyn Error) -> Vec<String> {
        let mut texts = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            assert!(texts.iter().all(|before| !before.contains(&text)), "{texts:?} repeat {text:?}");
            texts.push(text);
            cause = error.source();
        }
        texts
    }

    #[test]
    fn each_error_prints_only_its_own_text_and_returns_its_cause_as_the_source() {
        let id = || InstanceId::new("order-1").unwrap();
        let decode = || DecodeError("missing field `city`".to_owned());
        let details =
            || FailureDetails::new("shop::Pay", "not paid").with_inner(FailureDetails::new("Io", "no network"));
        let app = CallError::App { error: ActivityError::from_details(details()), details: details() };
        assert_eq!(chain(&app), ["the call failed", "not paid", "no network"]);
        let app = ResultError::App { error: ActivityError::from_details(details()), details: details() };
        assert_eq!(chain(&app), ["the orchestration failed", "not paid", "no network"]);
        assert_eq!(format!("{app:#}"), "the orchestration failed: not paid: no network");
        let failed = ResultError::<ActivityError>::Failed(details());
        assert_eq!(chain(&failed), chain(&app));
        let errors: [Box<dyn Error>; 3] = [
            Box::new(ResultError::<ActivityError>::Client(ClientError::Decode {
                id: id(),
                what: "output",
                error: decode(),
            })),
            Box::new(WatchError::Undecodable { id: id(), value: serde_json::Value::Null, error: decode() }),
            Box::new(EventError::Decode { name: "Go".to_owned(), error: decode() }),
        ];
        for error in errors {
            assert_eq!(chain(&*error)[1..], ["missing field `city`"], "{error}");
        }
    }

    /// What `?` makes of a failed call keeps the failure as the cause, and readers see both.
    #[test]
    fn a_failed_call_that_an_orchestrator_passes_on_is_reported_with_its_cause() {
        let call = CallError::<ActivityError>::Failed(FailureDetails::new("shop::Pay", "not paid"));
        let passed_on = crate::OrchestrationError::from(call).into_details();
        assert_eq!(format!("{passed_on:#}"), "the call failed: not paid");
        assert!(passed_on.is_caused_by("Pay"));
    }
}
