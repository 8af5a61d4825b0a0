//! The start of a sub-orchestration whose id is in use.
//!
//! | policy | the instance has ended | it is running |
//! |---|---|---|
//! | reject | refused | refused |
//! | attach | the same start: its result | the same start: its result when it ends |
//! | replace if ended | a new life | the same start: its result when it ends |
//!
//! A start that waits for the end of a running instance stays in the inbox until then, so a crash loses nothing. In
//! memory, it is held with the arrivals of that instance.

use super::Partition;
use super::create::child_hash;
use super::slot::{Arrival, Slot};
use super::take::Taken;
use crate::model::{
    ChildStart, FailureDetails, IdReusePolicy, InboxId, InstanceKey, JsonText, Message, Parent, Progress,
    RuntimeStatus, Timestamp, TurnCommit,
};

/// The failure type of a sub-orchestration whose id is in use.
const ALREADY_EXISTS: &str = "persevere.AlreadyExists";

/// The failure type that a parent sees if a sub-orchestration was terminated.
const TERMINATED: &str = "persevere.Terminated";

impl Partition {
    /// Handles the start of a sub-orchestration whose id is in use.
    pub(super) fn start_existing_child(&mut self, now: Timestamp, key: InstanceKey, inbox: InboxId, start: ChildStart) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let ended = slot.head.is_ended();
        if !ended && slot.arrivals.iter().any(|arrival| matches!(arrival, Arrival::Terminate { .. })) {
            // What was accepted before comes first: the instance ends, and then the start is considered.
            return slot.arrivals.push_back(Arrival::Start { start, anchor: inbox, attached: false });
        }
        // An instance that waited for itself would never end.
        let is_itself = start.parent.as_ref().is_none_or(|parent| parent.key == key);
        let same = slot.head.life.start_hash == child_hash(&start) && !is_itself;
        match start.on_existing {
            IdReusePolicy::ReplaceEnded if ended => self.replace_by_child(now, key, inbox, start),
            IdReusePolicy::Attach if ended && same => self.answer_start(key, inbox, start),
            IdReusePolicy::Attach | IdReusePolicy::ReplaceEnded if same => {
                slot.arrivals.push_back(Arrival::Start { start, anchor: inbox, attached: true });
            }
            _ => {
                let (status, name) = (slot.head.progress.status, &slot.head.life.name);
                let text = format!("instance `{}` already exists: it is a {status} `{name}`", start.target);
                self.refuse_child(
                    inbox,
                    &start.target,
                    start.parent,
                    FailureDetails::new(ALREADY_EXISTS, text).non_retriable(),
                );
            }
        }
    }

    /// Begins a new life of the id of an ended instance, whose first commit removes the old life.
    fn replace_by_child(&mut self, now: Timestamp, old: InstanceKey, inbox: InboxId, start: ChildStart) {
        let id = start.target.clone();
        self.create_child(now, inbox, start, Some(old));
        match self.ids.get(&id).copied() {
            Some(new) if new != old => {
                self.settle_fresh(now, new);
                self.is_replaced(old);
            }
            // It was refused.
            _ => {}
        }
    }

    /// Answers a start with the result of the ended instance.
    fn answer_start(&mut self, key: InstanceKey, inbox: InboxId, start: ChildStart) {
        let Some(slot) = self.slots.get(&key) else { return };
        let result = result_for_parent(&slot.head.progress);
        let mut commit = TurnCommit { inbox_done: vec![inbox], ..TurnCommit::default() };
        if let Some(parent) = start.parent {
            self.send(&mut commit, Message::ChildDone { parent, result });
        }
        self.commit(commit);
    }

    /// Handles the termination of a sub-orchestration whose id belongs to another instance. If the start still waits for
    /// the end of that instance, nobody waits for its result any more.
    pub(super) fn forget_start(&mut self, key: InstanceKey, inbox: InboxId, parent: Option<&Parent>) {
        let mut commit = TurnCommit { inbox_done: vec![inbox], ..TurnCommit::default() };
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.arrivals.retain(|arrival| match arrival {
                Arrival::Start { start, anchor, .. } if start.parent.as_ref() == parent => {
                    commit.inbox_done.push(*anchor);
                    false
                }
                _ => true,
            });
        }
        // The slot must not leave memory before what else was accepted for it has been handed over.
        let number = self.commit(commit);
        self.cooling.push_back((number, key));
    }

    /// Handles a start that waited for the end of this instance, in the commit of that end.
    pub(super) fn end_start(
        &mut self,
        slot: &Slot,
        taken: &mut Taken,
        anchor: InboxId,
        start: ChildStart,
        attached: bool,
    ) {
        match start.parent.clone().filter(|_| attached) {
            Some(parent) => {
                taken.commit.inbox_done.push(anchor);
                let result = result_for_parent(&slot.head.progress);
                self.send(&mut taken.commit, Message::ChildDone { parent, result });
            }
            None => self.messages.push_back((anchor, Message::Start(start))),
        }
    }
}

/// Returns what the parent of an ended instance is told.
pub(super) fn result_for_parent(progress: &Progress) -> Result<JsonText, FailureDetails> {
    match (&progress.output, &progress.failure, progress.status) {
        (Some(output), _, RuntimeStatus::Completed) => Ok(output.clone()),
        (_, Some(failure), _) => Err(failure.clone()),
        (output, None, _) => {
            let reason = output.as_ref().map_or("", JsonText::as_str);
            Err(FailureDetails::new(TERMINATED, format!("the sub-orchestration was terminated: {reason}"))
                .non_retriable())
        }
    }
}
