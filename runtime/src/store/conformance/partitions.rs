//! Partitions: each has its own owner, its own rows and its own end. On a store with one partition, these cases do
//! nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::build::*;
use super::subject::{Subject, batch, done, seen_from};
use crate::model::{Epoch, InboxRow, ParkCode, ParkReason, PartitionId, Timestamp, TurnCommit};
use crate::store::{Backlog, Claim, CommitError, InstanceQuery, InstanceRef, OpenError, Store, StoreFuture, TaskGroup};

/// The owner of one partition.
struct Owner {
    store: Arc<dyn Store>,
    partition: PartitionId,
    epoch: Epoch,
}

impl Owner {
    async fn claim(&mut self) -> Claim {
        let claim = done(self.store.claim(self.partition).await);
        self.epoch = claim.epoch;
        claim
    }

    fn send(&self, turns: impl Into<Vec<TurnCommit>>) -> StoreFuture<Result<(), CommitError>> {
        self.store.commit(batch(self.partition, self.epoch, turns.into()))
    }

    async fn commit(&self, turns: impl Into<Vec<TurnCommit>>) {
        done(self.send(turns).await);
    }

    async fn refused(&self, turns: impl Into<Vec<TurnCommit>>) {
        let turns = turns.into();
        let result = self.send(turns.clone()).await;
        assert!(matches!(result, Err(CommitError::Unexpected(_))), "{result:?} instead of a refusal of {turns:#?}");
    }

    async fn backlog(&self) -> Backlog {
        let mut backlog = done(self.store.load(self.partition).await);
        backlog.inbox.iter_mut().for_each(|row| seen_from(self.partition, row));
        backlog
    }

    async fn inbox(&self) -> Vec<InboxRow> {
        let mut rows = done(self.store.inbox(self.partition, Arc::default()).await);
        rows.iter_mut().for_each(|row| seen_from(self.partition, row));
        rows
    }
}

/// Claims all partitions of the store. Returns `None` if there is only one.
async fn owners(store: &Subject) -> Option<Vec<Owner>> {
    let mut owners = Vec::new();
    for partition in store.store().partitions().all() {
        let mut owner = Owner { store: Arc::clone(store.store()), partition, epoch: Epoch(0) };
        owner.claim().await;
        owners.push(owner);
    }
    (owners.len() > 1).then_some(owners)
}

/// The backlog after [`first_turn`].
fn backlog_of_first_turn(number: u64) -> Backlog {
    let task = (task_id(number, 1).operation, "activity 1".into());
    Backlog {
        tasks: vec![TaskGroup {
            key: key(number),
            id: head(number).life.id.clone(),
            execution: task_id(number, 1).execution,
            turn_number: 0,
            record: Some(record_bytes(number, 0, 0)),
            tasks: vec![task],
        }],
        timers: vec![timer_row(number, 2, 50)],
        inbox: vec![inbox_row(number)],
        parked: Vec::new(),
    }
}

pub(super) async fn a_claim_disturbs_no_other_partition(store: Subject) {
    let Some(mut owners) = owners(&store).await else { return };
    let stale = owners[0].epoch;
    for round in 0..5 {
        owners[0].claim().await;
        for (owner, number) in owners.iter().zip(1..) {
            owner.commit([first_turn(10 * round + number)]).await;
        }
    }
    owners[0].epoch = stale;
    let refused = owners[0].send([first_turn(100)]).await;
    assert!(matches!(refused, Err(CommitError::LeaseLost(_))), "{refused:?}");
    // An epoch belongs to one partition, and no other partition can use it.
    owners[0].epoch = owners[1].epoch;
    let refused = owners[0].send([first_turn(100)]).await;
    assert!(matches!(refused, Err(CommitError::LeaseLost(_))), "{refused:?}");
}

pub(super) async fn epochs_rise_in_a_partition_and_are_unique_in_the_store(mut store: Subject) {
    if store.store().partitions().get() == 1 {
        return;
    }
    let mut seen = BTreeSet::new();
    let mut last = vec![Epoch(0); usize::from(store.store().partitions().get())];
    for round in 0..6 {
        if round % 2 == 0 {
            store.reopen();
        }
        let partitions: Vec<_> = store.store().partitions().all().collect();
        // Not always in the same order, and not all of them in each round.
        for place in 0..partitions.len() - 1 {
            let partition = partitions[(place * 3 + round) % partitions.len()];
            let epoch = done(store.store().claim(partition).await).epoch;
            assert!(epoch > last[usize::from(partition.0)], "{epoch:?} in {partition} after {last:?}");
            assert!(seen.insert(epoch), "{epoch:?} is given twice");
            last[usize::from(partition.0)] = epoch;
        }
    }
}

