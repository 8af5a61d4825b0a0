//! What happens when bounds are reached.

use std::sync::Arc;

use persevere::Limits;
use tokio::task::JoinSet;

use super::program::{Ledger, cities, faulty, greet_all, in_time, program};

/// Every bound at its smallest value.
fn tight() -> Limits {
    let mut limits = Limits::default();
    limits.client_calls = 1;
    limits.undurable_bytes = 0;
    limits.unrecorded_result_bytes = 0;
    limits.live_history_bytes = 0;
    limits.loads = 1;
    limits
}

#[tokio::test]
async fn a14_many_clients_finish_with_every_bound_set_to_one() {
    in_time(async {
        let (store, _) = faulty();
        let ledger = Ledger::new();
        let builder = program(&ledger).limits(tight()).live_instances(1).max_concurrent_activities(1);
        let runtime = builder.shared_store(Arc::clone(&store)).start().await.unwrap();
        let mut clients = JoinSet::new();
        for number in 0..1_000 {
            let client = runtime.client().clone();
            clients.spawn(async move {
                let started = greet_all::start(&client, cities(&["Lima"])).instance_id(format!("c{number}")).await;
                started.unwrap().result().await.unwrap()
            });
        }
        let results = clients.join_all().await;
        assert!(results.iter().all(|greetings| greetings == &["Hello Lima!"]));
        assert_eq!(ledger.runs(), [1; 1_000]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a14_calls_wait_for_a_stalled_store_and_are_all_accepted_afterwards() {
    in_time(async {
        let (store, faults) = faulty();
        let ledger = Ledger::new();
        let runtime = program(&ledger).limits(tight()).shared_store(store).start().await.unwrap();
        faults.hold();
        let mut clients = JoinSet::new();
        for number in 0..100 {
            let client = runtime.client().clone();
            clients.spawn(async move {
                let started = greet_all::start(&client, vec![]).instance_id(format!("c{number}")).await;
                started.unwrap().result().await.unwrap()
            });
        }
        let held = faults.held().await;
        // One call was accepted. The next one waits until that call is durable.
        assert_eq!(held.turns.iter().filter(|turn| turn.record.is_some()).count(), held.turns.len());
        assert_eq!(faults.commits_sent(), 1);
        faults.release_all();
        assert_eq!(clients.join_all().await.len(), 100);
        runtime.shutdown().await.unwrap();
    })
    .await;
}
