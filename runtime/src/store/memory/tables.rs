//! The rows of the memory store, and the way back when a batch is refused half-way.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, hash_map};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::model::{
    Execution, Head, InboxId, InboxRow, InstanceId, InstanceKey, JsonText, PartitionCount, PartitionId, Progress,
    RecordRow, TaskId, TaskRow, TimerRow, Timestamp, TurnCommit,
};
use crate::store::page::{PageBuilder, Span, damaged_row};
use crate::store::rows::{Refusal, Rows, apply_turn};
use crate::store::{
    Backlog, InstanceFilter, InstancePage, InstanceQuery, InstanceRef, LoadError, StoredInstance, TaskGroup,
};

/// The records of one life, in the order of executions and turns.
type History = BTreeMap<(Execution, u64), (Timestamp, Bytes)>;

#[derive(Default)]
pub(super) struct Tables {
    heads: BTreeMap<InstanceKey, Head>,
    ids: BTreeMap<InstanceId, InstanceKey>,
    history: FxHashMap<InstanceKey, History>,
    inbox: BTreeMap<(PartitionId, InboxId), Bytes>,
    tasks: FxHashMap<TaskId, (u64, Cow<'static, str>)>,
    timers: BTreeSet<TimerRow>,
    undo: Vec<Undo>,
    /// Whose batch is being applied.
    partition: PartitionId,
}

/// What a row was before it was changed.
enum Undo {
    Inserted(Head),
    Changed(Head),
    Deleted(Head),
    History(InstanceKey, History),
    Record(InstanceKey, Execution, u64),
    Inbox((PartitionId, InboxId), Option<Bytes>),
    Task(TaskId, Option<(u64, Cow<'static, str>)>),
    Timer(TimerRow, bool),
}

impl Tables {
    /// Applies all turns, or none of them and says which row was not as expected.
    pub(super) fn apply(&mut self, partition: PartitionId, turns: &[TurnCommit]) -> Result<(), String> {
        self.partition = partition;
        for turn in turns {
            if let Err(refusal) = apply_turn(self, turn) {
                while let Some(step) = self.undo.pop() {
                    self.take_back(step);
                }
                return match refusal {
                    Refusal::Row(problem) | Refusal::Owner(problem) => Err(problem),
                };
            }
        }
        self.undo.clear();
        Ok(())
    }

    fn take_back(&mut self, step: Undo) {
        match step {
            Undo::Inserted(head) => {
                self.heads.remove(&head.life.key);
                self.ids.remove(&head.life.id);
            }
            Undo::Changed(head) => {
                self.heads.insert(head.life.key, head);
            }
            Undo::Deleted(head) => {
                self.ids.insert(head.life.id.clone(), head.life.key);
                self.heads.insert(head.life.key, head);
            }
            Undo::History(key, records) => self.history.entry(key).or_default().extend(records),
            Undo::Record(key, execution, turn) => {
                if let Some(records) = self.history.get_mut(&key) {
                    records.remove(&(execution, turn));
                }
            }
            Undo::Inbox(id, Some(bytes)) => {
                self.inbox.insert(id, bytes);
            }
            Undo::Inbox(id, None) => {
                self.inbox.remove(&id);
            }
            Undo::Task(id, Some(task)) => {
                self.tasks.insert(id, task);
            }
            Undo::Task(id, None) => {
                self.tasks.remove(&id);
            }
            Undo::Timer(row, true) => {
                self.timers.insert(row);
            }
            Undo::Timer(row, false) => {
                self.timers.remove(&row);
            }
        }
    }

    pub(super) fn instance(&self, target: &InstanceRef, with_history: bool) -> Option<StoredInstance> {
        let key = match target {
            InstanceRef::Id(id) => self.ids.get(id)?,
            InstanceRef::Key(key) => key,
        };
        let mut stored = self.stored(self.heads.get(key)?);
        if with_history {
            stored.history = Some(self.history(*key, stored.head.life.execution).unwrap_or_default());
        }
        Some(stored)
    }

    fn stored(&self, head: &Head) -> StoredInstance {
        let newest = self.records(head.life.key, head.life.execution).next_back();
        StoredInstance {
            head: head.clone(),
            record_count: newest.map_or(0, |((_, turn), _)| turn + 1),
            newest_record: newest.map(|(_, (time, _))| *time),
            history: None,
        }
    }

    pub(super) fn page(&self, query: &InstanceQuery) -> Result<InstancePage, LoadError> {
        let mut page = PageBuilder::new(query);
        let Some(span) = Span::of(query) else { return Ok(page.finish(None)) };
        let mut heads = self.span(span, query.newest_first);
        while let Some(head) = heads.next() {
            let status = head.progress.custom_status.as_ref().filter(|_| !query.filter.custom_status.is_empty());
            page.looked_at(status.map_or(0, JsonText::len));
            if holds(&query.filter, head)? {
                page.push(self.stored(head));
            }
            if page.is_full() {
                let next = heads.next().map(|_| query.place(head));
                return Ok(page.finish(next));
            }
        }
        Ok(page.finish(None))
    }

    fn span(&self, span: Span, backwards: bool) -> Box<dyn Iterator<Item = &Head> + '_> {
        fn directed<'a>(
            rows: impl DoubleEndedIterator<Item = &'a Head> + 'a,
            backwards: bool,
        ) -> Box<dyn Iterator<Item = &'a Head> + 'a> {
            if backwards { Box::new(rows.rev()) } else { Box::new(rows) }
        }
        match span {
            Span::Keys(from, to) => directed(self.heads.range((from, to)).map(|(_, head)| head), backwards),
            Span::Ids(ids) => {
                let range = (Bound::Included(ids.start.as_str()), Bound::Excluded(ids.end.as_str()));
                let keys = self.ids.range::<str, _>(range).map(|(_, key)| key);
                directed(keys.filter_map(|key| self.heads.get(key)), backwards)
            }
        }
    }

