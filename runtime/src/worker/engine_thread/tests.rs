//! The engine, round by round, with a store that answers when the test says so.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::super::activities::{Activities, ActivityBounds, ActivityHost};
use super::super::loss::Loss;
use super::super::meters::Meters;
use super::super::partition_state::PartitionState;
use super::super::port::{ClientQueue, RuntimePort};
use super::super::process::{Judged, Process};
use super::super::registered::Registered;
use super::super::routes::{Routes, ThreadRoute};
use super::super::scripted_store::ScriptedStore;
use super::super::session::{SessionBounds, SessionParts};
use super::super::shutdown::RuntimeEnd;
use super::super::shutdown::ShutdownError;
use super::super::shutdown::ThreadResults;
use super::super::store_access::StoreAccess;
use super::*;
use crate::client::{Answered, BoxFuture, ChangeHub, ClientPort, SubmitError};
use crate::clock::ManualClock;
use crate::context::Context as Ctx;
use crate::definition::{
    ActivityHandler, ActivityRegistration, BoxedOrchestration, OrchestratorRegistration, Registration,
};
use crate::engine::{ActivityTask, ClientAnswer, ClientOperation, IdReusePolicy, PartitionConfig, StartOperation};
use crate::model::{
    DecodeError, Epoch, Execution, InstanceId, InstanceKey, JsonText, OperationId, SourceLocation, TaskId, Timestamp,
};
use crate::registry::Registry;
use crate::store::{Backlog, Claim, CommitError, OpenError, Store};
use crate::worker::trials::Trials;

mod partitions;

type Answer = BoxFuture<Result<Answered, SubmitError>>;

/// An engine without its thread: the test runs the rounds.
struct Bench {
    store: Arc<ScriptedStore>,
    engine: Engine,
    port: RuntimePort,
    started: oneshot::Receiver<()>,
    tokio: tokio::runtime::Runtime,
}

fn done(_: Ctx, _: &JsonText) -> Result<BoxedOrchestration, DecodeError> {
    Ok(Box::pin(async { Ok(JsonText::null()) }))
}

fn registry() -> Arc<Registered> {
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
    let activity = ActivityRegistration {
        name: "busy",
        marker: "busy",
        location,
        handler,
        check_input: |_| Ok(()),
        service: None,
        concurrency: None,
    };
    Arc::new(Registered::new(
        Registry::new([Registration::Orchestrator(entry), Registration::Activity(activity)]).unwrap(),
    ))
}

fn claim(epoch: u32) -> Claim {
    Claim { epoch: Epoch(epoch), store_id: uuid::Uuid::nil(), clean: true, suspects: bytes::Bytes::new() }
}

impl Bench {
    fn new(bounds: SessionBounds, calls_bound: usize) -> Self {
        Self::on(ScriptedStore::default(), bounds, calls_bound)
    }

    /// An engine with one thread and several partitions. The epoch of the first claim of each partition is its number.
    fn with_partitions(count: u16) -> Self {
        Self::on(ScriptedStore::with_partitions(count), SessionBounds::default(), 8)
    }

    fn on(store: ScriptedStore, bounds: SessionBounds, calls_bound: usize) -> Self {
        let count = store.partitions();
        let mut bench = Self::idle(store, bounds, calls_bound);
        let opened = |id: PartitionId| (id, Ok((claim(u32::from(id.0) + 1), Backlog::default())));
        bench.engine.begin(count.all().map(opened).collect()).unwrap();
        bench
    }

