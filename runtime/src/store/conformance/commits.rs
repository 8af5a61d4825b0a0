//! A batch is applied completely or not at all; each row is counted; what is removed and what stays.

use super::build::*;
use super::subject::Subject;
use crate::model::{Execution, InstanceId, TurnCommit};
use crate::store::{Backlog, CommitError};

pub(super) async fn a_new_store_is_empty(mut store: Subject) {
    let claim = store.claim().await;
    assert!(claim.clean);
    assert_eq!(store.backlog().await, Backlog::default());
}

pub(super) async fn a_commit_is_there_as_a_whole(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    let stored = store.instance(1).await;
    assert_eq!(store.instance_by_id("i1").await, stored);
    let Some(stored) = stored else { panic!("the instance is not there") };
    assert_eq!(stored.head, head(1));
    assert_eq!(store.history(1, 0).await, [record_bytes(1, 0, 0)]);
    let backlog = store.backlog().await;
    assert_eq!(backlog.timers, [timer_row(1, 2, 50)]);
    assert_eq!(backlog.inbox, [inbox_row(1)]);
    assert_eq!(backlog.tasks.len(), 1);
}

pub(super) async fn an_empty_batch_changes_nothing(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    let before = store.state().await;
    store.commit([]).await;
    store.commit([TurnCommit::default()]).await;
    assert_eq!(store.state().await, before);
}

pub(super) async fn one_row_that_is_not_as_expected_refuses_the_whole_batch(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1), first_turn(2), record(3, 0, 0), record(3, 1, 0)]).await;
    let changed = || {
        [
            first_turn(10),
            renew(head(2)),
            together([record(2, 0, 1), task_done(2, 1), timer_done(2, 2, 50), inbox_done(2), task(2, 3, 1)]),
            erase(3, 0),
            purge(1),
        ]
    };
    // The wrong row comes last, or between the others.
    store.refused([changed().as_slice(), &[timer_done(9, 9, 9)]].concat()).await;
    store.refused([&[record(2, 0, 0)], changed().as_slice()].concat()).await;
    store.commit(changed()).await;
}

pub(super) async fn removing_a_row_that_is_not_there_is_refused(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    let mut other_execution = timer_done(1, 2, 50);
    other_execution.timers_done[0].execution = Execution(1);
    let absent = [
        task_done(1, 2),
        task_done(2, 1),
        timer_done(1, 2, 51),
        timer_done(1, 1, 50),
        other_execution,
        inbox_done(2),
        purge(2),
        renew(head(2)),
    ];
    for turn in absent {
        store.refused([turn]).await;
    }
    for present in [task_done(1, 1), timer_done(1, 2, 50), inbox_done(1)] {
        store.refused([together([present.clone(), present.clone()])]).await;
        store.commit([present.clone()]).await;
        store.refused([present]).await;
    }
}

pub(super) async fn adding_a_row_that_is_there_is_refused(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    let mut other_id = head(1);
    other_id.life_mut().id = id("other");
    let mut other_key = head(2);
    other_key.life_mut().id = id("i1");
    let mut other_turn = task(1, 1, 7);
    other_turn.tasks_new[0].name = "other".into();
    let mut other_bytes = record(1, 0, 0);
    if let Some(row) = &mut other_bytes.record {
        row.bytes = "other".into();
    }
    let present = [
        insert(head(1)),
        insert(other_id),
        insert(other_key),
        record(1, 0, 0),
        other_bytes,
        task(1, 1, 0),
        other_turn,
        timer(1, 2, 50),
        inbox(1),
        together([timer(1, 8, 8), timer(1, 8, 8)]),
    ];
    for turn in present {
        store.refused([turn]).await;
    }
}

pub(super) async fn the_store_goes_on_after_a_refusal(mut store: Subject) {
    store.claim().await;
    for number in 1..20 {
        let refused = store.send([first_turn(number), inbox_done(100)]).await;
        assert!(matches!(refused, Err(CommitError::Unexpected(_))), "{refused:?}");
        store.commit([first_turn(number)]).await;
    }
    assert_eq!(store.backlog().await.tasks.len(), 19);
}

