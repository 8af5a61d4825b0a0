//! Who may write a partition, and how it moves.

use std::time::{Duration, Instant};

use persevere::model::Epoch;
use persevere::store::{CommitError, OpenError, Store};
use persevere_tests::in_time;

use crate::database::{Database, LEASE, PARTITION, SILENT, claim_when_free, connect, message};
use crate::proxy::{Cut, Proxy};

#[tokio::test]
async fn p01_a_commit_of_a_lost_partition_fails_inside_the_server() {
    let database = Database::new().await;
    let store = database.open().await;
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(message(epoch, 1)).await.unwrap();
    // Equal epochs are told apart by the claim.
    for change in ["claim = gen_random_uuid()", "epoch = epoch + 1"] {
        let epoch = claim_when_free(&store).await.epoch;
        database.run(&format!("UPDATE @partition SET {change}")).await;
        let refused = store.commit(message(epoch, 2)).await;
        assert!(matches!(refused, Err(CommitError::LeaseLost(_))), "{refused:?}");
        assert_eq!(database.messages().await, 1, "a row of a lost partition");
        let forgotten = store.commit(message(epoch, 2)).await;
        assert!(matches!(forgotten, Err(CommitError::LeaseLost(_))), "{forgotten:?}");
    }
}

#[tokio::test]
async fn p01_the_connection_is_used_again_after_a_batch_was_refused() {
    let database = Database::new().await;
    let store = database.open().await;
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(message(epoch, 1)).await.unwrap();
    // Only the connections of this worker, because other tests run at the same time.
    let connections = "SELECT max(split_part(application_name, '/', 3)::int8) FROM pg_stat_activity
        WHERE application_name LIKE 'persevere/' || (SELECT owner FROM @partition) || '/%'
          AND application_name NOT LIKE '%/lease'";
    let before = database.number(connections).await;
    for _ in 0..3 {
        let refused = store.commit(message(epoch, 1)).await;
        assert!(matches!(refused, Err(CommitError::Unexpected(_))), "{refused:?}");
    }
    store.commit(message(epoch, 2)).await.unwrap();
    assert_eq!(
        (database.messages().await, database.number(connections).await),
        (2, before),
        "another connection was opened"
    );
}

#[tokio::test]
async fn p02_an_owner_that_renews_while_a_claim_waits_keeps_its_partition() {
    let database = Database::new().await;
    let store = database.open().await;
    database.give_to_a_silent_worker("-1 hour").await;
    // The claim has judged the worker before, and waits now for a commit of it.
    let holder = connect("a test").await;
    let held = database.text("BEGIN; SELECT 1 FROM @partition FOR NO KEY UPDATE");
    let renewed = database.text("UPDATE @worker SET renewals = renewals + 1, expires_at = now() + interval '1 hour'");
    let waits = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '%\"' || $1 || '\".partition%'";
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&database.schema];
    let claim = in_time(async {
        loop {
            holder.batch_execute(&held).await.unwrap();
            let claiming = store.claim(PARTITION);
            // Until the claim waits, or is refused because the worker is not dead yet.
            let mut claiming = Box::pin(claiming);
            let refused = loop {
                let waiting = database.client.query_one(waits, &parameters);
                tokio::select! {
                    biased;
                    refused = &mut claiming => break Some(refused),
                    row = waiting => {
                        if row.unwrap().get::<_, i64>(0) > 0 {
                            break None;
                        }
                    }
                }
            };
            if refused.is_some() {
                holder.batch_execute("ROLLBACK").await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            database.client.batch_execute(&renewed).await.unwrap();
            holder.batch_execute("COMMIT").await.unwrap();
            return claiming.await;
        }
    })
    .await;
    assert!(matches!(claim, Err(OpenError::LeaseLost { .. })), "{claim:?}");
    claim_when_free(&store).await;
}

#[tokio::test]
async fn p03_a_claim_ends_the_connection_of_a_dead_worker_that_holds_the_partition() {
    let database = Database::new().await;
    let store = database.open().await;
    database.give_to_a_silent_worker("-1 hour").await;
    // A transaction that was begun and never finished.
    let stalled = connect(&format!("persevere/{SILENT}/7")).await;
    stalled.batch_execute(&database.text("BEGIN; SELECT 1 FROM @partition FOR NO KEY UPDATE")).await.unwrap();
    claim_when_free(&store).await;
    assert!(stalled.batch_execute("SELECT 1").await.is_err(), "the connection was not ended");
}

