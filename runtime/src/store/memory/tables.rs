//! The rows of the memory store, and how a batch is undone when it is refused in the middle.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, hash_map};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use crate::model::bounds::tags_bytes;
use crate::model::{
    Execution, Head, InboxId, InboxRow, InstanceId, InstanceKey, JsonText, PartitionId, Progress, RecordRow, TaskId,
    TaskRow, TimerRow, Timestamp, TurnCommit,
};
use crate::store::page::{PageBuilder, Place, Span, damaged_row};
use crate::store::rows::{NotApplied, Rows, apply_turn};
use crate::store::{
    Backlog, InstanceFilter, InstancePage, InstanceQuery, InstanceRef, LoadError, StoredInstance, TaskGroup,
};

/// The records of one life, in the order of executions and turns.
type History = BTreeMap<(Execution, u64), (Timestamp, Bytes)>;

#[derive(Default)]
pub(super) struct Tables {
    heads: FxHashMap<InstanceKey, Row>,
    /// The lives in the order of their creation.
    created: BTreeSet<Place>,
    ids: BTreeMap<InstanceId, InstanceKey>,
    history: FxHashMap<InstanceKey, History>,
    inbox: BTreeMap<(PartitionId, InboxId), Bytes>,
    tasks: FxHashMap<TaskId, Task>,
    timers: BTreeSet<(PartitionId, TimerRow)>,
    suspects: BTreeMap<PartitionId, Bytes>,
    undo: Vec<Undo>,
    /// The partition whose batch is being applied.
    partition: PartitionId,
}

/// A head, and the partition whose batch inserted it.
struct Row {
    partition: PartitionId,
    head: Head,
}

struct Task {
    partition: PartitionId,
    turn_number: u64,
    name: Cow<'static, str>,
}

/// The previous state of a row of the batch's partition.
enum Undo {
    Inserted(Head),
    Changed(Head),
    Deleted(Head),
    History(InstanceKey, History),
    Record(InstanceKey, Execution, u64),
    Inbox((PartitionId, InboxId), Option<Bytes>),
    Task(TaskId, Option<Task>),
    Timer(TimerRow, bool),
    Suspects(Bytes),
}

