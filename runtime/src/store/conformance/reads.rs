//! Reads see the durable state, whole, and nothing else.

use std::sync::Arc;
use std::thread;

use super::block_on;
use super::build::*;
use super::subject::{PARTITION, Subject, done};
use crate::model::{CommitBatch, Execution, Timestamp};
use crate::store::InstanceRef;

pub(super) async fn what_is_unknown_is_none(mut store: Subject) {
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
    let (writer, epoch) = (Arc::clone(store.store()), store.epoch);
    let writing = thread::spawn(move || {
        for revision in 1..=COMMITS {
            let mut head = head(1);
            head.progress_mut().revision = revision;
            let turns = vec![renew(head), record(1, 0, revision - 1)];
            done(block_on(writer.commit(Arc::new(CommitBatch { partition: PARTITION, epoch, turns }))));
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
