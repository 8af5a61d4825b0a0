//! Client calls that the partition has and has not answered. Each gets exactly one answer.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::client::SubmitError;
use crate::engine::{ClientAnswer, ClientOperation, RequestId};

/// What a client sends to the engine thread.
#[derive(Debug)]
pub(crate) struct ClientCall {
    pub(crate) operation: ClientOperation,
    pub(crate) answer: oneshot::Sender<Result<ClientAnswer, SubmitError>>,
}

impl ClientCall {
    /// Answers a call that the partition never saw.
    pub(crate) fn refuse(self, error: SubmitError) {
        // A caller that is gone needs no answer.
        let _ = self.answer.send(Err(error));
    }
}

/// The calls under way, by request.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: u64,
    open: HashMap<RequestId, oneshot::Sender<Result<ClientAnswer, SubmitError>>>,
}

impl Calls {
    /// A request id is never given twice, not even over recoveries: an answer cannot reach another call.
    pub(crate) fn open(&mut self, answer: oneshot::Sender<Result<ClientAnswer, SubmitError>>) -> RequestId {
        self.last += 1;
        let request = RequestId(self.last);
        self.open.insert(request, answer);
        request
    }

    pub(crate) fn answer(&mut self, request: RequestId, result: Result<ClientAnswer, SubmitError>) {
        match self.open.remove(&request) {
            Some(answer) => {
                let _ = answer.send(result);
            }
            None => tracing::error!(?request, "a call was answered twice, or never made; the answer is dropped"),
        }
    }

    pub(crate) fn answer_all(&mut self, error: &SubmitError) {
        for (_, answer) in self.open.drain() {
            let _ = answer.send(Err(error.clone()));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
