//! The ways in which a commit fails.

use crate::store::CommitError;

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is applied: [`CommitError::Transient`].
    Transient,
    /// Nothing is applied: [`CommitError::Full`].
    Full,
    /// Nothing is applied, but the caller cannot know: [`CommitError::Ambiguous`].
    Lost,
    /// It is applied, but the caller cannot know: [`CommitError::Ambiguous`].
    Applied,
    /// Nothing is applied: [`CommitError::LeaseLost`].
    LeaseLost,
    /// Nothing is applied: [`CommitError::Unexpected`].
    Unexpected,
    /// Nothing is applied: [`CommitError::Fatal`].
    Fatal,
}

impl Fault {
    pub(super) fn error(self) -> CommitError {
        let cause = "a test said so".to_owned();
        match self {
            Self::Transient => CommitError::Transient(cause),
            Self::Full => CommitError::Full(cause),
            Self::Lost | Self::Applied => CommitError::Ambiguous(cause),
            Self::LeaseLost => CommitError::LeaseLost(cause),
            Self::Unexpected => CommitError::Unexpected(cause),
            Self::Fatal => CommitError::Fatal(cause),
        }
    }
}
