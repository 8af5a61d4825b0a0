//! Finds the slot that something is for: in memory, or by one lookup behind which everything for the same instance waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::slot::{Phase, Slot, TaskAnchor};
use super::{Partition, TaskState};
use crate::context::{check_custom_status, payload_too_large};
use crate::contract::CustomStatusError;
use crate::engine::stuck::CORRUPT;
use crate::engine::{
    ClientOperation, CommitNumber, LoadedInstance, PartitionOutput, Refusal, RequestId, StartOperation, Ticket,
};
use crate::model::{FailureDetails, InboxId, InstanceId, InstanceKey, JsonText, Message, TaskId, TimerRow, Timestamp};
use crate::store::{InstanceRef, LoadError};

/// Something for an instance that may not be in memory.
#[derive(Debug)]
pub(super) enum Addressed {
    Client(RequestId, ClientOperation),
    Message(InboxId, Message),
    Task { task: TaskId, result: Result<JsonText, FailureDetails>, anchor: TaskAnchor },
    Timer(TimerRow),
    RetryParked,
    Park(String),
}

/// The lookups under way.
///
/// An answer counts only while its instance has not been in memory since it was asked for: what comes into memory takes
/// along everything that waits for it, and the tickets with it.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    by_id: HashMap<InstanceId, Waiting>,
    by_key: HashMap<InstanceKey, Waiting>,
    tickets: BTreeMap<Ticket, Target>,
    /// Slots whose records are wanted once this commit of theirs is durable.
    deferred: VecDeque<(CommitNumber, InstanceKey)>,
}

/// What waits for one lookup.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    what: Vec<Addressed>,
}

#[derive(Debug)]
enum Target {
    Id(InstanceId),
    Key(InstanceKey),
    History(InstanceKey),
}

impl Lookups {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty() && self.deferred.is_empty()
    }

    pub(super) fn take_by_id(&mut self, id: &InstanceId) -> Vec<Addressed> {
        let waiting = self.by_id.remove(id);
        self.take(waiting)
    }

    fn take_by_key(&mut self, key: InstanceKey) -> Vec<Addressed> {
        let waiting = self.by_key.remove(&key);
        self.take(waiting)
    }

    fn take(&mut self, waiting: Option<Waiting>) -> Vec<Addressed> {
        let Some(Waiting { ticket, what }) = waiting else { return Vec::new() };
        self.tickets.remove(&ticket);
        what
    }
}

impl Addressed {
    /// Whether the turn that it leads to is likely to need the turn records.
    fn needs_history(&self) -> bool {
        match self {
            Self::Client(_, operation) => {
                matches!(
                    operation,
                    ClientOperation::RaiseEvent { .. }
                        | ClientOperation::Resume { .. }
                        | ClientOperation::RetryParked { .. }
                )
            }
            Self::Message(_, message) => matches!(message, Message::Event { .. } | Message::ChildDone { .. }),
            Self::Task { .. } | Self::Timer(_) | Self::RetryParked => true,
            Self::Park(_) => false,
        }
    }
}

impl Partition {
    pub(super) fn client(&mut self, now: Timestamp, request: RequestId, operation: ClientOperation) {
        if let Some(refusal) = self.refuse_at_the_edge(&operation) {
            return self.reply(request, Err(refusal));
        }
        let id = match &operation {
            ClientOperation::Start(start) => match &start.id {
                Some(id) => id.clone(),
                None => {
                    // Minted from a fresh key: nobody can have it, so nothing is looked up.
                    let mut start = start.clone();
                    start.id = Some(InstanceId::minted(self.mint.instance_key()));
                    return self.create(now, request, *start, None);
                }
            },
            ClientOperation::RaiseEvent { id, .. }
            | ClientOperation::Terminate { id, .. }
            | ClientOperation::Suspend { id, .. }
            | ClientOperation::Resume { id, .. }
            | ClientOperation::Purge { id }
            | ClientOperation::RetryParked { id } => id.clone(),
        };
        self.by_id(now, id, Addressed::Client(request, operation));
    }

