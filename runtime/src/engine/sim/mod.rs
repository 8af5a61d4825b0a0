//! A deterministic harness around a partition: a model of the store, a manual clock, and a driver whose every step the
//! test decides, by hand or by a seed.
//!
//! It enforces what the driver promises: effects leave when their commit is durable and not before, reads begin after
//! their request, an activity has at most one run at a time and none after its row is gone.

mod activities;
mod ask;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod code;
pub(crate) mod program;
pub(crate) mod store;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use self::activities::Activities;
use self::store::ModelStore;
use crate::engine::{
    ClientAnswer, ClientOperation, CommitNumber, Effect, IdReusePolicy, LoadedInstance, Partition, PartitionConfig,
    PartitionInput, PartitionOutput, Refusal, RequestId, StartOperation, Ticket,
};
use crate::model::{
    Epoch, Execution, Head, Input, InstanceId, InstanceKey, JsonText, TaskId, Timestamp, TurnCommit, TurnRecord, wire,
};
use crate::registry::Registry;
use crate::store::{Claim, InstanceRef, LoadError};

/// The instant at which every simulation begins.
pub(crate) const EPOCH: Timestamp = Timestamp(1_700_000_000_000_000);
pub(crate) const SECOND: i64 = 1_000_000;

/// What became of a client operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Is(Result<ClientAnswer, Refusal>),
    /// The memory that knew of it is gone.
    Unknown,
}

/// What the store does with a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Durable,
    /// Nothing is applied, and memory is lost.
    LostBefore,
    /// It is applied, and memory is lost.
    LostAfter,
}

/// A read on its way.
#[derive(Debug)]
pub(crate) struct Load {
    ticket: Ticket,
    target: InstanceRef,
    with_history: bool,
    /// What was read, at some moment after the request.
    read: Option<Result<Option<LoadedInstance>, LoadError>>,
}

#[derive(Debug)]
enum Held {
    Effect(Effect),
    Settled(Vec<TaskId>),
}

/// A partition, its store and its driver.
pub(crate) struct Sim {
    pub(crate) config: PartitionConfig,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: ModelStore,
    pub(crate) partition: Partition,
    pub(crate) now: Timestamp,
    pub(crate) activities: Activities,
    /// Turn commits that are not durable.
    pub(crate) commits: VecDeque<(CommitNumber, TurnCommit)>,
    pub(crate) loads: VecDeque<Load>,
    /// The test has damaged rows: they are not checked.
    pub(crate) damaged: bool,
    /// Reads that answer as if the store were damaged.
    pub(crate) unreadable: bool,
    /// All turn records that became durable, in order.
    pub(crate) recorded: Vec<(InstanceKey, Execution, TurnRecord)>,
    /// All turn commits that became durable, in order.
    pub(crate) durable_commits: Vec<TurnCommit>,
    /// All heads that were published, in order.
    pub(crate) published: Vec<Head>,
    pub(crate) answers: BTreeMap<RequestId, Option<Answer>>,
    gate: VecDeque<(CommitNumber, Held)>,
    made: CommitNumber,
    durable: CommitNumber,
    epoch: Epoch,
}

impl Sim {
    pub(crate) fn new(config: PartitionConfig, registry: Registry) -> Self {
        let registry = Arc::new(registry);
        let store = ModelStore::default();
        let partition = recover(&config, &registry, Epoch(1), &store, EPOCH);
        Self {
            config,
            registry,
            store,
            partition,
            now: EPOCH,
            activities: Activities::default(),
            commits: VecDeque::new(),
            loads: VecDeque::new(),
            damaged: false,
            unreadable: false,
            recorded: Vec::new(),
            durable_commits: Vec::new(),
            published: Vec::new(),
            answers: BTreeMap::new(),
            gate: VecDeque::new(),
            made: CommitNumber(0),
            durable: CommitNumber(0),
            epoch: Epoch(1),
        }
    }

