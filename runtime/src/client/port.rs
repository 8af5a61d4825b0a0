//! The port through which a client reaches a running runtime.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::change_hub::{ChangeHub, ChangeReceiver};
use crate::clock::VirtualTime;
use crate::engine::{ClientAnswer, ClientOperation, Refusal};
use crate::model::{Execution, InstanceKey, Timestamp};
use crate::registry::Registry;
use crate::store::{InstancePage, InstanceQuery, InstanceRef, StoredInstance};

/// A boxed future that can be sent to another thread.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The connection between a client and the runtime that serves it.
pub(crate) trait ClientPort: Send + Sync + Debug + 'static {
    /// Hands one operation to the partition, and waits while the queue of client operations is full.
    ///
    /// The future returns exactly one answer: done (durable), refused (it has not happened and will not), or unknown.
    ///
    /// With `follow`, the answer to a start that created an instance also contains a registration for it, so that
    /// waiting for the instance needs no read.
    fn submit(&self, operation: ClientOperation, follow: bool) -> BoxFuture<Result<Answered, SubmitError>>;

    /// Reads a head from the store, never from the memory of the partition. The read begins after the call.
    fn instance(&self, target: InstanceRef) -> BoxFuture<Result<Option<StoredInstance>, SubmitError>>;

    /// Reads one page of a list.
    fn query(&self, query: InstanceQuery) -> BoxFuture<Result<InstancePage, SubmitError>>;

    /// Reads the turn records of one execution. Returns `None` if the execution is gone.
    fn history(&self, key: InstanceKey, execution: Execution) -> BoxFuture<Result<Option<Vec<Bytes>>, SubmitError>>;

    /// What is registered with the runtime; `None` where that is not known here.
    fn registry(&self) -> Option<Arc<Registry>>;

    /// Returns the hub that delivers committed heads as they change.
    fn changes(&self) -> &Arc<ChangeHub>;

    /// Returns the time of the wall clock, rounded down to microseconds.
    fn now(&self) -> Timestamp;

    /// Returns the clock, if it must know what clients wait for.
    fn virtual_time(&self) -> Option<&Arc<VirtualTime>> {
        None
    }
}

/// The answer to an operation.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: ClientAnswer,
    /// The registration for the instance that was created.
    pub(crate) followed: Option<ChangeReceiver>,
}

impl From<ClientAnswer> for Answered {
    fn from(answer: ClientAnswer) -> Self {
        Self { answer, followed: None }
    }
}

/// The reason why an operation was not done, or may not have been done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SubmitError {
    /// The partition refused it.
    Refused(Refusal),
    /// The operation may or may not have been done.
    OutcomeUnknown {
        /// What happened to the commit.
        cause: String,
    },
    /// The store does not work at the moment. Nothing happened.
    StoreUnavailable {
        /// The error of the store.
        cause: String,
    },
    /// The stored data is damaged.
    Corrupt(String),
    /// The runtime was shut down or dropped.
    RuntimeStopped,
    /// The runtime stopped because of errors.
    Fatal {
        /// The last error.
        cause: String,
    },
}