    fn refuse_at_the_edge(&self, operation: &ClientOperation) -> Option<Refusal> {
        let payload = match operation {
            ClientOperation::Start(start) => {
                if let Some(refusal) = self.refuse_unregistered(start) {
                    return Some(refusal);
                }
                let status_limit = self.config.execution.custom_status_bytes as usize;
                let status =
                    start.custom_status.as_ref().map_or(Ok(()), |text| check_custom_status(text, status_limit));
                if let Err(CustomStatusError::TooLarge { size, limit }) = status {
                    return Some(Refusal::CustomStatusTooLarge { size, limit });
                }
                &start.input
            }
            ClientOperation::RaiseEvent { payload, .. } => payload,
            _ => return None,
        };
        let limit = self.config.execution.payload_bytes as usize;
        (payload.len() > limit).then(|| Refusal::PayloadTooLarge { size: payload.len(), limit })
    }

    fn refuse_unregistered(&self, start: &StartOperation) -> Option<Refusal> {
        let known = match &start.version {
            Some(version) => self.registry.orchestrator(&start.name, version).is_some(),
            None => self.registry.default_version(&start.name).is_some(),
        };
        (!known).then(|| Refusal::NotRegistered { name: start.name.clone(), version: start.version.clone() })
    }

    pub(super) fn message(&mut self, now: Timestamp, inbox: InboxId, message: Message) {
        match &message {
            Message::Start { target, minted: true, .. } if !self.ids.contains_key(target) => {
                self.absent(now, Addressed::Message(inbox, message));
            }
            Message::Start { target, .. } | Message::Event { target, .. } | Message::Terminate { target, .. } => {
                let target = target.clone();
                self.by_id(now, target, Addressed::Message(inbox, message));
            }
            Message::ChildDone { parent, .. } | Message::TaskRefused { parent, .. } => {
                let key = parent.key;
                self.by_key(now, key, Addressed::Message(inbox, message));
            }
        }
    }

    pub(super) fn task_done(&mut self, now: Timestamp, task: TaskId, result: Result<JsonText, FailureDetails>) {
        // A task that is not open was cancelled, recorded, or belongs to another life: its row is gone.
        if self.tasks.get(&task) != Some(&TaskState::Open) {
            return;
        }
        self.tasks.insert(task, TaskState::Done);
        let limit = self.config.execution.payload_bytes as usize;
        let result = result
            .and_then(|value| if value.len() > limit { Err(payload_too_large(value.len(), limit)) } else { Ok(value) });
        self.by_key(now, task.key, Addressed::Task { task, result, anchor: TaskAnchor::Task });
    }

    fn by_id(&mut self, now: Timestamp, id: InstanceId, what: Addressed) {
        if let Some(key) = self.ids.get(&id) {
            return self.apply(now, *key, what);
        }
        if let Some(waiting) = self.lookups.by_id.get_mut(&id) {
            return waiting.what.push(what);
        }
        let with_history = what.needs_history();
        let ticket = self.look_up(Target::Id(id.clone()), InstanceRef::Id(id.clone()), with_history);
        self.lookups.by_id.insert(id, Waiting { ticket, what: vec![what] });
    }

    pub(super) fn by_key(&mut self, now: Timestamp, key: InstanceKey, what: Addressed) {
        if self.slots.contains_key(&key) {
            return self.apply(now, key, what);
        }
        if let Some(waiting) = self.lookups.by_key.get_mut(&key) {
            return waiting.what.push(what);
        }
        let with_history = what.needs_history();
        let ticket = self.look_up(Target::Key(key), InstanceRef::Key(key), with_history);
        self.lookups.by_key.insert(key, Waiting { ticket, what: vec![what] });
    }

    /// Asks for the records of a slot, as soon as the store has all of them.
    pub(super) fn load_history(&mut self, slot: &mut Slot) {
        let key = slot.head.key;
        slot.phase = Phase::Loading;
        if slot.last_commit > self.durable {
            self.lookups.deferred.push_back((slot.last_commit, key));
        } else {
            self.look_up(Target::History(key), InstanceRef::Key(key), true);
        }
    }

    /// Asks for what had to wait for a commit.
    pub(super) fn load_deferred(&mut self) {
        let durable = self.durable;
        let mut due = Vec::new();
        self.lookups.deferred.retain(|(number, key)| {
            let wait = *number > durable;
            if !wait {
                due.push(*key);
            }
            wait
        });
        for key in due {
            self.look_up(Target::History(key), InstanceRef::Key(key), true);
        }
    }

