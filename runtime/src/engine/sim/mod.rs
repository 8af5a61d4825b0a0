//! A deterministic harness around the partitions of a store: a model of the store, a manual clock, and a driver whose every
//! step the test decides, by hand or by a seed.
//!
//! It enforces what the driver promises: effects leave when their commit is durable and not before, reads begin after
//! their request, an activity has at most one run at a time and none after its row is gone.
//!
//! Steps are taken by the partition in focus. Most tests have one partition, and never change the focus.

mod activities;
mod ask;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod code;
mod elsewhere;
mod lane;
pub(crate) mod program;
pub(crate) mod store;

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use self::activities::Activities;
pub(crate) use self::lane::Lane;
use self::store::ModelStore;
use crate::definition::OrchestratorHandler;
use crate::engine::{
    Cautious, ClientAnswer, ClientOperation, Effect, IdReusePolicy, PartitionConfig, PartitionInput, Refusal,
    RequestId, StartOperation, TurnOffer, TurnTicket,
};
use crate::model::{
    Epoch, Execution, Head, Input, InstanceId, InstanceKey, JsonText, ParkReason, PartitionCount, PartitionId, TaskId,
    Timestamp, TurnCommit, TurnRecord, wire,
};
use crate::registry::Registry;
use crate::store::LoadError;

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

/// The partitions, their store and their driver.
pub(crate) struct Sim {
    pub(crate) config: PartitionConfig,
    pub(crate) registry: Arc<Registry>,
    pub(crate) partitions: PartitionCount,
    pub(crate) store: ModelStore,
    lanes: Vec<Lane>,
    focus: usize,
    pub(crate) now: Timestamp,
    pub(crate) activities: Activities,
    /// The code of the programs that run elsewhere, by name.
    pub(crate) elsewhere: BTreeMap<String, OrchestratorHandler>,
    /// Offers wait until the test answers them.
    pub(crate) holds_offers: bool,
    /// The turns that were offered to programs elsewhere, in order.
    pub(crate) offers: Vec<TurnOffer>,
    /// The offers that nobody waits for any more.
    pub(crate) abandoned: Vec<TurnTicket>,
    /// Partitions that were told to look and have not looked.
    pub(crate) looks: VecDeque<PartitionId>,
    /// The test has damaged rows: they are not checked.
    pub(crate) damaged: bool,
    /// Checks are done as soon as they can be, and not only before the next turn.
    pub(crate) verifies: bool,
    /// Reads that answer as if the store were damaged.
    pub(crate) unreadable: bool,
    /// All turn records that became durable, in order.
    pub(crate) recorded: Vec<(InstanceKey, Execution, TurnRecord)>,
    /// All turn commits that became durable, in order.
    pub(crate) durable_commits: Vec<TurnCommit>,
    /// All heads that were published, in order.
    pub(crate) published: Vec<Head>,
    /// All heads that were reported as parked, in order.
    pub(crate) parked: Vec<Head>,
    /// What was reported of instances that had ended, in order.
    pub(crate) not_repeatable: Vec<ParkReason>,
    pub(crate) answers: BTreeMap<RequestId, (PartitionId, Option<Answer>)>,
    /// The epoch that was given last, whatever the partition.
    epoch: Epoch,
}

/// The partition in focus.
impl Deref for Sim {
    type Target = Lane;

    fn deref(&self) -> &Lane {
        &self.lanes[self.focus]
    }
}

impl DerefMut for Sim {
    fn deref_mut(&mut self) -> &mut Lane {
        &mut self.lanes[self.focus]
    }
}

impl Sim {
    pub(crate) fn new(config: PartitionConfig, registry: Registry) -> Self {
        Self::with_partitions(PartitionCount::ONE, config, registry)
    }

    pub(crate) fn with_partitions(partitions: PartitionCount, config: PartitionConfig, registry: Registry) -> Self {
        crate::engine::recognise_missing_runtime(&tokio::runtime::Handle::try_current().unwrap_err());
        let registry = Arc::new(registry);
        let store = ModelStore::new(partitions);
        let epochs = (1..).map(Epoch);
        let lane = |(home, epoch)| Lane::recover(&config, &registry, (home, partitions), (epoch, true), &store, EPOCH);
        let lanes: Vec<_> = partitions.all().zip(epochs).map(lane).collect();
        Self {
            epoch: Epoch(u32::from(partitions.get())),
            config,
            registry,
            partitions,
            store,
            lanes,
            focus: 0,
            now: EPOCH,
            activities: Activities::default(),
            elsewhere: BTreeMap::new(),
            holds_offers: false,
            offers: Vec::new(),
            abandoned: Vec::new(),
            looks: VecDeque::new(),
            damaged: false,
            verifies: true,
            unreadable: false,
            recorded: Vec::new(),
            durable_commits: Vec::new(),
            published: Vec::new(),
            parked: Vec::new(),
            not_repeatable: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    // ── the focus ───────────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn focus(&mut self, partition: PartitionId) {
        self.focus = usize::from(partition.0);
    }

    fn home(&self) -> PartitionId {
        PartitionId(u16::try_from(self.focus).unwrap())
    }

    /// The partition of an instance, by its id or by one of its tasks.
    fn focus_on(&mut self, id: &InstanceId) {
        self.focus(self.partitions.partition_of(id));
    }

    fn each(&mut self, mut work: impl FnMut(&mut Self)) {
        let before = self.focus;
        for partition in self.partitions.all() {
            self.focus(partition);
            work(self);
        }
        self.focus = before;
    }

    // ── single steps ────────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn call(&mut self, operation: ClientOperation) -> RequestId {
        if let Some(id) = operation.target().cloned() {
            self.focus_on(&id);
        }
        let request = RequestId(self.answers.len() as u64 + 1);
        self.answers.insert(request, (self.home(), None));
        self.handle(PartitionInput::Client { request, operation });
        request
    }

