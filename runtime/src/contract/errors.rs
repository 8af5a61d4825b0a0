//! The errors that the code of orchestrators and activities can receive.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::model::failure::FailureDetails;
use crate::model::json::{DecodeError, EncodeError};

/// The error types of failures that the engine creates. They are recorded, so they must never change.
pub(crate) mod kind {
    /// The prefix of all these types. No name of a Rust type begins with it.
    pub(crate) const PREFIX: &str = "persevere.";
    /// No code with that name is registered.
    pub(crate) const NOT_REGISTERED: &str = "persevere.NotRegistered";
    /// A value could not be written as JSON.
    pub(crate) const ENCODE: &str = "persevere.Encode";
    /// A stored text cannot be decoded as the type that the code expects.
    pub(crate) const DECODE: &str = "persevere.Decode";
    /// The code would have continued as an orchestrator of another name.
    pub(crate) const CONTINUE_AS_NEW: &str = "persevere.ContinueAsNew";
    /// The code panicked.
    pub(crate) const PANIC: &str = "persevere.Panic";
}

/// Why the call of an activity or a sub-orchestration gave no output.
///
/// Its `source` is the recorded [`FailureDetails`] in every case: print it with `{:#}` to see that too. It is `Serialize + Deserialize`, so that it can
/// stand in an application's own error type (`#[from] CallError<PayError>`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The code returned its declared error, which is available as a value.
    App {
        /// The error that was returned.
        error: E,
        /// The same error as it was recorded.
        details: FailureDetails,
    },
    /// No code with that name is registered in the running process. Register it.
    NotRegistered(FailureDetails),
    /// The input cannot be written as JSON. Change its type.
    Encode(FailureDetails),
    /// The called code reported that it cannot decode its input. Only programs that do not use this library report this:
    /// a value that an activity or orchestrator of this library cannot decode parks the instance instead
    /// ([`ParkCode::UndecodableValue`](crate::ParkCode::UndecodableValue)).
    Decode(FailureDetails),
    /// Any other failure: a panic, an error of another type, or a failure of the engine.
    Failed(FailureDetails),
}

impl<E> CallError<E> {
    /// Returns the recorded failure.
    pub fn details(&self) -> &FailureDetails {
        match self {
            Self::App { details, .. }
            | Self::NotRegistered(details)
            | Self::Encode(details)
            | Self::Decode(details)
            | Self::Failed(details) => details,
        }
    }

    /// Returns the error that the code returned, if that is what happened.
    pub fn app(&self) -> Option<&E> {
        match self {
            Self::App { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl<E: Failure> CallError<E> {
    /// Converts a recorded failure to an error. A declared error that cannot be decoded is returned as data.
    pub(crate) fn from_details(details: FailureDetails) -> Self {
        Self::decode_details(&details).unwrap_or(Self::Failed(details))
    }

    /// Converts a recorded failure to an error.
    ///
    /// # Errors
    /// Returns an error if the failure is a declared error of this type that cannot be decoded any more.
    pub(crate) fn decode_details(details: &FailureDetails) -> Result<Self, DecodeError> {
        let details = details.clone();
        // The error type is what the protocol of the family classifies failures by, and all that history keeps of the
        // class: it is data of the record, not a message. The engine's own begin with a prefix of ours.
        Ok(match details.error_type() {
            kind::NOT_REGISTERED => Self::NotRegistered(details),
            kind::ENCODE => Self::Encode(details),
            kind::DECODE => Self::Decode(details),
            // A failure that the engine created is not an error of the application, even if the application's type
            // could decode it.
            engine if engine.starts_with(kind::PREFIX) => Self::Failed(details),
            _ => match E::__from_details(&details)? {
                Some(error) => Self::App { error, details },
                None => Self::Failed(details),
            },
        })
    }
}

/// What happened to the call; with `{:#}` also the recorded failure and its causes.
impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::App { .. } | Self::Failed(_) => "the call failed",
            Self::NotRegistered(_) => "the called activity or orchestrator is not registered",
            Self::Encode(_) => "the input of the call cannot be stored",
            Self::Decode(_) => "a value of the call has an unexpected type",
        };
        f.write_str(what)?;
        if f.alternate() { write!(f, ": {:#}", self.details()) } else { Ok(()) }
    }
}

impl<E: fmt::Debug> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.details())
    }
}