    /// An engine before its first session.
    fn idle(store: ScriptedStore, bounds: SessionBounds, calls_bound: usize) -> Self {
        let (store, registry) = (Arc::new(store), registry());
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (sender, notices) = mpsc::unbounded_channel();
        let (calls, client) = mpsc::unbounded_channel();
        let bell = Arc::new(Bell::new(std::thread::current()));
        let thread = ThreadRoute { bell: Arc::clone(&bell), notices: sender };
        let routes = Arc::new(Routes::new(store.partitions(), [thread].into()));
        let host = ActivityHost {
            code: Arc::clone(&registry) as Arc<dyn super::super::activity_run::ActivityCode>,
            state: Arc::default(),
            routes: Arc::clone(&routes),
            time: None,
            meters: Arc::new(Meters::new(store.partitions())),
        };
        let bound = ActivityBounds { slots: 1, kept_bytes: 0 };
        let store_part = Arc::clone(&store) as Arc<dyn Store>;
        let (judged, started) = oneshot::channel();
        let process = Arc::new(Process {
            activities: Mutex::new(Activities::new(host, bound)),
            tokio: tokio.handle().clone(),
            hub: Arc::new(ChangeHub::new()),
            routes: Arc::clone(&routes),
            ending: Arc::new(RuntimeEnd::default()),
            closing: Arc::new(ThreadResults::new(1, Arc::clone(&bell))),
            access: Arc::new(StoreAccess::new(Arc::clone(&store_part))),
            judged: Judged::new(store.partitions().get().into(), judged),
            trials: Trials::default(),
            registered: Arc::clone(&registry),
            meters: Arc::new(Meters::new(store.partitions())),
        });
        let clock = Arc::new(ManualClock::new(Timestamp(1)));
        let port = RuntimePort {
            queue: ClientQueue { places: Arc::new(Semaphore::new(64)), threads: [calls].into() },
            routes,
            store: Arc::clone(&process.access),
            hub: Arc::clone(&process.hub),
            registry: Arc::clone(&registry),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ending: Arc::clone(&process.ending),
            starts: AtomicUsize::new(0),
            time: None,
        };
        let (config, turn) = (PartitionConfig::default(), Arc::default());
        let parts = SessionParts { store: store_part, config, registry, bounds, turn };
        let shared = Shared { parts, process, calls_bound };
        let engine = Engine::new(EngineThread { shared, clock, notices, client, bell, place: None });
        Self { store, engine, port, started, tokio }
    }

    /// Runs rounds until one finds nothing to do.
    fn settle(&mut self) -> Result<(), End> {
        while self.engine.round(&mut Context::from_waker(Waker::noop()))? {}
        Ok(())
    }

    /// Returns what the engine does about a loss of its first partition.
    fn lose(&mut self, loss: Loss) -> Result<(), End> {
        let now = self.engine.now();
        self.engine.with_partition(PartitionId::FIRST, |partition, shared| partition.lose(shared, loss, now))
    }

    fn process(&self) -> &Process {
        &self.engine.thread.shared.process
    }

    /// Returns the number of waiting calls, in the queue of the thread or of a partition.
    fn waiting(&self) -> usize {
        64 - self.port.queue.places.available_permits()
    }

    fn start(&self) -> Answer {
        self.start_as(None)
    }

    fn start_as(&self, id: Option<InstanceId>) -> Answer {
        self.submit(ClientOperation::Start(Box::new(StartOperation {
            id,
            name: "done".to_owned(),
            version: None,
            input: JsonText::null(),
            tags: std::collections::BTreeMap::new(),
            start_at: None,
            custom_status: None,
            reuse: IdReusePolicy::default(),
            trace: None,
        })))
    }

    fn submit(&self, operation: ClientOperation) -> Answer {
        let mut answer = self.port.submit(operation, false);
        assert!(waits(&mut answer));
        answer
    }

    fn turns_in_flight(&self) -> usize {
        self.store.commits().iter().map(|batch| batch.turns.len()).sum()
    }

    /// The pause before the next attempt is a few milliseconds of real time.
    fn wait_for_claim(&mut self) {
        while self.store.claiming().is_empty() {
            self.settle().unwrap();
        }
    }