    pub(super) fn history(&self, key: InstanceKey, execution: Execution) -> Option<Vec<Bytes>> {
        let records: Vec<_> = self.records(key, execution).map(|(_, (_, bytes))| bytes.clone()).collect();
        (!records.is_empty()).then_some(records)
    }

    fn records(
        &self,
        key: InstanceKey,
        execution: Execution,
    ) -> impl DoubleEndedIterator<Item = (&(Execution, u64), &(Timestamp, Bytes))> {
        self.history
            .get(&key)
            .into_iter()
            .flat_map(move |records| records.range((execution, 0)..=(execution, u64::MAX)))
    }

    pub(super) fn backlog(&self, partition: PartitionId, partitions: PartitionCount) -> Result<Backlog, LoadError> {
        let is_mine = |head: &Head| partitions.partition_of(&head.life.id) == partition;
        let owns = |key: &InstanceKey| self.heads.get(key).is_none_or(is_mine);
        let parked = self
            .heads
            .values()
            .filter(|head| head.progress.parked.is_some() && is_mine(head))
            .map(|head| head.life.key);
        Ok(Backlog {
            tasks: self.task_groups(owns)?,
            timers: self.timers.iter().filter(|row| owns(&row.key)).copied().collect(),
            inbox: self.inbox(partition, &[], usize::MAX),
            parked: parked.collect(),
        })
    }

    pub(super) fn inbox(&self, partition: PartitionId, known: &[InboxId], limit: usize) -> Vec<InboxRow> {
        let rows = self.inbox.range((partition, InboxId(0))..=(partition, InboxId(u64::MAX)));
        rows.filter(|((_, id), _)| known.binary_search(id).is_err())
            .map(|((_, id), bytes)| InboxRow { partition, id: *id, bytes: bytes.clone() })
            .take(limit)
            .collect()
    }

    fn task_groups(&self, owns: impl Fn(&InstanceKey) -> bool) -> Result<Vec<TaskGroup>, LoadError> {
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (id, (turn, name)) in self.tasks.iter().filter(|(id, _)| owns(&id.key)) {
            groups.entry((id.key, id.execution, *turn)).or_default().push((id.operation, name.clone()));
        }
        let group = |((key, execution, turn_number), mut tasks): (_, Vec<_>)| {
            let Some(head) = self.heads.get(&key) else {
                return Err(LoadError::Corrupt(format!("there are tasks of {key:?}, which is no instance")));
            };
            tasks.sort_unstable();
            let record = self.history.get(&key).and_then(|records| records.get(&(execution, turn_number)));
            let record = record.map(|(_, bytes)| bytes.clone());
            Ok(TaskGroup { key, id: head.life.id.clone(), execution, turn_number, record, tasks })
        };
        groups.into_iter().map(group).collect()
    }
}

/// The custom status is the only text here that may be damaged: whoever made the head may have given anything.
fn holds(filter: &InstanceFilter, head: &Head) -> Result<bool, LoadError> {
    let status = head.progress.custom_status.as_ref().map(JsonText::as_bytes);
    if !filter.holds_row(head.progress.status, head.life.created_at, head.life.id.as_str(), &head.life.name)
        || !filter.holds_tags(&head.life.tags)
    {
        return Ok(false);
    }
    filter
        .holds_custom_status(status)
        .map_err(|e| LoadError::Corrupt(damaged_row(head.life.key, head.life.id.as_str(), &e)))
}

impl<'r> Rows<'r> for Tables {
    type Error = Infallible;

