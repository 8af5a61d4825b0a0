//! Finds the slot for an input: in memory, or with one lookup behind which everything for the same instance waits.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxHashMap;

use super::slot::{Phase, Slot};
use super::{BacklogToken, Partition, TaskState};
use crate::context::{check_custom_status, payload_too_large};
use crate::contract::{ActivityFailure, CustomStatusError};
use crate::engine::stuck::Stuck;
use crate::engine::{ClientOperation, LoadedInstance, PartitionOutput, Refusal, RequestId, Ticket};
use crate::model::bounds::{self, EVENT_ID_BYTES, NAME_BYTES, REASON_BYTES, TooLong};
use crate::model::{
    ChildStart, FailureDetails, InboxId, InstanceId, InstanceKey, JsonText, Message, ParkCode, ParkReason, TaskId,
    TimerRow, Timestamp,
};
use crate::store::{InstanceRef, LoadError};

/// An input for an instance that may not be in memory.
#[derive(Debug)]
pub(super) enum Addressed {
    Client(RequestId, ClientOperation),
    Message(InboxId, Message),
    Task { task: TaskId, result: Result<JsonText, FailureDetails> },
    Timer(TimerRow),
    RetryParked(InstanceKey, BacklogToken),
    Park(InstanceKey, ParkReason, BacklogToken),
}

/// By what an instance is found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Id(InstanceId),
    Key(InstanceKey),
}

/// The lookups in progress. Everything for an instance waits behind its lookup, in the order in which it was accepted.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    by_id: HashMap<InstanceId, Lookup>,
    by_key: FxHashMap<InstanceKey, Lookup>,
    tickets: BTreeMap<Ticket, Asked>,
    accepted: u64,
}

#[derive(Debug)]
struct Lookup {
    ticket: Ticket,
    /// Numbered in the order of acceptance, because an input found by id and one found by key may be for the same
    /// instance.
    waiting: Vec<(u64, Addressed)>,
}

/// The request behind a ticket.
#[derive(Debug)]
enum Asked {
    Instance { target: Target, with_history: bool },
    History(InstanceKey),
}

impl Lookups {
    /// Returns whether the store is asked for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    /// Returns whether the store is asked for an instance.
    pub(super) fn is_looking_for(&self, key: InstanceKey, id: &InstanceId) -> bool {
        self.by_key.contains_key(&key) || self.by_id.contains_key(id)
    }

    fn get_mut(&mut self, target: &Target) -> Option<&mut Lookup> {
        match target {
            Target::Id(id) => self.by_id.get_mut(id),
            Target::Key(key) => self.by_key.get_mut(key),
        }
    }

    /// Ends a lookup. If its ticket is still outstanding, the answer is ignored, because it may be outdated by then.
    fn end(&mut self, target: &Target) -> Vec<(u64, Addressed)> {
        let lookup = match target {
            Target::Id(id) => self.by_id.remove(id),
            Target::Key(key) => self.by_key.remove(key),
        };
        let Some(Lookup { ticket, waiting }) = lookup else { return Vec::new() };
        self.tickets.remove(&ticket);
        waiting
    }
}

impl Addressed {
    /// Returns the instance that is meant. A start without an id is never looked up.
    fn target(&self) -> Option<Target> {
        Some(match self {
            Self::Client(_, operation) => Target::Id(operation.target()?.clone()),
            Self::Message(
                _,
                Message::Start(ChildStart { target, .. })
                | Message::Rewind { start: ChildStart { target, .. }, .. }
                | Message::Event { target, .. }
                | Message::Terminate { target, .. },
            ) => Target::Id(target.clone()),
            Self::Message(_, Message::ChildDone { parent, .. } | Message::TaskRefused { parent, .. }) => {
                Target::Key(parent.key)
            }
            Self::Task { task, .. } => Target::Key(task.key),
            Self::Timer(row) => Target::Key(row.key),
            Self::RetryParked(key, _) | Self::Park(key, ..) => Target::Key(*key),
        })
    }

    /// Returns whether the turn that follows is likely to need the turn records.
    fn needs_history(&self) -> bool {
        match self {
            Self::Client(_, operation) => matches!(
                operation,
                ClientOperation::RaiseEvent { .. }
                    | ClientOperation::Resume { .. }
                    | ClientOperation::RetryParked { .. }
                    | ClientOperation::Rewind { .. }
            ),
            Self::Message(_, message) => {
                matches!(message, Message::Event { .. } | Message::ChildDone { .. } | Message::Rewind { .. })
            }
            Self::Task { .. } | Self::Timer(_) | Self::RetryParked(..) => true,
            Self::Park(..) => false,
        }
    }
}

impl Partition {
    pub(super) fn client(&mut self, now: Timestamp, request: RequestId, operation: ClientOperation) {
        if let Some(refusal) = self.refuse_at_the_edge(&operation) {
            return self.reply(request, Err(refusal));
        }
        if let ClientOperation::Start(start) = &operation
            && start.id.is_none()
        {
            // The id was minted from a new key, so nobody can have it and it is not looked up.
            let mut start = start.clone();
            start.id = Some(self.mint.instance_id());
            return self.create(now, request, *start, None);
        }
        self.address(now, Addressed::Client(request, operation));
    }

