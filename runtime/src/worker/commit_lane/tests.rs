//! The commit lane, with a store that answers when the test says so.

use std::task::Waker;
use std::time::Duration;

use super::super::scripted_store::ScriptedStore;
use super::*;
use crate::model::{Execution, InstanceKey, OperationId, TaskId};

const HOME: PartitionId = PartitionId(7);
const UNBOUNDED: BatchBounds = BatchBounds { turns: usize::MAX, bytes: usize::MAX, purges: usize::MAX };

struct Bench {
    store: Arc<ScriptedStore>,
    lane: CommitLane,
    now: Instant,
    next: u64,
}

impl Bench {
    fn new(bounds: BatchBounds) -> Self {
        let store = Arc::new(ScriptedStore::default());
        let lane = CommitLane::new(Arc::clone(&store) as Arc<dyn Store>, HOME, Epoch(3), bounds);
        Self { store, lane, now: Instant::now(), next: 1 }
    }

    fn push(&mut self, turns: usize) {
        for _ in 0..turns {
            let id = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(self.next as u32) };
            self.lane.push(CommitNumber(self.next), TurnCommit { tasks_done: vec![id], ..TurnCommit::default() });
            self.next += 1;
        }
    }

    fn poll(&mut self) -> Option<LaneEvent> {
        self.lane.poll(&mut Context::from_waker(Waker::noop()), self.now)
    }

    /// Returns the operations in the batch that waits for an answer. At most one batch waits.
    fn in_flight(&self) -> Vec<u32> {
        let commits = self.store.commits();
        assert!(commits.len() <= 1, "{commits:?}");
        commits.iter().flat_map(|batch| &batch.turns).map(|turn| turn.tasks_done[0].operation.0).collect()
    }
}

fn durable(upto: u64) -> Option<LaneEvent> {
    Some(LaneEvent::Durable(CommitNumber(upto)))
}

#[test]
fn the_next_batch_contains_all_turns_that_accumulated() {
    let mut bench = Bench::new(BatchBounds::default());
    assert_eq!(bench.poll(), None);
    bench.push(1);
    assert_eq!((bench.poll(), bench.in_flight()), (None, vec![1]));
    bench.push(3);
    assert_eq!((bench.poll(), bench.in_flight()), (None, vec![1]));
    bench.store.answer_commit(Ok(()));
    assert_eq!(bench.poll(), durable(1));
    assert_eq!((bench.poll(), bench.in_flight()), (None, vec![2, 3, 4]));
    let batch = bench.store.commits().remove(0);
    assert_eq!((batch.partition, batch.epoch), (HOME, Epoch(3)));
    assert!(!bench.lane.is_idle());
    bench.store.answer_commit(Ok(()));
    assert_eq!((bench.poll(), bench.poll()), (durable(4), None));
    assert!(bench.lane.is_idle());
    assert_eq!(bench.lane.undurable_bytes(), 0);
}

#[test]
fn batches_are_bounded_by_turns_and_by_bytes_and_one_turn_always_goes() {
    for bounds in [BatchBounds { turns: 1, ..UNBOUNDED }, BatchBounds { bytes: 1, ..UNBOUNDED }] {
        let mut bench = Bench::new(bounds);
        bench.push(3);
        for turn in 1..=3 {
            assert_eq!((bench.poll(), bench.in_flight()), (None, vec![turn]), "{bounds:?}");
            bench.store.answer_commit(Ok(()));
            assert_eq!(bench.poll(), durable(turn.into()));
        }
        assert!(bench.lane.is_idle());
    }
}

#[test]
fn p30_a_batch_removes_a_bounded_number_of_lives() {
    let bounds = BatchBounds { purges: 2, ..UNBOUNDED };
    let mut bench = Bench::new(bounds);
    for number in 1..=6 {
        let task = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(number) };
        let purge = (number != 2).then_some(InstanceKey(number.into()));
        let turn = TurnCommit { purge, tasks_done: vec![task], ..TurnCommit::default() };
        bench.lane.push(CommitNumber(number.into()), turn);
    }
    for (batch, last) in [(vec![1, 2, 3], 3), (vec![4, 5], 5), (vec![6], 6)] {
        assert_eq!((bench.poll(), bench.in_flight()), (None, batch));
        bench.store.answer_commit(Ok(()));
        assert_eq!(bench.poll(), durable(last));
    }
    assert_eq!(BatchBounds::default().purges, 16);
}

#[test]
fn b13_bytes_count_until_they_are_durable() {
    let mut bench = Bench::new(BatchBounds { turns: 1, ..UNBOUNDED });
    bench.push(2);
    let bytes = bench.lane.undurable_bytes();
    bench.poll();
    assert_eq!(bench.lane.undurable_bytes(), bytes);
    bench.store.answer_commit(Ok(()));
    bench.poll();
    assert_eq!(bench.lane.undurable_bytes(), bytes / 2);
}

#[test]
fn b04_a_batch_that_was_not_applied_is_sent_again_unchanged_after_a_pause() {
    let mut bench = Bench::new(BatchBounds::default());
    bench.push(2);
    bench.poll();
    let first = bench.store.commits().remove(0);
    for error in [CommitError::Full("no room".into()), CommitError::Transient("locked".into())] {
        bench.store.answer_commit(Err(error.clone()));
        bench.push(1);
        assert_eq!((bench.poll(), bench.in_flight()), (None, vec![]));
        assert_eq!(bench.lane.trouble(), Some(error.to_string().as_str()));
        let wake_at = bench.lane.wake_at(bench.now).unwrap();
        bench.now = wake_at;
        assert_eq!(bench.poll(), None);
        assert!(Arc::ptr_eq(&first, &bench.store.commits()[0]), "the same batch");
        assert_eq!(bench.lane.wake_at(bench.now), None);
    }
    bench.store.answer_commit(Ok(()));
    assert_eq!(bench.poll(), durable(2));
    assert_eq!(bench.lane.trouble(), None);
    assert_eq!((bench.poll(), bench.in_flight()), (None, vec![3, 4]));
}

#[test]
fn b01_a_batch_that_may_have_been_applied_is_never_sent_again() {
    for error in [
        CommitError::Ambiguous("sync failed".into()),
        CommitError::Unexpected("row missing".into()),
        CommitError::Corrupt { instance: None, detail: "page 7".into() },
    ] {
        let mut bench = Bench::new(BatchBounds::default());
        bench.push(1);
        bench.poll();
        bench.store.answer_commit(Err(error.clone()));
        assert_eq!(bench.poll(), Some(LaneEvent::Lost(Loss::Recover(error.to_string()))));
        bench.now += Duration::from_secs(60);
    }
}

#[test]
fn p26_each_refusal_says_what_the_partition_has_to_do() {
    let cause = |error: &CommitError| error.to_string();
    let (lost, overtaken) = (CommitError::LeaseLost("taken".into()), CommitError::Overtaken("completion".into()));
    let fatal = CommitError::Fatal("gone".into());
    let losses = [
        (lost.clone(), Loss::LeaseLost(cause(&lost))),
        (overtaken.clone(), Loss::Overtaken(cause(&overtaken))),
        (fatal.clone(), Loss::Fatal(cause(&fatal))),
    ];
    for (error, loss) in losses {
        let mut bench = Bench::new(BatchBounds::default());
        bench.push(1);
        bench.poll();
        bench.store.answer_commit(Err(error));
        assert_eq!(bench.poll(), Some(LaneEvent::Lost(loss)));
    }
}
