//! The engine, round by round, on a store that answers when the test says so.

use tokio::sync::{mpsc, oneshot};

use super::super::activities::{Activities, ActivityBounds, ActivityHost};
use super::super::calls::Calls;
use super::super::clock::ManualClock;
use super::super::registered::RegisteredActivities;
use super::super::scripted_store::ScriptedStore;
use super::super::session::SessionBounds;
use super::*;
use crate::client::{Answered, ChangeHub};
use crate::context::Context as Ctx;
use crate::contract::{
    ActivityHandler, ActivityRegistration, BoxedOrchestration, OrchestratorRegistration, Registration,
};
use crate::engine::{ActivityTask, ClientAnswer, ClientOperation, IdReusePolicy, PartitionConfig, StartOperation};
use crate::model::{Epoch, Execution, FailureDetails, InstanceId, InstanceKey, JsonText, OperationId, SourceLocation};
use crate::registry::Registry;
use crate::store::{Claim, CommitError, OpenError, Store};

type Answer = oneshot::Receiver<Result<Answered, SubmitError>>;

/// An engine without its thread: the test does the rounds.
struct Bench {
    store: Arc<ScriptedStore>,
    engine: Engine,
    calls: mpsc::Sender<ClientCall>,
    messages: mpsc::UnboundedSender<Notice>,
    tokio: tokio::runtime::Runtime,
}

fn done(_: Ctx, _: &JsonText) -> Result<BoxedOrchestration, FailureDetails> {
    Ok(Box::pin(async { Ok(JsonText::null()) }))
}

fn registry() -> Arc<Registry> {
    let location = SourceLocation { file: file!(), line: line!(), column: 1 };
    let name = "done";
    let entry = OrchestratorRegistration {
        name,
        version: "",
        marker: name,
        location,
        handler: done,
        calls: &[],
        events: None,
        check_input: |_| Ok(()),
    };
    let handler: ActivityHandler = |_, _| Box::pin(std::future::pending());
    let activity = ActivityRegistration { name: "busy", marker: "busy", location, handler, service: None };
    Arc::new(Registry::new([Registration::Orchestrator(entry), Registration::Activity(activity)]).unwrap())
}

fn claim(epoch: u32) -> Claim {
    Claim { epoch: Epoch(epoch), store_id: uuid::Uuid::nil(), clean: true }
}

impl Bench {
    fn new(bounds: SessionBounds, calls_bound: usize) -> Self {
        let store = Arc::new(ScriptedStore::default());
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (messages, internal) = mpsc::unbounded_channel();
        let (calls, client) = mpsc::channel(64);
        let registry = registry();
        let host = ActivityHost {
            code: Arc::new(RegisteredActivities(Arc::clone(&registry))),
            state: Arc::default(),
            tokio: tokio.handle().clone(),
            reports: messages.clone(),
        };
        let bound = ActivityBounds { slots: 1, kept_bytes: 0 };
        let store_part = Arc::clone(&store) as Arc<dyn Store>;
        let thread = EngineThread {
            world: World {
                shown: None,
                activities: Activities::new(host, bound),
                calls: Calls::default(),
                hub: Arc::new(ChangeHub::new()),
                started: None,
            },
            access: Arc::new(StoreAccess::new(Arc::clone(&store_part))),
            parts: SessionParts { store: store_part, config: PartitionConfig::default(), registry, bounds },
            clock: Arc::new(ManualClock::new(Timestamp(1))),
            internal,
            client,
            calls_bound,
            ending: Arc::default(),
        };
        let mut engine = Engine::new(thread);
        engine.begin((claim(1), Backlog::default())).unwrap();
        Self { store, engine, calls, messages, tokio }
    }

    /// Rounds until one finds nothing to do.
    fn settle(&mut self) -> Result<(), Loss> {
        while self.engine.round(&mut Context::from_waker(Waker::noop()))? {}
        Ok(())
    }

    /// Rounds until one is lost, and what the engine makes of that.
    fn lose(&mut self) -> Result<(), End> {
        let loss = self.settle().unwrap_err();
        self.engine.lose(loss)
    }