    /// Answers every commit until none is left.
    fn commit_all(&mut self) {
        while self.turns_in_flight() > 0 {
            self.store.answer_commit(Ok(()));
            self.settle().unwrap();
        }
    }

    fn stop(&mut self) -> oneshot::Receiver<Result<(), ShutdownError>> {
        let told = self.process().closing.wait();
        let request = StopRequest { grace: Duration::ZERO, after_cancel: Duration::ZERO };
        self.process().routes.tell_all(|| Notice::Stop(request));
        told
    }
}

fn poll(answer: &mut Answer) -> Poll<Result<Answered, SubmitError>> {
    answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the answer, which must be there.
fn answered(mut answer: Answer) -> Result<Answered, SubmitError> {
    let Poll::Ready(answer) = poll(&mut answer) else { panic!("no answer") };
    answer
}

fn waits(answer: &mut Answer) -> bool {
    poll(answer).is_pending()
}

fn refused(answer: Answer) -> String {
    let Err(SubmitError::StoreUnavailable { cause }) = answered(answer) else { panic!("not refused") };
    cause
}

fn is_unknown(answer: Answer) -> bool {
    matches!(answered(answer), Err(SubmitError::OutcomeUnknown { .. }))
}

#[test]
fn a14_no_call_is_taken_and_no_turn_starts_while_the_store_is_behind() {
    let bounds = SessionBounds { undurable_bytes: 0, turns_per_round: 1, ..SessionBounds::default() };
    let mut bench = Bench::new(bounds, 64);
    let mut answers: Vec<_> = (0..3).map(|_| bench.start()).collect();
    bench.settle().unwrap();
    answers.push(bench.start());
    bench.settle().unwrap();
    assert_eq!(bench.waiting(), 1, "the late call is still in the queue");
    let mut turns = 0;
    while bench.turns_in_flight() > 0 {
        assert_eq!(bench.turns_in_flight(), 1, "turns started while the store was behind");
        turns += 1;
        bench.store.answer_commit(Ok(()));
        bench.settle().unwrap();
    }
    assert!(turns >= 4, "{turns} turns");
    answers.into_iter().for_each(|answer| assert!(answered(answer).is_ok()));
}

#[test]
fn a14_the_partition_has_a_bounded_number_of_calls() {
    let mut bench = Bench::new(SessionBounds::default(), 2);
    let answers: Vec<_> = (0..5).map(|_| bench.start()).collect();
    bench.settle().unwrap();
    assert_eq!(bench.waiting(), 3, "three calls are still in the queue");
    bench.commit_all();
    answers.into_iter().for_each(|answer| assert!(answered(answer).is_ok()));
}

#[test]
fn b04_calls_are_refused_with_the_cause_while_the_store_is_in_trouble() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let mut first = bench.start();
    bench.settle().unwrap();
    bench.store.answer_commit(Err(CommitError::Full("no room".to_owned())));
    bench.settle().unwrap();
    let late = bench.start();
    bench.settle().unwrap();
    let cause = refused(late);
    assert!(cause.contains("no room"), "{cause}");
    assert!(waits(&mut first), "its batch is kept and sent again");
}

#[test]
fn b01_a_loss_answers_every_call_and_no_call_is_accepted_before_the_next_claim() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let lost = bench.start();
    bench.settle().unwrap();
    bench.store.answer_commit(Err(CommitError::Ambiguous("sync".to_owned())));
    bench.settle().unwrap();
    assert!(is_unknown(lost));
    let mut waiting = bench.start();
    bench.settle().unwrap();
    assert_eq!((bench.store.claiming().len(), bench.turns_in_flight()), (1, 0));
    assert!(waits(&mut waiting));
    bench.store.answer_claim(Ok(claim(2)));
    bench.settle().unwrap();
    assert_eq!(bench.store.commits()[0].epoch, Epoch(2));
    bench.store.answer_commit(Ok(()));
    bench.settle().unwrap();
    let answer = answered(waiting).unwrap().answer;
    assert!(matches!(answer, ClientAnswer::Started { created: true, .. }), "{answer:?}");
}

