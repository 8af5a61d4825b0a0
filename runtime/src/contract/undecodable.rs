//! Stored values that the present code cannot decode. They park the instance and never become failures that the code of
//! an orchestrator could see, because a correct deployment lets the instance continue.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::panic_text::panic_text;
use crate::model::failure::FailureDetails;
use crate::model::json::DecodeError;

/// A stored value that the present code cannot decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// The value: the step that stored it, and the place of that step in the code.
    what: String,
    error: DecodeError,
}

impl Undecodable {
    /// Describes a value. `what` begins with "the".
    pub(crate) fn new(what: impl Into<String>, error: DecodeError) -> Self {
        Self { what: what.into(), error }
    }
}

/// The value and the error, on one line.
impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

/// The reason why an activity gave no output.
#[derive(Debug, Clone, PartialEq)]
pub enum ActivityFailure {
    /// The activity returned an error or panicked. This is recorded, and the caller sees it.
    Failed(FailureDetails),
    /// The activity has not run, because its stored input cannot be decoded. This is not recorded.
    NotRun(Undecodable),
}

impl From<FailureDetails> for ActivityFailure {
    fn from(failure: FailureDetails) -> Self {
        Self::Failed(failure)
    }
}

impl From<Undecodable> for ActivityFailure {
    fn from(input: Undecodable) -> Self {
        Self::NotRun(input)
    }
}

/// Decodes a value. A panic of the application's own decoding is an error like any other: a value that makes the code
/// panic is one that it cannot decode.
pub(crate) fn decoded<T>(decode: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|payload| Err(DecodeError(format!("decoding it panicked: {}", panic_text(payload)))))
}
