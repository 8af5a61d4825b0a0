//! What a store may answer. Each variant says what the caller does with it.

use crate::model::PartitionId;

/// A store could not be opened or claimed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another runtime owns the store. Stop it, or give this one another database.
    #[error("{store} is in use by another runtime: stop that one first, or open another database")]
    InUse {
        /// Which store.
        store: String,
    },
    /// A newer version of this library wrote the store. Run that version.
    #[error(
        "{store} has schema version {found}, this build knows versions up to {known}: run a newer version of persevere"
    )]
    NewerSchema {
        /// Which store.
        store: String,
        /// The version it has.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// The store cannot be written. Check the permissions of the file and of its folder.
    #[error("{store} cannot be written: check the permissions of the file and of its folder ({detail})")]
    ReadOnly {
        /// Which store.
        store: String,
        /// What the system said.
        detail: String,
    },
    /// There is no room. Free some and open it again; nothing is lost.
    #[error("there is no room left for {store}: free some and open it again, nothing is lost ({detail})")]
    Full {
        /// Which store.
        store: String,
        /// What the system said.
        detail: String,
    },
    /// The file is not a store of this library, or it is damaged. Restore a backup.
    #[error("{store} is damaged or is not a store of persevere: restore a backup ({detail})")]
    Corrupt {
        /// Which store.
        store: String,
        /// What was found.
        detail: String,
    },
    /// The store was created with another number of partitions, which cannot be changed afterwards. Open it without
    /// naming a number, or create a new store.
    #[error(
        "{store} has {found} partitions and was opened for {asked}: the number is fixed when a store is created; leave it out, or create a new store"
    )]
    Partitions {
        /// Which store.
        store: String,
        /// How many it has.
        found: u16,
        /// How many were asked for.
        asked: u16,
    },
    /// A live worker owns the partition. It can be claimed when that worker gives it back or is gone.
    #[error("partition {partition} of {store} belongs to another worker: {detail}")]
    LeaseLost {
        /// Which store.
        store: String,
        /// Which partition.
        partition: PartitionId,
        /// Who owns it.
        detail: String,
    },
    /// Anything else the system answered.
    #[error("{store} cannot be opened: {detail}")]
    Failed {
        /// Which store.
        store: String,
        /// What the system said.
        detail: String,
    },
}

/// Rows could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It may work when tried again.
    #[error("the store cannot be read at the moment: {0}")]
    Transient(String),
    /// What is stored is not what was written. It is never taken for absent.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}

/// A batch did not become durable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Nothing was applied; the same batch may be sent again.
    #[error("the store cannot be written at the moment: {0}")]
    Transient(String),
    /// Nothing was applied for want of room; the same batch may be sent again when there is some.
    #[error("the store is full: {0}")]
    Full(String),
    /// It may have been applied or not. Only a claim settles which.
    #[error("it is unknown whether the commit was applied: {0}")]
    Ambiguous(String),
    /// Somebody else owns the partition. Nothing was applied. Drop the partition, and do not claim it again by force.
    #[error("the partition belongs to another owner by now: {0}")]
    LeaseLost(String),
    /// A row was not as expected: a foreign writer changed it, or this library is wrong. Nothing was applied. Drop the
    /// partition, claim it and load it again.
    #[error("a stored row is not as expected: {0}")]
    Unexpected(String),
    /// A completion that this batch does not record was there first. Nothing was applied. Load the partition again, which
    /// brings the completion.
    #[error("a completion came first: {0}")]
    Overtaken(String),
    /// The store was closed. Nothing was applied, and nothing will be before it is claimed again.
    #[error("the store is closed: {0}")]
    Closed(String),
    /// What is stored is damaged.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The store is gone for good.
    #[error("the store is gone: {0}")]
    Fatal(String),
}
