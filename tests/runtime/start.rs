//! Why a start is refused.

use std::future::IntoFuture;
use std::time::Duration;

use persevere::store::{LoadError, MemoryStore, OpenError, SqliteStore};
use persevere::testing::FaultyStore;
use persevere::{ClientError, ParkCode, Runtime, StartError, registry};

use crate::logged::logged;

use super::program::{Ledger, do_job, greet, greet_all, handle, held_job, in_time, program, run};

#[tokio::test]
async fn a_start_without_a_store_says_so() {
    let error = program(&Ledger::new()).start().await.unwrap_err();
    assert!(matches!(error, StartError::NoStore), "{error}");
    assert!(error.to_string().contains(".store("), "{error}");
}

#[test]
fn a_start_outside_tokio_says_so() {
    let start = std::pin::pin!(program(&Ledger::new()).store(MemoryStore::new()).start());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = start.poll(&mut cx) else { panic!("not refused at once") };
    assert!(matches!(error, StartError::NoTokioRuntime), "{error}");
}

#[tokio::test]
async fn a_start_without_code_says_so_and_leaves_the_store_alone() {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let error = Runtime::builder().store(store).start().await.unwrap_err();
    assert!(matches!(error, StartError::Registry(_)), "{error}");
    assert_eq!(faults.claims(), 0);
}

#[tokio::test]
async fn explicit_registration_runs_what_is_listed() {
    in_time(async {
        let listed = registry![greet_all, greet];
        let builder = Runtime::builder().register(listed).register(registry![do_job, held_job]).state(Ledger::new());
        let runtime = builder.store(MemoryStore::new()).start().await.unwrap();
        let greeting = greet_all::start(runtime.client(), vec!["Rome".to_owned()]).await.unwrap();
        assert_eq!(greeting.result().await.unwrap(), ["Hello Rome!"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b09_a_second_runtime_on_the_same_file_is_refused_until_the_first_is_gone() {
    in_time(async {
        let (folder, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
        let path = folder.path().join("one.db");
        let first = program(&ledger).store(SqliteStore::open(&path).unwrap()).start().await.unwrap();
        let greeting = greet_all::start(first.client(), vec!["Bern".to_owned()]).instance_id("a").await.unwrap();
        greeting.result().await.unwrap();
        let refused = match SqliteStore::open(&path) {
            Ok(second) => program(&ledger).store(second).start().await.unwrap_err(),
            Err(error) => error.into(),
        };
        assert!(matches!(refused, StartError::Open(OpenError::InUse { .. })), "{refused}");
        first.shutdown().await.unwrap();
        let third = program(&ledger).store(SqliteStore::open(&path).unwrap()).start().await.unwrap();
        assert_eq!(handle::<greet_all>(&third, "a").result().await.unwrap(), ["Hello Bern!"]);
        third.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_closed_again_and_the_next_start_works() {
    in_time(async {
        let (store, faults) = super::program::faulty();
        let ledger = Ledger::new();
        faults.fail_loads(1, &LoadError::Corrupt("checksum".to_owned()));
        let error = program(&ledger).shared_store(store.clone()).start().await.unwrap_err();
        assert!(matches!(error, StartError::Load(LoadError::Corrupt(_))), "{error}");
        run(&store, &ledger).await.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b19_a_program_without_the_code_parks_and_one_with_it_goes_on_from_its_start() {
    in_time(async {
        let (store, _) = super::program::faulty();
        let ledger = Ledger::new();
        let first = program(&ledger).shared_store(store.clone()).shutdown_grace(Duration::ZERO).start().await.unwrap();
        do_job::start(first.client(), "paint".to_owned()).instance_id("j").await.unwrap();
        ledger.begun("paint", 1).await;
        first.shutdown().await.unwrap();

        let without = Runtime::builder().register(registry![greet_all, greet]).shared_store(store.clone());
        let without = without.start().await.unwrap();
        let metadata = handle::<do_job>(&without, "j").metadata().await.unwrap();
        let reason = metadata.parked_reason().expect("parked when the start returns");
        assert_eq!(reason.code(), ParkCode::NotRegistered);
        assert!(reason.text().contains("not registered: activity \"held_job\""), "{reason}");
        without.shutdown().await.unwrap();

        let with = run(&store, &ledger).await;
        let painting = handle::<do_job>(&with, "j");
        assert_eq!(painting.metadata().await.unwrap().parked_reason(), None);
        ledger.let_end("paint");
        assert_eq!(painting.result().await.unwrap(), "paint is done");
        with.shutdown().await.unwrap();
    })
    .await;
}

/// A park is reported once each time, when it is durable, however often the head changes in the meantime.
#[tokio::test]
async fn a_park_is_logged_once_with_its_code() {
    logged();
    in_time(async {
        let (store, _) = super::program::faulty();
        let ledger = Ledger::new();
        let first = program(&ledger).shared_store(store.clone()).shutdown_grace(Duration::ZERO).start().await.unwrap();
        do_job::start(first.client(), "file".to_owned()).instance_id("logged-park").await.unwrap();
        ledger.begun("file", 1).await;
        first.shutdown().await.unwrap();

        let without = Runtime::builder().register(registry![greet_all, greet]).shared_store(store.clone());
        let without = without.start().await.unwrap();
        let parked = handle::<do_job>(&without, "logged-park");
        parked.suspend("while it is parked").await.unwrap();
        parked.resume("").await.unwrap();
        parked.retry_parked().await.unwrap();
        assert!(parked.metadata().await.unwrap().parked_reason().is_some());
        without.shutdown().await.unwrap();
    })
    .await;
    let log = logged();
    assert_eq!(log.matches("instance=logged-park\n").count(), 1, "{log}");
    let told = "instance=logged-park\norchestrator=\"do_job\"\ncode=\"D0104\"\ntext=";
    assert!(log.contains(told), "{log}");
}

#[tokio::test]
async fn two_runtimes_on_one_memory_store_do_not_take_partitions_from_each_other() {
    in_time(async {
        for partitions in [1, 4] {
            let (ledger, rows) = (Ledger::new(), MemoryStore::with_partitions(partitions));
            let first = program(&ledger).store(rows.clone()).start().await.unwrap();
            let second = program(&ledger).store(rows.clone()).start().await.unwrap();
            let start = || greet_all::start(second.client(), vec!["Oslo".to_owned()]).into_future();
            for _ in 0..20 {
                let refused = start().await.unwrap_err();
                assert!(matches!(refused, ClientError::StoreUnavailable { .. }), "{refused}");
                let greeting = greet_all::start(first.client(), vec!["Bonn".to_owned()]).await.unwrap();
                assert_eq!(greeting.result().await.unwrap(), ["Hello Bonn!"]);
            }
            first.shutdown().await.unwrap();
            let greeting = loop {
                match start().await {
                    Ok(greeting) => break greeting,
                    Err(ClientError::StoreUnavailable { .. }) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            };
            assert_eq!(greeting.result().await.unwrap(), ["Hello Oslo!"]);
            second.shutdown().await.unwrap();
        }
    })
    .await;
}