    fn refuse_at_the_edge(&self, operation: &ClientOperation) -> Option<Refusal> {
        if let Err(TooLong { what, size, limit }) = check_texts(operation) {
            return Some(Refusal::TextTooLong { what, size, limit });
        }
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

    pub(super) fn message(&mut self, now: Timestamp, inbox: InboxId, message: Message) {
        let skips_lookup = matches!(&message, Message::Start(ChildStart { target, minted: true, .. })
            if !self.ids.contains_key(target) && !self.lookups.by_id.contains_key(target));
        let what = Addressed::Message(inbox, message);
        if skips_lookup { self.absent(now, what) } else { self.address(now, what) }
    }

    pub(super) fn task_done(&mut self, now: Timestamp, task: TaskId, result: Result<JsonText, ActivityFailure>) {
        // A task that is not open was cancelled, was recorded, or belongs to another life, so its row is gone.
        if self.tasks.get(&task) != Some(&TaskState::Open) {
            return;
        }
        let result = match result {
            Err(ActivityFailure::NotRun(input)) => {
                return self.block(now, task.key, Stuck::Undecodable(input).reason(), None);
            }
            Err(ActivityFailure::Failed(failure)) => Err(failure),
            Ok(output) => Ok(output),
        };
        self.tasks.insert(task, TaskState::Done);
        self.caution.ended(now, &task);
        let limit = self.config.execution.payload_bytes as usize;
        let result = result
            .map_err(|failure| failure.bounded(limit))
            .and_then(|value| if value.len() > limit { Err(payload_too_large(value.len(), limit)) } else { Ok(value) });
        self.address(now, Addressed::Task { task, result });
    }

    /// Parks an instance because this process cannot run one of its tasks. The row of the task stays, and the task runs
    /// when a process can run it.
    pub(super) fn block(&mut self, now: Timestamp, key: InstanceKey, reason: ParkReason, token: BacklogToken) {
        self.blocked.insert(key);
        self.address(now, Addressed::Park(key, reason, token));
    }

    /// Gives an input to its instance, or makes it wait for the lookup.
    pub(super) fn address(&mut self, now: Timestamp, what: Addressed) {
        let Some(target) = what.target() else { return };
        if let Some(key) = self.in_memory(&target) {
            return self.apply(now, key, what);
        }
        self.lookups.accepted += 1;
        let number = self.lookups.accepted;
        if let Some(lookup) = self.lookups.get_mut(&target) {
            return lookup.waiting.push((number, what));
        }
        let with_history = what.needs_history();
        let ticket = self.look_up(target.clone(), with_history);
        let lookup = Lookup { ticket, waiting: vec![(number, what)] };
        match target {
            Target::Id(id) => drop(self.lookups.by_id.insert(id, lookup)),
            Target::Key(key) => drop(self.lookups.by_key.insert(key, lookup)),
        }
    }

    fn in_memory(&self, target: &Target) -> Option<InstanceKey> {
        match target {
            Target::Id(id) => self.ids.get(id).copied(),
            Target::Key(key) => self.slots.contains_key(key).then_some(*key),
        }
    }

    /// Requests the records of a slot: immediately, or when its last commit is durable, because the store does not have
    /// all records before that.
    pub(super) fn load_history(&mut self, slot: &mut Slot) {
        if slot.last_commit > self.durable {
            slot.phase = Phase::Awaiting;
            return;
        }
        slot.phase = Phase::Loading;
        let key = slot.head.life.key;
        let ticket = self.ticket();
        self.lookups.tickets.insert(ticket, Asked::History(key));
        self.outputs.push(PartitionOutput::Load { ticket, target: InstanceRef::Key(key), with_history: true });
    }

    fn look_up(&mut self, target: Target, with_history: bool) -> Ticket {
        let ticket = self.ticket();
        let instance = match &target {
            Target::Id(id) => InstanceRef::Id(id.clone()),
            Target::Key(key) => InstanceRef::Key(*key),
        };
        self.lookups.tickets.insert(ticket, Asked::Instance { target, with_history });
        self.outputs.push(PartitionOutput::Load { ticket, target: instance, with_history });
        ticket
    }

    pub(super) fn loaded(&mut self, now: Timestamp, ticket: Ticket, result: Result<Option<LoadedInstance>, LoadError>) {
        let (target, with_history) = match self.lookups.tickets.remove(&ticket) {
            None => return,
            Some(Asked::History(key)) => return self.history_loaded(key, result),
            Some(Asked::Instance { target, with_history }) => (target, with_history),
        };
        match result {
            Ok(Some(loaded)) => self.found(now, &target, loaded),
            Ok(None) => {
                let waiting = self.lookups.end(&target);
                self.give(now, waiting);
            }
            // The head may be readable nevertheless. The instance is then parked with the reason.
            Err(_) if with_history => {
                let ticket = self.look_up(target.clone(), false);
                if let Some(lookup) = self.lookups.get_mut(&target) {
                    lookup.ticket = ticket;
                }
            }
            Err(error) => {
                let waiting = self.lookups.end(&target);
                self.unreadable(waiting, &error);
            }
        }
    }

    fn found(&mut self, now: Timestamp, target: &Target, loaded: LoadedInstance) {
        let (id, key) = (loaded.stored.head.life.id.clone(), loaded.stored.head.life.key);
        let mut waiting = self.lookups.end(target);
        if self.ids.get(&id).is_none_or(|known| *known == key) {
            waiting.extend(self.lookups.end(&Target::Id(id)));
            waiting.extend(self.lookups.end(&Target::Key(key)));
            waiting.sort_by_key(|(number, _)| *number);
            self.admit(loaded);
        }
        self.give(now, waiting);
        self.cool_now(key);
    }

    /// Gives the inputs that have waited to their instances, in the order of acceptance.
    fn give(&mut self, now: Timestamp, waiting: Vec<(u64, Addressed)>) {
        for (_, what) in waiting {
            // An earlier input in the queue may have created a life for this id.
            match what.target().and_then(|target| self.in_memory(&target)) {
                Some(key) => self.apply(now, key, what),
                None => self.absent(now, what),
            }
        }
    }

    /// Takes a loaded instance into memory. If it is already there, memory counts.
    fn admit(&mut self, loaded: LoadedInstance) {
        let LoadedInstance { stored, history } = loaded;
        let key = stored.head.life.key;
        if self.slots.contains_key(&key) {
            return;
        }
        self.ids.insert(stored.head.life.id.clone(), key);
        let newest = stored.newest_record.unwrap_or(stored.head.life.created_at);
        let unreadable =
            stored.head.progress.parked.as_ref().is_some_and(|reason| reason.code() == ParkCode::DamagedData);
        let phase = if unreadable { Phase::Unreadable } else { Phase::Stored };
        let mut slot = Slot::new(stored.head, stored.record_count, newest, phase);
        slot.history = history;
        slot.carried = stored.carried;
        self.show_unwritable(&mut slot);
        self.slots.insert(key, Box::new(slot));
    }

    fn history_loaded(&mut self, key: InstanceKey, result: Result<Option<LoadedInstance>, LoadError>) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.phase = Phase::Stored;
        match result {
            Ok(Some(LoadedInstance { history: Some(history), stored })) => {
                slot.history = Some(history);
                slot.carried = stored.carried;
            }
            Ok(_) => slot.damage = Some("its rows are missing".to_owned()),
            Err(error) => slot.damage = Some(error.to_string()),
        }
        self.make_ready(key);
    }

