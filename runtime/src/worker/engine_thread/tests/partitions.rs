//! Several partitions on one thread: each fails alone.

use std::task::Wake;

use super::*;
use crate::model::{PartitionCount, PartitionId as P};

/// Returns an id that belongs to this partition, of four.
fn id_of(partition: P) -> InstanceId {
    let count = PartitionCount::new(4).unwrap();
    let mut ids = (0..).map(|number| InstanceId::new(format!("i{number}")).unwrap());
    ids.find(|id| count.partition_of(id) == partition).unwrap()
}

/// Four partitions that were told to look and have done so.
fn four() -> Bench {
    let mut bench = Bench::with_partitions(4);
    bench.settle().unwrap();
    bench.read_inboxes();
    bench
}

impl Bench {
    /// Answers every read of an inbox with no rows, and returns whose they were.
    fn read_inboxes(&mut self) -> Vec<P> {
        let mut read = Vec::new();
        while !self.store.inboxes().is_empty() {
            read.push(self.store.inboxes()[0]);
            self.store.answer_inbox(Ok(Vec::new()));
            self.settle().unwrap();
        }
        read
    }

    fn start_in(&self, partition: P) -> Answer {
        self.start_as(Some(id_of(partition)))
    }

    /// Answers the lookups of ids: the store contains no such instance.
    fn looked_up(&mut self) {
        self.settle().unwrap();
        while !self.store.reads().is_empty() {
            self.store.answer_read(Ok(None));
            self.settle().unwrap();
        }
    }

    fn committing(&self) -> Vec<P> {
        self.store.commits().iter().map(|batch| batch.partition).collect()
    }

    /// A start in this partition whose commit fails.
    fn lose_commit(&mut self, partition: P, error: CommitError) -> Result<Answer, End> {
        let lost = self.start_in(partition);
        self.looked_up();
        self.store.answer_commit(Err(error));
        self.settle()?;
        Ok(lost)
    }

    /// Lets the next claim succeed.
    fn claimed(&mut self, epoch: u32) {
        self.wait_for_claim();
        self.store.answer_claim(Ok(claim(epoch)));
        self.settle().unwrap();
        self.read_inboxes();
    }
}

#[test]
fn calls_go_to_the_partition_of_their_instance_and_starts_without_an_id_to_each_in_turn() {
    let mut bench = four();
    let chosen: Vec<_> = [P(2), P(0), P(3)].map(|partition| bench.start_in(partition)).into();
    bench.looked_up();
    let mut committing = bench.committing();
    committing.sort();
    assert_eq!(committing, [P(0), P(2), P(3)]);
    for batch in bench.store.commits() {
        assert_eq!(batch.epoch, Epoch(u32::from(batch.partition.0) + 1), "each under its own epoch");
    }
    bench.commit_all();
    let minted: Vec<_> = (0..4).map(|_| bench.start()).collect();
    bench.settle().unwrap();
    assert_eq!(bench.committing(), [P(0), P(1), P(2), P(3)]);
    bench.commit_all();
    for answer in chosen.into_iter().chain(minted) {
        assert!(answered(answer).is_ok());
    }
}

#[test]
fn p26_a_loss_drops_its_own_partition_and_the_others_go_on() {
    let mut bench = four();
    let (lost, kept) = (bench.start_in(P(1)), bench.start_in(P(2)));
    bench.looked_up();
    bench.store.answer_commit_of(P(1), Err(CommitError::Unexpected("row".to_owned())));
    bench.settle().unwrap();
    assert!(is_unknown(lost));
    assert_eq!((bench.store.claiming(), bench.committing()), (vec![P(1)], vec![P(2)]));
    bench.commit_all();
    assert!(answered(kept).is_ok(), "its partition was not touched");
    bench.store.answer_claim(Ok(claim(9)));
    bench.settle().unwrap();
    let mut read = bench.read_inboxes();
    read.sort();
    assert_eq!(read, [P(0), P(2), P(3)], "what the lost session sent may be in their inboxes");
}

#[test]
fn p23_a_partition_that_runs_out_of_keys_is_claimed_again_without_visible_effect() {
    let mut bench = four();
    let under_way = bench.start_in(P(1));
    bench.looked_up();
    let PartitionState::Running(session) = bench.engine.partitions[1].state_mut() else { panic!("no session") };
    session.with_partition(|partition| partition.use_up_keys()).unwrap();
    bench.process().routes.signal(P(1)).wake_by_ref();
    bench.settle().unwrap();
    let mut late = bench.start_in(P(1));
    let other = bench.start_in(P(2));
    bench.looked_up();
    assert_eq!((bench.store.claiming(), bench.committing()), (vec![], vec![P(1), P(2)]), "it drains first");
    bench.commit_all();
    assert!(answered(under_way).is_ok() && answered(other).is_ok());
    assert!(waits(&mut late));
    assert_eq!(bench.store.claiming(), [P(1)]);
    bench.claimed(9);
    bench.looked_up();
    assert_eq!((bench.committing(), bench.store.commits()[0].epoch), (vec![P(1)], Epoch(9)));
    bench.commit_all();
    assert!(matches!(answered(late).unwrap().answer, ClientAnswer::Started { created: true, .. }));
}

