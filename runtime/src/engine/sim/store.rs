//! A model of a store: rows in sorted maps, applied with the same strict counting as every store.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::LoadedInstance;
use crate::model::{
    Execution, Head, InboxId, InboxRow, InstanceId, InstanceKey, PartitionCount, PartitionId, Progress, RecordRow,
    TaskId, TaskRow, TimerRow, TurnCommit, TurnRecord, wire,
};
use crate::store::rows::{NotApplied, Rows, apply_turn};
use crate::store::{Backlog, InstanceRef, StoredInstance, TaskGroup};

/// What is durable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelStore {
    partitions: PartitionCount,
    /// Whose batch is applied.
    partition: PartitionId,
    pub(crate) heads: BTreeMap<InstanceKey, Head>,
    pub(crate) ids: BTreeMap<InstanceId, InstanceKey>,
    pub(crate) records: BTreeMap<(InstanceKey, Execution, u64), RecordRow>,
    pub(crate) inbox: BTreeMap<(PartitionId, InboxId), Bytes>,
    pub(crate) tasks: BTreeMap<TaskId, TaskRow>,
    pub(crate) timers: BTreeSet<TimerRow>,
    pub(crate) suspects: BTreeMap<PartitionId, Bytes>,
}

impl ModelStore {
    pub(crate) fn new(partitions: PartitionCount) -> Self {
        Self {
            partitions,
            partition: PartitionId::FIRST,
            heads: BTreeMap::new(),
            ids: BTreeMap::new(),
            records: BTreeMap::new(),
            inbox: BTreeMap::new(),
            tasks: BTreeMap::new(),
            timers: BTreeSet::new(),
            suspects: BTreeMap::new(),
        }
    }

    /// Applies all turns, or none of them and says which row was not as expected.
    pub(crate) fn apply(&mut self, partition: PartitionId, turns: &[TurnCommit]) -> Result<(), String> {
        let mut next = self.clone();
        next.partition = partition;
        for turn in turns {
            apply_turn(&mut next, turn).map_err(|(NotApplied::Row(problem) | NotApplied::Owner(problem))| problem)?;
        }
        *self = next;
        Ok(())
    }

    pub(crate) fn head(&self, id: &str) -> Option<&Head> {
        self.heads.get(self.ids.get(id)?)
    }

    /// The stored turn records of one execution.
    pub(crate) fn history(&self, key: InstanceKey, execution: Execution) -> Vec<Bytes> {
        self.rows_of(key, execution).map(|row| row.bytes.clone()).collect()
    }

    fn rows_of(&self, key: InstanceKey, execution: Execution) -> impl DoubleEndedIterator<Item = &RecordRow> {
        self.records.range((key, execution, 0)..=(key, execution, u64::MAX)).map(|(_, row)| row)
    }

    /// The turn records of the current execution of an instance, read.
    pub(crate) fn turns(&self, key: InstanceKey) -> Vec<TurnRecord> {
        let Some(head) = self.heads.get(&key) else { return Vec::new() };
        self.history(key, head.life.execution).iter().map(|bytes| wire::decode_record(bytes).unwrap()).collect()
    }

    /// What a lookup gives.
    pub(crate) fn load(&self, target: &InstanceRef, with_history: bool) -> Option<LoadedInstance> {
        let key = match target {
            InstanceRef::Id(id) => self.ids.get(id)?,
            InstanceRef::Key(key) => key,
        };
        let head = self.heads.get(key)?.clone();
        let newest = self.rows_of(*key, head.life.execution).next_back();
        let history = with_history.then(|| self.history(*key, head.life.execution));
        let stored = StoredInstance {
            record_count: newest.map_or(0, |row| row.turn_number + 1),
            newest_record: newest.map(|row| row.time),
            history: None,
            carried: history.as_ref().map_or_else(Vec::new, |_| self.history(*key, Execution::CARRIED)),
            head,
        };
        Some(LoadedInstance { stored, history })
    }

    /// Whether the life belongs to the partition.
    pub(crate) fn is_of(&self, key: InstanceKey, partition: PartitionId) -> bool {
        self.heads.get(&key).is_some_and(|head| self.partitions.partition_of(&head.life.id) == partition)
    }

