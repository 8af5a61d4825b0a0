use std::sync::mpsc;

use super::*;
use crate::model::{Epoch, TurnCommit};
use crate::store::MemoryStore;

const PARTITION: PartitionId = PartitionId::FIRST;

/// A batch that inserts one inbox row.
fn batch(epoch: Epoch, id: u64) -> Arc<CommitBatch> {
    batch_of(PARTITION, epoch, id)
}

fn batch_of(partition: PartitionId, epoch: Epoch, id: u64) -> Arc<CommitBatch> {
    let row = InboxRow { partition, id: InboxId(id), bytes: Bytes::new() };
    Arc::new(CommitBatch {
        partition,
        epoch,
        turns: vec![TurnCommit { inbox_new: vec![row], ..TurnCommit::default() }],
    })
}

async fn claimed() -> (FaultyStore<MemoryStore>, Faults, Epoch) {
    let store = FaultyStore::new(MemoryStore::new());
    let (faults, claim) = (store.faults(), store.claim(PARTITION).await.unwrap());
    (store, faults, claim.epoch)
}

async fn inbox(store: &FaultyStore<MemoryStore>) -> Vec<u64> {
    store.load(PARTITION).await.unwrap().inbox.into_iter().map(|row| row.id.0).collect()
}

#[tokio::test]
async fn each_fault_has_its_effect_and_its_answer() {
    let (store, faults, epoch) = claimed().await;
    let planned =
        [Fault::Transient, Fault::Full, Fault::Lost, Fault::LeaseLost, Fault::Unexpected, Fault::Fatal, Fault::Applied]
            .into_iter()
            .zip(1..);
    for (fault, id) in planned {
        faults.fail_next_commit(fault);
        let error = store.commit(batch(epoch, id)).await.unwrap_err();
        let same = std::mem::discriminant(&error) == std::mem::discriminant(&fault.error());
        assert!(same, "{fault:?}: {error:?}");
    }
    assert_eq!(inbox(&store).await, [7], "only the one with effect is there");
    assert_eq!((faults.commits_sent(), faults.commits_applied(), faults.rows().inbox_new), (7, 1, 1));
    store.commit(batch(epoch, 8)).await.unwrap();
}

#[tokio::test]
async fn every_nth_commit_fails_until_healed() {
    let (store, faults, epoch) = claimed().await;
    faults.fail_every(3, Fault::Lost);
    let mut failed = Vec::new();
    for id in 1..=9 {
        if store.commit(batch(epoch, id)).await.is_err() {
            failed.push(id);
        }
    }
    faults.heal();
    for id in 10..=12 {
        store.commit(batch(epoch, id)).await.unwrap();
    }
    assert_eq!(failed, [3, 6, 9]);
    assert_eq!(inbox(&store).await, [1, 2, 4, 5, 7, 8, 10, 11, 12]);
}

#[tokio::test]
async fn held_commits_are_not_applied_before_they_are_released() {
    let (store, faults, epoch) = claimed().await;
    faults.hold();
    let commits: Vec<_> = (1..=4).map(|id| tokio::spawn(store.commit(batch(epoch, id)))).collect();
    assert_eq!(faults.held().await.turns[0].inbox_new[0].id, InboxId(1));
    assert_eq!((faults.held_count(), inbox(&store).await), (4, vec![]));
    assert!(faults.release_one());
    faults.answered(1).await;
    assert_eq!(inbox(&store).await, [1]);
    assert!(faults.fail_held(Fault::Full));
    faults.answered(2).await;
    assert_eq!((faults.held_count(), inbox(&store).await), (2, vec![1]));
    faults.release_all();
    let mut results = Vec::new();
    for commit in commits {
        results.push(commit.await.unwrap().is_ok());
    }
    assert_eq!(results, [true, false, true, true]);
    store.commit(batch(epoch, 5)).await.unwrap();
    assert!(!faults.release_one());
}

#[tokio::test]
async fn claims_and_reads_fail_as_often_as_told() {
    let (store, faults, _) = claimed().await;
    faults.fail_claims(2);
    faults.fail_loads(1, &LoadError::Transient("t".to_owned()));
    faults.fail_reads(1, &LoadError::Corrupt("c".to_owned()));
    faults.fail_reads(1, &LoadError::Transient("t".to_owned()));
    assert!(
        store.claim(PARTITION).await.is_err()
            && store.claim(PARTITION).await.is_err()
            && store.claim(PARTITION).await.is_ok()
    );
    assert!(matches!(store.load(PARTITION).await, Err(LoadError::Transient(_))));
    assert!(store.load(PARTITION).await.is_ok());
    let key = InstanceKey(1);
    assert!(matches!(store.history(key, Execution(0)).await, Err(LoadError::Corrupt(_))));
    assert!(matches!(store.instance(InstanceRef::Key(key), false).await, Err(LoadError::Transient(_))));
    assert!(matches!(store.instance(InstanceRef::Key(key), false).await, Ok(None)));
    faults.fail_reads(1, &LoadError::Transient("t".to_owned()));
    assert!(matches!(store.query(InstanceQuery::default()).await, Err(LoadError::Transient(_))));
    assert_eq!(store.query(InstanceQuery::default()).await.unwrap(), InstancePage::default());
    assert_eq!(faults.claims(), 2);
}

#[tokio::test]
async fn the_observer_sees_each_batch_with_its_answer() {
    let (store, faults, epoch) = claimed().await;
    let (seen, sees) = mpsc::channel();
    faults.observe(move |batch, result| seen.send((batch.turns.len(), result.is_ok())).unwrap());
    faults.fail_commit(2, Fault::Applied);
    for id in 1..=2 {
        let _ = store.commit(batch(epoch, id)).await;
    }
    assert_eq!(sees.try_iter().collect::<Vec<_>>(), [(1, true), (1, false)]);
}

#[tokio::test]
async fn p26_faults_of_one_partition_leave_the_others_alone() {
    let store = FaultyStore::new(MemoryStore::with_partitions(2));
    let faults = store.faults();
    let (a, b) = (PARTITION, PartitionId(1));
    faults.fail_claims_of(b, 1);
    let of_a = store.claim(a).await.unwrap().epoch;
    assert!(store.claim(b).await.is_err());
    let of_b = store.claim(b).await.unwrap().epoch;
    faults.fail_every_of(b, 2, Fault::Transient);
    faults.fail_commit_of(a, 3, Fault::Lost);
    let mut failed = Vec::new();
    for id in 1..=4 {
        for (partition, epoch) in [(a, of_a), (b, of_b)] {
            if store.commit(batch_of(partition, epoch, 10 * id + u64::from(partition.0))).await.is_err() {
                failed.push((partition.0, id));
            }
        }
    }
    assert_eq!(failed, [(1, 2), (0, 3), (1, 4)]);
    assert_eq!((faults.commits_sent(), faults.commits_sent_of(a), faults.commits_sent_of(b)), (8, 4, 4));
    faults.heal();
    faults.hold_of(a);
    let held = tokio::spawn(store.commit(batch_of(a, of_a, 1)));
    assert_eq!(faults.held().await.partition, a);
    store.commit(batch_of(b, of_b, 2)).await.unwrap();
    faults.release_all();
    held.await.unwrap().unwrap();
    store.commit(batch_of(a, of_a, 3)).await.unwrap();
}
