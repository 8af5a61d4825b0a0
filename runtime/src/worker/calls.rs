//! The client calls that a partition has and has not answered. Each call gets exactly one answer.

use rustc_hash::FxHashMap;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::client::{Answered, SubmitError};
use crate::engine::{ClientOperation, RequestId};
use crate::model::PartitionId;

/// The channel to the caller.
pub(crate) type Answer = oneshot::Sender<Result<Answered, SubmitError>>;

/// A call that a client sends to the engine thread of the partition.
#[derive(Debug)]
pub(crate) struct ClientCall {
    pub(crate) partition: PartitionId,
    pub(crate) operation: ClientOperation,
    /// Whether the caller wants to follow the instance that the call creates.
    pub(crate) follow: bool,
    pub(crate) answer: Answer,
    /// The permit of this call. The number of waiting calls in the whole runtime is limited.
    pub(crate) place: OwnedSemaphorePermit,
}

impl ClientCall {
    /// Answers a call that the partition never saw.
    pub(crate) fn refuse(self, error: SubmitError) {
        // A caller that is gone needs no answer.
        let _ = self.answer.send(Err(error));
    }
}

/// The calls of one partition that are in progress, by request.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: u64,
    open: FxHashMap<RequestId, (Answer, bool)>,
}

impl Calls {
    /// Adds a call. A request id is never used twice, not even across recoveries, so an answer cannot reach another
    /// call.
    pub(crate) fn open(&mut self, answer: Answer, follow: bool) -> RequestId {
        self.last += 1;
        let request = RequestId(self.last);
        self.open.insert(request, (answer, follow));
        request
    }

    /// Returns whether the caller wants to follow the instance that the call creates.
    pub(crate) fn follows(&self, request: RequestId) -> bool {
        self.open.get(&request).is_some_and(|(_, follow)| *follow)
    }

    pub(crate) fn answer(&mut self, request: RequestId, result: Result<Answered, SubmitError>) {
        match self.open.remove(&request) {
            Some((answer, _)) => {
                let _ = answer.send(result);
            }
            None => tracing::error!(?request, "a call was answered twice or was never made; the answer is dropped"),
        }
    }

    pub(crate) fn answer_all(&mut self, error: &SubmitError) {
        for (_, (answer, _)) in self.open.drain() {
            let _ = answer.send(Err(error.clone()));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
