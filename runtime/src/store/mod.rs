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
//! - A batch changes rows of its own partition only, except that it may insert inbox rows of others. A store takes the
//!   partition of a row from the batch that inserts it. It never computes the partition from the id; the engine does
//!   that. A purge, a new execution, the removal of a timer and the removal of a message that name a row of another
//!   partition are refused. A store need not notice when a task or the progress of an instance is of another partition.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod durability;
mod error;
mod memory;
mod page;
#[cfg(any(feature = "postgres", test))]
mod plan;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
pub(crate) mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::model::{
    CommitBatch, Epoch, Execution, Head, InboxId, InboxRow, InstanceId, InstanceKey, OperationId, PartitionCount,
    PartitionId, TimerRow, Timestamp,
};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use durability::Durability;
pub use error::{CommitError, LoadError, OpenError};
pub use memory::MemoryStore;
pub use page::{PAGE_BYTES, PAGE_ROWS};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresStore, PostgresStoreBuilder};
pub use query::{InstanceFilter, InstancePage, InstanceQuery, InvalidPageCursor, PageCursor, StatusCondition};
#[cfg(all(feature = "sqlite", feature = "testing"))]
#[doc(hidden)]
pub use sqlite::FileProbe;
#[cfg(feature = "sqlite")]
pub use sqlite::{FileCheck, SqliteStore, SqliteStoreBuilder};

/// The future of a store operation. It runs without a Tokio context, so a store that needs one must provide it.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The largest number of inbox rows that one read returns.
pub const INBOX_ROWS: usize = 10_000;

/// The contract of a store. See the documentation of the module.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Returns the number of partitions, which never changes.
    fn partitions(&self) -> PartitionCount;

    /// Takes over a partition: draws a new epoch for it in a separate commit, and marks it as in use. Returns
    /// [`OpenError::LeaseLost`] while another live worker owns it.
    ///
    /// The claim is durable when it returns. It settles the fate of every earlier commit of the partition: a commit
    /// that has not been applied by now never will be.
    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>>;

    /// Reads everything that a recovering partition needs, as of one moment. It is called right after `claim`, before
    /// any commit of the new epoch.
    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>>;

    /// Reads the inbox of a partition: up to [`INBOX_ROWS`] rows in the order of their ids, without those that the
    /// caller already knows. `known` is sorted. The read begins after the call, so it sees every commit that was
    /// durable at that time.
    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>>;

    /// Reads one instance as of one moment: its head and, if `with_history` is true, the turn records of its current
    /// execution and the events that it carries over. The read begins after the call, so it sees every commit that was durable at that time.
    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>>;

    /// Reads the turn records of one execution in the order of the turns. Returns `None` if the execution is gone
    /// because it was continued as new or purged. An execution that exists has at least one record, so the list is
    /// never empty.
    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>>;

    /// Reads one page of a list: the instances that match the filter, in the order of the query, after the given place.
    ///
    /// The page shows one moment, which is not earlier than the call. Each instance on it is as
    /// [`instance`](Self::instance) would have returned it at that moment. Everything that the read needs is released
    /// before it returns, so that paging never keeps an old moment alive, however slow it is.
    ///
    /// The amount of work is bounded for every filter. A page ends when it has the requested number of instances, when
    /// it has looked at [`PAGE_ROWS`] rows, or with the row by which it has read [`PAGE_BYTES`]. It can therefore be
    /// short or even empty and still have a [`next`](InstancePage::next). `next` is `None` if and only if no row
    /// follows in this order. Whether one of the following rows matches the filter is found out by the next page.
    ///
    /// If the page meets a damaged row, it returns [`LoadError::Corrupt`], which names the row. A damaged row is never
    /// left out.
    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>>;

    /// Makes a batch durable, completely or not at all.
    ///
    /// The caller has at most one batch of a partition on its way. It sends the same batch again after
    /// [`CommitError::Transient`] and [`CommitError::Full`], which guarantee that nothing was applied.
    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>>;

    /// Returns how long a partition waits before it reads its inbox again without a hint. The default is `None`: all
    /// partitions are in this process, and whoever writes a message tells its partition.
    fn inbox_pause(&self) -> Option<Duration> {
        None
    }

    /// Returns whether this handle should [`close`](Self::close) a partition that it owns, so that other processes get
    /// their share. The default is `false`.
    fn is_surplus(&self, partition: PartitionId) -> bool {
        let _ = partition;
        false
    }

    /// Marks a partition as cleanly closed, under the epoch that this handle claimed last, and gives up its ownership.
    /// When this handle owns no partition any more, it releases all resources as soon as nothing is in progress. A
    /// later `claim` opens the store again.
    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>>;
}

/// The result of `claim`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The epoch of the new owner.
    pub epoch: Epoch,
    /// The id of this store among all stores, which is created together with the store.
    pub store_id: Uuid,
    /// Whether the previous owner closed the partition cleanly.
    pub clean: bool,
    /// What was last noted about work that may bring its process down
    /// ([`TurnCommit::suspects`](crate::model::TurnCommit::suspects)). Empty if nothing was ever noted.
    pub suspects: Bytes,
}

impl Claim {
    /// What a store answers to a claim of a partition that has noted nothing.
    pub fn new(epoch: Epoch, store_id: Uuid, clean: bool) -> Self {
        Self { epoch, store_id, clean, suspects: Bytes::new() }
    }

    /// Adds what the partition has noted about work that may bring its process down.
    pub fn with_suspects(mut self, suspects: Bytes) -> Self {
        self.suspects = suspects;
        self
    }
}

impl StoredInstance {
    /// Creates a stored instance whose current execution has `record_count` records, the newest of which was written at
    /// `newest_record`.
    pub fn new(head: Head, record_count: u64, newest_record: Option<Timestamp>) -> Self {
        Self { head, record_count, newest_record, history: None, carried: Vec::new() }
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

/// A reference to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceRef {
    /// The current life of this id.
    Id(InstanceId),
    /// The life with this key, if it is still stored.
    Key(InstanceKey),
}

/// A head and the data that belongs to it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoredInstance {
    /// The head.
    pub head: Head,
    /// The number of turn records of the current execution.
    pub record_count: u64,
    /// The time of the newest turn record.
    pub newest_record: Option<Timestamp>,
    /// The records of the current execution, if they were requested.
    pub history: Option<Vec<Bytes>>,
    /// The events that the life carries over, in the order of their rows, if the records were requested: the records of
    /// [`Execution::CARRIED`]. Usually there are none.
    pub carried: Vec<Bytes>,
}

/// Everything that a recovering partition needs.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Backlog {
    /// The open tasks, with the records that contain their inputs.
    pub tasks: Vec<TaskGroup>,
    /// All timers.
    pub timers: Vec<TimerRow>,
    /// All inbox rows, in the order of their ids.
    pub inbox: Vec<InboxRow>,
    /// The lives that are parked.
    pub parked: Vec<InstanceKey>,
}

/// The open tasks that one turn has scheduled.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaskGroup {
    /// The life that scheduled the tasks.
    pub key: InstanceKey,
    /// The instance id of that life.
    pub id: InstanceId,
    /// The execution that scheduled the tasks.
    pub execution: Execution,
    /// The turn that scheduled the tasks.
    pub turn_number: u64,
    /// The record of that turn, or `None` if the history row is missing.
    pub record: Option<Bytes>,
    /// The open operations, and the names of their activities.
    pub tasks: Vec<(OperationId, Cow<'static, str>)>,
}