pub(super) async fn a_partition_that_is_not_there_cannot_be_claimed(store: Subject) {
    let beyond = PartitionId(store.store().partitions().get());
    let refused = store.store().claim(beyond).await;
    assert!(matches!(refused, Err(OpenError::Failed { .. })), "{refused:?}");
}

pub(super) async fn a_partition_sees_its_own_rows_only(store: Subject) {
    let Some(owners) = owners(&store).await else { return };
    for (owner, number) in owners.iter().zip(1..) {
        let mut parked = head(100 + number);
        parked.progress_mut().parked = Some(ParkReason::new(ParkCode::NotRegistered, "no code"));
        owner.commit([first_turn(number), insert(parked)]).await;
    }
    for (owner, number) in owners.iter().zip(1..) {
        let expected = Backlog { parked: vec![key(100 + number)], ..backlog_of_first_turn(number) };
        assert_eq!(owner.backlog().await, expected);
        assert_eq!(owner.inbox().await, [inbox_row(number)]);
        // The instances can be found without knowing their partition.
        assert!(done(store.store().instance(InstanceRef::Key(key(number)), false).await).is_some());
        assert!(done(store.store().instance(InstanceRef::Id(id(&format!("i{number}"))), false).await).is_some());
    }
}

pub(super) async fn a_batch_changes_no_row_of_another_partition(store: Subject) {
    let Some(owners) = owners(&store).await else { return };
    let (mine, other) = (&owners[0], &owners[1]);
    mine.commit([first_turn(1)]).await;
    let changes = [purge(1), renew(head(1)), timer_done(1, 2, 50), inbox_done(1)];
    for change in &changes {
        other.refused([change.clone()]).await;
        other.refused([first_turn(2), change.clone()]).await;
    }
    assert_eq!(mine.backlog().await, backlog_of_first_turn(1));
    assert_eq!(other.backlog().await, Backlog::default());
    assert_eq!(store.instance(1).await.map(|stored| stored.head), Some(head(1)));
    // An id belongs to one life, whatever the partition is.
    other.refused([insert(head(1))]).await;
    mine.commit([progress(head(1)), task_done(1, 1)]).await;
    for change in changes.into_iter().rev() {
        mine.commit([change]).await;
    }
}

pub(super) async fn a_message_is_in_the_inbox_of_its_partition_until_that_removes_it(store: Subject) {
    let Some(owners) = owners(&store).await else { return };
    let (sender, receiver) = (&owners[0], &owners[1]);
    let sent = |number: u64| {
        let row = InboxRow { partition: receiver.partition, ..inbox_row(number) };
        TurnCommit { inbox_new: vec![row], ..TurnCommit::default() }
    };
    sender.commit([together([inbox(1), sent(2)]), sent(3)]).await;
    assert_eq!(sender.inbox().await, [inbox_row(1)]);
    assert_eq!(receiver.inbox().await, [2, 3].map(inbox_row));
    assert_eq!(receiver.backlog().await.inbox, [2, 3].map(inbox_row));
    sender.refused([sent(3)]).await;
    sender.refused([inbox_done(2)]).await;
    receiver.commit([inbox_done(2)]).await;
    receiver.refused([inbox_done(2)]).await;
    assert_eq!(receiver.inbox().await, [inbox_row(3)]);
    // The sender may be gone by now, but its message is still there.
    let mut sender = Owner { store: Arc::clone(&sender.store), ..*sender };
    sender.claim().await;
    receiver.commit([inbox_done(3)]).await;
    assert_eq!(receiver.inbox().await, []);
}

pub(super) async fn a_refused_batch_leaves_those_of_other_partitions(store: Subject) {
    let Some(owners) = owners(&store).await else { return };
    for round in 0..20 {
        let refused = round % owners.len();
        let number = |place: usize| 100 * (round as u64 + 1) + place as u64;
        let sent: Vec<_> = owners
            .iter()
            .enumerate()
            .map(|(place, owner)| {
                let more = if place == refused { inbox_done(9) } else { TurnCommit::default() };
                owner.send([first_turn(number(place)), more])
            })
            .collect();
        for (place, sent) in sent.into_iter().enumerate() {
            let result = sent.await;
            if place == refused {
                assert!(matches!(result, Err(CommitError::Unexpected(_))), "{result:?}");
            } else {
                done(result);
            }
            assert_eq!(store.instance(number(place)).await.is_some(), place != refused);
        }
    }
    for owner in &owners {
        assert_eq!(owner.backlog().await.tasks.len(), 20 - 20 / owners.len());
    }
}