    /// The head cannot be read. This is never treated as absence: callers are told, and the rows stay.
    fn unreadable(&mut self, waiting: Vec<(u64, Addressed)>, error: &LoadError) {
        for (_, what) in waiting {
            match what {
                Addressed::Client(request, operation) => {
                    if let Some(id) = operation.target() {
                        self.reply(request, Err(Refusal::Corrupt { id: id.clone(), detail: error.to_string() }));
                    }
                }
                other => {
                    tracing::error!(%error, ?other, "an instance cannot be read; its messages and tasks stay where they are");
                }
            }
        }
    }
}

/// Checks the texts that a caller chooses, which are bounded before anything is done with them.
fn check_texts(operation: &ClientOperation) -> Result<(), TooLong> {
    match operation {
        ClientOperation::Start(start) => {
            bounds::check("orchestrator name", &start.name, NAME_BYTES)?;
            bounds::check("version", start.version.as_deref().unwrap_or_default(), NAME_BYTES)?;
            bounds::check_tags(&start.tags)
        }
        ClientOperation::RaiseEvent { name, event_id, .. } => {
            bounds::check("event name", name, NAME_BYTES)?;
            bounds::check("event id", event_id.as_deref().unwrap_or_default(), EVENT_ID_BYTES)
        }
        ClientOperation::Terminate { reason, .. }
        | ClientOperation::Suspend { reason, .. }
        | ClientOperation::Resume { reason, .. }
        | ClientOperation::Rewind { reason, .. } => bounds::check("reason", reason, REASON_BYTES),
        ClientOperation::Restart { .. } | ClientOperation::Purge { .. } | ClientOperation::RetryParked { .. } => Ok(()),
    }
}

impl ClientOperation {
    /// Returns the instance that the operation is for, or `None` for a start without an id.
    pub(crate) fn target(&self) -> Option<&InstanceId> {
        match self {
            Self::Start(start) => start.id.as_ref(),
            Self::RaiseEvent { id, .. }
            | Self::Terminate { id, .. }
            | Self::Suspend { id, .. }
            | Self::Resume { id, .. }
            | Self::Restart { id, .. }
            | Self::Purge { id, .. }
            | Self::Rewind { id, .. }
            | Self::RetryParked { id } => Some(id),
        }
    }
}
