//! What waits and watches answer when what was waited for does not come.

use std::fmt;
use std::time::Duration;

use super::error::ClientError;
use super::metadata::OrchestrationMetadata;
use crate::contract::{CallError, Failure};
use crate::model::{DecodeError, FailureDetails, InstanceId, ParkReason};

/// Why a wait did not see what it waited for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time is over. `last` is the instance as it was seen last; wait again, or decide by it.
    #[error("not within {after:?}; {}", describe(.last.as_deref()))]
    TimedOut {
        /// How long was waited.
        after: Duration,
        /// The instance as it was seen last; `None` when it could not be read in that time.
        last: Option<Box<OrchestrationMetadata>>,
    },
    /// The instance ended, and what was waited for did not come and will not.
    #[error("the wait is over; {}", describe(Some(.last)))]
    Ended {
        /// The instance as it ended.
        last: Box<OrchestrationMetadata>,
    },
    /// The instance cannot go on. Remove the cause that the reason names, then retry or terminate it.
    #[error("instance `{}` is parked: {reason}", .last.instance_id())]
    Parked {
        /// Why it cannot go on.
        reason: ParkReason,
        /// The instance as it stands.
        last: Box<OrchestrationMetadata>,
    },
    /// The instance cannot be read.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn describe(last: Option<&OrchestrationMetadata>) -> String {
    let Some(last) = last else { return "the instance could not be read in that time".to_owned() };
    let status = last.serialized_custom_status().map_or_else(String::new, |text| format!(", custom status {text}"));
    format!("seen last: `{}` is {}{status}", last.instance_id(), last.runtime_status())
}

impl WaitError {
    /// The instance as it was seen last.
    pub fn last(&self) -> Option<&OrchestrationMetadata> {
        match self {
            Self::TimedOut { last, .. } => last.as_deref(),
            Self::Ended { last } | Self::Parked { last, .. } => Some(last),
            Self::Client(_) => None,
        }
    }

    /// Whether the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}

/// Why an orchestration gave no output.
///
/// The recorded failure of an orchestration is the `source`: print the error with `{:#}` to see that and its causes too.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError<E> {
    /// The orchestrator returned its declared error. Handle it by its value.
    #[error(fmt = returned)]
    App {
        /// The error that was returned.
        error: E,
        /// The same, as it was recorded.
        #[source]
        details: FailureDetails,
    },
    /// It failed otherwise: a panic, an error of another type, a failure of the engine.
    #[error(fmt = failed)]
    Failed(#[source] FailureDetails),
    /// Somebody terminated it.
    #[error("the orchestration was terminated: {reason}")]
    Terminated {
        /// The reason that was given.
        reason: String,
    },
    /// It cannot go on. Remove the cause that the reason names, then retry or terminate it.
    #[error("the orchestration is parked: {reason}")]
    Parked {
        /// Why it cannot go on.
        reason: ParkReason,
    },
    /// The time is over. `last` is the instance as it was seen last.
    #[error("not ended within {after:?}; {}", describe(.last.as_deref()))]
    TimedOut {
        /// How long was waited.
        after: Duration,
        /// The instance as it was seen last; `None` when it could not be read in that time.
        last: Option<Box<OrchestrationMetadata>>,
    },
    /// The instance cannot be read, or its output is of another type.
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
    /// The error that the orchestrator returned, if that is what happened.
    pub fn app(&self) -> Option<&E> {
        match self {
            Self::App { error, .. } => Some(error),
            _ => None,
        }
    }

    /// What was recorded of the failure, if the orchestration failed.
    pub fn details(&self) -> Option<&FailureDetails> {
        match self {
            Self::App { details, .. } | Self::Failed(details) => Some(details),
            _ => None,
        }
    }

    /// Whether the time was over.
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
            // A wait for the end is what the end answers.
            WaitError::Ended { last } => Self::Client(ClientError::InstanceEnded {
                id: last.instance_id().clone(),
                status: last.runtime_status(),
            }),
        }
    }
}

/// What a watch of the custom status gives in place of a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The value is not of the declared type: old code or another program set it. The watch goes on.
    #[error("the custom status of instance `{id}` is of another type: {value}")]
    Undecodable {
        /// The id.
        id: InstanceId,
        /// The value.
        value: serde_json::Value,
        /// How it differs.
        #[source]
        error: DecodeError,
    },
    /// The instance cannot go on. The watch does, and yields what comes if the instance is retried.
    #[error("instance `{id}` is parked: {reason}")]
    Parked {
        /// The id.
        id: InstanceId,
        /// Why it cannot go on.
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
    fn e19_each_error_prints_its_own_text_and_gives_its_cause() {
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
    fn e19_a_failed_call_that_is_passed_on_is_told_with_its_cause() {
        let call = CallError::<ActivityError>::Failed(FailureDetails::new("shop::Pay", "not paid"));
        let passed_on = crate::OrchestrationError::from(call).into_details();
        assert_eq!(format!("{passed_on:#}"), "the call failed: not paid");
        assert!(passed_on.is_caused_by("Pay"));
    }
}
