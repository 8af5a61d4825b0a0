//! The reasons why a runtime does not start.

use super::recovery::TakeOverError;
use crate::model::SourceLocation;
use crate::registry::RegistryError;
use crate::store::{LoadError, OpenError};

/// The reason why a runtime could not be started. Nothing runs, and nothing was changed except the epochs of the store.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No store was set. Add one to the builder.
    #[error(
        "the runtime has no store: add `.store(SqliteStore::open(path)?)` to the builder, or `.store(MemoryStore::new())` in a test"
    )]
    NoStore,
    /// `start` was called outside a Tokio runtime, in which activities run.
    #[error(
        "there is no Tokio runtime here, but activities need one: call `start` inside `#[tokio::main]` or `Runtime::block_on`"
    )]
    NoTokioRuntime,
    /// The registered code is not consistent. The error says what and where.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An activity is a method of a value that the runtime does not have. Add the value to the builder, or do not
    /// register the activity.
    #[error(
        "activity `{activity}` at {location} is a method of `{service}`, but the runtime has no such value: add `.state(value)` with a `{service}` to the builder"
    )]
    MissingService {
        /// The name of the activity.
        activity: &'static str,
        /// The type of the missing value.
        service: &'static str,
        /// The place of the activity in the source.
        location: SourceLocation,
    },
    /// The store could not be opened. The error says what to do: stop the other runtime, run a newer version, free some
    /// space, or restore a backup.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The contents of the store could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The operating system could not start the engine thread.
    #[error("the engine thread could not be started: {detail}; raise the limit of threads or of memory")]
    Thread {
        /// The error of the operating system.
        detail: String,
    },
}

impl From<TakeOverError> for StartError {
    fn from(error: TakeOverError) -> Self {
        match error {
            TakeOverError::Open(error) => Self::Open(error),
            TakeOverError::Load(error) => Self::Load(error),
        }
    }
}
