//! How a runtime ends.

use std::sync::Arc;
use std::time::Duration;

use persevere::store::{InstanceRef, MemoryStore, SqliteStore, Store};
use persevere::testing::Fault;
use persevere::{CancellationReason, ClientError, RuntimeStatus, ShutdownError};

use super::program::{
    Ledger, cities, count_for_ever, do_job, faulty, greet_all, greet_for_ever, handle, in_time, program, run,
    wait_for_go,
};

#[tokio::test]
async fn b21_an_activity_may_finish_and_is_recorded_without_another_poll() {
    in_time(async {
        let (ledger, store): (_, Arc<dyn Store>) = (Ledger::new(), Arc::new(MemoryStore::new()));
        let first = run(&store, &ledger).await;
        let running = do_job::start(first.client(), "a".to_owned()).instance_id("a").await.unwrap();
        ledger.begun("a", 1).await;
        let client = first.client().clone();
        let stopping = tokio::spawn(first.shutdown());
        // Calls are refused from the moment at which the runtime begins to stop.
        while greet_all::start(&client, vec![]).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!stopping.is_finished());
        ledger.let_end("a");
        stopping.await.unwrap().unwrap();
        let told = running.result().await.unwrap_err();
        assert!(told.to_string().contains("stopped"), "{told}");
        let target = InstanceRef::Id("a".parse().unwrap());
        let stored = store.instance(target, false).await.unwrap().unwrap();
        assert_eq!(stored.head.progress.status, RuntimeStatus::Running, "polled while stopping");

        let second = run(&store, &ledger).await;
        assert_eq!(handle::<do_job>(&second, "a").result().await.unwrap(), "a is done");
        assert_eq!((ledger.runs(), ledger.cancellations()), (vec![1], vec![]));
        second.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b07_an_activity_that_fails_because_of_the_shutdown_runs_again() {
    in_time(async {
        let (ledger, store): (_, Arc<dyn Store>) = (Ledger::new(), Arc::new(MemoryStore::new()));
        // There is time to return after the grace period, but there is no grace period.
        let builder = program(&ledger).shutdown_grace(Duration::from_millis(50));
        let first = builder.shared_store(Arc::clone(&store)).start().await.unwrap();
        do_job::start(first.client(), "a".to_owned()).instance_id("a").await.unwrap();
        ledger.begun("a", 1).await;
        first.shutdown().await.unwrap();
        ledger.cancelled().await;
        assert_eq!(ledger.cancellations(), [CancellationReason::Shutdown]);

        let second = run(&store, &ledger).await;
        ledger.begun("a", 2).await;
        ledger.let_end("a");
        assert_eq!(handle::<do_job>(&second, "a").result().await.unwrap(), "a is done");
        assert_eq!(ledger.runs(), [2]);
        second.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b21_an_eternal_orchestration_does_not_block_shutdown_and_continues_afterwards() {
    in_time(async {
        let (ledger, store): (_, Arc<dyn Store>) = (Ledger::new(), Arc::new(MemoryStore::new()));
        let mut seen = (0, 0);
        for life in 0..3 {
            let runtime = run(&store, &ledger).await;
            let greeting = greet_for_ever::start(runtime.client(), 1).instance_id("g").await.unwrap();
            let counting = count_for_ever::start(runtime.client(), 1).instance_id("c").await.unwrap();
            let (greeted, counted) = seen;
            seen.0 = greeting.wait_for_custom_status(move |status| status.0 > greeted + 20).await.unwrap().0;
            seen.1 = counting.wait_for_custom_status(move |status| status.0 > counted + 20).await.unwrap().0;
            runtime.shutdown().await.unwrap();
            assert!(ledger.runs().iter().all(|runs| *runs == 1), "life {life}: {:?}", ledger.runs());
        }
    })
    .await;
}

#[tokio::test]
async fn every_call_and_wait_after_the_end_reports_that_the_runtime_stopped() {
    in_time(async {
        let ledger = Ledger::new();
        let runtime = program(&ledger).store(MemoryStore::new()).start().await.unwrap();
        let client = runtime.client().clone();
        let waiting = wait_for_go::start(&client).instance_id("w").await.unwrap();
        let wait = tokio::spawn(waiting.result().into_future());
        runtime.shutdown().await.unwrap();
        assert!(wait.await.unwrap().is_err());
        let calls = [
            greet_all::start(&client, vec![]).await.unwrap_err(),
            client.get_instance("w").await.unwrap_err(),
            client.terminate("w", "late").await.unwrap_err(),
        ];
        for error in calls {
            assert_eq!(error, ClientError::RuntimeStopped);
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_runtime_loses_nothing_that_was_acknowledged_and_frees_the_file() {
    in_time(async {
        let (folder, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
        let path = folder.path().join("one.db");
        for round in 0..5 {
            let runtime = program(&ledger).store(SqliteStore::open(&path).unwrap()).start().await.unwrap();
            for earlier in 0..round {
                let metadata = runtime.client().get_instance(format!("w{earlier}")).await.unwrap();
                assert!(metadata.is_some(), "w{earlier} in round {round}");
            }
            wait_for_go::start(runtime.client()).instance_id(format!("w{round}")).await.unwrap();
            drop(runtime);
        }
    })
    .await;
}

#[tokio::test]
async fn dropping_does_not_wait_for_activities() {
    in_time(async {
        let (ledger, store): (_, Arc<dyn Store>) = (Ledger::new(), Arc::new(MemoryStore::new()));
        let first = run(&store, &ledger).await;
        do_job::start(first.client(), "a".to_owned()).instance_id("a").await.unwrap();
        ledger.begun("a", 1).await;
        drop(first);
        ledger.cancelled().await;
        assert_eq!(ledger.cancellations(), [CancellationReason::Shutdown]);
        let second = run(&store, &ledger).await;
        ledger.begun("a", 2).await;
        ledger.let_end("a");
        assert_eq!(handle::<do_job>(&second, "a").result().await.unwrap(), "a is done");
        second.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b21_a_store_that_does_not_write_does_not_block_the_shutdown() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let builder = program(&ledger).shutdown_grace(Duration::ZERO);
        let first = builder.shared_store(Arc::clone(&store)).start().await.unwrap();
        faults.fail_every(1, Fault::Full);
        let client = first.client().clone();
        let lost = tokio::spawn(greet_all::start(&client, cities(&["Bonn"])).instance_id("lost").into_future());
        faults.answered(2).await;
        let error = first.shutdown().await.unwrap_err();
        assert!(matches!(error, ShutdownError::NotDrained { .. }), "{error}");
        let error = lost.await.unwrap().unwrap_err();
        assert!(error.outcome_is_unknown(), "{error}");
        faults.heal();
        let second = run(&store, &ledger).await;
        assert!(second.client().get_instance("lost").await.unwrap().is_none());
        second.shutdown().await.unwrap();
    })
    .await;
}
