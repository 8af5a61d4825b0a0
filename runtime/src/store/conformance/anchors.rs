//! The order within a batch, and what a recovering partition loads.

use super::build::*;
use super::subject::Subject;
use crate::model::{JsonText, OperationId, ParkCode, ParkReason, RuntimeStatus, TurnCommit};

pub(super) async fn rows_may_come_and_go_within_one_batch(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1))]).await;
    let before = store.state().await;
    store.commit([task(1, 1, 0), task_done(1, 1)]).await;
    store.commit([timer(1, 1, 5), timer_done(1, 1, 5)]).await;
    store.commit([inbox(1), inbox_done(1)]).await;
    store.commit([insert(head(2)), record(2, 0, 0), purge(2)]).await;
    assert_eq!(store.state().await.backlog, before.backlog);
    assert_eq!(store.instance(2).await, None);
    assert!(store.history(2, 0).await.is_empty());
    // Within one turn, removals come first.
    store.refused([together([task(1, 1, 0), task_done(1, 1)])]).await;
    // The row is removed before it is inserted.
    store.refused([timer_done(1, 1, 5), timer(1, 1, 5)]).await;
}

pub(super) async fn rows_may_come_back_within_one_batch(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    let before = store.state().await;
    store.commit([task_done(1, 1), task(1, 1, 0)]).await;
    store.commit([together([timer_done(1, 2, 50), timer(1, 2, 50)])]).await;
    store.commit([inbox_done(1), inbox(1), inbox_done(1), inbox(1)]).await;
    assert_eq!(store.state().await, before);
}

pub(super) async fn two_turns_of_one_instance_in_one_batch(mut store: Subject) {
    store.claim().await;
    let turn = |number: u64, status: &str| {
        let mut head = head(1);
        head.progress_mut().revision = number;
        head.progress_mut().custom_status = Some(crate::model::JsonText::from_string(status.to_owned()));
        together([renew(head), record(1, 0, number)])
    };
    store.commit([first_turn(1), turn(1, "\"one\""), turn(2, "\"two\"")]).await;
    let Some(stored) = store.instance(1).await else { panic!("the instance is not there") };
    assert_eq!((stored.head.progress.revision, stored.record_count), (2, 3));
    assert_eq!(stored.head.progress.custom_status.as_ref().map(JsonText::as_str), Some("\"two\""));
    assert_eq!(store.history(1, 0).await, [0, 1, 2].map(|turn| record_bytes(1, 0, turn)));
}

pub(super) async fn ended_and_purged_in_one_batch(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    let mut ended = head(1);
    ended.progress_mut().status = RuntimeStatus::Completed;
    let end = together([renew(ended), record(1, 0, 1), task_done(1, 1), timer_done(1, 2, 50), inbox_done(1)]);
    store.commit([end, purge(1)]).await;
    let state = store.state().await;
    assert_eq!(state.backlog, crate::store::Backlog::default());
    assert!(state.by_key.iter().all(|(_, stored)| stored.is_none()));
    assert!(state.history.iter().all(|(_, _, records)| records.is_empty()));
}

pub(super) async fn an_id_may_be_used_again_in_the_turn_that_purges_it(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1)), record(1, 0, 0)]).await;
    let mut second = head(2);
    second.life_mut().id = id("i1");
    store.commit([together([purge(1), insert(second.clone()), record(2, 0, 0)])]).await;
    assert_eq!(store.instance(1).await, None);
    assert_eq!(store.instance_by_id("i1").await.map(|stored| stored.head), Some(second));
    assert!(store.history(1, 0).await.is_empty());
    assert_eq!(store.history(2, 0).await.len(), 1);
}

pub(super) async fn tasks_are_loaded_with_the_record_of_their_turn(mut store: Subject) {
    store.claim().await;
    let tasks = |operations: [u32; 2], turn| together(operations.map(|operation| task(1, operation, turn)));
    store.commit([insert(head(1)), insert(head(2))]).await;
    store.commit([together([record(1, 0, 0), tasks([2, 1], 0)]), together([record(1, 0, 1), tasks([10, 9], 1)])]).await;
    // A record that is lost is reported as missing and never invented.
    store.commit([task(2, 3, 5)]).await;
    let found: Vec<_> = store
        .backlog()
        .await
        .tasks
        .into_iter()
        .map(|group| {
            let operations: Vec<_> = group.tasks.iter().map(|(operation, _)| operation.0).collect();
            assert!(group.tasks.iter().all(|(OperationId(n), name)| *name == format!("activity {n}")));
            (group.id.as_str().to_owned(), group.key.0, group.execution.0, group.turn_number, group.record, operations)
        })
        .collect();
    let expected = [
        ("i1".to_owned(), 1, 0, 0, Some(record_bytes(1, 0, 0)), vec![1, 2]),
        ("i1".to_owned(), 1, 0, 1, Some(record_bytes(1, 0, 1)), vec![9, 10]),
        ("i2".to_owned(), 2, 0, 5, None, vec![3]),
    ];
    assert_eq!(found, expected);
}

pub(super) async fn the_backlog_is_in_order(mut store: Subject) {
    store.claim().await;
    let parked = |number| {
        let mut head = head(number);
        head.progress_mut().parked = Some(ParkReason::new(ParkCode::NotRegistered, "no code"));
        insert(head)
    };
    store.commit([parked(300), parked(2), parked(11), insert(head(5))]).await;
    store.commit([10, 9, 300, 1].map(inbox)).await;
    store.commit([timer(2, 1, 40), timer(300, 1, 3), timer(2, 2, 3), timer(2, 1, -7)]).await;
    store.commit([renew(head(11))]).await;
    let backlog = store.backlog().await;
    assert_eq!(backlog.parked, [key(2), key(300)]);
    assert_eq!(backlog.inbox, [1, 9, 10, 300].map(inbox_row));
    let timers = [(2, 1, -7), (2, 2, 3), (300, 1, 3), (2, 1, 40)];
    assert_eq!(backlog.timers, timers.map(|(number, operation, fire_at)| timer_row(number, operation, fire_at)));
    assert!(backlog.tasks.is_empty());
    store.commit([TurnCommit { timers_done: backlog.timers, ..TurnCommit::default() }]).await;
    assert!(store.backlog().await.timers.is_empty());
}
