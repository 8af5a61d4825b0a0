//! The store in a PostgreSQL database, which any number of processes share.
//!
//! ```text
//! PostgresStore ─► a thread with a runtime of its own ─┬─ lanes ────► connections that commit, one flight per batch
//!                                                      ├─ readers ──► connections that read, one of them for lists
//!                                                      └─ control ──► the connection that claims partitions
//!               ─► a thread for the lease, with its own connection
//! ```
//!
//! Invariants: the row is the truth, and what this process remembers is a hint; every refusal is an error of the server,
//! never a result that is inspected after COMMIT; only the lane of the owner touches the rows of a partition.

mod batch;
mod builder;
mod claim;
mod columns;
mod connection;
mod errors;
mod lease;
mod page;
mod read;
mod row;
mod schema;
mod shared;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

pub use self::builder::PostgresStoreBuilder;
use self::shared::Shared;
use super::{
    Backlog, Claim, CommitError, Durability, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store,
    StoreFuture, StoredInstance,
};
use crate::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};

/// How long a message of another process may wait before its partition sees it.
const INBOX_PAUSE: Duration = Duration::from_secs(1);

/// A store in a schema of a PostgreSQL database. Any number of processes may open it at the same time.
///
/// Use it when one machine is not enough, or when work must go on while a machine is replaced. Each partition of the store
/// belongs to one process at a time. A process that does not renew its lease loses its partitions to the others, and what
/// it sends afterwards is refused by the database.
///
/// It needs PostgreSQL 13 or newer with the encoding UTF8, a role that may create tables in the schema, and direct
/// connections or a connection pooler in session mode. Each commit costs one round trip to the server.
///
/// A process that starts later gets its share of the partitions: the others give theirs back one after another, when none
/// of the activities of a partition runs. A message to an instance in another process arrives within about a second.
///
/// For now, a client can start, signal and terminate only instances whose partition its own process owns. A call for
/// another instance is refused as [`StoreUnavailable`](crate::ClientError::StoreUnavailable), and nothing happens; every
/// process can read all instances and list them. A wait or a watch in a process that does not own the instance is not woken.
///
/// Dropping the store lets a commit that is on its way finish, and gives up the lease. [`close`](Store::close) also marks a
/// partition as cleanly closed.
///
/// # Examples
/// ```no_run
/// use persevere::PostgresStore;
///
/// # async fn open() -> Result<(), persevere::store::OpenError> {
/// let store = PostgresStore::connect("postgres://app:secret@db.internal/app").await?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
pub struct PostgresStore {
    shared: Arc<Shared>,
    /// Ends the thread. Dropped with the store.
    _stop: oneshot::Sender<()>,
}

impl PostgresStore {
    /// Opens the store in the schema `persevere` of a database, or creates it with 64 partitions.
    ///
    /// The address is a URL (`postgres://user:password@host:5432/database`) or a list of settings
    /// (`host=... user=... dbname=...`).
    ///
    /// # Errors
    /// Returns [`OpenError`], which says why the database cannot be used and what to do.
    pub async fn connect(address: &str) -> Result<Self, OpenError> {
        Self::builder(address).open().await
    }

    /// Begins to open a store with settings other than the defaults.
    pub fn builder(address: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder::new(address)
    }

    /// Runs an operation on the thread of the store.
    fn run<T, E>(
        &self,
        operation: impl Future<Output = Result<T, E>> + Send + 'static,
        gone: impl FnOnce(String) -> E + Send + 'static,
    ) -> StoreFuture<Result<T, E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let running = self.shared.runtime.spawn(operation);
        Box::pin(async move {
            running.await.unwrap_or_else(|error| {
                Err(gone(if error.is_panic() { "the operation panicked" } else { "the store is closed" }.to_owned()))
            })
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("store", &self.shared.name).finish_non_exhaustive()
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.shared.depart();
    }
}

impl Store for PostgresStore {
    fn partitions(&self) -> PartitionCount {
        self.shared.hub.partitions
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        let (shared, store) = (Arc::clone(&self.shared), self.shared.name.clone());
        self.run(async move { shared.claim(partition).await }, |detail| OpenError::Failed { store, detail })
    }

    fn inbox_pause(&self) -> Option<Duration> {
        Some(INBOX_PAUSE)
    }

    fn is_surplus(&self, partition: PartitionId) -> bool {
        self.shared.is_surplus(partition)
    }

    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        let shared = Arc::clone(&self.shared);
        let read = async move { shared.read(async |link| read::backlog(link, partition).await).await };
        self.run(read, LoadError::Transient)
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        let shared = Arc::clone(&self.shared);
        let read = async move { shared.read(async |link| read::inbox(link, partition, known).await).await };
        self.run(read, LoadError::Transient)
    }

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        let shared = Arc::clone(&self.shared);
        let read = async move { shared.read(async |link| read::instance(link, &target, with_history).await).await };
        self.run(read, LoadError::Transient)
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        let shared = Arc::clone(&self.shared);
        let read = async move { shared.read(async |link| read::history(link, key, execution).await).await };
        self.run(read, LoadError::Transient)
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        let shared = Arc::clone(&self.shared);
        self.run(async move { shared.page(&query).await }, LoadError::Transient)
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        let shared = Arc::clone(&self.shared);
        // Nobody knows what a task has sent that is gone.
        self.run(async move { shared.commit(&batch).await }, CommitError::Ambiguous)
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        let shared = Arc::clone(&self.shared);
        self.run(async move { shared.close(partition).await }, CommitError::Ambiguous)
    }
}
