//! The table of activities, with activities that end when the test says so.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;

use super::super::bell::Bell;
use super::super::notice::Notice;
use super::super::routes::ThreadRoute;

use super::*;
use crate::definition::{ActivityHandler, BoxedActivity};
use crate::model::{Execution, FailureDetails, InstanceId, InstanceKey, JsonText, OperationId, PartitionCount};

/// Activities that end when the test says so. Their input is their number.
#[derive(Debug, Default)]
struct Scripted {
    running: Mutex<BTreeMap<u32, (ActivityContext, oneshot::Sender<ActivityResult>)>>,
    runs: Mutex<Vec<u32>>,
}

impl Scripted {
    fn run(context: ActivityContext, input: &JsonText, panics: bool) -> BoxedActivity {
        let number: u32 = input.decode().unwrap();
        let code = Arc::clone(context.state::<Arc<Self>>());
        code.runs.lock().unwrap().push(number);
        let (end, ended) = oneshot::channel();
        code.running.lock().unwrap().insert(number, (context, end));
        Box::pin(async move {
            assert!(!panics, "panicked in the future");
            ended.await.unwrap()
        })
    }
}

impl ActivityCode for Scripted {
    fn find(&self, name: &str) -> Option<ActivityHandler> {
        Some(match name {
            "unknown" => return None,
            "panics" => |context, input| Self::run(context, &input, true),
            "panics in the call" => |_, _| panic!("panicked in the call"),
            _ => |context, input| Self::run(context, &input, false),
        })
    }

    fn concurrency(&self, name: &str) -> Option<usize> {
        (name == "limited").then_some(2)
    }
}

const HOME: PartitionId = PartitionId(0);
const OTHER: PartitionId = PartitionId(1);

struct Bench {
    code: Arc<Scripted>,
    activities: Activities,
    tokio: Handle,
    messages: UnboundedReceiver<Notice>,
}

fn id(operation: u32) -> TaskId {
    TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(operation) }
}

fn ok(text: &str) -> ActivityResult {
    Ok(JsonText::encode(text).unwrap())
}

fn err(text: &str) -> ActivityResult {
    Err(FailureDetails::new("E", text).into())
}

impl Bench {
    fn new(slots: usize, kept_bytes: usize) -> Self {
        let code = Arc::new(Scripted::default());
        let (notices, messages) = mpsc::unbounded_channel();
        let thread = ThreadRoute { bell: Arc::new(Bell::new(std::thread::current())), notices };
        let routes = Routes::new(PartitionCount::new(2).unwrap(), [thread].into());
        let mut state = ActivityState::default();
        state.insert(Arc::clone(&code));
        let host = ActivityHost {
            code: Arc::clone(&code) as Arc<dyn ActivityCode>,
            state: Arc::new(state),
            routes: Arc::new(routes),
            meters: Arc::new(Meters::new(PartitionCount::new(2).unwrap())),
            time: None,
        };
        let activities = Activities::new(host, ActivityBounds { slots, kept_bytes });
        Self { code, activities, tokio: Handle::current(), messages }
    }

    fn ask(&mut self, operation: u32, name: &str) -> Option<PartitionInput> {
        self.ask_of(HOME, operation, name)
    }

    fn ask_of(&mut self, partition: PartitionId, operation: u32, name: &str) -> Option<PartitionInput> {
        let (input, instance) = (JsonText::encode(&operation).unwrap(), InstanceId::new("one").unwrap());
        let task = ActivityTask {
            trace: None,
            store_id: uuid::Uuid::nil(),
            task: id(operation),
            attempt: None,
            instance,
            name: name.to_owned().into(),
            input,
        };
        self.activities.run(partition, Box::new(task))
    }

    async fn start(&mut self, operations: impl IntoIterator<Item = u32>) {
        for operation in operations {
            assert!(self.ask(operation, "a").is_none());
        }
        self.dispatch().await;
    }

    /// Starts what may start, and lets it run until it waits.
    async fn dispatch(&mut self) {
        spawn(&self.tokio, self.activities.starts());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    fn end(&self, operation: u32, result: ActivityResult) {
        self.code.running.lock().unwrap().remove(&operation).unwrap().1.send(result).unwrap();
    }

    fn reason(&self, operation: u32) -> Option<CancellationReason> {
        self.code.running.lock().unwrap()[&operation].0.cancellation().reason()
    }

    async fn ended(&mut self) -> Option<(TaskId, ActivityResult)> {
        let Some(Notice::ActivityEnded(partition, report)) = self.messages.recv().await else { panic!("no report") };
        self.activities.ended(partition, report).map(done)
    }

    fn runs(&self) -> Vec<u32> {
        self.code.runs.lock().unwrap().clone()
    }
}

fn done(input: PartitionInput) -> (TaskId, ActivityResult) {
    let PartitionInput::TaskDone { task, result } = input else { panic!("{input:?}") };
    (task, result)
}

#[tokio::test]
async fn at_most_the_set_number_of_activities_runs_and_the_others_wait_in_order() {
    let mut bench = Bench::new(2, usize::MAX);
    bench.start([1, 2, 3, 4]).await;
    assert_eq!((bench.runs(), bench.activities.running), (vec![1, 2], 2));
    bench.end(2, ok("b"));
    assert_eq!(bench.ended().await, Some((id(2), ok("b"))));
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1, 2, 3]);
}

