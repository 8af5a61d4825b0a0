//! Client calls that the partition has and has not answered. Each gets exactly one answer.

use rustc_hash::FxHashMap;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::client::{Answered, SubmitError};
use crate::engine::{ClientOperation, RequestId};
use crate::model::PartitionId;

/// The way back to a caller.
pub(crate) type Answer = oneshot::Sender<Result<Answered, SubmitError>>;

/// What a client sends to the engine thread that drives the partition.
#[derive(Debug)]
pub(crate) struct ClientCall {
    pub(crate) partition: PartitionId,
    pub(crate) operation: ClientOperation,
    /// Whether the caller wants to follow the instance that this begins.
    pub(crate) follow: bool,
    pub(crate) answer: Answer,
    /// Its place among the calls that wait, of which the whole runtime has a bounded number.
    pub(crate) place: OwnedSemaphorePermit,
}

impl ClientCall {
    /// Answers a call that the partition never saw.
    pub(crate) fn refuse(self, error: SubmitError) {
        // A caller that is gone needs no answer.
        let _ = self.answer.send(Err(error));
    }
}

/// The calls of one partition that are under way, by request.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: u64,
    open: FxHashMap<RequestId, (Answer, bool)>,
}

impl Calls {
    /// A request id is never given twice, not even over recoveries: an answer cannot reach another call.
    pub(crate) fn open(&mut self, answer: Answer, follow: bool) -> RequestId {
        self.last += 1;
        let request = RequestId(self.last);
        self.open.insert(request, (answer, follow));
        request
    }

    /// Whether who called wants to follow what the call began.
    pub(crate) fn follows(&self, request: RequestId) -> bool {
        self.open.get(&request).is_some_and(|(_, follow)| *follow)
    }

    pub(crate) fn answer(&mut self, request: RequestId, result: Result<Answered, SubmitError>) {
        match self.open.remove(&request) {
            Some((answer, _)) => {
                let _ = answer.send(result);
            }
            None => tracing::error!(?request, "a call was answered twice, or never made; the answer is dropped"),
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
