//! What tests ask of a simulation: operations by name, answers, and what is stored.

use super::{Answer, Sim, id, short, start};
use crate::engine::{ClientAnswer, ClientOperation, Refusal, RequestId, StartOperation};
use crate::model::{Head, JsonText, TurnRecord};

impl Sim {
    // ── operations by name ──────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn start(&mut self, instance: &str, name: &str, input: &serde_json::Value) -> RequestId {
        self.call(ClientOperation::Start(Box::new(start(Some(instance), name, input))))
    }

    pub(crate) fn start_with(&mut self, operation: StartOperation) -> RequestId {
        self.call(ClientOperation::Start(Box::new(operation)))
    }

    pub(crate) fn raise(&mut self, instance: &str, name: &str, payload: &serde_json::Value) -> RequestId {
        let payload = JsonText::encode(payload).unwrap();
        self.call(ClientOperation::RaiseEvent { id: id(instance), name: name.to_owned(), payload, event_id: None })
    }

    pub(crate) fn terminate(&mut self, instance: &str, recursive: bool) -> RequestId {
        self.call(ClientOperation::Terminate { id: id(instance), reason: "enough".to_owned(), recursive })
    }

    pub(crate) fn suspend(&mut self, instance: &str) -> RequestId {
        self.call(ClientOperation::Suspend { id: id(instance), reason: "wait".to_owned() })
    }

    pub(crate) fn resume(&mut self, instance: &str) -> RequestId {
        self.call(ClientOperation::Resume { id: id(instance), reason: "go on".to_owned() })
    }

    pub(crate) fn purge(&mut self, instance: &str) -> RequestId {
        self.call(ClientOperation::Purge { id: id(instance), key: None })
    }

    pub(crate) fn restart(&mut self, instance: &str, new_id: bool) -> RequestId {
        self.call(ClientOperation::Restart { id: id(instance), new_id })
    }

    pub(crate) fn rewind(&mut self, instance: &str) -> RequestId {
        self.call(ClientOperation::Rewind { id: id(instance), reason: "again".to_owned() })
    }

    pub(crate) fn retry_parked(&mut self, instance: &str) -> RequestId {
        self.call(ClientOperation::RetryParked { id: id(instance) })
    }

    // ── what there is to see ────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn answer(&self, request: RequestId) -> Option<Answer> {
        self.answers[&request].1.clone()
    }

    /// The answer; it must be there.
    pub(crate) fn result(&self, request: RequestId) -> Result<ClientAnswer, Refusal> {
        match self.answer(request) {
            Some(Answer::Is(result)) => result,
            other => panic!("{request:?} was answered {other:?}"),
        }
    }

    pub(crate) fn head(&self, instance: &str) -> Head {
        self.store.head(instance).unwrap_or_else(|| panic!("there is no {instance}")).clone()
    }

    /// What the instance returned.
    pub(crate) fn output(&self, instance: &str) -> serde_json::Value {
        let head = self.head(instance);
        match &head.progress.output {
            Some(output) => output.decode().unwrap(),
            None => {
                panic!("{instance} is {} {:?} {:?}", head.progress.status, head.progress.failure, head.progress.parked)
            }
        }
    }

    pub(crate) fn turns(&self, instance: &str) -> Vec<TurnRecord> {
        self.store.turns(self.head(instance).life.key)
    }

    /// All recorded inputs of the current execution, shortened to the kind and what tells it apart.
    pub(crate) fn inputs(&self, instance: &str) -> Vec<String> {
        self.turns(instance).iter().flat_map(|turn| turn.inputs.iter().map(short)).collect()
    }
}