    // ── single steps ────────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn call(&mut self, operation: ClientOperation) -> RequestId {
        let request = RequestId(self.answers.len() as u64 + 1);
        self.answers.insert(request, None);
        self.handle(PartitionInput::Client { request, operation });
        request
    }

    pub(crate) fn handle(&mut self, input: PartitionInput) {
        self.partition.handle(self.now, input);
        self.take_outputs();
    }

    /// Runs turns until none is ready.
    pub(crate) fn run(&mut self) {
        for _ in 0..100_000 {
            if !self.run_some(64) {
                return;
            }
        }
        panic!("turns never end");
    }

    pub(crate) fn run_some(&mut self, turns: usize) -> bool {
        let more = self.partition.run(self.now, turns);
        self.take_outputs();
        more
    }

    /// Sends the oldest commits as one batch.
    pub(crate) fn commit(&mut self, turns: usize, fate: Fate) {
        let batch: Vec<_> = self.commits.drain(..turns.min(self.commits.len())).collect();
        let Some((upto, _)) = batch.last() else { return };
        let upto = *upto;
        let turns: Vec<_> = batch.into_iter().map(|(_, turn)| turn).collect();
        if fate != Fate::LostBefore {
            if let Err(problem) = self.store.apply(&turns) {
                panic!("the rows are not as the engine believes: {problem}");
            }
            self.note_durable(turns);
        }
        if fate != Fate::Durable {
            return self.recover();
        }
        self.durable = upto;
        self.release();
        self.handle(PartitionInput::Committed { upto });
    }

    fn note_durable(&mut self, turns: Vec<TurnCommit>) {
        for turn in &turns {
            if let Some(row) = &turn.record {
                if !self.damaged {
                    check::rows_of(&self.store, row.key);
                }
                self.recorded.push((row.key, row.execution, wire::decode_record(&row.bytes).unwrap()));
            }
        }
        self.durable_commits.extend(turns);
    }

    /// Reads for the load at this place.
    pub(crate) fn read(&mut self, place: usize) {
        let Some(load) = self.loads.get_mut(place) else { return };
        load.read = Some(if self.unreadable {
            Err(LoadError::Corrupt("a page is damaged".to_owned()))
        } else {
            Ok(self.store.load(&load.target, load.with_history))
        });
    }

    /// Answers the load at this place, reading it first where that was not done.
    pub(crate) fn deliver_load(&mut self, place: usize) {
        if self.loads.get(place).is_some_and(|load| load.read.is_none()) {
            self.read(place);
        }
        let Some(load) = self.loads.remove(place) else { return };
        if let Some(result) = load.read {
            self.handle(PartitionInput::Loaded { ticket: load.ticket, result });
        }
    }

    /// Ends a running activity.
    pub(crate) fn finish(&mut self, task: TaskId) {
        if let Some(input) = self.activities.finish(task) {
            self.handle(input);
        }
    }

    /// Memory is lost; activities run on.
    pub(crate) fn recover(&mut self) {
        let rows = self.store.tasks.keys().copied().collect();
        self.activities.retain(&rows);
        self.reopen();
    }

    /// The process is killed and started again.
    pub(crate) fn crash(&mut self) {
        self.activities.crash();
        self.reopen();
    }

    /// The process is killed and started again with other code.
    pub(crate) fn deploy(&mut self, registry: Registry) {
        self.registry = Arc::new(registry);
        self.crash();
    }

    /// A crash after which the partition is claimed for this epoch.
    pub(crate) fn crash_into_epoch(&mut self, epoch: Epoch) {
        self.epoch = Epoch(epoch.0 - 1);
        self.reopen();
    }

    fn reopen(&mut self) {
        if !self.damaged {
            check::rows(&self.store);
        }
        self.commits.clear();
        self.loads.clear();
        self.gate.clear();
        (self.made, self.durable) = (CommitNumber(0), CommitNumber(0));
        for answer in self.answers.values_mut() {
            answer.get_or_insert(Answer::Unknown);
        }
        self.epoch.0 += 1;
        self.partition = recover(&self.config, &self.registry, self.epoch, &self.store, self.now);
        self.take_outputs();
        self.release();
    }

    fn take_outputs(&mut self) {
        let mut outputs = Vec::new();
        self.partition.take_outputs(&mut outputs);
        for output in outputs {
            match output {
                PartitionOutput::Load { ticket, target, with_history } => {
                    self.loads.push_back(Load { ticket, target, with_history, read: None });
                }
                PartitionOutput::Commit(number, turn) => {
                    assert_eq!(number.0, self.made.0 + 1, "commits are numbered without gaps");
                    self.made = number;
                    if !turn.tasks_done.is_empty() {
                        self.gate.push_back((number, Held::Settled(turn.tasks_done.clone())));
                    }
                    self.commits.push_back((number, turn));
                }
                PartitionOutput::Effect { after, effect } => {
                    assert!(after <= self.made, "an effect depends on a commit that was not made");
                    self.gate.push_back((after, Held::Effect(effect)));
                }
            }
        }
        self.release();
    }

    fn release(&mut self) {
        while self.gate.front().is_some_and(|(after, _)| *after <= self.durable) {
            let Some((_, held)) = self.gate.pop_front() else { return };
            match held {
                Held::Effect(Effect::RunActivity(task)) => {
                    if let Some(known) = self.activities.run(*task) {
                        self.handle(known);
                    }
                }
                Held::Effect(Effect::CancelActivity(task)) => self.activities.settle(task),
                Held::Effect(Effect::Reply { request, result }) => {
                    let answer = self.answers.get_mut(&request).expect("an answer to a request");
                    assert_eq!(answer.replace(Answer::Is(result)), None, "one answer for each request");
                }
                Held::Effect(Effect::InstanceChanged(head)) => self.published.push(head),
                Held::Effect(Effect::BacklogJudged) => {}
                Held::Settled(tasks) => tasks.into_iter().for_each(|task| self.activities.settle(task)),
            }
        }
    }

    // ── many steps ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Everything that goes without time passing: turns, commits one by one, reads, activities.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            self.run();
            if !self.commits.is_empty() {
                self.commit(1, Fate::Durable);
            } else if !self.loads.is_empty() {
                self.deliver_load(0);
            } else if let Some(task) = self.start_activities() {
                self.finish(task);
            } else {
                return;
            }
        }
        panic!("it never settles");
    }

    /// The same without activities: they stay as they are.
    pub(crate) fn settle_rows(&mut self) {
        loop {
            self.run();
            if !self.commits.is_empty() {
                self.commit(usize::MAX, Fate::Durable);
            } else if !self.loads.is_empty() {
                self.deliver_load(0);
            } else {
                return;
            }
        }
    }

    /// Starts what is queued and gives the first that runs.
    pub(crate) fn start_activities(&mut self) -> Option<TaskId> {
        self.activities.dispatch(&self.store);
        self.activities.running().next()
    }

    /// Lets time pass to the next timer until there is none.
    pub(crate) fn settle_all(&mut self) {
        for _ in 0..10_000 {
            self.settle();
            let Some(deadline) = self.partition.next_deadline() else { return };
            self.now = self.now.max(deadline);
            self.handle(PartitionInput::Tick);
        }
        panic!("timers never end");
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now.0 += seconds * SECOND;
        self.settle();
    }
}

