//! One partition of a simulation, with what its driver holds for it.

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

use super::store::ModelStore;
use crate::engine::{CommitNumber, Effect, Partition, PartitionConfig, PartitionInput, PartitionOutput, Ticket};
use crate::model::{Epoch, InboxId, PartitionCount, PartitionId, Timestamp, TurnCommit};
use crate::registry::Registry;
use crate::store::{Claim, InstanceRef, LoadError};

/// A partition and what its driver holds for it.
pub(crate) struct Lane {
    home: PartitionId,
    pub(crate) partition: Partition,
    /// Turn commits that are not durable.
    pub(crate) commits: VecDeque<(CommitNumber, TurnCommit)>,
    pub(crate) loads: VecDeque<Load>,
    pub(super) durable: CommitNumber,
    gate: VecDeque<(CommitNumber, Effect)>,
    made: CommitNumber,
}

/// A read on its way.
#[derive(Debug)]
pub(crate) struct Load {
    ticket: Ticket,
    question: Question,
    /// What was read, at some moment after the request.
    pub(super) answer: Option<PartitionInput>,
}

#[derive(Debug)]
enum Question {
    Instance { target: InstanceRef, with_history: bool },
    Inbox { known: Arc<[InboxId]> },
}

impl Lane {
    pub(super) fn recover(
        config: &PartitionConfig,
        registry: &Arc<Registry>,
        (home, partitions): (PartitionId, PartitionCount),
        (epoch, clean): (Epoch, bool),
        store: &ModelStore,
        now: Timestamp,
    ) -> Self {
        let suspects = store.suspects.get(&home).cloned().unwrap_or_default();
        let claim = Claim { epoch, store_id: Uuid::from_u128(0x5eed), clean, suspects };
        let (config, registry) = (config.clone(), Arc::clone(registry));
        let partition = Partition::recover(config, registry, (home, partitions), &claim, store.backlog(home), now);
        let (commits, loads, gate) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let (made, durable) = (CommitNumber(0), CommitNumber(0));
        Self { home, partition, commits, loads, durable, gate, made }
    }

    /// Reads for the load at this place.
    pub(super) fn read(&mut self, store: &ModelStore, place: usize, damage: Option<LoadError>) {
        let Some(Load { ticket, question, answer }) = self.loads.get_mut(place) else { return };
        let ticket = *ticket;
        *answer = Some(match question {
            Question::Instance { target, with_history } => {
                let result = damage.map_or_else(|| Ok(store.load(target, *with_history)), Err);
                PartitionInput::Loaded { ticket, result }
            }
            Question::Inbox { known } => {
                let rows = damage.map_or_else(|| Ok(store.inbox(self.home, known)), Err);
                PartitionInput::Inbox { ticket, rows }
            }
        });
    }

    pub(super) fn take_outputs(&mut self) {
        let mut outputs = Vec::new();
        self.partition.take_outputs(&mut outputs);
        for output in outputs {
            match output {
                PartitionOutput::Load { ticket, target, with_history } => {
                    self.ask(ticket, Question::Instance { target, with_history });
                }
                PartitionOutput::ReadInbox { ticket, known } => self.ask(ticket, Question::Inbox { known }),
                PartitionOutput::Commit(number, turn) => {
                    assert_eq!(number.0, self.made.0 + 1, "commits are numbered without gaps");
                    self.made = number;
                    self.commits.push_back((number, turn));
                }
                PartitionOutput::Effect { after, effect } => {
                    assert!(after <= self.made, "an effect depends on a commit that was not made");
                    self.gate.push_back((after, effect));
                }
            }
        }
    }

    fn ask(&mut self, ticket: Ticket, question: Question) {
        self.loads.push_back(Load { ticket, question, answer: None });
    }

    pub(super) fn next_released(&mut self) -> Option<Effect> {
        self.gate.front().filter(|(after, _)| *after <= self.durable)?;
        self.gate.pop_front().map(|(_, effect)| effect)
    }
}
