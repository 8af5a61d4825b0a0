//! A plan leaves the rows that the turns leave one by one, and is refused when they are.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use super::*;
use crate::model::{
    Epoch, Execution, Head, HeadChange, InstanceId, InstanceKey, Life, OperationId, Progress, RecordRow, RuntimeStatus,
    Timestamp,
};
use crate::store::rows::{NotApplied, Rows, apply_turn};

const PARTITION: PartitionId = PartitionId(3);

/// Rows in memory: what a store holds, without any care for how fast it is.
#[derive(Clone, Debug, Default, PartialEq)]
struct Table {
    lives: BTreeMap<InstanceKey, Head>,
    history: BTreeMap<(InstanceKey, Execution, u64), RecordRow>,
    inbox: BTreeMap<(PartitionId, InboxId), InboxRow>,
    tasks: BTreeMap<TaskId, TaskRow>,
    timers: BTreeSet<TimerRow>,
    suspects: Bytes,
}

impl Table {
    fn has_id(&self, id: &InstanceId) -> bool {
        self.lives.values().any(|head| head.life.id == *id)
    }

    /// The turns one by one.
    fn apply(&self, batch: &CommitBatch) -> Result<Self, String> {
        let mut table = self.clone();
        for turn in &batch.turns {
            apply_turn(&mut table, turn).map_err(|error| match error {
                NotApplied::Row(problem) | NotApplied::Owner(problem) => problem,
            })?;
        }
        Ok(table)
    }

    /// The plan, in its order.
    fn apply_plan(&self, batch: &CommitBatch) -> Result<Self, String> {
        let plan = BatchPlan::of(batch)?;
        let mut table = self.clone();
        table.suspects = plan.suspects.unwrap_or(&table.suspects).clone();
        table.apply_deletions(&plan).and_then(|()| table.apply_insertions(&plan)).map(|()| table)
    }

    fn apply_deletions(&mut self, plan: &BatchPlan<'_>) -> Result<(), String> {
        require(!plan.records.absent.iter().any(|id| self.history.contains_key(id)), "a record that comes and goes")?;
        for gone in &plan.lives.gone {
            let head = self.lives.remove(&gone.key).ok_or("a life to be deleted")?;
            require(gone.same_as.is_none_or(|life| is_same(life, &head.life)), "a life to be deleted is another")?;
            require(!gone.other_than.contains(&&head.life.id), "a life to be deleted has the id of another")?;
        }
        for (key, execution) in &plan.records.gone {
            self.history.retain(|(of, part, _), _| of != key || execution.is_some_and(|gone| gone != *part));
        }
        require(plan.inbox.gone.iter().all(|id| self.inbox.remove(id).is_some()), "a message to be deleted")?;
        require(plan.tasks.gone.iter().all(|id| self.tasks.remove(id).is_some()), "a task to be deleted")?;
        require(plan.timers.gone.iter().all(|row| self.timers.remove(row)), "a timer to be deleted")
    }

    fn apply_insertions(&mut self, plan: &BatchPlan<'_>) -> Result<(), String> {
        let free = |table: &Self, life: &Life| !table.lives.contains_key(&life.key) && !table.has_id(&life.id);
        require(plan.lives.absent.iter().all(|life| free(self, life)), "a life that comes and goes")?;
        require(!plan.inbox.absent.iter().any(|id| self.inbox.contains_key(id)), "a message that comes and goes")?;
        require(!plan.tasks.absent.iter().any(|id| self.tasks.contains_key(id)), "a task that comes and goes")?;
        require(!plan.timers.absent.iter().any(|row| self.timers.contains(row)), "a timer that comes and goes")?;
        for (life, progress) in &plan.lives.new {
            require(free(self, life), "a life to be inserted")?;
            self.lives.insert(life.key, Head { life: Arc::clone(life), progress: Arc::clone(progress) });
        }
        for (life, progress) in &plan.lives.renewed {
            let head = self.lives.get_mut(&life.key).ok_or("a life to be renewed")?;
            require(is_same(life, &head.life), "a life to be renewed is another")?;
            *head = Head { life: Arc::clone(life), progress: Arc::clone(progress) };
        }
        for (key, progress) in &plan.lives.changed {
            self.lives.get_mut(key).ok_or("a life to be changed")?.progress = Arc::clone(progress);
        }
        for row in &plan.records.new {
            let id = (row.key, row.execution, row.turn_number);
            require(self.history.insert(id, (*row).clone()).is_none(), "a record to be inserted")?;
        }
        for (id, row) in &plan.inbox.new {
            require(self.inbox.insert(*id, (*row).clone()).is_none(), "a message to be inserted")?;
        }
        for (id, row) in &plan.tasks.new {
            require(self.tasks.insert(*id, (*row).clone()).is_none(), "a task to be inserted")?;
        }
        require(plan.timers.new.iter().all(|(row, ())| self.timers.insert(*row)), "a timer to be inserted")
    }
}

fn require(met: bool, problem: &str) -> Result<(), String> {
    if met { Ok(()) } else { Err(problem.to_owned()) }
}

