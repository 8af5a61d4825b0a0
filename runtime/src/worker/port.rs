//! How clients in this process reach the partitions and the store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};

use super::calls::ClientCall;
use super::registered::Registered;
use super::routes::Routes;
use super::shutdown::RuntimeEnd;
use super::store_access::StoreAccess;
use crate::client::{Answered, BoxFuture, ChangeHub, ClientPort, SubmitError};
use crate::clock::{Clock, VirtualTime};
use crate::engine::ClientOperation;
use crate::model::{Execution, InstanceKey, PartitionId, Timestamp};
use crate::registry::Registry;
use crate::store::{InstancePage, InstanceQuery, InstanceRef, LoadError, Store, StoreFuture, StoredInstance};

/// The port of one runtime. It may outlive the runtime, and it then returns that the runtime has stopped.
pub(crate) struct RuntimePort {
    pub(crate) queue: ClientQueue,
    pub(crate) routes: Arc<Routes>,
    pub(crate) store: Arc<StoreAccess>,
    pub(crate) hub: Arc<ChangeHub>,
    pub(crate) registry: Arc<Registered>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ending: Arc<RuntimeEnd>,
    /// The number of starts that could go to any partition.
    pub(crate) starts: AtomicUsize,
    /// The clock, if it must know that a call is under way.
    pub(crate) time: Option<Arc<VirtualTime>>,
}

/// The queues of client calls to all threads. Together they have a limited number of places.
#[derive(Debug)]
pub(crate) struct ClientQueue {
    pub(crate) places: Arc<Semaphore>,
    /// Indexed by thread.
    pub(crate) threads: Box<[UnboundedSender<ClientCall>]>,
}

impl ClientPort for RuntimePort {
    fn submit(&self, operation: ClientOperation, follow: bool) -> BoxFuture<Result<Answered, SubmitError>> {
        let partition = self.partition(&operation);
        let thread = self.queue.threads[self.routes.thread_of(partition)].clone();
        let (places, ending) = (Arc::clone(&self.queue.places), Arc::clone(&self.ending));
        let time = self.time.clone();
        Box::pin(async move {
            let _busy = time.as_ref().map(VirtualTime::busy);
            let (answer, answered) = oneshot::channel();
            let Ok(place) = places.acquire_owned().await else { return Err(stopped(&ending)) };
            if thread.send(ClientCall { partition, operation, follow, answer, place }).is_err() {
                return Err(stopped(&ending));
            }
            // The calls that a partition had are answered one by one. Only calls that were left in the queue are
            // dropped.
            match ending.unless_abandoned(answered).await {
                Some(answer) => answer.unwrap_or_else(|_| Err(stopped(&ending))),
                None => Err(SubmitError::OutcomeUnknown { cause: "the runtime stopped".to_owned() }),
            }
        })
    }

    fn instance(&self, target: InstanceRef) -> BoxFuture<Result<Option<StoredInstance>, SubmitError>> {
        self.read(|store| store.instance(target, false))
    }

    fn query(&self, query: InstanceQuery) -> BoxFuture<Result<InstancePage, SubmitError>> {
        self.read(|store| store.query(query))
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> BoxFuture<Result<Option<Vec<Bytes>>, SubmitError>> {
        self.read(|store| store.history(key, execution))
    }

    fn registry(&self) -> Option<Arc<Registry>> {
        Some(self.registry.get())
    }

    fn changes(&self) -> &Arc<ChangeHub> {
        &self.hub
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn virtual_time(&self) -> Option<&Arc<VirtualTime>> {
        self.time.as_ref()
    }
}

impl RuntimePort {
    /// Returns the partition of the instance that is meant. A start without an id goes to each partition in turn.
    /// Partitions that currently do not work are skipped as long as another one works.
    fn partition(&self, operation: &ClientOperation) -> PartitionId {
        let count = self.routes.count();
        if let Some(id) = operation.subject() {
            return count.partition_of(id);
        }
        let mut in_turn = (0..count.get()).map(|_| {
            let turn = self.starts.fetch_add(1, Ordering::Relaxed) % usize::from(count.get());
            // The number is smaller than the count, so it fits.
            PartitionId(turn as u16)
        });
        let first = in_turn.next().unwrap_or_default();
        let works = |partition: &PartitionId| self.routes.signal(*partition).takes_calls();
        if works(&first) { first } else { in_turn.find(works).unwrap_or(first) }
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> StoreFuture<Result<T, LoadError>>,
    ) -> BoxFuture<Result<T, SubmitError>> {
        let store = self.store.get().filter(|_| self.ending.get().is_none());
        let Some(store) = store else { return Box::pin(std::future::ready(Err(stopped(&self.ending)))) };
        let (reading, ending) = (read(&*store), Arc::clone(&self.ending));
        let time = self.time.clone();
        Box::pin(async move {
            let _busy = time.as_ref().map(VirtualTime::busy);
            reading.await.map_err(|error| match error {
                LoadError::Corrupt(detail) => SubmitError::Corrupt(detail),
                // Reads fail if the store was closed in the meantime.
                error => ending.error().unwrap_or_else(|| SubmitError::StoreUnavailable { cause: error.to_string() }),
            })
        })
    }
}

/// Returns the answer to a call that finds the queue closed or the store gone.
fn stopped(ending: &RuntimeEnd) -> SubmitError {
    ending.error().unwrap_or(SubmitError::RuntimeStopped)
}

impl fmt::Debug for RuntimePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimePort").field("store", &self.store).field("ending", &self.ending).finish_non_exhaustive()
    }
}
