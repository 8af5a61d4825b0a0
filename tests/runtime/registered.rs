//! Code that is registered and taken out while the runtime runs.

use std::sync::Arc;

use persevere::store::{MemoryStore, Store};
use persevere::{ClientError, ParkCode, RegistryError, ResultError, Runtime, StartError, registry};

use super::program::{Ledger, do_job, greet, greet_all, handle, held_job, in_time};

fn store(partitions: u16) -> Arc<dyn Store> {
    Arc::new(MemoryStore::with_partitions(partitions))
}

fn ids() -> impl Iterator<Item = String> {
    (0..20).map(|number| format!("job-{number}"))
}

/// Waits until the instance is parked, and returns whether the reason is missing code.
async fn waits_for_code(runtime: &Runtime, id: &str) -> bool {
    let told = handle::<do_job>(runtime, id).result().await.unwrap_err();
    let metadata = handle::<do_job>(runtime, id).metadata().await.unwrap();
    metadata.parked_reason().map(|reason| reason.code()) == Some(ParkCode::NotRegistered)
        && told.to_string().contains("not registered")
}

/// Waits for the end of an instance that is about to be tried again.
async fn ends(runtime: &Runtime, id: &str) {
    loop {
        match handle::<do_job>(runtime, id).result().await {
            Err(ResultError::Parked { .. }) => tokio::task::yield_now().await,
            ended => break assert_eq!(ended.unwrap(), format!("{id} is done")),
        }
    }
}

#[tokio::test]
async fn p31_a_call_that_follows_a_registration_finds_the_code_on_every_partition() {
    in_time(async {
        for partitions in [1, 4] {
            let builder = Runtime::builder().register(registry![greet]).state(Ledger::new()).engine_threads(2);
            let runtime = builder.shared_store(store(partitions)).start().await.unwrap();
            let start = || greet_all::start(runtime.client(), vec!["Oslo".to_owned()]);
            for _ in 0..50 {
                assert!(matches!(start().await, Err(ClientError::NotRegistered { .. })));
                runtime.register(registry![greet_all]).unwrap();
                for id in ids() {
                    start().instance_id(id).await.unwrap();
                }
                assert_eq!(start().await.unwrap().result().await.unwrap(), ["Hello Oslo!"]);
                assert!(runtime.unregister_orchestrator("greet_all", ""));
                assert!(!runtime.unregister_orchestrator("greet_all", ""));
            }
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_registration_that_fails_registers_nothing() {
    in_time(async {
        let builder = Runtime::builder().register(registry![greet]).state(Ledger::new());
        let runtime = builder.shared_store(store(1)).start().await.unwrap();
        let twice = runtime.register(registry![do_job, held_job, greet]).unwrap_err();
        assert!(matches!(twice, StartError::Registry(RegistryError::Duplicates(_))), "{twice}");
        let incomplete = runtime.register(registry![do_job]).unwrap_err();
        assert!(matches!(incomplete, StartError::Registry(RegistryError::NotRegistered { .. })), "{incomplete}");
        let start = do_job::start(runtime.client(), "a".to_owned()).await;
        assert!(matches!(start, Err(ClientError::NotRegistered { .. })));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn p31_open_tasks_run_when_their_activity_is_registered_at_run_time() {
    in_time(async {
        for partitions in [1, 4] {
            let (store, ledger) = (store(partitions), Ledger::new());
            let run = || Runtime::builder().state(ledger.clone()).engine_threads(2).shared_store(Arc::clone(&store));
            let first = run().register(registry![do_job, held_job]).start().await.unwrap();
            for id in ids() {
                do_job::start(first.client(), id.clone()).instance_id(id.clone()).await.unwrap();
                ledger.begun(&id, 1).await;
            }
            drop(first);
            let second = run().register(registry![greet]).start().await.unwrap();
            for id in ids() {
                assert!(waits_for_code(&second, &id).await, "{id}");
            }
            second.register(registry![do_job, held_job]).unwrap();
            for id in ids() {
                ledger.begun(&id, 2).await;
                ledger.let_end(&id);
                ends(&second, &id).await;
                assert_eq!(handle::<do_job>(&second, &id).metadata().await.unwrap().parked_reason(), None);
            }
            second.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn p31_a_queued_task_waits_for_its_activity_that_was_unregistered() {
    in_time(async {
        for partitions in [1, 4] {
            let ledger = Ledger::new();
            let builder = Runtime::builder().register(registry![do_job, held_job]).state(ledger.clone());
            let builder = builder.max_concurrent_activities(1).engine_threads(2);
            let runtime = builder.shared_store(store(partitions)).start().await.unwrap();
            let running = do_job::start(runtime.client(), "running".to_owned()).await.unwrap();
            ledger.begun("running", 1).await;
            for id in ids() {
                let start = do_job::start(runtime.client(), id.clone()).instance_id(id.clone());
                start.await.unwrap().wait_for_start().await.unwrap();
            }
            assert!(runtime.unregister_activity("held_job"));
            ledger.let_end("running");
            assert_eq!(running.result().await.unwrap(), "running is done", "what runs finishes");
            for id in ids() {
                assert!(waits_for_code(&runtime, &id).await, "{id}");
                ledger.let_end(&id);
            }
            runtime.register(registry![held_job]).unwrap();
            for id in ids() {
                ends(&runtime, &id).await;
            }
            assert!(ledger.runs().iter().all(|runs| *runs == 1));
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}