#[tokio::test]
async fn an_activity_with_a_limit_runs_so_many_times_at_once_and_holds_up_no_other() {
    let mut bench = Bench::new(8, usize::MAX);
    for (operation, name) in [(1, "limited"), (2, "limited"), (3, "limited"), (4, "limited"), (5, "a")] {
        bench.ask(operation, name);
    }
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1, 2, 5], "its attribute says two");
    let of = |bench: &Bench| (bench.activities.running_named("limited"), bench.activities.waiting_named("limited"));
    assert_eq!((of(&bench), bench.activities.load()), ((2, 2), (3, 2)));
    bench.end(2, ok("b"));
    bench.ended().await;
    bench.dispatch().await;
    assert_eq!((bench.runs(), of(&bench)), (vec![1, 2, 5, 3], (2, 1)));
}

#[tokio::test]
async fn a_limit_is_raised_lowered_and_removed_while_activities_wait() {
    let mut bench = Bench::new(99, usize::MAX);
    for operation in 1..=9 {
        bench.ask(operation, "limited");
    }
    bench.dispatch().await;
    bench.activities.set_limit("limited", Some(3));
    bench.dispatch().await;
    assert_eq!((bench.runs(), bench.activities.limit("limited")), (vec![1, 2, 3], Some(3)));
    bench.activities.set_limit("limited", Some(0));
    for operation in 1..=3 {
        // Those that run are not interrupted, and none begins before the last of them has ended.
        assert_eq!(bench.runs(), [1, 2, 3]);
        bench.end(operation, ok("end"));
        bench.ended().await;
        bench.dispatch().await;
    }
    assert_eq!(bench.runs(), [1, 2, 3, 4], "0 counts as 1");
    bench.activities.set_limit("limited", None);
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn a_task_that_is_cancelled_while_it_waits_for_its_activity_leaves_the_place_to_the_next() {
    let mut bench = Bench::new(8, usize::MAX);
    for operation in 1..=5 {
        bench.ask(operation, "limited");
    }
    bench.dispatch().await;
    bench.activities.settle(id(3), CancellationReason::Cancelled);
    bench.activities.settle(id(1), CancellationReason::Cancelled);
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1, 2], "the first one was told to stop and still runs");
    bench.end(1, err("stopped"));
    assert_eq!(bench.ended().await, None);
    bench.dispatch().await;
    assert_eq!((bench.runs(), bench.activities.running_named("limited")), (vec![1, 2, 4], 2));
    bench.activities.close();
    assert_eq!(bench.activities.load(), (2, 0));
}

#[tokio::test]
async fn b02_a_running_activity_is_not_started_again_and_a_finished_one_answers_again() {
    let mut bench = Bench::new(8, usize::MAX);
    bench.start([1]).await;
    bench.start([1]).await;
    assert_eq!(bench.runs(), [1]);
    bench.end(1, ok("a"));
    assert_eq!(bench.ended().await, Some((id(1), ok("a"))));
    bench.activities.retain(HOME, &HashSet::from([id(1)]));
    assert_eq!(bench.ask(1, "a").map(done), Some((id(1), ok("a"))));
    // The commit that records it is durable, so nobody asks again.
    bench.activities.settle(id(1), CancellationReason::Cancelled);
    assert_eq!((bench.activities.kept_bytes, bench.activities.entries.len()), (0, 0));
    assert_eq!(bench.runs(), [1]);
}

#[tokio::test]
async fn b02_an_activity_missing_from_the_recovered_store_is_cancelled_and_its_result_dropped() {
    let mut bench = Bench::new(2, usize::MAX);
    bench.start([1, 2, 3]).await;
    bench.end(1, ok("a"));
    bench.ended().await;
    bench.activities.retain(HOME, &HashSet::new());
    assert_eq!(bench.reason(2), Some(CancellationReason::Cancelled));
    bench.end(2, ok("b"));
    assert_eq!(bench.ended().await, None);
    bench.dispatch().await;
    assert_eq!((bench.runs(), bench.activities.running, bench.activities.kept_bytes), (vec![1, 2], 0, 0));
}

