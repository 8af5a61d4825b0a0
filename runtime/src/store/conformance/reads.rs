//! Reads see the durable state, complete, and nothing else.

use std::sync::Arc;
use std::thread;

use super::block_on;
use super::build::*;
use super::subject::{HERE, Subject, batch, done, seen_from};
use crate::model::{Execution, InboxId, Timestamp};
use crate::store::{INBOX_ROWS, InstanceRef};

pub(super) async fn an_unknown_instance_is_none(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    assert_eq!(store.instance(2).await, None);
    assert_eq!(store.instance_by_id("i2").await, None);
    assert!(store.history(2, 0).await.is_empty());
    assert!(store.history(1, 1).await.is_empty());
}

pub(super) async fn history_is_in_the_order_of_turns(mut store: Subject) {
    store.claim().await;
    for turn in [2, 0, 11, 1, 300, 10, 9] {
        store.commit([record(1, 0, turn), record(2, 0, turn), record(1, 1, turn)]).await;
    }
    let expected = [0, 1, 2, 9, 10, 11, 300];
    assert_eq!(store.history(1, 0).await, expected.map(|turn| record_bytes(1, 0, turn)));
    assert_eq!(store.history(2, 0).await, expected.map(|turn| record_bytes(2, 0, turn)));
    assert_eq!(store.history(1, 1).await, expected.map(|turn| record_bytes(1, 1, turn)));
}

pub(super) async fn records_are_counted_in_the_current_execution(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1))]).await;
    let counted = |stored: Option<crate::store::StoredInstance>| stored.map(|s| (s.record_count, s.newest_record));
    assert_eq!(counted(store.instance(1).await), Some((0, None)));
    store.commit([record(1, 0, 0), record(1, 0, 1), record(1, 1, 0), record(2, 0, 0)]).await;
    assert_eq!(counted(store.instance(1).await), Some((2, Some(Timestamp(1_001)))));
    let mut next = head(1);
    next.life_mut().execution = Execution(1);
    store.commit([renew(next)]).await;
    assert_eq!(counted(store.instance_by_id("i1").await), Some((1, Some(Timestamp(1_000)))));
}

pub(super) async fn a_read_sees_the_commit_before_it(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1))]).await;
    for revision in 1..200 {
        let mut head = head(1);
        head.progress_mut().revision = revision;
        store.commit([together([renew(head), record(1, 0, revision - 1)])]).await;
        let Some(stored) = store.instance(1).await else { panic!("the instance is gone") };
        assert_eq!((stored.head.progress.revision, stored.record_count), (revision, revision));
        assert_eq!(store.history(1, 0).await.len() as u64, revision);
    }
}

pub(super) async fn reads_never_see_half_a_commit(mut store: Subject) {
    const COMMITS: u64 = 300;
    store.claim().await;
    store.commit([insert(head(1))]).await;
    let (writer, home, epoch) = (Arc::clone(store.store()), store.home, store.epoch);
    let writing = thread::spawn(move || {
        for revision in 1..=COMMITS {
            let mut head = head(1);
            head.progress_mut().revision = revision;
            let turns = vec![renew(head), record(1, 0, revision - 1)];
            done(block_on(writer.commit(batch(home, epoch, turns))));
        }
    });
    let mut last = 0;
    while last < COMMITS {
        assert!(!writing.is_finished() || store.instance(1).await.is_some_and(|s| s.head.progress.revision == COMMITS));
        let Some(stored) = done(store.store().instance(InstanceRef::Key(key(1)), false).await) else {
            panic!("the instance is gone")
        };
        assert_eq!(stored.head.progress.revision, stored.record_count, "half a commit is seen");
        assert!(stored.head.progress.revision >= last, "a commit that was seen is gone");
        last = stored.head.progress.revision;
    }
    assert!(writing.join().is_ok());
}

pub(super) async fn an_inbox_is_read_in_the_order_of_ids_without_known_rows(mut store: Subject) {
    store.claim().await;
    store.commit([300, 2, 11, 9].map(inbox)).await;
    let read = async |known: &[u64]| {
        let known = known.iter().copied().map(InboxId).collect();
        let mut rows = done(store.store().inbox(store.home, known).await);
        rows.iter_mut().for_each(|row| seen_from(store.home, row));
        rows
    };
    assert_eq!(read(&[]).await, [2, 9, 11, 300].map(inbox_row));
    // A known row may be gone by now, or may not be there yet.
    assert_eq!(read(&[1, 2, 11, 12]).await, [9, 300].map(inbox_row));
    assert_eq!(read(&[2, 9, 11, 300]).await, []);
    assert!(read(&[]).await.iter().all(|row| row.partition == HERE));
}

pub(super) async fn an_inbox_is_read_in_bounded_parts(mut store: Subject) {
    const ROWS: u64 = INBOX_ROWS as u64 + 5;
    store.claim().await;
    store.commit([together((1..=ROWS).map(inbox))]).await;
    assert_eq!(store.backlog().await.inbox.len() as u64, ROWS, "a recovering partition is given all of them");
    let first: Vec<_> = done(store.store().inbox(store.home, Arc::default()).await).iter().map(|row| row.id).collect();
    assert_eq!(first.iter().map(|id| id.0).collect::<Vec<_>>(), (1..=ROWS - 5).collect::<Vec<_>>());
    // Known rows do not count towards the limit, so the others are still found.
    let rest = done(store.store().inbox(store.home, first.into()).await);
    assert_eq!(rest.iter().map(|row| row.id.0).collect::<Vec<_>>(), (ROWS - 4..=ROWS).collect::<Vec<_>>());
}

pub(super) async fn the_history_of_an_execution_that_is_gone_is_none(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1)), record(1, 0, 0), record(1, 0, 1), insert(head(2)), record(2, 0, 0)]).await;
    assert_eq!((records(&store, 1, 0).await, records(&store, 1, 1).await), (Some(2), None));
    assert_eq!(records(&store, 3, 0).await, None);
    let mut next = head(1);
    next.life_mut().execution = Execution(1);
    store.commit([together([erase(1, 0), renew(next), record(1, 1, 0)])]).await;
    assert_eq!((records(&store, 1, 0).await, records(&store, 1, 1).await), (None, Some(1)), "continued as new");
    store.commit([purge(1)]).await;
    assert_eq!((records(&store, 1, 1).await, records(&store, 2, 0).await), (None, Some(1)), "purged");
}

async fn records(store: &Subject, number: u64, execution: u32) -> Option<usize> {
    done(store.store().history(key(number), Execution(execution)).await).map(|records| records.len())
}

pub(super) async fn head_and_history_are_of_one_moment(mut store: Subject) {
    const EXECUTIONS: u32 = 100;
    store.claim().await;
    store.commit([insert(head(1)), record(1, 0, 0)]).await;
    let (writer, home, epoch) = (Arc::clone(store.store()), store.home, store.epoch);
    let writing = thread::spawn(move || {
        for execution in 1..=EXECUTIONS {
            let mut next = head(1);
            next.life_mut().execution = Execution(execution);
            let turn = together([erase(1, execution - 1), renew(next), record(1, execution, 0)]);
            done(block_on(writer.commit(batch(home, epoch, vec![turn]))));
        }
    });
    let mut last = 0;
    while last < EXECUTIONS {
        let Some(stored) = done(store.store().instance(InstanceRef::Key(key(1)), true).await) else {
            panic!("the instance is gone")
        };
        last = stored.head.life.execution.0;
        assert_eq!((stored.record_count, stored.history), (1, Some(vec![record_bytes(1, last, 0)])));
    }
    assert!(writing.join().is_ok());
}