/// An input in a few letters.
pub(crate) fn short(input: &Input) -> String {
    match input {
        Input::ExecutionStarted(_) => "started".to_owned(),
        Input::EventRaised { name, payload, .. } => format!("{name}:{payload}"),
        Input::TaskCompleted { operation, .. } => format!("task {}", operation.0),
        Input::TaskFailed { operation, failure } => format!("task {} failed: {}", operation.0, failure.error_type()),
        Input::TimerFired { operation } => format!("timer {}", operation.0),
        Input::SubOrchestrationCompleted { operation, .. } => format!("child {}", operation.0),
        Input::SubOrchestrationFailed { operation, failure } => {
            format!("child {} failed: {}", operation.0, failure.error_type())
        }
        Input::Terminated { .. } => "terminated".to_owned(),
        Input::Suspended { .. } => "suspended".to_owned(),
        Input::Resumed { .. } => "resumed".to_owned(),
    }
}

pub(crate) fn id(text: &str) -> InstanceId {
    InstanceId::new(text).unwrap()
}

/// A start with the default policy.
pub(crate) fn start(instance: Option<&str>, name: &str, input: &serde_json::Value) -> StartOperation {
    StartOperation {
        id: instance.map(id),
        name: name.to_owned(),
        version: None,
        input: JsonText::encode(input).unwrap(),
        tags: BTreeMap::new(),
        start_at: None,
        custom_status: None,
        reuse: IdReusePolicy::Attach,
    }
}

fn recover(
    config: &PartitionConfig,
    registry: &Arc<Registry>,
    epoch: Epoch,
    store: &ModelStore,
    now: Timestamp,
) -> Partition {
    let claim = Claim { epoch, store_id: Uuid::from_u128(0x5eed), clean: true };
    Partition::recover(config.clone(), Arc::clone(registry), &claim, store.backlog(), now)
}
