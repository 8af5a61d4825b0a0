//! The store contract: a durable log and index of plain rows. A store knows nothing of orchestrators and never looks
//! inside a record or a message.
//!
//! ```text
//! for each partition:   claim ──► load ──► commit, inbox, commit, commit … ──► close
//! at any time:          instance, history, query
//! ```
//!
//! A store has a number of partitions that is fixed when it is created. Each instance belongs to the partition that its id
//! names ([`PartitionCount::partition_of`]), and each partition has one owner at a time.
//!
//! Invariants that every store keeps, each with a case in the conformance suite:
//! - `commit` is the only write path besides `claim` and `close`. All of a batch or nothing of it.
//! - `Ok` from `commit` means durable. Nothing that a reader sees can be lost afterwards.
//! - A batch of any epoch but the newest one of its partition is refused as [`CommitError::LeaseLost`] and changes nothing.
//! - Epochs are never given twice in one store, and rise within a partition.
//! - The turns of a batch are applied in their order; the result equals applying them one by one.
//! - Every removal removes exactly one row and every insertion inserts one; otherwise the whole batch is refused as
//!   [`CommitError::Unexpected`].
//! - A batch changes rows of its own partition only, except that it may insert inbox rows of others. A row belongs to the
//!   partition whose batch inserted it: a store never derives the partition from an id. A purge, a new execution, the
//!   removal of a timer and the removal of a message that name a row of another partition are refused. A store need not
//!   notice when a task or the progress of an instance is of another partition.

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod memory;
mod page;
#[cfg_attr(not(test), expect(dead_code, reason = "for stores that write a table at a time; SQLite writes row by row"))]
mod plan;
mod query;
pub(crate) mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::{
    CommitBatch, Epoch, Execution, Head, InboxId, InboxRow, InstanceId, InstanceKey, OperationId, PartitionCount,
    PartitionId, TimerRow, Timestamp,
};

pub use error::{CommitError, LoadError, OpenError};
pub use memory::MemoryStore;
pub use page::{PAGE_BYTES, PAGE_ROWS};
pub use query::{InstanceFilter, InstancePage, InstanceQuery, InvalidPageCursor, PageCursor, StatusCondition};
#[cfg(all(feature = "sqlite", feature = "testing"))]
#[doc(hidden)]
pub use sqlite::FileProbe;
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteStore, SqliteStoreBuilder};

/// What a store operation returns. It runs without a Tokio context: a store that needs one brings its own.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Inbox rows that one read of an inbox gives at most.
pub const INBOX_ROWS: usize = 10_000;

/// Where the rows of partitions live.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// How many partitions the store has. It never changes.
    fn partitions(&self) -> PartitionCount;

    /// Takes a partition over: draws a new epoch for it in a commit of its own and marks it as in use. Answers
    /// [`OpenError::LeaseLost`] while somebody else who lives owns it.
    ///
    /// Durable when it returns. It settles the fate of every earlier commit of the partition: what was not applied by now
    /// never will be.
    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>>;

    /// Reads what a recovering partition needs, as of one moment. Called right after `claim`, before any commit of its
    /// epoch.
    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>>;

    /// Reads the inbox of a partition: up to [`INBOX_ROWS`] rows in the order of their ids, without those that the caller
    /// knows. `known` is sorted. The read begins after the call, so it sees every commit that was durable then.
    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>>;

    /// Reads one instance, as of one moment: its head row and, when `with_history` says so, the turn records of its current
    /// execution. The read begins after the call, so it sees every commit that was durable then.
    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>>;

    /// Reads the turn records of one execution, in turn order. `None` when it is gone: continued as new, or purged. An
    /// execution that exists has at least one record, so the list is never empty.
    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>>;

    /// Reads one page of a list: instances that the filter holds, in the order of the query, from behind its place on.
    ///
    /// The page shows one moment, which is not before the call, as [`instance`](Self::instance) would show each of its
    /// instances then. What it reads with is let go of before the answer: no page keeps a moment alive for the next one,
    /// however slowly somebody pages.
    ///
    /// The work is bounded whatever the filter is: a page ends when it has as many instances as were asked for, when it
    /// has looked at [`PAGE_ROWS`] rows, or with the row by which it has read [`PAGE_BYTES`]. So it may be short, even
    /// empty, and have a [`next`](InstancePage::next) all the same. It has none when no row stands behind the page in
    /// this order, and only then; whether the filter holds one of the rows that do, the next page says.
    ///
    /// A row that is looked at and is not as it was written makes the answer [`LoadError::Corrupt`], which names the
    /// row: it is never left out.
    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>>;

    /// Makes a batch durable, whole or not at all.
    ///
    /// The caller has at most one batch of a partition under way, and sends the same batch again after
    /// [`CommitError::Transient`] and [`CommitError::Full`], which promise that nothing was applied.
    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>>;

    /// Marks a partition as cleanly closed, under the epoch that this handle claimed last, and gives up its ownership.
    /// When this handle owns no partition any more, it lets go of every resource once nothing is under way. A later
    /// `claim` opens it again.
    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>>;
}

/// What `claim` found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The epoch of the caller, from now on.
    pub epoch: Epoch,
    /// Names this store among all stores; made once, when it is created.
    pub store_id: Uuid,
    /// Whether the last owner closed the partition before it went.
    pub clean: bool,
}

impl Claim {
    /// What a store answers to a claim.
    pub fn new(epoch: Epoch, store_id: Uuid, clean: bool) -> Self {
        Self { epoch, store_id, clean }
    }
}

impl StoredInstance {
    /// An instance whose current execution has so many records; the newest was written at that time.
    pub fn new(head: Head, record_count: u64, newest_record: Option<Timestamp>) -> Self {
        Self { head, record_count, newest_record, history: None }
    }
}

impl TaskGroup {
    /// Tasks that one turn scheduled, none of them named yet.
    pub fn new(
        key: InstanceKey,
        id: InstanceId,
        execution: Execution,
        turn_number: u64,
        record: Option<Bytes>,
    ) -> Self {
        Self { key, id, execution, turn_number, record, tasks: Vec::new() }
    }
}

/// Which instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceRef {
    /// The current life of this id.
    Id(InstanceId),
    /// This life, if it is still stored.
    Key(InstanceKey),
}

/// A head row and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoredInstance {
    /// The row.
    pub head: Head,
    /// How many turn records the current execution has.
    pub record_count: u64,
    /// The time of the newest of them.
    pub newest_record: Option<Timestamp>,
    /// The records of the current execution, when they were asked for.
    pub history: Option<Vec<Bytes>>,
}

/// What a recovering partition needs.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Backlog {
    /// The open tasks, with the records that hold their inputs.
    pub tasks: Vec<TaskGroup>,
    /// Every timer.
    pub timers: Vec<TimerRow>,
    /// Every inbox row, in the order of their ids.
    pub inbox: Vec<InboxRow>,
    /// The lives that are parked.
    pub parked: Vec<InstanceKey>,
}

/// The open tasks that one turn scheduled.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaskGroup {
    /// Whose.
    pub key: InstanceKey,
    /// The id of that life.
    pub id: InstanceId,
    /// Which execution.
    pub execution: Execution,
    /// Which turn.
    pub turn_number: u64,
    /// Its record; `None` when the history row is missing.
    pub record: Option<Bytes>,
    /// The operations that are open, and the names of their activities.
    pub tasks: Vec<(OperationId, Cow<'static, str>)>,
}
