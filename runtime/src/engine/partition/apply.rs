//! What each input means to an instance, depending on its state. Together with `turn`, this is the table of states and
//! inputs.

use super::slot::{Arrival, EventSource, Phase, TaskAnchor};
use super::{Addressed, Partition, TaskState};
use crate::engine::{ClientAnswer, ClientOperation, IdReusePolicy, Refusal, RequestId, StartOperation};
use crate::model::{
    FailureDetails, Head, InboxId, InstanceId, InstanceKey, Message, Parent, TaskId, Timestamp, TurnCommit,
};

/// The failure type of a sub-orchestration with an id that only the engine may create.
const RESERVED_ID: &str = "persevere.ReservedId";

impl Partition {
    /// Gives an input to an instance in memory.
    pub(super) fn apply(&mut self, now: Timestamp, key: InstanceKey, what: Addressed) {
        let Some(what) = self.refuse_unwritable(key, what) else { return };
        let Some(slot) = self.slots.get(&key) else { return self.absent(now, what) };
        if matches!(slot.phase, Phase::Purged) && !matches!(what, Addressed::Client(_, ClientOperation::Start(_))) {
            return self.absent(now, what);
        }
        match what {
            Addressed::Client(request, operation) => self.apply_client(now, key, request, operation),
            Addressed::Message(inbox, message) => self.apply_message(now, key, inbox, message),
            Addressed::Task { task, result } => {
                self.push(key, Arrival::TaskDone { task, result, anchor: TaskAnchor::Task });
            }
            Addressed::Timer(row) => self.push(key, Arrival::Timer(row)),
            Addressed::RetryParked(_, token) => self.push(key, Arrival::RetryParked { request: None, token }),
            Addressed::Park(_, reason, token) => self.push(key, Arrival::Park { reason, token }),
        }
    }

    fn push(&mut self, key: InstanceKey, arrival: Arrival) {
        let blocked = self.is_blocked(key);
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.is_over() {
            // Its rows were removed together with it.
            return;
        }
        if matches!(slot.phase, Phase::Unreadable)
            && !matches!(arrival, Arrival::Terminate { .. } | Arrival::RetryParked { .. })
        {
            tracing::error!(instance = %slot.head.life.id, ?arrival, "the instance cannot be read; its messages and tasks stay where they are");
            return;
        }
        if matches!(arrival, Arrival::RetryParked { .. }) && matches!(slot.phase, Phase::Unreadable) && !blocked {
            // The instance may have been restored. Everything that arrives from now on waits for the answer.
            slot.phase = Phase::Stored;
        }
        slot.arrivals.push_back(arrival);
        if !slot.waits_for_records() {
            self.make_ready(key);
        }
    }

    fn apply_client(&mut self, now: Timestamp, key: InstanceKey, request: RequestId, operation: ClientOperation) {
        if matches!(
            operation,
            ClientOperation::Start(_) | ClientOperation::Restart { .. } | ClientOperation::Purge { .. }
        ) {
            self.settle_fresh(now, key);
        }
        let Some(slot) = self.slots.get(&key) else { return };
        let head = slot.head.clone();
        if let ClientOperation::Start(start) = operation {
            return self.start_existing(now, key, request, *start);
        }
        if let ClientOperation::Restart { new_id, .. } = operation {
            return self.restart(now, request, &head, new_id);
        }
        if matches!(slot.phase, Phase::Unreadable)
            && !matches!(operation, ClientOperation::Terminate { .. } | ClientOperation::RetryParked { .. })
        {
            let detail = head.progress.parked.as_ref().map_or_else(String::new, |reason| reason.text().to_owned());
            return self.reply(request, Err(Refusal::Corrupt { id: head.life.id.clone(), detail }));
        }
        if let ClientOperation::Rewind { reason, .. } = operation {
            return self.rewind_for_client(key, request, reason);
        }
        if let ClientOperation::Purge { key: life, .. } = operation {
            return self.purge(key, life, request);
        }
        if slot.is_over() {
            return self.reply(
                request,
                Err(Refusal::InstanceEnded { id: head.life.id.clone(), status: head.progress.status }),
            );
        }
        let arrival = match operation {
            ClientOperation::RaiseEvent { name, payload, event_id, .. } => {
                Arrival::Event { name, payload, event_id, from: EventSource::Client(request) }
            }
            ClientOperation::Terminate { reason, recursive, .. } => {
                Arrival::Terminate { reason, recursive, request: Some(request), anchor: None, by_parent: false }
            }
            ClientOperation::Suspend { reason, .. } => Arrival::Suspend { reason, request },
            ClientOperation::Resume { reason, .. } => Arrival::Resume { reason, request },
            ClientOperation::RetryParked { .. } => {
                self.pardon(now, &head.life);
                Arrival::RetryParked { request: Some(request), token: None }
            }
            ClientOperation::Start(_)
            | ClientOperation::Restart { .. }
            | ClientOperation::Rewind { .. }
            | ClientOperation::Purge { .. } => return,
        };
        self.push(key, arrival);
    }