#[tokio::test]
async fn p26_a_recovery_settles_only_activities_of_its_own_partition() {
    let mut bench = Bench::new(2, usize::MAX);
    for (partition, operation) in [(HOME, 1), (OTHER, 2), (OTHER, 3), (HOME, 4)] {
        assert!(bench.ask_of(partition, operation, "a").is_none());
    }
    bench.dispatch().await;
    assert_eq!((bench.activities.running(HOME), bench.activities.running(OTHER)), (1, 1));
    bench.activities.forget_unentered(HOME);
    bench.activities.retain(HOME, &HashSet::new());
    assert_eq!((bench.reason(1), bench.reason(2)), (Some(CancellationReason::Cancelled), None));
    bench.end(1, err("stopped"));
    assert_eq!(bench.ended().await, None);
    bench.dispatch().await;
    // The running activity of the other partition continues, and its queued activity gets the free slot.
    assert_eq!(bench.runs(), [1, 2, 3]);
    bench.activities.cancel_all(|partition| partition == HOME);
    assert_eq!((bench.reason(2), bench.reason(3)), (None, None));
    bench.end(2, ok("b"));
    assert_eq!(bench.ended().await, Some((id(2), ok("b"))));
    assert_eq!((bench.activities.running(HOME), bench.activities.running(OTHER)), (0, 1));
}

#[tokio::test]
async fn b01_an_activity_queued_before_a_recovery_starts_only_when_requested_again() {
    let mut bench = Bench::new(1, usize::MAX);
    bench.start([1, 2, 3]).await;
    bench.activities.forget_unentered(HOME);
    bench.end(1, ok("a"));
    bench.ended().await;
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1]);
    bench.activities.retain(HOME, &HashSet::from([id(1), id(3)]));
    assert_eq!(bench.ask(1, "a").map(done), Some((id(1), ok("a"))));
    bench.start([3]).await;
    assert_eq!(bench.runs(), [1, 3], "the finished one answers again, and the cancelled one never runs");
}

#[tokio::test]
async fn b07_a_cancelled_task_never_starts_while_it_waits_and_its_result_is_dropped_while_it_runs() {
    let mut bench = Bench::new(1, usize::MAX);
    bench.start([1, 2]).await;
    bench.activities.settle(id(2), CancellationReason::Cancelled);
    bench.activities.settle(id(1), CancellationReason::InstanceEnded);
    assert_eq!(bench.reason(1), Some(CancellationReason::InstanceEnded));
    bench.end(1, err("stopped"));
    assert_eq!(bench.ended().await, None);
    bench.dispatch().await;
    assert_eq!((bench.runs(), bench.activities.running), (vec![1], 0));
}

#[tokio::test]
async fn b07_an_activity_released_and_cancelled_together_never_starts() {
    let mut bench = Bench::new(1, usize::MAX);
    bench.ask(1, "a");
    bench.activities.settle(id(1), CancellationReason::Cancelled);
    bench.dispatch().await;
    assert!(bench.runs().is_empty());
}

/// Starts an activity that no thread has got to yet.
fn spawned(bench: &mut Bench, operation: u32) {
    assert!(bench.ask(operation, "a").is_none());
    spawn(&bench.tokio, bench.activities.starts());
    assert_eq!(bench.activities.running, 1);
}

#[tokio::test]
async fn b07_a_released_run_that_is_withheld_is_never_entered() {
    let mut bench = Bench::new(1, usize::MAX);
    spawned(&mut bench, 1);
    bench.activities.withhold(HOME, id(1));
    assert_eq!(bench.activities.running, 0, "it uses its slot no longer");
    bench.dispatch().await;
    assert_eq!(bench.ended().await, None);
    bench.activities.settle(id(1), CancellationReason::Cancelled);
    assert_eq!((bench.runs(), bench.activities.running, bench.activities.entries.len()), (vec![], 0, 0));
}

#[tokio::test]
async fn b07_a_task_withheld_before_its_request_is_never_entered() {
    let mut bench = Bench::new(1, usize::MAX);
    bench.activities.withhold(HOME, id(1));
    bench.start([1]).await;
    bench.activities.settle(id(1), CancellationReason::InstanceEnded);
    bench.dispatch().await;
    assert_eq!((bench.runs(), bench.activities.entries.len()), (vec![], 0));
}

#[tokio::test]
async fn b07_code_that_was_entered_continues_until_it_is_settled() {
    let mut bench = Bench::new(1, usize::MAX);
    bench.start([1]).await;
    bench.activities.withhold(HOME, id(1));
    assert_eq!((bench.reason(1), bench.activities.running), (None, 1));
    bench.activities.settle(id(1), CancellationReason::Cancelled);
    assert_eq!(bench.reason(1), Some(CancellationReason::Cancelled));
    bench.end(1, ok("too late"));
    assert_eq!((bench.ended().await, bench.activities.running), (None, 0));
}