fn is_same(life: &Life, stored: &Life) -> bool {
    life.id == stored.id && life.created_at == stored.created_at
}

impl<'r> Rows<'r> for Table {
    type Error = Infallible;

    fn insert_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        if self.lives.contains_key(&head.life.key) || self.has_id(&head.life.id) {
            return Ok(0);
        }
        self.lives.insert(head.life.key, head.clone());
        Ok(1)
    }

    fn renew_head(&mut self, head: &Head) -> Result<usize, Infallible> {
        match self.lives.get_mut(&head.life.key) {
            Some(row) if is_same(&head.life, &row.life) => {
                *row = head.clone();
                Ok(1)
            }
            _ => Ok(0),
        }
    }

    fn change_progress(&mut self, key: InstanceKey, progress: &Arc<Progress>) -> Result<usize, Infallible> {
        let Some(row) = self.lives.get_mut(&key) else { return Ok(0) };
        row.progress = Arc::clone(progress);
        Ok(1)
    }

    fn delete_head(&mut self, key: InstanceKey) -> Result<usize, Infallible> {
        Ok(usize::from(self.lives.remove(&key).is_some()))
    }

    fn insert_record(&mut self, row: &'r RecordRow) -> Result<usize, Infallible> {
        let id = (row.key, row.execution, row.turn_number);
        if self.history.contains_key(&id) {
            return Ok(0);
        }
        self.history.insert(id, row.clone());
        Ok(1)
    }

    fn delete_history(&mut self, key: InstanceKey, execution: Option<Execution>) -> Result<(), Infallible> {
        self.history.retain(|(of, part, _), _| *of != key || execution.is_some_and(|gone| gone != *part));
        Ok(())
    }

    fn insert_inbox(&mut self, row: &InboxRow) -> Result<usize, Infallible> {
        let id = (row.partition, row.id);
        if self.inbox.contains_key(&id) {
            return Ok(0);
        }
        self.inbox.insert(id, row.clone());
        Ok(1)
    }

    fn delete_inbox(&mut self, id: InboxId) -> Result<usize, Infallible> {
        Ok(usize::from(self.inbox.remove(&(PARTITION, id)).is_some()))
    }

    fn insert_task(&mut self, row: &'r TaskRow) -> Result<usize, Infallible> {
        if self.tasks.contains_key(&row.id) {
            return Ok(0);
        }
        self.tasks.insert(row.id, row.clone());
        Ok(1)
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
        self.suspects = suspects.clone();
        Ok(1)
    }
}

/// A small generator of numbers: the batches are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn key(&mut self) -> InstanceKey {
        InstanceKey(1 + self.below(3))
    }

    fn execution(&mut self) -> Execution {
        Execution(u32::from(self.below(2) == 0))
    }

    /// Ids mostly go with their keys, so that most changes are legal.
    fn head(&mut self) -> Head {
        let key = self.key();
        let id = if self.below(4) == 0 { self.key() } else { key };
        let created_at = Timestamp(i64::from(self.below(20) == 0));
        let mut life = Life::new(key, InstanceId::new(format!("i{}", id.0)).unwrap(), "hello", created_at);
        life.execution = self.execution();
        Head::new(life, self.progress())
    }

    fn progress(&mut self) -> Progress {
        Progress::new(RuntimeStatus::Running, Timestamp(self.below(1_000).cast_signed()))
    }

    fn operation(&mut self) -> OperationId {
        OperationId(u32::from(self.below(2) == 0))
    }

    fn part(&mut self, turn: &mut TurnCommit) {
        let (key, execution, operation) = (self.key(), self.execution(), self.operation());
        let id = TaskId { key, execution: Execution(0), operation };
        let timer = TimerRow { fire_at: Timestamp(0), key, execution: Execution(0), operation };
        let partition = if self.below(4) == 0 { PartitionId(1) } else { PARTITION };
        match self.below(16) {
            0..3 => turn.head = HeadChange::Insert(self.head()),
            3 => turn.head = HeadChange::Renew(self.head()),
            4 | 5 => turn.head = HeadChange::Progress { key, progress: Arc::new(self.progress()) },
            6 | 7 => {
                let (turn_number, time) = (self.below(2), Timestamp(self.below(1_000).cast_signed()));
                turn.record = Some(RecordRow { key, execution, turn_number, time, bytes: Vec::new().into() });
            }
            8 if self.below(2) == 0 => turn.erase_history = Some((key, execution)),
            8 if self.below(3) == 0 => turn.erase_carried = Some(key),
            8 => {
                let turn_number = self.below(2);
                let (execution, bytes) = (Execution::CARRIED, Vec::new().into());
                turn.carried.push(RecordRow { key, execution, turn_number, time: Timestamp(0), bytes });
            }
            9 => turn.purge = Some(key),
            10 if self.below(2) == 0 => {
                turn.inbox_new.push(InboxRow { partition, id: InboxId(key.0), bytes: Vec::new().into() });
            }
            10 => turn.inbox_done.push(InboxId(key.0)),
            11 => turn.tasks_new.push(TaskRow { id, turn_number: self.below(9), name: "work".into() }),
            12 => turn.tasks_done.push(id),
            13 => turn.timers_new.push(timer),
            14 => turn.suspects = Some(vec![u8::from(self.below(2) == 0)].into()),
            _ => turn.timers_done.push(timer),
        }
    }

    fn batch(&mut self) -> CommitBatch {
        let turns = (0..=self.below(5)).map(|_| {
            let mut turn = TurnCommit::default();
            (0..=self.below(2)).for_each(|_| self.part(&mut turn));
            turn
        });
        CommitBatch { partition: PARTITION, epoch: Epoch(1), turns: turns.collect() }
    }
}