    /// Makes sure that an answer about an instance does not overtake the commit that creates the instance.
    pub(super) fn settle_fresh(&mut self, now: Timestamp, key: InstanceKey) {
        if self.slots.get(&key).is_some_and(|slot| matches!(slot.phase, Phase::Fresh(_))) {
            self.turn(now, key);
        }
    }

    fn start_existing(&mut self, now: Timestamp, key: InstanceKey, request: RequestId, start: StartOperation) {
        let Some(slot) = self.slots.get(&key) else { return };
        if matches!(slot.phase, Phase::Purged) {
            return self.create(now, request, start, None);
        }
        let head = slot.head.clone();
        let same = head.life.start_hash == self.start_hash(&start);
        match start.reuse {
            IdReusePolicy::ReplaceEnded if head.is_ended() => self.replace(now, key, request, start),
            IdReusePolicy::Attach | IdReusePolicy::ReplaceEnded if same => {
                self.reply(request, Ok(ClientAnswer::Started { id: head.life.id.clone(), key, created: false }));
            }
            _ => self.reply(request, Err(already_exists(&head))),
        }
    }

    /// The head contains everything with which a new life begins, so neither the code nor the records of the old life
    /// are needed.
    fn restart(&mut self, now: Timestamp, request: RequestId, old: &Head, new_id: bool) {
        if !new_id && !old.is_ended() {
            return self
                .reply(request, Err(Refusal::NotEnded { id: old.life.id.clone(), status: old.progress.status }));
        }
        let id = if new_id { self.mint.instance_id() } else { old.life.id.clone() };
        let start = StartOperation {
            id: Some(id),
            name: old.life.name.clone(),
            version: Some(old.life.version.clone()),
            input: old.life.input.clone(),
            tags: old.life.tags.clone(),
            start_at: None,
            custom_status: None,
            reuse: IdReusePolicy::ReplaceEnded,
            trace: None,
        };
        if let Some(refusal) = self.refuse_unregistered(&start) {
            return self.reply(request, Err(refusal));
        }
        if new_id { self.create(now, request, start, None) } else { self.replace(now, old.life.key, request, start) }
    }

    /// Begins a new life of the id of an ended instance. Its first commit removes the old life, which stays in memory
    /// until then because the store still has it.
    fn replace(&mut self, now: Timestamp, old: InstanceKey, request: RequestId, start: StartOperation) {
        let id = start.id.clone();
        self.create(now, request, start, Some(old));
        if let Some(new) = id.and_then(|id| self.ids.get(&id)).copied() {
            self.settle_fresh(now, new);
        }
        self.is_replaced(old);
    }

    /// The old life of a replaced instance stays in memory until its removal is durable.
    pub(super) fn is_replaced(&mut self, old: InstanceKey) {
        if let Some(slot) = self.slots.get_mut(&old) {
            slot.phase = Phase::Purged;
        }
        self.touched(old, self.committed);
    }