pub(super) async fn a_batch_of_a_lost_partition_leaves_those_of_others(store: Subject) {
    let Some(mut owners) = owners(&store).await else { return };
    for round in 0..20 {
        let lost = round % owners.len();
        let newest = owners[lost].epoch;
        owners[lost].epoch = Epoch(newest.0 - 1);
        let number = |place: usize| 100 * (round as u64 + 1) + place as u64;
        let sent: Vec<_> =
            owners.iter().enumerate().map(|(place, owner)| owner.send([first_turn(number(place))])).collect();
        for (place, sent) in sent.into_iter().enumerate() {
            let result = sent.await;
            if place == lost {
                assert!(matches!(result, Err(CommitError::LeaseLost(_))), "{result:?}");
            } else {
                done(result);
            }
        }
        owners[lost].epoch = newest;
    }
}

pub(super) async fn closing_a_partition_closes_no_other(store: Subject) {
    let Some(mut owners) = owners(&store).await else { return };
    for (owner, number) in owners.iter().zip(1..) {
        owner.commit([first_turn(number)]).await;
    }
    let mut closed = owners.remove(0);
    done(closed.store.close(closed.partition).await);
    let refused = closed.send([first_turn(50)]).await;
    assert!(matches!(refused, Err(CommitError::LeaseLost(_) | CommitError::Closed(_))), "{refused:?}");
    done(closed.store.close(closed.partition).await);
    for (owner, number) in owners.iter().zip(60..) {
        owner.commit([first_turn(number)]).await;
        assert_eq!(owner.backlog().await.tasks.len(), 2);
    }
    let before = closed.epoch;
    let claim = closed.claim().await;
    assert!(claim.clean && claim.epoch > before, "{claim:?}");
    closed.commit([first_turn(50)]).await;
}

pub(super) async fn each_partition_is_clean_by_itself(mut store: Subject) {
    let Some(claimed) = owners(&store).await else { return };
    let closed = claimed[1].partition;
    done(store.store().close(closed).await);
    drop(claimed);
    store.reopen();
    for partition in store.store().partitions().all() {
        let clean = done(store.store().claim(partition).await).clean;
        assert_eq!(clean, partition == closed, "{partition}");
    }
    for partition in store.store().partitions().all() {
        done(store.store().close(partition).await);
    }
    store.reopen();
    for partition in store.store().partitions().all() {
        assert!(done(store.store().claim(partition).await).clean, "{partition}");
    }
}

pub(super) async fn paging_shows_each_instance_once_while_all_partitions_create(store: Subject) {
    let Some(owners) = owners(&store).await else { return };
    // Keys and times rise in each partition, but across partitions, keys do not follow the times.
    let mut created = 0;
    let mut create = async || {
        created += 1;
        for (place, owner) in (1..).zip(&owners) {
            let mut head = head(1_000 * (owners.len() as u64 - place) + created);
            head.life_mut().created_at = Timestamp(created.cast_signed() / 2);
            owner.commit([insert(head)]).await;
        }
    };
    for newest_first in [false, true] {
        for limit in 1..=4 {
            for _ in 0..5 {
                create().await;
            }
            let list = InstanceQuery { newest_first, limit, ..InstanceQuery::default() };
            let there: Vec<_> = store.list(list.clone()).await.iter().map(|stored| stored.head.life.key).collect();
            let (mut seen, mut list, mut pages) = (Vec::new(), list, 0);
            loop {
                let page = store.page(list.clone()).await;
                seen.extend(page.instances.iter().map(|stored| stored.head.life.key));
                list.after = page.next;
                if list.after.is_none() {
                    break;
                }
                pages += 1;
                // A list that begins with the oldest instance would not end while instances are created.
                if pages < 10 {
                    create().await;
                }
            }
            let distinct: BTreeSet<_> = seen.iter().copied().collect();
            assert_eq!(distinct.len(), seen.len(), "an instance is seen twice");
            seen.retain(|key| there.contains(key));
            assert_eq!(seen, there, "those that were there throughout, in their order");
        }
    }
}
