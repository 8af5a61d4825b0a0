//! What a client needs of a running runtime.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::change_hub::{ChangeHub, Registration};
use crate::engine::{ClientAnswer, ClientOperation, Refusal};
use crate::model::{Execution, InstanceKey, Timestamp};
use crate::registry::Registry;
use crate::store::{InstancePage, InstanceQuery, InstanceRef, StoredInstance};

/// A future of unknown type that can be sent anywhere.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The way from a client to the runtime that serves it.
pub(crate) trait ClientPort: Send + Sync + Debug + 'static {
    /// Hands one operation to the partition; waits while its queue of client operations is full.
    ///
    /// Resolves to exactly one answer: done (durable), refused (it has not happened and will not), or unknown.
    ///
    /// With `follow` the answer of a start that began an instance also brings a registration with what the instance is
    /// since then, so that a wait for it needs no read.
    fn submit(&self, operation: ClientOperation, follow: bool) -> BoxFuture<Result<Answered, SubmitError>>;

    /// Reads a head row from the store, never from the partition's memory. The read begins after the call.
    fn instance(&self, target: InstanceRef) -> BoxFuture<Result<Option<StoredInstance>, SubmitError>>;

    /// Reads one page of a list.
    fn query(&self, query: InstanceQuery) -> BoxFuture<Result<InstancePage, SubmitError>>;

    /// Reads the turn records of one execution; `None` when it is gone.
    fn history(&self, key: InstanceKey, execution: Execution) -> BoxFuture<Result<Option<Vec<Bytes>>, SubmitError>>;

    /// What is registered with the runtime; `None` where that is not known here.
    fn registry(&self) -> Option<Arc<Registry>>;

    /// The committed head rows, as they change.
    fn changes(&self) -> &Arc<ChangeHub>;

    /// The wall clock, cut to microseconds.
    fn now(&self) -> Timestamp;
}

/// What an operation was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: ClientAnswer,
    /// Follows the instance that was begun.
    pub(crate) followed: Option<Registration>,
}

impl From<ClientAnswer> for Answered {
    fn from(answer: ClientAnswer) -> Self {
        Self { answer, followed: None }
    }
}

/// Why an operation was not done, or may not have been done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SubmitError {
    /// The partition refused it.
    Refused(Refusal),
    /// It may have been done or not.
    OutcomeUnknown {
        /// What happened to the commit.
        cause: String,
    },
    /// The store does not work at the moment. Nothing happened.
    StoreUnavailable {
        /// What the store said.
        cause: String,
    },
    /// What is stored is damaged.
    Corrupt(String),
    /// The runtime was shut down or dropped.
    RuntimeStopped,
    /// The runtime gave up.
    Fatal {
        /// Why.
        cause: String,
    },
}