    pub(crate) fn inbox(&self, partition: PartitionId, known: &[InboxId]) -> Vec<InboxRow> {
        let rows = self.inbox.iter().filter(|((of, id), _)| *of == partition && known.binary_search(id).is_err());
        rows.map(|((_, id), bytes)| InboxRow { partition, id: *id, bytes: bytes.clone() }).collect()
    }

    /// What a recovering partition needs.
    pub(crate) fn backlog(&self, partition: PartitionId) -> Backlog {
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (id, row) in self.tasks.iter().filter(|(id, _)| self.is_of(id.key, partition)) {
            groups.entry((id.key, id.execution, row.turn_number)).or_default().push((id.operation, row.name.clone()));
        }
        let group = |((key, execution, turn_number), tasks)| TaskGroup {
            key,
            id: self.heads[&key].life.id.clone(),
            execution,
            turn_number,
            record: self.records.get(&(key, execution, turn_number)).map(|row| row.bytes.clone()),
            tasks,
        };
        Backlog {
            tasks: groups.into_iter().map(group).collect(),
            timers: self.timers.iter().filter(|row| self.is_of(row.key, partition)).copied().collect(),
            inbox: self.inbox(partition, &[]),
            parked: self
                .heads
                .values()
                .filter(|head| head.progress.parked.is_some() && self.is_of(head.life.key, partition))
                .map(|head| head.life.key)
                .collect(),
        }
    }
}

impl<'r> Rows<'r> for ModelStore {
    type Error = Infallible;

    fn insert_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        if self.heads.contains_key(&head.life.key) || self.ids.contains_key(&head.life.id) {
            return Ok(0);
        }
        self.ids.insert(head.life.id.clone(), head.life.key);
        self.heads.insert(head.life.key, head.clone());
        Ok(1)
    }

    fn renew_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        match self.heads.get_mut(&head.life.key) {
            Some(row) if row.life.id == head.life.id => {
                *row = head.clone();
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> Result<usize, Infallible> {
        let Some(row) = self.heads.get_mut(&key) else { return Ok(0) };
        row.progress = Arc::clone(progress);
        Ok(1)
    }

    fn delete_head(&mut self, key: InstanceKey) -> Result<usize, Infallible> {
        let Some(head) = self.heads.remove(&key) else { return Ok(0) };
        self.ids.remove(&head.life.id);
        Ok(1)
    }

    fn insert_record(&mut self, record: &'r RecordRow) -> Result<usize, Infallible> {
        let id = (record.key, record.execution, record.turn_number);
        Ok(usize::from(self.records.insert(id, record.clone()).is_none()))
    }

    fn delete_history(&mut self, key: InstanceKey, execution: Option<Execution>) -> Result<(), Infallible> {
        self.records.retain(|(of, in_execution, _), _| *of != key || execution.is_some_and(|e| e != *in_execution));
        Ok(())
    }

    fn insert_inbox(&mut self, row: &InboxRow) -> Result<usize, Infallible> {
        Ok(usize::from(self.inbox.insert((row.partition, row.id), row.bytes.clone()).is_none()))
    }

    fn delete_inbox(&mut self, id: InboxId) -> Result<usize, Infallible> {
        Ok(usize::from(self.inbox.remove(&(self.partition, id)).is_some()))
    }

    fn insert_task(&mut self, row: &'r TaskRow) -> Result<usize, Infallible> {
        Ok(usize::from(self.tasks.insert(row.id, row.clone()).is_none()))
    }

    fn delete_task(&mut self, id: TaskId) -> Result<usize, Infallible> {
        Ok(usize::from(self.tasks.remove(&id).is_some()))
    }

    fn insert_timer(&mut self, row: &TimerRow) -> Result<usize, Infallible> {
        Ok(usize::from(self.timers.insert(*row)))
    }

    fn delete_timer(&mut self, row: &TimerRow) -> Result<usize, Infallible> {
        Ok(usize::from(self.timers.remove(row)))
    }

    fn note_suspects(&mut self, suspects: &Bytes) -> Result<usize, Infallible> {
        self.suspects.insert(self.partition, suspects.clone());
        Ok(1)
    }
}
