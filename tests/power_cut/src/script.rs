//! What the store is asked to write: turn commits that are determined by a seed, and what the store must hold after
//! each of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use persevere::model::{
    CommitBatch, Epoch, Head, HeadChange, InboxId, InboxRow, InstanceId, InstanceKey, JsonText, Life, OperationId,
    PartitionId, Progress, RecordRow, RuntimeStatus, TaskId, TaskRow, TimerRow, Timestamp, TurnCommit,
};
use persevere::store::{Backlog, InstanceRef, LoadError, MemoryStore, Store, StoredInstance};

use crate::Random;

/// The partition that the script writes.
pub const PARTITION: PartitionId = PartitionId::FIRST;

/// A series of turn commits.
#[derive(Debug)]
pub struct Script {
    /// The turn commits.
    pub turns: Vec<TurnCommit>,
    /// What the store holds after each number of commits, as a [`fingerprint`](Self::fingerprint).
    pub fingerprints: Vec<u64>,
    keys: Vec<InstanceKey>,
}

struct Instance {
    head: Head,
    records: u64,
    tasks: Vec<TaskId>,
    timers: Vec<TimerRow>,
}

/// The state before the next turn commit.
struct Writer {
    random: Random,
    bytes: usize,
    lives: Vec<Instance>,
    inbox: Vec<InboxId>,
    operations: u32,
    keys: Vec<InstanceKey>,
}

impl Script {
    /// Creates this many turn commits, with payloads of up to this many bytes.
    pub async fn new(seed: u64, count: usize, bytes: usize) -> Self {
        let random = Random::new(seed);
        let mut writer =
            Writer { random, bytes, lives: Vec::new(), inbox: Vec::new(), operations: 0, keys: Vec::new() };
        let turns: Vec<_> = (0..count).map(|_| writer.turn()).collect();
        let store = MemoryStore::new();
        let epoch = store.claim(PARTITION).await.expect("the memory store can be claimed").epoch;
        let mut script = Self { turns, fingerprints: Vec::new(), keys: writer.keys };
        script.fingerprints.push(script.fingerprint(&store).await.expect("the memory store can be read"));
        for turn in 0..count {
            store.commit(script.batch(epoch, turn)).await.expect("the script fits its own rows");
            let fingerprint = script.fingerprint(&store).await.expect("the memory store can be read");
            script.fingerprints.push(fingerprint);
        }
        script
    }

    /// Returns a batch of one turn commit.
    pub fn batch(&self, epoch: Epoch, turn: usize) -> Arc<CommitBatch> {
        Arc::new(CommitBatch::new(PARTITION, epoch, vec![self.turns[turn].clone()]))
    }

