//! Plans the changes of rows that are inserted and deleted, and of records, which belong to executions.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fmt::Debug;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::model::{Execution, InstanceKey, RecordRow};
use crate::store::rows::recorded_already;

/// The changes of a table whose rows have keys of their own.
#[derive(Debug)]
pub(crate) struct RowPlan<K, V> {
    /// Rows that exist and are deleted.
    pub(crate) gone: Vec<K>,
    /// Rows that are inserted and deleted within the batch. None of them exists.
    pub(crate) absent: Vec<K>,
    /// Rows that are inserted. After the deletions, none of them exists.
    pub(crate) new: Vec<(K, V)>,
}

/// What is known about the rows of one table.
pub(crate) struct RowStates<K, V>(FxHashMap<K, RowState<V>>);

struct RowState<V> {
    /// Whether the row must exist before the batch.
    stored: bool,
    /// A row that the batch has inserted and not deleted since.
    new: Option<V>,
}

impl<K: Copy + Eq + Hash + Ord + Debug, V> RowStates<K, V> {
    pub(super) fn delete(&mut self, id: K) -> Result<(), String> {
        match self.0.get_mut(&id) {
            None => {
                self.0.insert(id, RowState { stored: true, new: None });
                Ok(())
            }
            Some(row) if row.new.is_some() => {
                row.new = None;
                Ok(())
            }
            Some(_) => Err(format!("{id:?} to be removed is not there")),
        }
    }

    pub(super) fn insert(&mut self, id: K, row: V) -> Result<(), String> {
        let state = self.0.entry(id).or_insert(RowState { stored: false, new: None });
        if state.new.is_some() {
            return Err(format!("{id:?} is there already"));
        }
        state.new = Some(row);
        Ok(())
    }

    pub(super) fn plan(self) -> RowPlan<K, V> {
        let mut plan = RowPlan::default();
        for (id, state) in self.0 {
            if state.stored {
                plan.gone.push(id);
            }
            match state.new {
                Some(row) => plan.new.push((id, row)),
                None if state.stored => {}
                None => plan.absent.push(id),
            }
        }
        plan.gone.sort_unstable();
        plan.absent.sort_unstable();
        plan.new.sort_unstable_by_key(|(id, _)| *id);
        plan
    }
}

impl<K, V> Default for RowStates<K, V> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<K, V> Default for RowPlan<K, V> {
    fn default() -> Self {
        Self { gone: Vec::new(), absent: Vec::new(), new: Vec::new() }
    }
}

/// Identifies a record.
pub(crate) type RecordId = (InstanceKey, Execution, u64);

/// The changes of the history.
#[derive(Debug, Default)]
pub(crate) struct RecordPlan<'b> {
    /// Records that are inserted and deleted within the batch. None of them exists before the deletions.
    pub(crate) absent: Vec<RecordId>,
    /// Executions whose records are all deleted, or lives whose records are all deleted (`None`). There may be no such
    /// records.
    pub(crate) gone: Vec<(InstanceKey, Option<Execution>)>,
    /// Records that are inserted. After the deletions, none of them exists.
    pub(crate) new: Vec<&'b RecordRow>,
}

/// What is known about records.
#[derive(Default)]
pub(super) struct Records<'b> {
    /// Records that the batch has inserted and not erased since, and whether stored ones were erased before them.
    new: BTreeMap<RecordId, (&'b RecordRow, bool)>,
    absent: Vec<RecordId>,
    erased: BTreeSet<(InstanceKey, Option<Execution>)>,
}

impl<'b> Records<'b> {
    pub(super) fn insert(&mut self, row: &'b RecordRow) -> Result<(), String> {
        let erased = !self.erased.is_empty()
            && (self.erased.contains(&(row.key, None)) || self.erased.contains(&(row.key, Some(row.execution))));
        match self.new.entry((row.key, row.execution, row.turn_number)) {
            btree_map::Entry::Occupied(_) => Err(recorded_already(row)),
            btree_map::Entry::Vacant(entry) => {
                entry.insert((row, erased));
                Ok(())
            }
        }
    }

    pub(super) fn erase(&mut self, key: InstanceKey, execution: Option<Execution>) {
        let (first, last) = match execution {
            Some(execution) => (execution, execution),
            None => (Execution(0), Execution(u32::MAX)),
        };
        let goes = self.new.extract_if((key, first, 0)..=(key, last, u64::MAX), |_, _| true);
        self.absent.extend(goes.filter(|(_, (_, erased))| !erased).map(|(id, _)| id));
        self.erased.insert((key, execution));
    }

    pub(super) fn plan(mut self) -> RecordPlan<'b> {
        self.absent.sort_unstable();
        let whole = |key| self.erased.contains(&(key, None));
        RecordPlan {
            absent: self.absent,
            gone: self.erased.iter().filter(|(key, part)| part.is_none() || !whole(*key)).copied().collect(),
            new: self.new.into_values().map(|(row, _)| row).collect(),
        }
    }
}