    fn insert_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        if self.heads.contains_key(&head.life.key) || self.ids.contains_key(&head.life.id) {
            return Ok(0);
        }
        self.ids.insert(head.life.id.clone(), head.life.key);
        self.heads.insert(head.life.key, head.clone());
        self.undo.push(Undo::Inserted(head.clone()));
        Ok(1)
    }

    fn renew_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        match self.heads.get_mut(&head.life.key) {
            Some(row) if row.life.id == head.life.id => {
                self.undo.push(Undo::Changed(std::mem::replace(row, head.clone())));
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> Result<usize, Infallible> {
        let Some(row) = self.heads.get_mut(&key) else { return Ok(0) };
        self.undo.push(Undo::Changed(row.clone()));
        row.progress = Arc::clone(progress);
        Ok(1)
    }

    fn delete_head(&mut self, key: InstanceKey) -> Result<usize, Infallible> {
        let Some(head) = self.heads.remove(&key) else { return Ok(0) };
        self.ids.remove(&head.life.id);
        self.undo.push(Undo::Deleted(head));
        Ok(1)
    }

    fn insert_record(&mut self, record: &'r RecordRow) -> Result<usize, Infallible> {
        let RecordRow { key, execution, turn_number, time, bytes } = record;
        let Entry::Vacant(entry) = self.history.entry(*key).or_default().entry((*execution, *turn_number)) else {
            return Ok(0);
        };
        entry.insert((*time, bytes.clone()));
        self.undo.push(Undo::Record(*key, *execution, *turn_number));
        Ok(1)
    }

    fn delete_history(&mut self, key: InstanceKey, execution: Option<Execution>) -> Result<(), Infallible> {
        let Some(mut records) = self.history.remove(&key) else { return Ok(()) };
        if let Some(execution) = execution {
            let kept = records.extract_if(.., |(of, _), _| *of != execution).collect::<History>();
            if !kept.is_empty() {
                self.history.insert(key, kept);
            }
        }
        self.undo.push(Undo::History(key, records));
        Ok(())
    }

    fn insert_inbox(&mut self, row: &InboxRow) -> Result<usize, Infallible> {
        let Entry::Vacant(entry) = self.inbox.entry((row.partition, row.id)) else { return Ok(0) };
        entry.insert(row.bytes.clone());
        self.undo.push(Undo::Inbox((row.partition, row.id), None));
        Ok(1)
    }

    fn delete_inbox(&mut self, id: InboxId) -> Result<usize, Infallible> {
        let id = (self.partition, id);
        let Some(bytes) = self.inbox.remove(&id) else { return Ok(0) };
        self.undo.push(Undo::Inbox(id, Some(bytes)));
        Ok(1)
    }

    fn insert_task(&mut self, row: &'r TaskRow) -> Result<usize, Infallible> {
        let hash_map::Entry::Vacant(entry) = self.tasks.entry(row.id) else { return Ok(0) };
        entry.insert((row.turn_number, row.name.clone()));
        self.undo.push(Undo::Task(row.id, None));
        Ok(1)
    }

    fn delete_task(&mut self, id: TaskId) -> Result<usize, Infallible> {
        let Some(task) = self.tasks.remove(&id) else { return Ok(0) };
        self.undo.push(Undo::Task(id, Some(task)));
        Ok(1)
    }

    fn insert_timer(&mut self, row: &TimerRow) -> Result<usize, Infallible> {
        if !self.timers.insert(*row) {
            return Ok(0);
        }
        self.undo.push(Undo::Timer(*row, false));
        Ok(1)
    }

    fn delete_timer(&mut self, row: &TimerRow) -> Result<usize, Infallible> {
        if !self.timers.remove(row) {
            return Ok(0);
        }
        self.undo.push(Undo::Timer(*row, true));
        Ok(1)
    }
}