impl From<EncodeError> for FailureDetails {
    fn from(error: EncodeError) -> Self {
        Self::new(kind::ENCODE, error.0).non_retriable()
    }
}

impl From<DecodeError> for FailureDetails {
    fn from(error: DecodeError) -> Self {
        Self::new(kind::DECODE, error.0).non_retriable()
    }
}

/// The operation did not complete in time. This is the error of [`Durable::timeout`](crate::Durable::timeout).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the operation did not complete within {after:?}")]
#[non_exhaustive]
pub struct TimedOut {
    /// The length of the time-out.
    pub after: Duration,
}

impl TimedOut {
    /// Creates the error of a time-out of this length.
    pub(crate) fn new(after: Duration) -> Self {
        Self { after }
    }
}

/// The reason why waiting for an external event returned no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The payload of the event has another type. A wait no longer returns this: an event that the code cannot decode
    /// parks the instance ([`ParkCode::UndecodableValue`](crate::ParkCode::UndecodableValue)) and is not consumed. The
    /// variant remains so that errors that were stored earlier can be decoded.
    #[error("the payload of event `{name}` is of another type")]
    Decode {
        /// The name of the event.
        name: String,
        /// The reason why the payload could not be decoded.
        #[source]
        error: DecodeError,
    },
}

/// The reason why a custom status was not set. The previous status stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CustomStatusError {
    /// The JSON text exceeds the limit. Store the data elsewhere and publish a reference to it.
    #[error(
        "the custom status has {size} bytes as UTF-16, but only {limit} are allowed: store the data elsewhere and publish a reference to it"
    )]
    TooLarge {
        /// The size of the JSON text in bytes, as UTF-16.
        size: usize,
        /// The limit in bytes, as UTF-16.
        limit: usize,
    },
    /// The value cannot be written as JSON. Change its type.
    #[error("the custom status cannot be stored")]
    Serialize(#[source] EncodeError),
}