    pub(crate) fn handle(&mut self, input: PartitionInput) {
        let now = self.now;
        self.partition.handle(now, input);
        self.take_outputs();
    }

    /// Lets those partitions begin that may: one that tries suspects, or all that do not. Returns whether there was one.
    pub(crate) fn let_one_begin(&mut self) -> bool {
        let states: Vec<_> = self.lanes.iter().map(|lane| lane.partition.cautious()).collect();
        let place = |state| states.iter().position(|other| *other == state);
        if place(Cautious::Tries).is_some() {
            return false;
        }
        let first = place(Cautious::Waits { trial: true }).or_else(|| place(Cautious::Waits { trial: false }));
        let Some(first) = first else { return false };
        self.focus = first;
        let now = self.now;
        self.partition.let_begin(now);
        self.take_outputs();
        true
    }

    /// Tells a partition to look that was told to, the one at this place.
    pub(crate) fn look(&mut self, place: usize) {
        if let Some(partition) = self.looks.remove(place) {
            self.focus(partition);
            self.handle(PartitionInput::Look);
        }
    }

    /// Runs turns of the partition in focus until none is ready.
    pub(crate) fn run(&mut self) {
        for _ in 0..100_000 {
            if !self.run_some(64) {
                return;
            }
        }
        panic!("turns never end");
    }

    pub(crate) fn run_some(&mut self, turns: usize) -> bool {
        let now = self.now;
        let more = self.partition.run(now, turns);
        self.take_outputs();
        more
    }