#[test]
fn p25_random_batches_have_the_effect_of_their_turns_one_by_one() {
    const BATCHES: u64 = 100_000;
    let (mut numbers, mut table, mut applied) = (Numbers(25), Table::default(), 0);
    for number in 0..BATCHES {
        let batch = numbers.batch();
        let expected = table.apply(&batch);
        let planned = table.apply_plan(&batch);
        match (&expected, &planned) {
            (Ok(expected), Ok(planned)) => assert_eq!(planned, expected, "batch {number}: {batch:#?} on {table:#?}"),
            (Err(_), Err(_)) => {}
            _ => panic!("batch {number}: {planned:?} instead of {expected:?} for {batch:#?} on {table:#?}"),
        }
        if let Ok(next) = expected {
            table = next;
            applied += 1;
        }
    }
    assert!(applied > BATCHES / 10 && applied < BATCHES, "{applied} of {BATCHES} were applied");
}

fn batch(turns: impl Into<Vec<TurnCommit>>) -> CommitBatch {
    CommitBatch { partition: PARTITION, epoch: Epoch(1), turns: turns.into() }
}

fn head(key: u64, id: &str) -> Head {
    let life = Life::new(InstanceKey(key), InstanceId::new(id).unwrap(), "hello", Timestamp(0));
    Head::new(life, Progress::new(RuntimeStatus::Running, Timestamp(0)))
}

fn insert(key: u64, id: &str) -> TurnCommit {
    TurnCommit { head: HeadChange::Insert(head(key, id)), ..TurnCommit::default() }
}

fn purge(key: u64) -> TurnCommit {
    TurnCommit { purge: Some(InstanceKey(key)), ..TurnCommit::default() }
}

#[test]
fn p25_a_life_that_gives_its_id_to_another_goes_first() {
    let before = Table::default().apply(&batch([insert(1, "a")])).unwrap();
    let renamed = batch([purge(1), insert(2, "a")]);
    assert_eq!(before.apply_plan(&renamed), before.apply(&renamed));
    assert!(before.apply_plan(&renamed).is_ok());
    // While the first life was there, the second could not begin, though it could afterwards.
    let too_early = batch([insert(2, "a"), purge(1)]);
    assert!(before.apply(&too_early).is_err() && before.apply_plan(&too_early).is_err());
}

#[test]
fn p25_a_row_added_and_removed_writes_nothing_and_the_last_head_wins() {
    let progress = |revision| Progress { revision, ..Progress::new(RuntimeStatus::Running, Timestamp(0)) };
    let change = |revision| TurnCommit {
        head: HeadChange::Progress { key: InstanceKey(1), progress: Arc::new(progress(revision)) },
        ..TurnCommit::default()
    };
    let changes = batch([change(1), change(2), insert(2, "b"), purge(2), change(3)]);
    let plan = BatchPlan::of(&changes).unwrap();
    assert_eq!(plan.lives.changed, [(InstanceKey(1), &Arc::new(progress(3)))]);
    assert!(plan.lives.new.is_empty() && plan.lives.gone.is_empty());
    assert_eq!(plan.lives.absent.len(), 1, "a store still says that it was there already");
}

#[test]
fn p25_records_of_erased_executions_vanish() {
    let key = InstanceKey(1);
    let record = |execution: u32, turn_number| TurnCommit {
        record: Some(RecordRow {
            key,
            execution: Execution(execution),
            turn_number,
            time: Timestamp(0),
            bytes: Vec::new().into(),
        }),
        ..TurnCommit::default()
    };
    let erase = |execution| TurnCommit { erase_history: Some((key, Execution(execution))), ..TurnCommit::default() };
    let looping = batch([record(0, 5), erase(0), record(1, 0), erase(1), record(2, 0), record(0, 5)]);
    let plan = BatchPlan::of(&looping).unwrap();
    assert_eq!(plan.records.absent, [(key, Execution(0), 5), (key, Execution(1), 0)]);
    assert_eq!(plan.records.gone, [0, 1].map(|execution| (key, Some(Execution(execution)))));
    let new: Vec<_> = plan.records.new.iter().map(|row| (row.execution.0, row.turn_number)).collect();
    assert_eq!(new, [(0, 5), (2, 0)]);
}