macro_rules! catch_all_error {
    ($(#[$doc:meta])* $name:ident, $other:ident) => {
        $(#[$doc])*
        ///
        /// It does not implement `std::error::Error`, because otherwise `?` could not convert every error to it.
        #[derive(Clone, PartialEq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(FailureDetails);

        impl $name {
            /// Creates an error from a message.
            pub fn new(message: impl Into<String>) -> Self {
                Self(FailureDetails::new(stringify!($name), message))
            }

            /// Creates the error from a recorded failure.
            pub fn from_details(details: FailureDetails) -> Self {
                Self(details)
            }

            /// Marks the error as permanent: retry policies do not try again.
            #[must_use]
            pub fn non_retriable(self) -> Self {
                Self(self.0.non_retriable())
            }

            /// Returns the failure as it is recorded.
            pub fn details(&self) -> &FailureDetails {
                &self.0
            }

            /// Converts the error to the failure that is recorded.
            pub fn into_details(self) -> FailureDetails {
                self.0
            }
        }

        #[diagnostic::do_not_recommend]
        impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for $name {
            fn from(error: E) -> Self {
                let error: Box<dyn Error + Send + Sync> = error.into();
                Self(FailureDetails::from_error(std::any::type_name::<E>(), &*error))
            }
        }

        #[diagnostic::do_not_recommend]
        impl From<$other> for $name {
            fn from(error: $other) -> Self {
                Self(error.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

catch_all_error! {
    /// The error of an activity whose callers need only the message. The operator `?` converts every error to it.
    ActivityError, OrchestrationError
}

catch_all_error! {
    /// The error of an orchestrator whose callers need only the message. The operator `?` converts every error to it.
    OrchestrationError, ActivityError
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
    enum PayError {
        #[error("declined: {0}")]
        Declined(String),
    }

    fn through<E>(error: E) -> FailureDetails
    where
        OrchestrationError: From<E>,
        ActivityError: From<E>,
    {
        OrchestrationError::from(error).into_details()
    }

    #[test]
    fn an_application_error_comes_back_as_the_value_that_it_was() {
        let error = PayError::Declined("no \"money\"".to_owned());
        let stored = serde_json::to_string(&error.__to_details()).unwrap();
        let back = CallError::<PayError>::from_details(serde_json::from_str(&stored).unwrap());
        assert_eq!(back.app(), Some(&error));
        assert_eq!(format!("{back:#}"), "the call failed: declined: no \"money\"");
        assert!(back.details().error_type().ends_with("PayError"));
    }

    #[test]
    fn an_error_of_another_type_arrives_as_data() {
        let details = FailureDetails::new("shop.OutOfStock", "none left");
        assert_eq!(CallError::<PayError>::from_details(details.clone()), CallError::Failed(details.clone()));
        let caught = CallError::<ActivityError>::from_details(details.clone());
        assert_eq!(caught.app().map(ActivityError::details), Some(&details));
    }

    #[test]
    fn failures_of_the_engine_are_told_apart() {
        for (name, same) in [
            (kind::NOT_REGISTERED, CallError::NotRegistered as fn(_) -> CallError<ActivityError>),
            (kind::ENCODE, CallError::Encode),
            (kind::DECODE, CallError::Decode),
            (kind::PANIC, CallError::Failed),
        ] {
            let details = FailureDetails::new(name, "m");
            assert_eq!(CallError::from_details(details.clone()), same(details));
        }
    }

    #[test]
    fn the_question_mark_takes_every_error() {
        through(std::io::Error::other("disk"));
        through("text");
        through("text".to_owned());
        through(TimedOut::new(Duration::from_secs(1)));
        through(CustomStatusError::TooLarge { size: 2, limit: 1 });
        through(EncodeError("e".to_owned()));
        through(ActivityError::new("a"));
        through(OrchestrationError::new("o"));
        let boxed: Box<dyn Error + Send + Sync> = "boxed".into();
        assert_eq!(through(boxed).message(), "boxed");
    }

    #[test]
    fn the_question_mark_keeps_the_details_of_a_failed_call() {
        let details = PayError::Declined("x".to_owned()).__to_details();
        let error = OrchestrationError::from(CallError::<PayError>::from_details(details.clone()));
        assert_eq!(format!("{error:#}"), "the call failed: declined: x");
        assert_eq!(error.details().inner(), Some(&details));
        let activity = ActivityError::new("a").non_retriable();
        assert_eq!(OrchestrationError::from(activity.clone()).details(), activity.details());
    }

    #[test]
    fn a_call_error_can_stand_in_an_error_that_is_stored() {
        #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
        #[serde(tag = "kind", content = "of")]
        enum OrderError {
            #[error(transparent)]
            Pay(#[from] CallError<PayError>),
            #[error(transparent)]
            Late(#[from] TimedOut),
            #[error(transparent)]
            Ship(#[from] CallError<ActivityError>),
        }
        let details = PayError::Declined("x".to_owned()).__to_details();
        let no_truck = ActivityError::new("no truck").into_details();
        for error in [
            OrderError::from(CallError::<PayError>::from_details(details)),
            OrderError::from(CallError::<ActivityError>::from_details(no_truck)),
            OrderError::from(TimedOut::new(Duration::from_millis(1))),
        ] {
            let recorded = error.__to_details();
            assert_eq!(OrderError::__from_details(&recorded), Ok(Some(error)));
        }
    }
}