    fn look_up(&mut self, target: Target, instance: InstanceRef, with_history: bool) -> Ticket {
        let ticket = self.ticket();
        self.lookups.tickets.insert(ticket, target);
        self.outputs.push(PartitionOutput::Load { ticket, target: instance, with_history });
        ticket
    }

    pub(super) fn loaded(&mut self, now: Timestamp, ticket: Ticket, result: Result<Option<LoadedInstance>, LoadError>) {
        let mut waiting = match self.lookups.tickets.remove(&ticket) {
            // It has come into memory another way, or asks again.
            None => return,
            Some(Target::History(key)) => return self.history_loaded(key, result),
            Some(Target::Id(id)) => self.lookups.take_by_id(&id),
            Some(Target::Key(key)) => self.lookups.take_by_key(key),
        };
        let key = match result {
            Ok(Some(loaded)) => {
                let id = loaded.stored.head.id.clone();
                let key = self.admit(loaded);
                waiting.extend(self.lookups.take_by_id(&id));
                waiting.extend(self.lookups.take_by_key(key));
                Some(key)
            }
            Ok(None) => None,
            Err(error) => return self.unreadable(waiting, &error),
        };
        for what in waiting {
            // An id may have got a life by what stood before this in the queue.
            let current = match &what {
                Addressed::Client(_, operation) => operation.target().and_then(|id| self.ids.get(id)).copied(),
                Addressed::Message(
                    _,
                    Message::Start { target, .. } | Message::Event { target, .. } | Message::Terminate { target, .. },
                ) => self.ids.get(target).copied(),
                _ => key,
            };
            match current {
                Some(key) => self.apply(now, key, what),
                None => self.absent(now, what),
            }
        }
        if let Some(key) = key {
            self.cool_now(key);
        }
    }

    /// Takes a loaded instance into memory, unless it is there already: then memory is what counts.
    fn admit(&mut self, loaded: LoadedInstance) -> InstanceKey {
        let LoadedInstance { stored, history } = loaded;
        let key = stored.head.key;
        if !self.slots.contains_key(&key) && !self.ids.contains_key(&stored.head.id) {
            self.ids.insert(stored.head.id.clone(), key);
            let newest = stored.newest_record.unwrap_or(stored.head.created_at);
            let unreadable = stored.head.parked.as_ref().is_some_and(|reason| reason.starts_with(CORRUPT));
            let phase = if unreadable { Phase::Unreadable } else { Phase::Stored };
            let mut slot = Slot::new(Arc::new(stored.head), stored.record_count, newest, phase);
            slot.history = history;
            self.slots.insert(key, slot);
        }
        key
    }

    fn history_loaded(&mut self, key: InstanceKey, result: Result<Option<LoadedInstance>, LoadError>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Stored;
        match result {
            Ok(Some(LoadedInstance { history: Some(history), .. })) => slot.history = Some(history),
            Ok(_) => slot.history = Some(Vec::new()),
            // An empty history is found to be damaged by its count of records, and parks the instance with that reason.
            Err(error) => {
                tracing::error!(instance = %slot.head.id, %error, "the history cannot be read");
                slot.history = Some(Vec::new());
            }
        }
        self.make_ready(key);
    }

    /// The head row cannot be read. That is never taken for absent: callers hear of it, rows stay.
    fn unreadable(&mut self, waiting: Vec<Addressed>, error: &LoadError) {
        for what in waiting {
            match what {
                Addressed::Client(request, operation) => {
                    if let Some(id) = operation.target() {
                        self.reply(request, Err(Refusal::Corrupt { id: id.clone(), detail: error.to_string() }));
                    }
                }
                other => {
                    tracing::error!(%error, ?other, "an instance cannot be read; what is for it stays where it is")
                }
            }
        }
    }
}

impl ClientOperation {
    /// The instance that it is for; `None` for a start without an id.
    pub(super) fn target(&self) -> Option<&InstanceId> {
        match self {
            Self::Start(start) => start.id.as_ref(),
            Self::RaiseEvent { id, .. }
            | Self::Terminate { id, .. }
            | Self::Suspend { id, .. }
            | Self::Resume { id, .. }
            | Self::Purge { id }
            | Self::RetryParked { id } => Some(id),
        }
    }
}
