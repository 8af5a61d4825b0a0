//! How clients in this process reach the engine thread and the store.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::calls::ClientCall;
use super::clock::Clock;
use super::ending::Ending;
use super::store_access::StoreAccess;
use crate::client::{Answered, BoxFuture, ChangeHub, ClientPort, SubmitError};
use crate::engine::ClientOperation;
use crate::model::{Execution, InstanceKey, Timestamp};
use crate::registry::Registry;
use crate::store::{InstancePage, InstanceQuery, InstanceRef, LoadError, Store, StoreFuture, StoredInstance};

/// The port of one runtime. Outlives it: then it answers that the runtime has stopped.
pub(crate) struct RuntimePort {
    pub(crate) calls: mpsc::Sender<ClientCall>,
    pub(crate) store: Arc<StoreAccess>,
    pub(crate) hub: Arc<ChangeHub>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ending: Arc<Ending>,
}

impl ClientPort for RuntimePort {
    fn submit(&self, operation: ClientOperation, follow: bool) -> BoxFuture<Result<Answered, SubmitError>> {
        let (calls, ending) = (self.calls.clone(), Arc::clone(&self.ending));
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            if calls.send(ClientCall { operation, follow, answer }).await.is_err() {
                return Err(stopped(&ending));
            }
            // Calls that the partition had are answered one by one; only what was left in the queue is dropped.
            answered.await.unwrap_or_else(|_| Err(stopped(&ending)))
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
        Some(Arc::clone(&self.registry))
    }

    fn changes(&self) -> &Arc<ChangeHub> {
        &self.hub
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl RuntimePort {
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> StoreFuture<Result<T, LoadError>>,
    ) -> BoxFuture<Result<T, SubmitError>> {
        let store = self.store.get().filter(|_| self.ending.get().is_none());
        let Some(store) = store else { return Box::pin(std::future::ready(Err(stopped(&self.ending)))) };
        let (reading, ending) = (read(&*store), Arc::clone(&self.ending));
        Box::pin(async move {
            reading.await.map_err(|error| match error {
                LoadError::Corrupt(detail) => SubmitError::Corrupt(detail),
                // A store that was closed meanwhile fails reads.
                error => ending.error().unwrap_or_else(|| SubmitError::StoreUnavailable { cause: error.to_string() }),
            })
        })
    }
}

/// What a call is told that finds the queue closed or the store gone.
fn stopped(ending: &Ending) -> SubmitError {
    ending.error().unwrap_or(SubmitError::RuntimeStopped)
}

impl fmt::Debug for RuntimePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimePort").field("store", &self.store).field("ending", &self.ending).finish_non_exhaustive()
    }
}