impl Tables {
    /// Applies all turns. If a row is not as expected, applies none of them and returns which row it was.
    pub(super) fn apply(&mut self, partition: PartitionId, turns: &[TurnCommit]) -> Result<(), String> {
        self.partition = partition;
        for turn in turns {
            if let Err(error) = apply_turn(self, turn) {
                while let Some(step) = self.undo.pop() {
                    self.take_back(step);
                }
                return match error {
                    NotApplied::Row(problem) | NotApplied::Owner(problem) => Err(problem),
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
                self.created.remove(&place(&head));
                self.ids.remove(&head.life.id);
            }
            Undo::Changed(head) => {
                self.heads.insert(head.life.key, Row { partition: self.partition, head });
            }
            Undo::Deleted(head) => {
                self.ids.insert(head.life.id.clone(), head.life.key);
                self.created.insert(place(&head));
                self.heads.insert(head.life.key, Row { partition: self.partition, head });
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
                self.timers.insert((self.partition, row));
            }
            Undo::Timer(row, false) => {
                self.timers.remove(&(self.partition, row));
            }
            Undo::Suspects(before) => {
                self.suspects.insert(self.partition, before);
            }
        }
    }

    /// Returns what the partition has noted about its suspects.
    pub(super) fn suspects(&self, partition: PartitionId) -> Bytes {
        self.suspects.get(&partition).cloned().unwrap_or_default()
    }

    /// Returns the head of a life, if it belongs to the partition whose batch is being applied.
    fn own_head(&mut self, key: InstanceKey) -> Option<&mut Head> {
        let row = self.heads.get_mut(&key)?;
        (row.partition == self.partition).then_some(&mut row.head)
    }

    pub(super) fn instance(&self, target: &InstanceRef, with_history: bool) -> Option<StoredInstance> {
        let key = match target {
            InstanceRef::Id(id) => self.ids.get(id)?,
            InstanceRef::Key(key) => key,
        };
        let mut stored = self.stored(&self.heads.get(key)?.head);
        if with_history {
            stored.history = Some(self.history(*key, stored.head.life.execution).unwrap_or_default());
            stored.carried = self.history(*key, Execution::CARRIED).unwrap_or_default();
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
            carried: Vec::new(),
        }
    }

    pub(super) fn page(&self, query: &InstanceQuery) -> Result<InstancePage, LoadError> {
        let mut page = PageBuilder::new(query);
        let Some(span) = Span::of(query) else { return Ok(page.finish(None)) };
        let mut heads = self.span(span, query.newest_first);
        while let Some(head) = heads.next() {
            let status = head.progress.custom_status.as_ref().filter(|_| !query.filter.custom_status.is_empty());
            let tags = if query.filter.tags.is_empty() { 0 } else { tags_bytes(&head.life.tags) };
            page.looked_at(tags + status.map_or(0, JsonText::len));
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
            Span::Created(from, to) => {
                let keys = self.created.range((from, to)).map(|(_, key)| key);
                directed(keys.filter_map(|key| self.heads.get(key)).map(|row| &row.head), backwards)
            }
            Span::Ids(ids) => {
                let range = (Bound::Included(ids.start.as_str()), Bound::Excluded(ids.end.as_str()));
                let keys = self.ids.range::<str, _>(range).map(|(_, key)| key);
                directed(keys.filter_map(|key| self.heads.get(key)).map(|row| &row.head), backwards)
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

    pub(super) fn backlog(&self, partition: PartitionId) -> Result<Backlog, LoadError> {
        let is_parked = |row: &Row| row.partition == partition && row.head.progress.parked.is_some();
        let mut parked: Vec<_> = self.heads.iter().filter(|(_, row)| is_parked(row)).map(|(key, _)| *key).collect();
        parked.sort_unstable();
        Ok(Backlog {
            tasks: self.task_groups(partition)?,
            timers: self.timers.iter().filter(|(of, _)| *of == partition).map(|(_, timer)| *timer).collect(),
            inbox: self.inbox(partition, &[], usize::MAX),
            parked,
        })
    }

    pub(super) fn inbox(&self, partition: PartitionId, known: &[InboxId], limit: usize) -> Vec<InboxRow> {
        let rows = self.inbox.range((partition, InboxId(0))..=(partition, InboxId(u64::MAX)));
        rows.filter(|((_, id), _)| known.binary_search(id).is_err())
            .map(|((_, id), bytes)| InboxRow { partition, id: *id, bytes: bytes.clone() })
            .take(limit)
            .collect()
    }

    fn task_groups(&self, partition: PartitionId) -> Result<Vec<TaskGroup>, LoadError> {
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (id, task) in self.tasks.iter().filter(|(_, task)| task.partition == partition) {
            let group = groups.entry((id.key, id.execution, task.turn_number)).or_default();
            group.push((id.operation, task.name.clone()));
        }
        let group = |((key, execution, turn_number), mut tasks): (_, Vec<_>)| {
            let Some(Row { head, .. }) = self.heads.get(&key) else {
                return Err(LoadError::Corrupt(format!("there are tasks of {key:?}, which is not an instance")));
            };
            tasks.sort_unstable();
            let record = self.history.get(&key).and_then(|records| records.get(&(execution, turn_number)));
            let record = record.map(|(_, bytes)| bytes.clone());
            Ok(TaskGroup { key, id: head.life.id.clone(), execution, turn_number, record, tasks })
        };
        groups.into_iter().map(group).collect()
    }
}

/// Returns the place of a life in the order of creation.
fn place(head: &Head) -> Place {
    (head.life.created_at, head.life.key)
}

/// The custom status is the only text here that can be damaged, because the creator of the head may have passed
/// anything.
fn holds(filter: &InstanceFilter, head: &Head) -> Result<bool, LoadError> {
    let status = head.progress.custom_status.as_ref().map(JsonText::as_bytes);
    if !filter.holds_row(head.progress.status, head.life.created_at, head.life.id.as_str(), &head.life.name)
        || !filter.holds_parked(head.progress.parked.is_some())
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
        self.created.insert(place(head));
        self.heads.insert(head.life.key, Row { partition: self.partition, head: head.clone() });
        self.undo.push(Undo::Inserted(head.clone()));
        Ok(1)
    }

    fn renew_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        match self.own_head(head.life.key) {
            Some(row) if row.life.id == head.life.id && row.life.created_at == head.life.created_at => {
                let before = std::mem::replace(row, head.clone());
                self.undo.push(Undo::Changed(before));
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> Result<usize, Infallible> {
        let Some(head) = self.own_head(key) else { return Ok(0) };
        let before = head.clone();
        head.progress = Arc::clone(progress);
        self.undo.push(Undo::Changed(before));
        Ok(1)
    }

    fn delete_head(&mut self, key: InstanceKey) -> Result<usize, Infallible> {
        let hash_map::Entry::Occupied(row) = self.heads.entry(key) else { return Ok(0) };
        if row.get().partition != self.partition {
            return Ok(0);
        }
        let head = row.remove().head;
        self.ids.remove(&head.life.id);
        self.created.remove(&place(&head));
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
        entry.insert(Task { partition: self.partition, turn_number: row.turn_number, name: row.name.clone() });
        self.undo.push(Undo::Task(row.id, None));
        Ok(1)
    }

    fn delete_task(&mut self, id: TaskId) -> Result<usize, Infallible> {
        let hash_map::Entry::Occupied(task) = self.tasks.entry(id) else { return Ok(0) };
        if task.get().partition != self.partition {
            return Ok(0);
        }
        self.undo.push(Undo::Task(id, Some(task.remove())));
        Ok(1)
    }

    fn insert_timer(&mut self, row: &TimerRow) -> Result<usize, Infallible> {
        if !self.timers.insert((self.partition, *row)) {
            return Ok(0);
        }
        self.undo.push(Undo::Timer(*row, false));
        Ok(1)
    }

    fn delete_timer(&mut self, row: &TimerRow) -> Result<usize, Infallible> {
        if !self.timers.remove(&(self.partition, *row)) {
            return Ok(0);
        }
        self.undo.push(Undo::Timer(*row, true));
        Ok(1)
    }

    fn note_suspects(&mut self, suspects: &Bytes) -> Result<usize, Infallible> {
        let before = self.suspects.insert(self.partition, suspects.clone()).unwrap_or_default();
        self.undo.push(Undo::Suspects(before));
        Ok(1)
    }
}
