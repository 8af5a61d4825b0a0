//! The errors of a store. Each variant says what the caller must do.

use crate::model::{InstanceKey, PartitionId};

/// The reason why a store could not be opened or claimed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another runtime owns the store. Stop that runtime, or open another database.
    #[error("{store} is in use by another runtime: stop that runtime first, or open another database")]
    InUse {
        /// The store.
        store: String,
    },
    /// A newer version of this library wrote the store. Run that version.
    #[error(
        "{store} has schema version {found}, but this build knows only versions up to {known}: run a newer version of persevere"
    )]
    NewerSchema {
        /// The store.
        store: String,
        /// The schema version of the store.
        found: i64,
        /// The newest schema version that this build knows.
        known: i64,
    },
    /// The store cannot be written. Check the permissions of the file and of its folder.
    #[error("{store} cannot be written: check the permissions of the file and of its folder ({detail})")]
    ReadOnly {
        /// The store.
        store: String,
        /// The error of the operating system or of SQLite.
        detail: String,
    },
    /// There is no room on the disk. Free some space and open the store again; nothing is lost.
    #[error("there is no room left for {store}: free some space and open it again; nothing is lost ({detail})")]
    Full {
        /// The store.
        store: String,
        /// The error of the operating system or of SQLite.
        detail: String,
    },
    /// The file is not a store of this library, or it is damaged. Restore a backup.
    #[error("{store} is damaged or is not a store of persevere: restore a backup ({detail})")]
    Corrupt {
        /// The store.
        store: String,
        /// What was found.
        detail: String,
    },
    /// The store was created with another number of partitions, which cannot be changed. Open it without a number, or
    /// create a new store.
    #[error(
        "{store} has {found} partitions, but was opened for {asked}: the number is fixed when a store is created; omit it, or create a new store"
    )]
    Partitions {
        /// The store.
        store: String,
        /// The number of partitions of the store.
        found: u16,
        /// The requested number of partitions.
        asked: u16,
    },
    /// A live worker owns the partition. The partition can be claimed when that worker gives it back or is gone.
    #[error("partition {partition} of {store} belongs to another worker: {detail}")]
    LeaseLost {
        /// The store.
        store: String,
        /// The partition.
        partition: PartitionId,
        /// The owner.
        detail: String,
    },
    /// Any other error.
    #[error("{store} cannot be opened: {detail}")]
    Failed {
        /// The store.
        store: String,
        /// The error of the operating system or of SQLite.
        detail: String,
    },
}

/// The reason why rows could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The read may succeed when it is repeated.
    #[error("the store cannot be read at the moment: {0}")]
    Transient(String),
    /// The stored data differs from what was written. This is never reported as absence.
    #[error("the stored data is damaged: {0}")]
    Corrupt(String),
}

/// The reason why a batch did not become durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Nothing was applied. The same batch can be sent again.
    #[error("the store cannot be written at the moment: {0}")]
    Transient(String),
    /// Nothing was applied, because there is no room. The same batch can be sent again when there is room.
    #[error("the store is full: {0}")]
    Full(String),
    /// The batch may or may not have been applied. Only a claim settles which.
    #[error("it is not known whether the commit was applied: {0}")]
    Ambiguous(String),
    /// Another worker owns the partition. Nothing was applied. Drop the partition, and do not claim it again by force.
    #[error("the partition now belongs to another owner: {0}")]
    LeaseLost(String),
    /// A row was not as expected: another program has changed it, or this library is wrong. Nothing was applied. Drop
    /// the partition, claim it and load it again.
    #[error("a stored row is not as expected: {0}")]
    Unexpected(String),
    /// A completion that this batch does not record was there first. Nothing was applied. Load the partition again,
    /// which returns the completion.
    #[error("a completion came first: {0}")]
    Overtaken(String),
    /// The store was closed. Nothing was applied, and nothing can be until the store is claimed again.
    #[error("the store is closed: {0}")]
    Closed(String),
    /// The stored data is damaged. Nothing was applied. The turns of other instances can be written.
    #[error("the stored data is damaged: {detail}")]
    Corrupt {
        /// The life whose turn meets the damage, where that is known.
        instance: Option<InstanceKey>,
        /// What was found.
        detail: String,
    },
    /// The store cannot apply this commit, and trying again cannot help.
    #[error("the store cannot apply this commit, and trying again cannot help: {0}")]
    Fatal(String),
}