    fn apply_message(&mut self, now: Timestamp, key: InstanceKey, inbox: InboxId, message: Message) {
        if matches!(message, Message::Start { .. } | Message::Rewind { .. }) {
            self.settle_fresh(now, key);
        }
        let Some(slot) = self.slots.get(&key) else { return };
        let (over, head) = (slot.is_over(), slot.head.clone());
        match message {
            Message::Start(start) => self.start_existing_child(now, key, inbox, start),
            Message::Rewind { start, reason } => self.rewind_for_parent(now, key, inbox, (start, reason)),
            Message::Event { .. } | Message::Terminate { .. } | Message::ChildDone { .. } if over => {
                self.discard(inbox);
            }
            Message::Event { name, payload, .. } => {
                self.push(key, Arrival::Event { name, payload, event_id: None, from: EventSource::Message(inbox) });
            }
            Message::Terminate { parent, reason, recursive, .. } if parent.is_none() || head.life.parent == parent => {
                let (request, anchor, by_parent) = (None, Some(inbox), parent.is_some());
                self.push(key, Arrival::Terminate { reason, recursive, request, anchor, by_parent });
            }
            Message::Terminate { parent, .. } => self.forget_start(key, inbox, parent.as_ref()),
            Message::ChildDone { parent, result } if parent.execution == head.life.execution => {
                let Parent { execution, operation, .. } = parent;
                self.push(key, Arrival::ChildDone { operation, execution, result, anchor: inbox });
            }
            Message::ChildDone { .. } => self.discard(inbox),
            Message::TaskRefused { parent, failure } => {
                let task = TaskId { key, execution: parent.execution, operation: parent.operation };
                let current = !over && parent.execution == head.life.execution;
                if !current || self.tasks.get(&task) != Some(&TaskState::Refused) {
                    self.tasks.remove(&task);
                    return self.discard(inbox);
                }
                self.push(key, Arrival::TaskDone { task, result: Err(failure), anchor: TaskAnchor::Inbox(inbox) });
            }
        }
    }

    /// Gives an input to an instance that does not exist.
    pub(super) fn absent(&mut self, now: Timestamp, what: Addressed) {
        match what {
            Addressed::Client(request, ClientOperation::Start(start)) => match start.id.clone() {
                Some(id) if id.is_reserved() => self.reply(request, Err(Refusal::ReservedId { id })),
                _ => self.create(now, request, *start, None),
            },
            Addressed::Client(request, operation) => {
                if let Some(id) = operation.target() {
                    self.reply(request, Err(Refusal::NotFound { id: id.clone() }));
                }
            }
            Addressed::Message(inbox, Message::Start(start)) if start.target.is_reserved() && !start.minted => {
                let text = Refusal::ReservedId { id: start.target.clone() }.to_string();
                self.refuse_child(inbox, &start.target, start.parent, FailureDetails::new(RESERVED_ID, text));
            }
            // A sub-orchestration that was purged begins anew.
            Addressed::Message(inbox, Message::Start(start) | Message::Rewind { start, .. }) => {
                self.create_child(now, inbox, start, None);
            }
            // The sub-orchestration has ended and was purged.
            Addressed::Message(inbox, Message::Terminate { parent: Some(_), .. }) => self.discard(inbox),
            Addressed::Message(inbox, message) => {
                tracing::warn!(?message, "dropped a message for an instance that does not exist");
                self.discard(inbox);
            }
            // The rows of a life are removed together with it.
            Addressed::Task { .. } | Addressed::Timer(_) | Addressed::RetryParked(..) | Addressed::Park(..) => {}
        }
    }

    /// Removes a message that nobody receives.
    pub(super) fn discard(&mut self, inbox: InboxId) {
        self.commit(TurnCommit { inbox_done: vec![inbox], ..TurnCommit::default() });
    }

    /// Removes a start that creates nothing, and tells the parent the reason.
    pub(super) fn refuse_child(
        &mut self,
        inbox: InboxId,
        target: &InstanceId,
        parent: Option<Parent>,
        failure: FailureDetails,
    ) {
        let mut commit = TurnCommit { inbox_done: vec![inbox], ..TurnCommit::default() };
        match parent {
            Some(parent) => {
                let result = Err(failure.non_retriable());
                self.send(&mut commit, Message::ChildDone { parent, result });
            }
            None => tracing::warn!(%target, %failure, "a detached start was dropped"),
        }
        self.commit(commit);
    }

    fn purge(&mut self, key: InstanceKey, life: Option<InstanceKey>, request: RequestId) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let (id, status) = (slot.head.life.id.clone(), slot.head.progress.status);
        if life.is_some_and(|life| life != key) {
            return self.reply(request, Err(Refusal::NotFound { id }));
        }
        if !slot.head.is_ended() {
            return self.reply(request, Err(Refusal::NotEnded { id, status }));
        }
        slot.phase = Phase::Purged;
        let number = self.commit(TurnCommit { purge: Some(key), ..TurnCommit::default() });
        self.touched(key, number);
        self.reply(request, Ok(ClientAnswer::Done));
    }
}

pub(super) fn already_exists(head: &Head) -> Refusal {
    Refusal::AlreadyExists { id: head.life.id.clone(), name: head.life.name.clone(), status: head.progress.status }
}
