//! The inbox of a partition: messages to instances of other partitions, and from them.
//!
//! ```text
//! send ─► inbox row in the sender's commit ─┬─ same partition: in memory at once
//!                                           └─ another one:    Effect::Look once that is durable ─► its driver
//! Look ─► ReadInbox(known) ─► Inbox(rows) ─► messages ─► the turn that records it removes the row
//! ```
//!
//! Invariants:
//! - A message to another partition is never in that partition's memory before it is durable. A look is a hint, and the
//!   row always comes from the store.
//! - A row is taken once. Its id is known from then on, until its removal is durable and no read is in progress that
//!   began before.
//! - A look that arrives while a read is in progress makes the partition read once more.

use std::collections::{BTreeSet, VecDeque};

use super::Partition;
use crate::engine::{CommitNumber, Effect, PartitionOutput, Ticket};
use crate::model::{InboxId, InboxRow, Message, PartitionCount, PartitionId, TaskId, Timestamp, TurnCommit, wire};
use crate::store::{INBOX_ROWS, LoadError};

/// What memory knows about the inbox rows of its partition.
#[derive(Debug)]
pub(super) struct Inbox {
    home: PartitionId,
    partitions: PartitionCount,
    /// The rows that this partition took or sent, until they are permanently gone. Empty with a single partition, where
    /// nothing is ever read.
    known: BTreeSet<InboxId>,
    /// The rows that these commits remove.
    leaving: VecDeque<(CommitNumber, InboxId)>,
    /// Rows whose removal became durable while a read was in progress that may have begun before.
    gone: Vec<InboxId>,
    reading: Option<Ticket>,
    /// Whether a look has not led to a read yet.
    look: bool,
}

impl Inbox {
    pub(super) fn new(home: PartitionId, partitions: PartitionCount) -> Self {
        let (known, leaving, gone) = (BTreeSet::new(), VecDeque::new(), Vec::new());
        Self { home, partitions, known, leaving, gone, reading: None, look: false }
    }

    fn is_alone(&self) -> bool {
        self.partitions == PartitionCount::ONE
    }

    /// Notes the rows that a commit inserts and removes. Returns the other partitions to which it sends messages.
    pub(super) fn note(&mut self, number: CommitNumber, commit: &TurnCommit) -> BTreeSet<PartitionId> {
        let mut others = BTreeSet::new();
        if self.is_alone() {
            return others;
        }
        for row in &commit.inbox_new {
            if row.partition == self.home {
                self.known.insert(row.id);
            } else {
                others.insert(row.partition);
            }
        }
        self.leaving.extend(commit.inbox_done.iter().map(|id| (number, *id)));
        others
    }

    fn forget(&mut self, durable: CommitNumber) {
        while self.leaving.front().is_some_and(|(number, _)| *number <= durable) {
            let Some((_, id)) = self.leaving.pop_front() else { break };
            if self.reading.is_some() {
                self.gone.push(id);
            } else {
                self.known.remove(&id);
            }
        }
    }

    fn read_is_back(&mut self) {
        self.reading = None;
        for id in self.gone.drain(..) {
            self.known.remove(&id);
        }
    }
}

impl Partition {
    /// Sends a message: an inbox row in this commit. Within the partition, it is delivered in memory immediately.
    pub(super) fn send(&mut self, commit: &mut TurnCommit, message: Message) {
        let id = self.mint.inbox_id();
        let partition = self.inbox.partitions.partition_of(message.target());
        commit.inbox_new.push(InboxRow { partition, id, bytes: wire::encode_message(&message) });
        if partition == self.inbox.home {
            self.messages.push_back((id, message));
        }
    }

    /// Tells the partitions to look to which a commit sends messages.
    pub(super) fn tell_to_look(&mut self, partitions: BTreeSet<PartitionId>) {
        for partition in partitions {
            self.effect(Effect::Look { partition });
        }
    }

    /// Notes that the inbox may contain messages that memory does not know.
    pub(super) fn look(&mut self) {
        if !self.inbox.is_alone() {
            self.inbox.look = true;
            self.read_inbox();
        }
    }

    /// Reads the inbox if necessary. While memory holds many messages, it waits for commits, which make room.
    fn read_inbox(&mut self) {
        let full = self.inbox.known.len() >= INBOX_ROWS && self.committed != self.durable;
        if !self.inbox.look || self.inbox.reading.is_some() || full {
            return;
        }
        self.inbox.look = false;
        let ticket = self.ticket();
        self.inbox.reading = Some(ticket);
        let known = self.inbox.known.iter().copied().collect();
        self.outputs.push(PartitionOutput::ReadInbox { ticket, known });
    }

    /// Takes the contents of the inbox, except the rows that were known when the read was requested.
    pub(super) fn inbox_read(&mut self, ticket: Ticket, rows: Result<Vec<InboxRow>, LoadError>) {
        if self.inbox.reading != Some(ticket) {
            return;
        }
        match rows {
            Ok(rows) => {
                self.inbox.look |= rows.len() >= INBOX_ROWS;
                rows.iter().for_each(|row| self.take_row(row));
            }
            // The driver retries errors that may pass. What is left is damage, and the rows stay where they are.
            Err(error) => tracing::error!(partition = %self.inbox.home, %error, "the inbox cannot be read"),
        }
        self.inbox.read_is_back();
        self.read_inbox();
    }

    /// Takes the rows that a load returned, before anything else is accepted.
    pub(super) fn recover_inbox(&mut self, rows: &[InboxRow]) {
        rows.iter().for_each(|row| self.take_row(row));
    }

    fn take_row(&mut self, row: &InboxRow) {
        if !self.inbox.is_alone() && !self.inbox.known.insert(row.id) {
            return;
        }
        match wire::decode_message(&row.bytes) {
            Ok(message) => {
                if let Message::TaskRefused { parent, .. } = &message {
                    let task = TaskId { key: parent.key, execution: parent.execution, operation: parent.operation };
                    self.tasks.entry(task).or_insert(super::TaskState::Refused);
                }
                self.messages.push_back((row.id, message));
            }
            Err(error) => {
                tracing::error!(inbox = row.id.0, %error, "a message cannot be read and stays in the inbox");
            }
        }
    }

    /// Forgets rows that are gone, and reads if that made room.
    pub(super) fn inbox_became_durable(&mut self) {
        if !self.inbox.is_alone() {
            self.inbox.forget(self.durable);
            self.read_inbox();
        }
    }

    pub(super) fn deliver_messages(&mut self, now: Timestamp) {
        while let Some((inbox, message)) = self.messages.pop_front() {
            self.deliver_or_hold(now, inbox, message);
        }
    }
}