    fn start(&self) -> Answer {
        self.submit(ClientOperation::Start(Box::new(StartOperation {
            id: None,
            name: "done".to_owned(),
            version: None,
            input: JsonText::null(),
            tags: std::collections::BTreeMap::new(),
            start_at: None,
            custom_status: None,
            reuse: IdReusePolicy::default(),
        })))
    }

    fn submit(&self, operation: ClientOperation) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.calls.try_send(ClientCall { operation, follow: false, answer }).unwrap();
        answered
    }

    fn turns_in_flight(&self) -> usize {
        self.store.commits().iter().map(|batch| batch.turns.len()).sum()
    }
}

fn waits(answer: &mut Answer) -> bool {
    matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

#[test]
fn a14_no_call_is_taken_and_no_turn_starts_while_the_store_is_behind() {
    let bounds = SessionBounds { undurable_bytes: 0, turns_per_round: 1, ..SessionBounds::default() };
    let mut bench = Bench::new(bounds, 64);
    let mut answers: Vec<_> = (0..3).map(|_| bench.start()).collect();
    bench.settle().unwrap();
    answers.push(bench.start());
    bench.settle().unwrap();
    assert_eq!(bench.calls.capacity(), bench.calls.max_capacity() - 1, "the late call is still in the queue");
    let mut turns = 0;
    while bench.turns_in_flight() > 0 {
        assert_eq!(bench.turns_in_flight(), 1, "turns started while the store was behind");
        turns += 1;
        bench.store.answer_commit(Ok(()));
        bench.settle().unwrap();
    }
    assert!(turns >= 4 && !answers.iter_mut().any(waits), "{turns} turns");
}

#[test]
fn a14_the_partition_has_a_bounded_number_of_calls() {
    let mut bench = Bench::new(SessionBounds::default(), 2);
    let mut answers: Vec<_> = (0..5).map(|_| bench.start()).collect();
    bench.settle().unwrap();
    assert_eq!(bench.calls.capacity(), bench.calls.max_capacity() - 3, "three calls are still in the queue");
    while bench.turns_in_flight() > 0 {
        bench.store.answer_commit(Ok(()));
        bench.settle().unwrap();
    }
    assert!(!answers.iter_mut().any(waits));
}

#[test]
fn b04_calls_are_refused_with_the_cause_while_the_store_is_in_trouble() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let mut first = bench.start();
    bench.settle().unwrap();
    bench.store.answer_commit(Err(CommitError::Full("no room".to_owned())));
    bench.settle().unwrap();
    let mut refused = bench.start();
    bench.settle().unwrap();
    let Ok(Err(SubmitError::StoreUnavailable { cause })) = refused.try_recv() else { panic!("not refused") };
    assert!(cause.contains("no room"), "{cause}");
    assert!(waits(&mut first), "its batch is kept and sent again");
}

#[test]
fn b01_a_loss_answers_every_call_and_nothing_is_taken_before_the_claim() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let mut lost = bench.start();
    bench.settle().unwrap();
    bench.store.answer_commit(Err(CommitError::Ambiguous("sync".to_owned())));
    bench.lose().unwrap();
    assert!(matches!(lost.try_recv(), Ok(Err(SubmitError::OutcomeUnknown { .. }))));
    let mut waiting = bench.start();
    bench.settle().unwrap();
    assert_eq!((bench.store.claims(), bench.turns_in_flight()), (1, 0));
    assert!(waits(&mut waiting));
    bench.store.answer_claim(Ok(claim(2)));
    bench.settle().unwrap();
    assert_eq!(bench.store.commits()[0].epoch, Epoch(2));
    bench.store.answer_commit(Ok(()));
    bench.settle().unwrap();
    assert!(matches!(waiting.try_recv(), Ok(Ok(Answered { answer: ClientAnswer::Started { created: true, .. }, .. }))));
}