#[tokio::test]
async fn b07_a_run_that_was_started_is_not_entered_after_its_end() {
    let mut bench = Bench::new(1, usize::MAX);
    spawned(&mut bench, 1);
    bench.activities.settle(id(1), CancellationReason::InstanceEnded);
    bench.dispatch().await;
    assert_eq!((bench.ended().await, bench.runs(), bench.activities.running), (None, vec![], 0));
}

#[tokio::test]
async fn b01_a_run_released_before_a_recovery_is_entered_only_when_requested_again() {
    let mut bench = Bench::new(1, usize::MAX);
    spawned(&mut bench, 1);
    bench.activities.withhold(HOME, id(2));
    bench.activities.forget_unentered(HOME);
    bench.dispatch().await;
    assert_eq!((bench.ended().await, bench.runs(), bench.activities.entries.len()), (None, vec![], 0));
    bench.activities.retain(HOME, &HashSet::from([id(1)]));
    bench.start([1]).await;
    assert_eq!((bench.runs(), bench.activities.running), (vec![1], 1));
}

#[tokio::test]
async fn b21_a_run_that_was_started_is_not_entered_after_the_close() {
    let mut bench = Bench::new(1, usize::MAX);
    spawned(&mut bench, 1);
    bench.activities.close();
    assert_eq!(bench.activities.running, 0, "a shutdown does not wait for it");
    bench.dispatch().await;
    assert_eq!((bench.ended().await, bench.runs(), bench.activities.running), (None, vec![], 0));
}

#[tokio::test]
async fn b07_after_a_shutdown_only_ok_counts() {
    let mut bench = Bench::new(8, usize::MAX);
    bench.start([1, 2, 3]).await;
    bench.end(3, err("before"));
    assert_eq!(bench.ended().await, Some((id(3), err("before"))));
    bench.activities.close();
    bench.activities.cancel_all(|partition| partition == HOME);
    assert_eq!(bench.reason(1), Some(CancellationReason::Shutdown));
    bench.end(1, err("cancelled"));
    assert_eq!(bench.ended().await, None);
    bench.end(2, ok("done all the same"));
    assert_eq!(bench.ended().await, Some((id(2), ok("done all the same"))));
    assert_eq!(bench.activities.running, 0);
}

#[tokio::test]
async fn b21_nothing_starts_after_the_close() {
    let mut bench = Bench::new(1, usize::MAX);
    bench.start([1, 2]).await;
    bench.activities.close();
    bench.end(1, ok("a"));
    bench.ended().await;
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1]);
}

#[tokio::test]
async fn b13_results_that_are_not_recorded_hold_back_the_next_starts() {
    let mut bench = Bench::new(1, 0);
    bench.start([1, 2]).await;
    bench.end(1, ok("a"));
    bench.ended().await;
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1]);
    bench.activities.settle(id(1), CancellationReason::Cancelled);
    bench.dispatch().await;
    assert_eq!(bench.runs(), [1, 2]);
}

#[tokio::test]
async fn a_panic_is_a_failure_with_its_message() {
    let mut bench = Bench::new(8, usize::MAX);
    for (operation, name, message) in
        [(1, "panics", "panicked in the future"), (2, "panics in the call", "panicked in the call")]
    {
        bench.ask(operation, name);
        bench.dispatch().await;
        let (task, result) = bench.ended().await.unwrap();
        assert_eq!(task, id(operation));
        let failure = format!("{:?}", result.unwrap_err());
        assert!(failure.contains(message) && failure.contains("persevere.Panic"), "{failure}");
    }
}

#[tokio::test]
async fn b19_an_activity_without_code_is_not_run() {
    let mut bench = Bench::new(8, usize::MAX);
    assert!(bench.ask(1, "unknown").is_none());
    bench.dispatch().await;
    assert_eq!((bench.runs(), bench.activities.entries.len(), bench.activities.running), (vec![], 0, 0));
    let Ok(Notice::ActivityUnregistered(HOME, task)) = bench.messages.try_recv() else { panic!("nobody was told") };
    assert_eq!(task.task, id(1));
}

#[test]
fn activities_lost_with_their_tokio_runtime_are_each_reported() {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut bench = tokio.block_on(async {
        let mut bench = Bench::new(8, usize::MAX);
        bench.start([1]).await;
        // Spawned, but never polled.
        bench.ask(2, "a");
        bench.ask(3, "a");
        spawn(&bench.tokio, bench.activities.starts());
        bench
    });
    drop(tokio);
    for _ in 0..3 {
        let Ok(Notice::ActivityEnded(partition, report)) = bench.messages.try_recv() else { panic!("no report") };
        assert!(bench.activities.ended(partition, report).is_none());
    }
    assert_eq!((bench.activities.running, bench.activities.entries.len()), (0, 0));
}