#[test]
fn p26_losses_are_counted_for_each_partition() {
    let mut bench = four();
    let ambiguous = || CommitError::Ambiguous("sync".to_owned());
    for epoch in 10..12 {
        for partition in [P(0), P(1), P(2), P(3)] {
            assert!(is_unknown(bench.lose_commit(partition, ambiguous()).unwrap()));
            bench.claimed(epoch);
        }
    }
    let Err(End::Fatal { cause }) = bench.lose_commit(P(3), ambiguous()) else { panic!("three of one in a row") };
    assert!(cause.contains("3 failures"), "{cause}");
}

#[test]
fn p26_a_lost_lease_is_no_failure_and_calls_are_refused_until_the_partition_is_back() {
    let mut bench = four();
    for epoch in 20..25 {
        let lost = bench.lose_commit(P(1), CommitError::LeaseLost("to another worker".to_owned())).unwrap();
        assert!(is_unknown(lost));
        let call = bench.start_in(P(1));
        bench.settle().unwrap();
        assert!(refused(call).contains("to another worker"));
        bench.wait_for_claim();
        let detail = "worker 7".to_owned();
        let held = OpenError::LeaseLost { store: "s".to_owned(), partition: P(1), detail };
        bench.store.answer_claim(Err(held));
        bench.settle().unwrap();
        let call = bench.start_in(P(1));
        bench.settle().unwrap();
        assert!(refused(call).contains("worker 7"));
        bench.claimed(epoch);
    }
    let back = bench.start_in(P(1));
    bench.looked_up();
    bench.commit_all();
    assert!(answered(back).is_ok());
}

#[test]
fn a_start_without_an_id_avoids_a_partition_that_does_not_work() {
    let mut bench = four();
    bench.lose(Loss::LeaseLost("gone".to_owned())).unwrap();
    bench.settle().unwrap();
    let starts: Vec<_> = (0..8).map(|_| bench.start()).collect();
    bench.settle().unwrap();
    assert_eq!(bench.committing(), [P(1), P(2), P(3)]);
    bench.commit_all();
    starts.into_iter().for_each(|answer| assert!(answered(answer).is_ok()));
}

#[test]
fn p26_an_overtaken_commit_is_followed_by_a_reload_and_is_no_failure() {
    let mut bench = four();
    for epoch in 20..25 {
        let lost = bench.lose_commit(P(3), CommitError::Overtaken("a completion".to_owned())).unwrap();
        assert!(is_unknown(lost));
        let mut waiting = bench.start_in(P(3));
        bench.settle().unwrap();
        assert!(waits(&mut waiting), "it is not refused: the partition is here");
        drop(waiting);
        bench.claimed(epoch);
        bench.looked_up();
        bench.store.answer_commit(Err(CommitError::Overtaken("another one".to_owned())));
        bench.settle().unwrap();
        bench.claimed(epoch + 10);
    }
}

#[test]
fn p07_hints_are_merged_and_a_hint_during_a_load_is_followed_afterwards() {
    let mut bench = four();
    let routes = Arc::clone(&bench.process().routes);
    (0..3).for_each(|_| routes.look(P(2)));
    bench.settle().unwrap();
    assert_eq!(bench.store.inboxes(), [P(2)]);
    // If a look arrives while a read is in progress, the inbox is read once more.
    (0..3).for_each(|_| routes.look(P(2)));
    bench.settle().unwrap();
    assert_eq!(bench.read_inboxes(), [P(2), P(2)]);
    bench.lose(Loss::Recover("planted".to_owned())).unwrap();
    bench.settle().unwrap();
    (0..3).for_each(|_| routes.look(P(0)));
    bench.settle().unwrap();
    assert!(bench.store.inboxes().is_empty(), "nobody could be told");
    bench.store.answer_claim(Ok(claim(9)));
    bench.settle().unwrap();
    let mut read = bench.read_inboxes();
    read.sort();
    assert_eq!(read, [P(0), P(1), P(2), P(3)]);
}

#[test]
fn a_start_waits_for_each_partition_but_not_for_one_that_another_worker_owns() {
    let mut bench = Bench::idle(ScriptedStore::with_partitions(3), SessionBounds::default(), 8);
    let opened = |epoch| Ok((claim(epoch), Backlog::default()));
    let beginnings = vec![(P(0), opened(1)), (P(1), Err("worker 7 has it".to_owned())), (P(2), opened(2))];
    bench.engine.begin(beginnings).unwrap();
    assert!(bench.started.try_recv().is_err());
    bench.settle().unwrap();
    assert_eq!(bench.started.try_recv(), Ok(()));
}

#[test]
fn b21_a_stop_drains_every_partition_and_closes_what_is_owned() {
    let mut bench = four();
    bench.lose(Loss::LeaseLost("gone".to_owned())).unwrap();
    let (second, third) = (bench.start_in(P(1)), bench.start_in(P(2)));
    bench.looked_up();
    let mut told = bench.stop();
    bench.settle().unwrap();
    bench.store.answer_commit(Ok(()));
    bench.settle().unwrap();
    assert!(!bench.engine.remaining().drained, "one has drained and the other has not");
    bench.commit_all();
    assert!(bench.engine.remaining().drained, "nothing is left to write for a partition that is elsewhere");
    let Bench { store, engine, tokio: _tokio, .. } = bench;
    engine.end(&End::Stopped, &mut Context::from_waker(Waker::noop()));
    assert_eq!(store.closed(), [P(1), P(2), P(3)]);
    assert_eq!(told.try_recv(), Ok(Ok(())));
    assert!(answered(second).is_ok() && answered(third).is_ok());
}
