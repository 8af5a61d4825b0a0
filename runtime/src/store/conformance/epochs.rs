//! Who owns the store, and what outlives an owner.

use super::build::*;
use super::subject::{State, Subject, done};
use crate::model::Epoch;
use crate::store::{CommitError, OpenError};

fn assert_refused(result: &Result<(), CommitError>) {
    assert!(matches!(result, Err(CommitError::LeaseLost(_) | CommitError::Closed(_))), "{result:?}");
}

pub(super) async fn each_claim_raises_the_epoch(mut store: Subject) {
    let first = store.claim().await;
    let mut last = first.epoch;
    assert!(last > Epoch(0), "keys of epoch 0 would be the smallest numbers there are");
    for round in 0..4 {
        if round % 2 == 0 {
            store.reopen();
        }
        let claim = store.claim().await;
        assert!(claim.epoch > last, "{:?} after {last:?}", claim.epoch);
        assert_eq!(claim.store_id, first.store_id);
        last = claim.epoch;
    }
}

pub(super) async fn a_batch_of_another_epoch_is_refused(mut store: Subject) {
    let old = store.claim().await.epoch;
    store.commit([first_turn(1)]).await;
    let before = store.state().await;
    let new = store.epoch;
    for epoch in [old, Epoch(0), Epoch(new.0 + 1), Epoch(u32::MAX)] {
        assert_refused(&store.send_as(epoch, [first_turn(2)]).await);
        assert_refused(&store.send_as(epoch, [purge(1)]).await);
        assert_refused(&store.send_as(epoch, []).await);
    }
    store.commit([first_turn(3)]).await;
    assert_eq!(store.instance(2).await, None);
    assert_eq!(store.state().await.by_key.first(), before.by_key.first());
}

pub(super) async fn a_store_that_is_not_claimed_refuses_batches(mut store: Subject) {
    assert_refused(&store.send([first_turn(1)]).await);
    let epoch = store.claim().await.epoch;
    assert_eq!(store.instance(1).await, None);
    store.reopen();
    store.claim().await;
    assert_refused(&store.send_as(epoch, [first_turn(1)]).await);
    assert_eq!(store.instance(1).await, None);
}

