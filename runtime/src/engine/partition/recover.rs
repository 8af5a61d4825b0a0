//! Creates a partition from the contents of the store, at the start of a runtime and after a failed commit.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::address::Addressed;
use super::evict::LiveSet;
use super::{Partition, TaskState};
use crate::engine::stuck::Stuck;
use crate::engine::{ActivityTask, CommitNumber, PartitionConfig, history};
use crate::model::{InstanceKey, KeyMint, PartitionCount, PartitionId, TaskId, Timestamp, wire};
use crate::registry::Registry;
use crate::store::{Backlog, Claim, TaskGroup};

impl Partition {
    /// Creates one of the partitions of a store from the claim and the contents of the store.
    ///
    /// It asks for the activity of every open task, immediately or after the first turn of its instance. The driver does
    /// not start those that are already running.
    pub fn recover(
        config: PartitionConfig,
        registry: Arc<Registry>,
        (home, partitions): (PartitionId, PartitionCount),
        claim: &Claim,
        backlog: Backlog,
        now: Timestamp,
    ) -> Self {
        let mut partition = Self {
            config,
            registry,
            store_id: claim.store_id,
            epoch: claim.epoch,
            mint: Arc::new(KeyMint::new(claim.epoch, home, partitions)),
            slots: FxHashMap::default(),
            ids: HashMap::new(),
            lookups: super::address::Lookups::default(),
            ready: VecDeque::new(),
            messages: VecDeque::new(),
            inbox: super::inbox::Inbox::new(home, partitions),
            timers: BTreeSet::new(),
            timer_rows: BTreeMap::new(),
            tasks: BTreeMap::new(),
            restarts: super::restarts::Restarts::default(),
            blocked: BTreeSet::new(),
            unwritable: BTreeMap::new(),
            offers: BTreeSet::new(),
            next_offer: 0,
            waiting: super::registered::Waiting::default(),
            live: LiveSet::default(),
            committed: CommitNumber(0),
            durable: CommitNumber(0),
            cooling: VecDeque::new(),
            outputs: Vec::new(),
            current: Arc::default(),
            polls: true,
            next_ticket: 0,
            replayed_turns: 0,
            changed_inputs: BTreeSet::new(),
            caution: super::caution::Caution::default(),
            checks: super::verify::Checks::new(KeyMint::new(claim.epoch, home, partitions)),
            unjudged: Some(Arc::new(())),
        };
        for row in &backlog.timers {
            partition.add_timer(*row);
            partition.timers.insert(*row);
        }
        partition.recover_inbox(&backlog.inbox);
        partition.note_what_comes_first(now);
        partition.begin_caution(now, claim, &backlog);
        let parked: BTreeSet<InstanceKey> = backlog.parked.iter().copied().collect();
        for group in backlog.tasks {
            partition.recover_tasks(now, &group, parked.contains(&group.key));
        }
        for key in backlog.parked {
            if partition.hold_parked(key) {
                continue;
            }
            let token = partition.unjudged.clone();
            partition.address(now, Addressed::RetryParked(key, token));
        }
        partition.report_judged();
        // This comes before any new input, because what was accepted first comes first.
        partition.deliver_messages(now);
        partition
    }

    /// Asks for the activities of open tasks. If their instance is parked, an activity whose input cannot be decoded may
    /// be the reason. It is then not asked for, so that the instance stays parked and nothing is written.
    fn recover_tasks(&mut self, now: Timestamp, group: &TaskGroup, parked: bool) {
        let record = group.record.as_ref().map(wire::decode_record);
        for (operation, name) in &group.tasks {
            let task = TaskId { key: group.key, execution: group.execution, operation: *operation };
            self.tasks.insert(task, TaskState::Open);
            let input = match &record {
                Some(Ok(record)) => history::scheduled_task(record, *operation),
                _ => None,
            };
            let damage = match input {
                Some((input, attempt)) => {
                    let undecodable = self.registry.activity(name).filter(|_| parked).and_then(|activity| {
                        (activity.check_input)(&input).err().map(|error| activity.undecodable_input(error))
                    });
                    if let Some(input) = undecodable {
                        let token = self.unjudged.clone();
                        self.block(now, group.key, Stuck::Undecodable(input).reason(), token);
                        continue;
                    }
                    let (instance, name) = (group.id.clone(), name.clone());
                    let trace =
                        record.as_ref().and_then(|record| record.as_ref().ok()).and_then(|record| record.trace.clone());
                    let store_id = self.store_id;
                    let activity = Box::new(ActivityTask { store_id, task, attempt, instance, name, input, trace });
                    self.restart_activity(now, activity);
                    continue;
                }
                None if let Some(Err(error)) = &record => format!("turn record {}: {error}", group.turn_number),
                None => format!("the record of turn {} does not contain task {}", group.turn_number, operation.0),
            };
            let token = self.unjudged.clone();
            self.block(now, group.key, Stuck::Corrupt(damage).reason(), token);
        }
    }
}