pub(super) async fn purge_removes_one_life_and_nothing_else(mut store: Subject) {
    store.claim().await;
    let two_executions = |number| [record(number, 0, 0), record(number, 0, 1), record(number, 1, 0)];
    for number in [1, 2, 3] {
        store.commit([insert(head(number))]).await;
        store.commit(two_executions(number)).await;
    }
    store.commit([timer(1, 1, 1), inbox(1)]).await;
    store.commit([purge(2)]).await;
    assert_eq!(store.instance(2).await, None);
    assert_eq!(store.instance_by_id("i2").await, None);
    for execution in [0, 1] {
        assert!(store.history(2, execution).await.is_empty());
    }
    for number in [1, 3] {
        assert!(store.instance(number).await.is_some());
        assert_eq!(store.history(number, 0).await, [record_bytes(number, 0, 0), record_bytes(number, 0, 1)]);
        assert_eq!(store.history(number, 1).await, [record_bytes(number, 1, 0)]);
    }
    let backlog = store.backlog().await;
    assert_eq!((backlog.timers.len(), backlog.inbox.len()), (1, 1));
    store.refused([purge(2)]).await;
}

pub(super) async fn erasing_a_history_removes_one_execution_and_nothing_else(mut store: Subject) {
    store.claim().await;
    for number in [1, 2] {
        store.commit([insert(head(number)), record(number, 0, 0), record(number, 1, 0), record(number, 2, 0)]).await;
    }
    store.commit([erase(1, 1)]).await;
    assert_eq!(store.history(1, 0).await, [record_bytes(1, 0, 0)]);
    assert!(store.history(1, 1).await.is_empty());
    assert_eq!(store.history(1, 2).await, [record_bytes(1, 2, 0)]);
    assert_eq!(store.history(2, 1).await, [record_bytes(2, 1, 0)]);
    // There may be nothing to erase: an execution can begin and continue as new before its first record is written.
    store.commit([erase(1, 1)]).await;
    assert!(store.instance(1).await.is_some());
}

pub(super) async fn continue_as_new_in_one_commit(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1), record(1, 0, 1)]).await;
    let mut next = head(1);
    next.life_mut().execution = Execution(1);
    let anchors = [task_done(1, 1), timer_done(1, 2, 50), inbox_done(1), timer(1, 0, 7)];
    let turn = together([erase(1, 0), renew(next.clone()), record(1, 1, 0), together(anchors)]);
    store.commit([turn]).await;
    assert!(store.history(1, 0).await.is_empty());
    assert_eq!(store.history(1, 1).await, [record_bytes(1, 1, 0)]);
    let Some(stored) = store.instance(1).await else { panic!("the instance is gone") };
    assert_eq!((stored.head, stored.record_count), (next, 1));
    let backlog = store.backlog().await;
    assert_eq!((backlog.tasks, backlog.timers), (Vec::new(), vec![timer_row(1, 0, 7)]));
}

pub(super) async fn carried_events_belong_to_the_life_and_to_no_execution(mut store: Subject) {
    store.claim().await;
    let all =
        |rows: std::ops::Range<u64>| rows.map(|row| record_bytes(1, Execution::CARRIED.0, row)).collect::<Vec<_>>();
    store.commit([first_turn(1), together([record(1, 0, 1), carried(1, 0..2)]), first_turn(2)]).await;
    let Some(stored) = store.instance_with_history(1).await else { panic!("the instance is gone") };
    assert_eq!((stored.record_count, stored.history.map(|rows| rows.len()), stored.carried), (2, Some(2), all(0..2)));
    assert!(store.instance(1).await.is_some_and(|stored| stored.carried.is_empty()), "they come with the history");
    // The next execution adds to them, and erases them in the commit that writes others.
    let mut next = head(1);
    next.life_mut().execution = Execution(1);
    store.commit([together([erase(1, 0), renew(next), record(1, 1, 0), carried(1, 2..3)])]).await;
    assert_eq!(store.history(1, Execution::CARRIED.0).await, all(0..3));
    store.refused([carried(1, 2..3)]).await;
    store.commit([together([erase_carried(1), carried(1, 0..1)])]).await;
    assert_eq!(store.history(1, Execution::CARRIED.0).await, all(0..1));
    assert_eq!(store.history(1, 1).await, [record_bytes(1, 1, 0)]);
    store.commit([purge(1)]).await;
    assert!(store.history(1, Execution::CARRIED.0).await.is_empty());
}

pub(super) async fn batches_that_wait_together_are_judged_one_by_one(mut store: Subject) {
    store.claim().await;
    for round in 0..20 {
        let first = 10 * round;
        let sent = [first + 1, first + 2, first + 1, first + 3].map(|number| store.send([first_turn(number)]));
        let [a, b, again, c] = sent;
        assert!(matches!((a.await, b.await), (Ok(()), Ok(()))));
        let again = again.await;
        assert!(matches!(again, Err(CommitError::Unexpected(_))), "{again:?}");
        assert!(c.await.is_ok());
    }
    let ids: Vec<InstanceId> = store.backlog().await.tasks.into_iter().map(|group| group.id).collect();
    assert_eq!(ids.len(), 60);
}