pub(super) async fn a_claim_settles_what_was_sent_before_it(mut store: Subject) {
    store.claim().await;
    for number in 1..20 {
        let sent = store.send([first_turn(number)]);
        let settled = store.state().await;
        let result = sent.await;
        let applied = settled.by_key.iter().any(|(key, stored)| key.0 == number && stored.is_some());
        match result {
            Ok(()) => assert!(applied, "acknowledged, yet the claim did not find it"),
            Err(CommitError::LeaseLost(_)) => assert!(!applied, "refused, yet the claim found it"),
            Err(CommitError::Ambiguous(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(store.state().await, settled, "something was applied after the claim");
    }
}

async fn fill(store: &mut Subject) -> State {
    store.claim().await;
    store.commit([first_turn(1), first_turn(2), record(2, 0, 1)]).await;
    store.commit([together([purge(1), task_done(1, 1)]), task_done(2, 1)]).await;
    store.state().await
}

pub(super) async fn what_was_committed_survives_reopening(mut store: Subject) {
    let before = fill(&mut store).await;
    done(store.store().close(store.home).await);
    store.reopen();
    assert_eq!(store.state().await, before);
}

pub(super) async fn what_was_committed_survives_without_a_close(mut store: Subject) {
    let before = fill(&mut store).await;
    store.reopen();
    assert_eq!(store.state().await, before);
}

pub(super) async fn a_commit_under_way_may_outlive_its_store(mut store: Subject) {
    store.claim().await;
    for number in 1..10 {
        let sent = store.send([first_turn(number), record(number, 0, 1)]);
        store.reopen();
        let found = store.state().await;
        let records = store.history(number, 0).await.len();
        let there = store.instance(number).await.is_some();
        assert_eq!(records, if there { 2 } else { 0 }, "half of it was applied");
        if let Ok(()) = sent.await {
            assert!(there, "acknowledged and lost");
        }
        assert_eq!(store.state().await, found, "something was applied after the claim");
    }
}

pub(super) async fn only_a_closed_store_is_clean(mut store: Subject) {
    assert!(store.claim().await.clean, "a new one has no owner that could have crashed");
    assert!(!store.claim().await.clean, "claimed from an owner that did not close it");
    store.reopen();
    assert!(!store.claim().await.clean, "dropped");
    done(store.store().close(store.home).await);
    store.reopen();
    assert!(store.claim().await.clean, "closed");
    store.reopen();
    assert!(!store.claim().await.clean, "the mark holds for one claim");
    done(store.store().close(store.home).await);
    done(store.store().close(store.home).await);
    store.reopen();
    store.reopen();
    assert!(store.claim().await.clean, "closed twice, opened in between and not claimed");
}

pub(super) async fn what_is_noted_about_suspects_is_kept_until_it_is_replaced(mut store: Subject) {
    assert!(store.claim().await.suspects.is_empty(), "nothing was noted");
    store.commit([together([suspects(b"one"), first_turn(1)])]).await;
    assert_eq!(&*store.claim().await.suspects, b"one");
    store.reopen();
    assert_eq!(&*store.claim().await.suspects, b"one", "it is no part of the cleanness");
    store.commit([suspects(b"two"), suspects(b"three")]).await;
    assert!(store.send([suspects(b"four"), first_turn(1)]).await.is_err());
    store.commit([first_turn(2)]).await;
    done(store.store().close(store.home).await);
    store.reopen();
    assert_eq!(&*store.claim().await.suspects, b"three", "the last one of the last batch that was applied");
    store.commit([suspects(b"")]).await;
    assert!(store.claim().await.suspects.is_empty());
    for partition in store.store().partitions().all().filter(|partition| *partition != store.home) {
        assert!(done(store.store().claim(partition).await).suspects.is_empty(), "{partition} has noted nothing");
    }
}

pub(super) async fn a_closed_store_can_be_claimed_again(mut store: Subject) {
    let before = fill(&mut store).await;
    let old = store.epoch;
    done(store.store().close(store.home).await);
    assert_refused(&store.send_as(old, [first_turn(5)]).await);
    let claim = store.claim().await;
    assert!(claim.clean && claim.epoch > old, "{claim:?}");
    assert_eq!(store.instance(5).await, None);
    store.commit([first_turn(6), purge(6), task_done(6, 1), timer_done(6, 2, 50), inbox_done(6)]).await;
    assert_eq!(store.state().await.backlog, before.backlog);
}

pub(super) async fn a_partition_that_a_living_handle_owns_cannot_be_claimed(mut store: Subject) {
    store.claim().await;
    store.commit([first_turn(1)]).await;
    if let Some(other) = store.open_another() {
        for _ in 0..3 {
            let claimed = other.claim(store.home).await;
            assert!(matches!(claimed, Err(OpenError::LeaseLost { .. } | OpenError::InUse { .. })), "{claimed:?}");
        }
        store.commit([first_turn(2)]).await;
        drop(other);
    }
    store.commit([first_turn(3)]).await;
    let old = store.epoch;
    store.reopen();
    let claim = store.claim().await;
    assert!(claim.epoch > old && !claim.clean, "dropped without a close: {claim:?}");
    if let Some(other) = store.open_another() {
        done(store.store().close(store.home).await);
        if let Ok(claim) = other.claim(store.home).await {
            assert!(claim.clean && claim.epoch > store.epoch, "{claim:?}");
            assert!(matches!(
                store.store().claim(store.home).await,
                Err(OpenError::LeaseLost { .. } | OpenError::InUse { .. })
            ));
        }
    }
}
