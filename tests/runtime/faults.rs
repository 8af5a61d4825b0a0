//! Stores that fail: nothing is lost, nothing is done twice, and every call is answered.

use std::sync::Arc;

use persevere::model::{PartitionId, RuntimeStatus};
use persevere::store::{LoadError, SqliteStore, Store};
use persevere::testing::{Fault, FaultyStore};
use persevere::{CancellationReason, Client, ClientError, InstanceId, ShutdownError};
use tokio::task::JoinSet;

use super::program::{
    Go, Greeted, Ledger, cities, do_job, faulty, faulty_with, greet_all, handle, have_greeted, in_time, job_or_go,
    program, run, show_go, wait_for_go,
};

/// Repeats a start until the outcome is known. The id makes this safe.
async fn start_greeting(client: &Client, id: String) {
    loop {
        match greet_all::start(client, cities(&["Tokyo", "Seattle", "London"])).instance_id(&id).await {
            Ok(_) => return,
            Err(error) if error.outcome_is_unknown() || error.is_temporary() => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Runs a test with one partition, and with four partitions on two threads.
const PARTITIONS: [u16; 2] = [1, 4];

/// Runs many orchestrations on a store on which every n-th commit of a partition fails. Returns how often a partition
/// was claimed after the start.
async fn survives(partitions: u16, fault: Fault, every: u64) -> u64 {
    let (store, faults) = faulty_with(partitions);
    let ledger = Ledger::new();
    let runtime = run(&store, &ledger).await;
    store.partitions().all().for_each(|partition| faults.fail_every_of(partition, every, fault));
    let mut clients = JoinSet::new();
    for number in 0..100 {
        let client = runtime.client().clone();
        clients.spawn(async move {
            let id = format!("g{number}");
            start_greeting(&client, id.clone()).await;
            let greeting = client.handle::<greet_all>(&id).unwrap();
            let greetings = greeting.result().await.unwrap();
            assert_eq!(greetings, ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
            assert_eq!(greeting.custom_status().await.unwrap().typed(), Some(Greeted(3)));
        });
    }
    clients.join_all().await;
    assert_eq!(ledger.runs(), [1; 300], "each activity ran once");
    faults.heal();
    runtime.shutdown().await.unwrap();
    let rows = faults.rows();
    assert_eq!((rows.heads_inserted, rows.tasks_new, rows.tasks_done), (100, 300, 300));
    faults.claims() - u64::from(partitions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b02_nothing_is_lost_or_doubled_when_applied_commits_report_failure() {
    for partitions in PARTITIONS {
        let claims = in_time(survives(partitions, Fault::Applied, 3)).await;
        assert!(claims > 1, "{claims} claims");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b02_nothing_is_lost_or_doubled_when_commits_are_lost() {
    for partitions in PARTITIONS {
        let claims = in_time(survives(partitions, Fault::Lost, 3)).await;
        assert!(claims > 1, "{claims} claims");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b04_nothing_is_lost_or_doubled_when_a_commit_is_fenced() {
    for partitions in PARTITIONS {
        assert!(in_time(survives(partitions, Fault::Unexpected, 4)).await > 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b04_commits_that_were_not_applied_are_sent_again_without_a_recovery() {
    for (partitions, fault) in PARTITIONS.into_iter().flat_map(|n| [(n, Fault::Transient), (n, Fault::Full)]) {
        assert_eq!(in_time(survives(partitions, fault, 3)).await, 0, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p26_a_lost_lease_loses_nothing_and_does_not_count_as_a_failure() {
    // Every second commit fails. If failures with a successful commit between them counted, the third one would stop
    // the runtime.
    assert!(in_time(survives(4, Fault::LeaseLost, 2)).await > 1);
}

/// Returns an id that begins with this text and belongs to this partition.
fn id_in(store: &Arc<dyn Store>, text: &str, partition: PartitionId) -> InstanceId {
    let mut ids = (0..).map(|number| InstanceId::new(format!("{text}-{number}")).unwrap());
    ids.find(|id| store.partitions().partition_of(id) == partition).unwrap()
}

/// Each commit of the sender and of the receiver fails once, in each way: between the commit of the sender and the
/// delivery, between the delivery and its removal, and on the way back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p07_messages_between_partitions_arrive_once_whichever_commit_fails() {
    let (sender, receiver) = (PartitionId(1), PartitionId(2));
    for fault in [Fault::Applied, Fault::Lost, Fault::Unexpected, Fault::LeaseLost] {
        for (partition, n) in [sender, receiver].into_iter().flat_map(|partition| (1..=4).map(move |n| (partition, n)))
        {
            in_time(async {
                let (store, faults) = faulty_with(4);
                let ledger = Ledger::new();
                let runtime = run(&store, &ledger).await;
                let (parent, child) = (id_in(&store, "parent", sender), id_in(&store, "child", receiver));
                faults.fail_commit_of(partition, n, fault);
                let start = || have_greeted::start(runtime.client(), child.to_string()).instance_id(&parent);
                while let Err(error) = start().await {
                    assert!(error.outcome_is_unknown() || error.is_temporary(), "{error}");
                    tokio::task::yield_now().await;
                }
                let parent = handle::<have_greeted>(&runtime, parent.as_str());
                assert_eq!(parent.result().await.unwrap(), "Hello Quito!", "{fault:?} in commit {n} of {partition}");
                assert_eq!(ledger.runs(), [1], "{fault:?} in commit {n} of {partition}");
                runtime.shutdown().await.unwrap();
                let rows = faults.rows();
                assert_eq!((rows.heads_inserted, rows.inbox_new), (2, rows.inbox_done));
            })
            .await;
        }
    }
}

#[tokio::test]
async fn b04_a_full_store_refuses_new_work_with_the_cause_and_goes_on_when_there_is_room() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let running = do_job::start(runtime.client(), "a".to_owned()).await.unwrap();
        ledger.begun("a", 1).await;
        faults.fail_every(1, Fault::Full);
        let sent = faults.commits_sent();
        ledger.let_end("a");
        faults.answered(sent + 1).await;
        // The failed commit has been answered, so the engine thread learns of the failure before it reads the next call.
        let refused = greet_all::start(runtime.client(), vec![]).instance_id("refused").await.unwrap_err();
        let ClientError::StoreUnavailable { cause } = &refused else { panic!("{refused:?}") };
        assert!(cause.contains("full"), "{cause}");
        faults.heal();
        assert_eq!(running.result().await.unwrap(), "a is done");
        assert!(runtime.client().get_instance("refused").await.unwrap().is_none());
        assert_eq!((ledger.runs(), faults.claims()), (vec![1], 1));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a13_a_refusal_from_memory_waits_for_its_commit_and_is_withheld_if_the_commit_fails() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let client = runtime.client().clone();
        let waiting = wait_for_go::start(&client).instance_id("w").await.unwrap();
        waiting.wait_for_start().await.unwrap();
        faults.hold();
        let terminate = tokio::spawn(waiting.terminate("enough").into_future());
        faults.held().await;
        let raise = tokio::spawn(waiting.raise_event(Go(7)).into_future());
        // The end is not visible yet: a read is answered, but the calls still have no answer.
        assert_eq!(waiting.metadata().await.unwrap().runtime_status(), RuntimeStatus::Running);
        assert!(!terminate.is_finished() && !raise.is_finished());
        faults.fail_held(Fault::Lost);
        faults.release_all();
        assert!(terminate.await.unwrap().unwrap_err().outcome_is_unknown());
        // The calls may be handled before or after the loss, but they are never refused because of an end that did not
        // happen.
        match raise.await.unwrap() {
            Ok(()) => {}
            Err(error) if error.outcome_is_unknown() => waiting.raise_event(Go(7)).await.unwrap(),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(handle::<wait_for_go>(&runtime, "w").result().await.unwrap(), 7);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b02_an_activity_that_runs_through_a_recovery_runs_once() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let running = do_job::start(runtime.client(), "a".to_owned()).await.unwrap();
        ledger.begun("a", 1).await;
        // The commit fails once while the activity runs, and once when the commit contains its result.
        for fault in [Fault::Lost, Fault::Applied] {
            faults.fail_next_commit(fault);
            let claims = faults.claims();
            if fault == Fault::Applied {
                ledger.let_end("a");
            } else {
                let error = greet_all::start(runtime.client(), vec![]).await.unwrap_err();
                assert!(error.outcome_is_unknown(), "{error}");
            }
            faults.claimed(claims + 1).await;
        }
        assert_eq!(running.result().await.unwrap(), "a is done");
        assert_eq!((ledger.runs(), ledger.cancellations()), (vec![1], vec![]));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b07_a_cancellation_reaches_the_activity_only_when_it_is_durable() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let choosing = job_or_go::start(runtime.client(), "a".to_owned()).await.unwrap();
        ledger.begun("a", 1).await;
        faults.hold();
        let raise = tokio::spawn(choosing.raise_event(Go(1)).into_future());
        faults.held().await;
        assert_eq!(ledger.cancellations(), []);
        faults.release_all();
        raise.await.unwrap().unwrap();
        ledger.cancelled().await;
        assert_eq!(ledger.cancellations(), [CancellationReason::Cancelled]);
        choosing.raise_event(Go(2)).await.unwrap();
        assert_eq!(choosing.result().await.unwrap(), "gone");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_activity_whose_instance_ends_is_told_so() {
    in_time(async {
        let (store, _) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let running = do_job::start(runtime.client(), "a".to_owned()).await.unwrap();
        ledger.begun("a", 1).await;
        running.terminate("enough").await.unwrap();
        ledger.cancelled().await;
        assert_eq!(ledger.cancellations(), [CancellationReason::InstanceEnded]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b01_three_failures_in_a_row_stop_the_runtime_and_answer_every_caller() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let client = runtime.client().clone();
        let waiting = wait_for_go::start(&client).instance_id("w").await.unwrap();
        let wait = tokio::spawn(waiting.result().into_future());
        faults.fail_every(1, Fault::Unexpected);
        // The runtime recovers from the first two failures. The third one stops it, and later callers are told so.
        let mut errors = Vec::new();
        while !matches!(errors.last(), Some(ClientError::Fatal { .. })) {
            errors.push(greet_all::start(&client, vec![]).await.unwrap_err());
        }
        let unknown = errors.iter().filter(|error| error.outcome_is_unknown()).count();
        assert_eq!((unknown, errors.len(), faults.claims()), (3, 4, 3), "{errors:?}");
        assert!(wait.await.unwrap().is_err());
        for error in [client.get_instance("w").await.unwrap_err(), client.terminate("w", "x").await.unwrap_err()] {
            assert!(matches!(error, ClientError::Fatal { .. }), "{error}");
        }
        let error = runtime.shutdown().await.unwrap_err();
        assert!(matches!(error, ShutdownError::Fatal { .. }), "{error}");
        faults.heal();
        // What was acknowledged is in the store.
        let second = run(&store, &ledger).await;
        handle::<wait_for_go>(&second, "w").raise_event(Go(3)).await.unwrap();
        assert_eq!(handle::<wait_for_go>(&second, "w").result().await.unwrap(), 3);
        second.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b01_a_store_that_is_gone_for_good_stops_the_runtime_at_once() {
    in_time(async {
        let (store, faults) = faulty();
        let runtime = run(&store, &Ledger::new()).await;
        faults.fail_next_commit(Fault::Fatal);
        let error = greet_all::start(runtime.client(), vec![]).await.unwrap_err();
        assert!(error.outcome_is_unknown(), "{error}");
        let error = greet_all::start(runtime.client(), vec![]).await.unwrap_err();
        assert!(matches!(error, ClientError::Fatal { .. }), "{error}");
        assert!(matches!(runtime.shutdown().await, Err(ShutdownError::Fatal { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_runtime_that_stopped_releases_the_file_although_clients_still_exist() {
    in_time(async {
        let (folder, ledger) = (tempfile::tempdir().unwrap(), Ledger::new());
        let path = folder.path().join("one.db");
        let store = FaultyStore::new(SqliteStore::open(&path).unwrap());
        store.faults().fail_next_commit(Fault::Fatal);
        let first = program(&ledger).store(store).start().await.unwrap();
        let client = first.client().clone();
        let error = greet_all::start(&client, vec![]).await.unwrap_err();
        assert!(error.outcome_is_unknown(), "{error}");
        assert!(first.shutdown().await.is_err());
        let second = program(&ledger).store(SqliteStore::open(&path).unwrap()).start().await.unwrap();
        greet_all::start(second.client(), vec![]).await.unwrap().result().await.unwrap();
        assert!(matches!(client.get_instance("x").await, Err(ClientError::Fatal { .. })));
        second.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b01_a_recovery_that_cannot_claim_or_load_is_tried_again() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = run(&store, &ledger).await;
        let waiting = wait_for_go::start(runtime.client()).await.unwrap();
        faults.fail_claims(2);
        faults.fail_loads(2, &LoadError::Transient("busy".to_owned()));
        faults.fail_next_commit(Fault::Lost);
        let error = greet_all::start(runtime.client(), vec![]).await.unwrap_err();
        assert!(error.outcome_is_unknown(), "{error}");
        faults.claimed(4).await;
        while waiting.raise_event(Go(5)).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(waiting.result().await.unwrap(), 5);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b05_reads_that_fail_for_a_while_are_tried_again() {
    in_time(async {
        let (store, faults) = faulty();
        let runtime = program(&Ledger::new()).live_instances(0).shared_store(Arc::clone(&store)).start().await.unwrap();
        let waiting = wait_for_go::start(runtime.client()).await.unwrap();
        waiting.wait_for_start().await.unwrap();
        faults.fail_reads(3, &LoadError::Transient("busy".to_owned()));
        waiting.raise_event(Go(5)).await.unwrap();
        assert_eq!(waiting.result().await.unwrap(), 5);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn b10_a_watch_sees_what_a_commit_of_unknown_outcome_applied() {
    in_time(async {
        let (store, faults) = faulty();
        let runtime = run(&store, &Ledger::new()).await;
        let showing = show_go::start(runtime.client()).await.unwrap();
        let mut watch = showing.watch_custom_status();
        assert_eq!(watch.next().await, Some(Ok(Greeted(0))));
        faults.fail_next_commit(Fault::Applied);
        // The new value was applied, but no commit announced it. The recovery announces it.
        let error = showing.raise_event(Go(9)).await.unwrap_err();
        assert!(error.outcome_is_unknown(), "{error}");
        assert_eq!(watch.next().await, Some(Ok(Greeted(9))));
        assert_eq!(watch.next().await, None);
        runtime.shutdown().await.unwrap();
    })
    .await;
}