    /// Returns everything that the store holds as one number.
    pub async fn fingerprint(&self, store: &impl Store) -> Result<u64, LoadError> {
        let mut hasher = DefaultHasher::new();
        let Backlog { tasks, timers, inbox, parked, .. } = store.load(PARTITION).await?;
        (timers, parked).hash(&mut hasher);
        inbox.iter().for_each(|row| (row.id, &row.bytes).hash(&mut hasher));
        for group in tasks {
            (group.key, group.id, group.turn_number, group.record, group.tasks).hash(&mut hasher);
        }
        for key in &self.keys {
            let Some(stored) = store.instance(InstanceRef::Key(*key), true).await? else {
                0.hash(&mut hasher);
                continue;
            };
            let StoredInstance { head: Head { life, progress, .. }, record_count, history, .. } = stored;
            let by_id = store.instance(InstanceRef::Id(life.id.clone()), false).await?;
            assert_eq!(by_id.map(|found| found.head.life.key), Some(*key), "an instance is found by its id too");
            (&life.id, life.execution, life.input.as_str(), record_count, history).hash(&mut hasher);
            let custom_status = progress.custom_status.as_ref().map(JsonText::as_str);
            (progress.status, custom_status, progress.revision).hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

impl Writer {
    fn turn(&mut self) -> TurnCommit {
        match self.random.below(10) {
            0 | 1 => self.start(),
            2 => self.message(),
            3 => self.receive(),
            4 if !self.lives.is_empty() => self.purge(),
            _ if self.lives.is_empty() => self.start(),
            _ => {
                let at = self.random.below(self.lives.len());
                let mut turn = self.step(at);
                if self.random.percent(40) {
                    turn.head = self.status(at);
                }
                turn
            }
        }
    }

    fn payload(&mut self) -> Vec<u8> {
        let length = self.random.below(self.bytes) + 1;
        let first = self.random.next_number();
        (0..length).map(|at| (first.wrapping_add(at as u64 * 31) >> 3) as u8).collect()
    }

    fn start(&mut self) -> TurnCommit {
        let key = InstanceKey(self.keys.len() as u64 + 1);
        self.keys.push(key);
        let text = "x".repeat(self.random.below(self.bytes) + 1);
        let id = InstanceId::new(format!("instance-{:016x}", self.random.next_number())).expect("a legal id");
        let mut life = Life::new(key, id, "hello", Timestamp(1));
        life.input = JsonText::from_string(format!("\"{text}\""));
        let head = Head::new(life, Progress::new(RuntimeStatus::Running, Timestamp(2)));
        self.lives.push(Instance { head: head.clone(), records: 0, tasks: Vec::new(), timers: Vec::new() });
        let mut turn = self.step(self.lives.len() - 1);
        turn.head = HeadChange::Insert(head);
        turn
    }

    fn message(&mut self) -> TurnCommit {
        self.operations += 1;
        let id = InboxId(u64::from(self.operations));
        self.inbox.push(id);
        let row = InboxRow::new(PARTITION, id, self.payload().into());
        TurnCommit::with(|turn| turn.inbox_new = vec![row])
    }

    fn receive(&mut self) -> TurnCommit {
        if self.inbox.is_empty() {
            return self.message();
        }
        let id = self.inbox.remove(self.random.below(self.inbox.len()));
        TurnCommit::with(|turn| turn.inbox_done = vec![id])
    }

    fn purge(&mut self) -> TurnCommit {
        let life = self.lives.swap_remove(self.random.below(self.lives.len()));
        let Instance { head, tasks, timers, .. } = life;
        TurnCommit::with(|turn| {
            turn.purge = Some(head.life.key);
            (turn.tasks_done, turn.timers_done) = (tasks, timers);
        })
    }

    /// Returns a turn as the engine would write it: a record, its answers, and the operations that it issues.
    fn step(&mut self, at: usize) -> TurnCommit {
        let bytes = self.payload();
        let (task, timer) = (self.random.percent(60), self.random.percent(30));
        self.operations += 1;
        let operation = OperationId(self.operations);
        let life = &mut self.lives[at];
        let (key, execution) = (life.head.life.key, life.head.life.execution);
        let turn_number = life.records;
        life.records += 1;
        let record = RecordRow::new(key, execution, turn_number, Timestamp(10), bytes.into());
        let mut turn = TurnCommit::with(|turn| turn.record = Some(record));
        turn.tasks_done = std::mem::take(&mut life.tasks);
        turn.timers_done = std::mem::take(&mut life.timers);
        if task {
            let id = TaskId { key, execution, operation };
            turn.tasks_new.push(TaskRow::new(id, turn_number, "work"));
            life.tasks.push(id);
        }
        if timer {
            let row = TimerRow { fire_at: Timestamp(operation.0.into()), key, execution, operation };
            turn.timers_new.push(row);
            life.timers.push(row);
        }
        turn
    }

    fn status(&mut self, at: usize) -> HeadChange {
        let head = &mut self.lives[at].head;
        let progress = head.progress_mut();
        progress.revision += 1;
        progress.custom_status_version += 1;
        progress.custom_status = Some(JsonText::from_string(progress.revision.to_string()));
        HeadChange::Progress { key: head.life.key, progress: Arc::clone(&head.progress) }
    }
}