    /// Sends the oldest commits as one batch.
    pub(crate) fn commit(&mut self, turns: usize, fate: Fate) {
        let turns = turns.min(self.commits.len());
        let batch: Vec<_> = self.commits.drain(..turns).collect();
        let Some((upto, _)) = batch.last() else { return };
        let upto = *upto;
        let turns: Vec<_> = batch.into_iter().map(|(_, turn)| turn).collect();
        if fate != Fate::LostBefore {
            let home = self.home();
            if let Err(problem) = self.store.apply(home, &turns) {
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
        let now = self.now;
        while self.verifies && self.partition.verify(now, 1) {}
        self.take_outputs();
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
        let (store, lane) = (&self.store, &mut self.lanes[self.focus]);
        let damage = self.unreadable.then(|| LoadError::Corrupt("a page is damaged".to_owned()));
        lane.read(store, place, damage);
    }

    /// Answers the load at this place, reading it first where that was not done.
    pub(crate) fn deliver_load(&mut self, place: usize) {
        if self.loads.get(place).is_some_and(|load| load.answer.is_none()) {
            self.read(place);
        }
        let Some(load) = self.loads.remove(place) else { return };
        if let Some(answer) = load.answer {
            self.handle(answer);
        }
    }

    /// Ends a running activity.
    pub(crate) fn finish(&mut self, task: TaskId) {
        let (instance, input) = self.activities.finish(task).unzip();
        if let (Some(instance), Some(input)) = (instance, input) {
            self.focus_on(&instance);
            self.handle(input);
        }
    }

    /// The memory of the partition in focus is lost; activities run on.
    pub(crate) fn recover(&mut self) {
        let home = self.home();
        self.activities.retain(&self.store, home);
        self.reopen(false, false);
    }

    /// The process is killed and started again.
    pub(crate) fn crash(&mut self) {
        self.activities.crash();
        self.each(|sim| sim.reopen(true, !sim.config.first_claim));
    }

    /// The process ends cleanly and is started again.
    pub(crate) fn shut_down(&mut self) {
        self.stop_polling();
        self.settle_rows();
        self.activities.crash();
        self.each(|sim| sim.reopen(true, true));
    }

    /// The process is killed and started again with other code.
    pub(crate) fn deploy(&mut self, registry: Registry) {
        self.registry = Arc::new(registry);
        self.crash();
    }

    /// Other code is registered while everything goes on.
    pub(crate) fn change_registry(&mut self, registry: Registry) {
        self.registry = Arc::new(registry);
        let registry = Arc::clone(&self.registry);
        self.each(|sim| sim.handle(PartitionInput::RegistryChanged(Arc::clone(&registry))));
    }

    /// A crash after which the partition is claimed for this epoch.
    pub(crate) fn crash_into_epoch(&mut self, epoch: Epoch) {
        self.epoch = Epoch(epoch.0 - 1);
        self.reopen(false, true);
    }

    /// Claims the partition in focus and loads it: as another process or as the same one.
    fn reopen(&mut self, first_claim: bool, clean: bool) {
        if !self.damaged {
            check::rows(&self.store);
        }
        let home = self.home();
        for (of, answer) in self.answers.values_mut() {
            if *of == home {
                answer.get_or_insert(Answer::Unknown);
            }
        }
        self.epoch.0 += 1;
        let place = (home, self.partitions);
        let config = PartitionConfig { first_claim: first_claim && self.config.first_claim, ..self.config.clone() };
        let claim = (self.epoch, clean);
        self.lanes[self.focus] = Lane::recover(&config, &self.registry, place, claim, &self.store, self.now);
        // What the lost memory sent may be in their inboxes, and nobody has told them.
        self.looks.extend(self.partitions.all());
        self.take_outputs();
        self.release();
    }

    fn take_outputs(&mut self) {
        self.lanes[self.focus].take_outputs();
        self.release();
    }

    fn release(&mut self) {
        while let Some(held) = self.lanes[self.focus].next_released() {
            match held {
                Effect::RunActivity(task) => {
                    if let Some(known) = self.activities.run(*task) {
                        self.handle(known);
                    }
                }
                Effect::ActivitySettled { task, .. } => self.activities.settle(task),
                Effect::Reply { request, result, .. } => {
                    let (_, answer) = self.answers.get_mut(&request).expect("an answer to a request");
                    assert_eq!(answer.replace(Answer::Is(result)), None, "one answer for each request");
                }
                Effect::InstanceChanged(head) => self.published.push(head),
                Effect::Look { partition } => self.looks.push_back(partition),
                Effect::Parked(head) => self.parked.push(head),
                Effect::OfferTurn(offer) => self.offers.push(*offer),
                Effect::AbandonTurn(ticket) => self.abandoned.push(ticket),
                Effect::NotRepeatable { reason, .. } => self.not_repeatable.push(reason),
                Effect::BacklogJudged => {}
            }
        }
    }

    // ── many steps ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Everything that goes without time passing: turns, commits one by one, reads, activities.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if self.settle_some_rows(1) {
                continue;
            }
            match self.start_activities() {
                Some(task) => self.finish(task),
                // The partition may have been told that a task has no code.
                None if self.settle_some_rows(1) => {}
                None => return,
            }
        }
        panic!("it never settles");
    }

    /// The same without activities: they stay as they are.
    pub(crate) fn settle_rows(&mut self) {
        while self.settle_some_rows(usize::MAX) {}
    }

    /// A step of every partition, with batches of so many turns. Answers whether there was anything to do.
    pub(crate) fn settle_some_rows(&mut self, turns: usize) -> bool {
        let mut any = self.let_one_begin();
        while !self.looks.is_empty() {
            self.look(0);
            any = true;
        }
        while !self.holds_offers && !self.offers.is_empty() {
            self.answer_offer(0);
            any = true;
        }
        self.each(|sim| {
            sim.run();
            if !sim.commits.is_empty() {
                sim.commit(turns, Fate::Durable);
                any = true;
            } else if !sim.loads.is_empty() {
                sim.deliver_load(0);
                any = true;
            }
        });
        any
    }

    /// Shutdown of every partition.
    pub(crate) fn stop_polling(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.partition.stop_polling());
    }

    /// Whether memory and the store are the same in every partition.
    pub(crate) fn is_quiet(&self) -> bool {
        self.lanes.iter().all(|lane| lane.partition.is_quiet())
    }

    /// Starts what is queued and gives the first that runs.
    pub(crate) fn start_activities(&mut self) -> Option<TaskId> {
        for task in self.activities.dispatch(&self.store, &self.registry) {
            self.focus_on(&task.instance);
            self.handle(PartitionInput::TaskUnregistered(Box::new(task)));
        }
        self.activities.running().next()
    }

    /// Lets time pass to the next timer until there is none.
    pub(crate) fn settle_all(&mut self) {
        for _ in 0..10_000 {
            self.settle();
            let Some(deadline) = self.lanes.iter().filter_map(|lane| lane.partition.next_deadline()).min() else {
                return;
            };
            self.now = self.now.max(deadline);
            self.each(|sim| sim.handle(PartitionInput::Tick));
        }
        panic!("timers never end");
    }

    /// Whether a partition still watches what earlier runs left.
    pub(crate) fn has_caution(&self) -> bool {
        self.lanes.iter().any(|lane| lane.partition.is_watchful())
    }

    /// Lets time pass to the next time that a partition waits for.
    pub(crate) fn pass_to_deadline(&mut self) {
        let deadline = self.lanes.iter().filter_map(|lane| lane.partition.next_deadline()).min();
        self.now = self.now.max(deadline.expect("a partition that watches waits for a time"));
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
        Input::EventsCarried { rows, consumed } => format!("{rows} rows of events without {consumed:?}"),
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
        Input::Rewound { .. } => "rewound".to_owned(),
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
        trace: None,
    }
}
