//! Why a runtime does not start.

use super::recovery::TakeOverError;
use crate::model::SourceLocation;
use crate::registry::RegistryError;
use crate::store::{LoadError, OpenError};

/// A runtime could not be started. Nothing runs, and nothing was changed but the store's epoch.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No store was given. Add one to the builder.
    #[error(
        "the runtime has no store: add `.store(SqliteStore::open(path)?)` to the builder, or `.store(MemoryStore::new())` in a test"
    )]
    NoStore,
    /// Start was called outside a Tokio runtime. Activities run in it.
    #[error(
        "there is no Tokio runtime here, and activities run in one: call `start` inside `#[tokio::main]` or `Runtime::block_on`"
    )]
    NoTokioRuntime,
    /// The registered code does not fit together. The error names what and where.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An activity is a method of a value that the runtime was not given. Add it to the builder, or register less.
    #[error(
        "activity `{activity}` at {location} is a method of `{service}`, and the runtime has none: add `.state(value)` with a `{service}` to the builder"
    )]
    MissingService {
        /// The name of the activity.
        activity: &'static str,
        /// The type of the value.
        service: &'static str,
        /// Where the activity stands.
        location: SourceLocation,
    },
    /// The store could not be opened. The error says what to do: stop the other runtime, run a newer version, free some
    /// room, restore a backup.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What the store holds could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The system gave no thread for the engine.
    #[error("the engine thread could not be started: {detail}; raise the limit of threads or of memory")]
    Thread {
        /// What the system said.
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