#[test]
fn b01_three_losses_in_a_row_are_the_end_and_a_commit_between_starts_the_count_again() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let lose = |bench: &mut Bench, epoch: u32| {
        drop(bench.start());
        bench.settle().unwrap();
        bench.store.answer_commit(Err(CommitError::Unexpected("row".to_owned())));
        bench.lose()?;
        bench.settle().unwrap();
        bench.store.answer_claim(Ok(claim(epoch)));
        bench.settle().unwrap();
        Ok(())
    };
    assert_eq!((lose(&mut bench, 2), lose(&mut bench, 3)), (Ok(()), Ok(())));
    drop(bench.start());
    bench.settle().unwrap();
    while bench.turns_in_flight() > 0 {
        bench.store.answer_commit(Ok(()));
        bench.settle().unwrap();
    }
    assert_eq!((lose(&mut bench, 4), lose(&mut bench, 5)), (Ok(()), Ok(())));
    assert!(matches!(lose(&mut bench, 6), Err(End::Fatal { .. })));
}

#[test]
fn b01_a_store_that_somebody_else_has_is_the_end_and_any_other_trouble_is_waited_out() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let store = || "s.db".to_owned();
    let _ = bench.engine.lose(Loss::Recover("planted".to_owned()));
    bench.settle().unwrap();
    bench.store.answer_claim(Err(OpenError::Full { store: store(), detail: "no room".to_owned() }));
    bench.settle().unwrap();
    let mut refused = bench.start();
    bench.settle().unwrap();
    assert!(matches!(refused.try_recv(), Ok(Err(SubmitError::StoreUnavailable { .. }))));
    // The pause before the next attempt is a few milliseconds of real time.
    while bench.store.claims() == 0 {
        bench.settle().unwrap();
    }
    bench.store.answer_claim(Err(OpenError::InUse { store: store() }));
    assert!(matches!(bench.lose(), Err(End::Fatal { cause }) if cause.contains("in use")));
}

#[test]
fn b01_what_waits_for_a_slot_does_not_start_before_the_recovered_store_knows_it() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    bench.settle().unwrap();
    let task = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(1) };
    let instance = InstanceId::new("one").unwrap();
    let task =
        ActivityTask { store_id: uuid::Uuid::nil(), task, instance, name: "busy".into(), input: JsonText::null() };
    assert!(bench.engine.thread.world.activities.run(Box::new(task)).is_none());
    bench.engine.lose(Loss::Recover("planted".to_owned())).unwrap();
    bench.settle().unwrap();
    assert_eq!(bench.engine.thread.world.activities.running(), 0);
    // The commit whose outcome was unknown had removed its row.
    bench.store.answer_claim(Ok(claim(2)));
    bench.settle().unwrap();
    assert_eq!(bench.engine.thread.world.activities.running(), 0);
}

#[test]
fn b22_a_panic_of_the_engine_is_a_loss() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let Phase::Running(session) = &mut bench.engine.phase else { panic!("no session") };
    let loss = session.with_partition(|_| -> () { panic!("planted") }).unwrap_err();
    assert_eq!(loss, Loss::Recover("the engine panicked: planted".to_owned()));
}

#[test]
fn b21_the_end_answers_what_the_partition_had_and_what_was_in_the_queue() {
    let bounds = SessionBounds { undurable_bytes: 0, ..SessionBounds::default() };
    let mut bench = Bench::new(bounds, 1);
    let (mut had, mut queued) = (bench.start(), bench.start());
    bench.settle().unwrap();
    let (done, mut told) = oneshot::channel();
    let now = std::time::Duration::ZERO;
    bench.messages.send(Notice::Stop(StopRequest { grace: now, after_cancel: now, done })).unwrap();
    bench.settle().unwrap();
    bench.engine.end(&End::Stopped, &mut Context::from_waker(Waker::noop()));
    assert!(matches!(had.try_recv(), Ok(Err(SubmitError::OutcomeUnknown { .. }))));
    assert!(matches!(queued.try_recv(), Ok(Err(SubmitError::RuntimeStopped))));
    assert!(matches!(told.try_recv(), Ok(Err(_))), "not drained");
    drop(bench.tokio);
}