#[test]
fn b01_three_losses_in_a_row_stop_the_runtime_and_a_commit_resets_the_count() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let lose = |bench: &mut Bench, epoch: u32| {
        drop(bench.start());
        bench.settle().unwrap();
        bench.store.answer_commit(Err(CommitError::Unexpected("row".to_owned())));
        bench.settle()?;
        bench.store.answer_claim(Ok(claim(epoch)));
        bench.settle().unwrap();
        Ok(())
    };
    assert_eq!((lose(&mut bench, 2), lose(&mut bench, 3)), (Ok(()), Ok(())));
    drop(bench.start());
    bench.settle().unwrap();
    bench.commit_all();
    assert_eq!((lose(&mut bench, 4), lose(&mut bench, 5)), (Ok(()), Ok(())));
    assert!(matches!(lose(&mut bench, 6), Err(End::Fatal { .. })));
}

#[test]
fn b01_a_store_owned_by_another_runtime_stops_this_one_and_other_errors_are_retried() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let store = || "s.db".to_owned();
    bench.lose(Loss::Recover("planted".to_owned())).unwrap();
    bench.settle().unwrap();
    bench.store.answer_claim(Err(OpenError::Full { store: store(), detail: "no room".to_owned() }));
    bench.settle().unwrap();
    let late = bench.start();
    bench.settle().unwrap();
    assert!(refused(late).contains("no room"));
    bench.wait_for_claim();
    bench.store.answer_claim(Err(OpenError::InUse { store: store() }));
    assert!(matches!(bench.settle(), Err(End::Fatal { cause }) if cause.contains("in use")));
}

#[test]
fn b01_an_activity_waiting_for_a_slot_starts_only_if_the_recovered_store_contains_it() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    bench.settle().unwrap();
    let task = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(1) };
    let instance = InstanceId::new("one").unwrap();
    let task = ActivityTask {
        store_id: uuid::Uuid::nil(),
        task,
        attempt: None,
        instance,
        name: "busy".into(),
        input: JsonText::null(),
        trace: None,
    };
    assert!(bench.process().activities().run(PartitionId::FIRST, Box::new(task)).is_none());
    bench.lose(Loss::Recover("planted".to_owned())).unwrap();
    bench.settle().unwrap();
    let running = |bench: &Bench| bench.process().activities().running(PartitionId::FIRST);
    assert_eq!(running(&bench), 0);
    // The commit with the unknown outcome had removed its row.
    bench.store.answer_claim(Ok(claim(2)));
    bench.settle().unwrap();
    assert_eq!(running(&bench), 0);
}

#[test]
fn b22_a_panic_of_the_engine_is_a_loss() {
    let mut bench = Bench::new(SessionBounds::default(), 8);
    let PartitionState::Running(session) = bench.engine.partitions[0].state_mut() else { panic!("no session") };
    let loss = session.with_partition(|_| -> () { panic!("planted") }).unwrap_err();
    assert_eq!(loss, Loss::Recover("the engine panicked: planted".to_owned()));
}

#[test]
fn b21_the_end_answers_the_calls_of_the_partition_and_the_calls_in_the_queue() {
    let bounds = SessionBounds { undurable_bytes: 0, ..SessionBounds::default() };
    let mut bench = Bench::new(bounds, 1);
    let (had, queued) = (bench.start(), bench.start());
    bench.settle().unwrap();
    let mut told = bench.stop();
    bench.settle().unwrap();
    bench.engine.end(&End::Stopped, &mut Context::from_waker(Waker::noop()));
    assert!(is_unknown(had));
    assert!(matches!(answered(queued), Err(SubmitError::RuntimeStopped)));
    assert!(matches!(told.try_recv(), Ok(Err(_))), "not drained");
    drop(bench.tokio);
}