#[tokio::test]
async fn p04_a_worker_whose_lease_lasts_by_the_clock_of_the_database_is_dead_after_a_whole_lease() {
    let database = Database::new().await;
    let store = database.open().await;
    database.give_to_a_silent_worker("1 hour").await;
    let refused = store.claim(PARTITION).await;
    assert!(matches!(refused, Err(OpenError::LeaseLost { .. })), "{refused:?}");
    claim_when_free(&store).await;
}

#[tokio::test]
async fn p04_a_worker_that_was_removed_writes_nothing_and_comes_back_under_another_id() {
    let database = Database::new().await;
    let store = database.open().await;
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    database.run("UPDATE @partition SET owner = NULL; DELETE FROM @worker").await;
    let refused = in_time(async {
        loop {
            // Until the next renewal, the partition still belongs to this worker.
            match store.commit(message(epoch, 1)).await {
                Ok(()) => database.run("DELETE FROM @inbox").await,
                Err(error) => return error,
            }
        }
    })
    .await;
    assert!(matches!(refused, CommitError::LeaseLost(_)), "{refused:?}");
    assert_eq!(database.messages().await, 0);
    let again = claim_when_free(&store).await;
    store.commit(message(again.epoch, 1)).await.unwrap();
}

#[tokio::test]
async fn p04_nothing_moves_because_the_server_was_away_for_longer_than_a_lease() {
    let database = Database::new().await;
    let proxy = Proxy::start();
    let owner = database.open_at(&proxy.address()).await.unwrap();
    let epoch = owner.claim(PARTITION).await.unwrap().epoch;
    let other = database.open_at(&proxy.address()).await.unwrap();
    let owned = async || {
        let refused = other.claim(PARTITION).await;
        assert!(matches!(refused, Err(OpenError::LeaseLost { .. } | OpenError::Failed { .. })), "{refused:?}");
    };
    owned().await;
    let lease = LEASE;
    proxy.take_server_away();
    let away = Instant::now();
    while away.elapsed() < 3 * lease {
        owned().await;
        tokio::time::sleep(lease / 10).await;
    }
    let refused = owner.commit(message(epoch, 1)).await;
    assert!(matches!(refused, Err(CommitError::LeaseLost(_))), "a lease that is over: {refused:?}");
    proxy.return_server();
    let back = Instant::now();
    while back.elapsed() < 2 * lease {
        owned().await;
        tokio::time::sleep(lease / 10).await;
    }
    let again = claim_when_free(&owner).await;
    owner.commit(message(again.epoch, 1)).await.unwrap();
    assert_eq!(database.messages().await, 1);
}

#[tokio::test]
async fn p05_a_commit_whose_answer_is_lost_is_settled_by_the_next_claim() {
    for (cut, applied) in [(Cut::BeforeCommit, 0), (Cut::BeforeItsAnswer, 1)] {
        let database = Database::new().await;
        let proxy = Proxy::start();
        let store = database.open_at(&proxy.address()).await.unwrap();
        let epoch = store.claim(PARTITION).await.unwrap().epoch;
        store.commit(message(epoch, 1)).await.unwrap();
        proxy.cut_next(cut);
        let lost = store.commit(message(epoch, 2)).await;
        assert!(matches!(lost, Err(CommitError::Ambiguous(_))), "{cut:?}: {lost:?}");
        let refused = store.commit(message(epoch, 3)).await;
        assert!(refused.is_err(), "{cut:?}: written before the claim");
        let again = claim_when_free(&store).await;
        assert!(again.epoch > epoch);
        assert_eq!(database.messages().await, 1 + applied, "{cut:?}");
        assert_eq!(store.load(PARTITION).await.unwrap().inbox.len() as i64, 1 + applied, "{cut:?}");
        store.commit(message(again.epoch, 3)).await.unwrap();
    }
}

#[tokio::test]
async fn p06_epochs_are_skipped_when_the_database_is_on_another_timeline() {
    let database = Database::new().await;
    let store = database.open().await;
    let Epoch(before) = store.claim(PARTITION).await.unwrap().epoch;
    let Epoch(next) = store.claim(PARTITION).await.unwrap().epoch;
    assert_eq!(next, before + 1);
    database.run("UPDATE @hub SET timeline = '000000FF'").await;
    let Epoch(skipped) = store.claim(PARTITION).await.unwrap().epoch;
    assert!(skipped > next + 65_536, "{skipped}");
    assert!(store.claim(PARTITION).await.unwrap().epoch.0 == skipped + 1, "the timeline is noted");
}
