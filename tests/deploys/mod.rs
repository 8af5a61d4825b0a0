//! Deployments that change the type of a stored value: the instance is parked with the error, continues after a corrected
//! deployment, and never fails.

mod book;
mod early_return;
mod program;

use std::sync::Arc;
use std::time::Duration;

use persevere::model::Timestamp;
use persevere::prelude::*;
use persevere::store::{InstanceRef, Store};
use persevere::testing::ManualClock;
use persevere::{InstanceId, OrchestrationMetadata, ParkCode, ParkReason, RuntimeStatus};
use persevere_tests::in_time;
use serde_json::{Value, json};

use self::book::Book;
use self::program::{Code, added, changed, fixed, removed, stored};

/// The state of the instance when the deployment comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Running,
    Suspended,
    /// Its time to start has not come.
    Delayed,
}

/// A deployment: its code, and what the error says.
type Deployment = (&'static str, fn() -> Code, &'static str);

const DEPLOYMENTS: [Deployment; 3] = [
    ("field added", added::code, "missing field `priority`"),
    ("field removed", removed::code, "unknown field `size`"),
    ("type changed", changed::code, "expected a string"),
];

/// A stored value: its name, the instance that is parked because of it, and what the reason calls it.
type Kind = (&'static str, &'static str, &'static str);

const KINDS: [Kind; 10] = [
    ("start input", "x", "the input of orchestrator `starts`"),
    ("activity input", "x", "the input of activity `takes`"),
    ("activity result", "x", "the result of activity `gives` (operation 1, at "),
    ("activity error", "x", "the error of activity `refuses` (operation 1, at "),
    ("event", "x", "the payload of event `arrival` (operation 3, at "),
    ("continue-as-new input", "x", "the input of orchestrator `renews`"),
    ("child input", "child", "the input of orchestrator `starts`"),
    ("child result", "x", "the result of orchestrator `returns` (operation 1, at "),
    ("side effect", "x", "the value of a side effect (operation 1, at "),
    ("custom status", "x", "the custom status with which execution 0 began"),
];

struct Scene {
    store: Arc<dyn Store>,
    clock: ManualClock,
    book: Book,
    live: usize,
}

impl Scene {
    async fn deploy(&self, code: Code) -> Runtime {
        let builder = program::builder(code, Arc::clone(&self.store), &self.clock, &self.book);
        builder.live_instances(self.live).start().await.unwrap()
    }
}

/// Starts the instance in the version that stores the value.
async fn store_value(scene: &Scene, (kind, holder, _): Kind, state: State) {
    let runtime = scene.deploy(stored::code()).await;
    let client = runtime.client();
    let (name, input) = match kind {
        "start input" => ("starts", json!(stored::Item::sample())),
        "continue-as-new input" => ("renews", Value::Null),
        kind => ("steps", json!(kind)),
    };
    let mut start = client.start_by_name(name, &input).instance_id("x");
    if state == State::Delayed {
        start = start.start_after(Duration::from_secs(60));
    }
    if kind == "custom status" {
        start = start.custom_status(&stored::Item::sample());
    }
    start.await.unwrap();
    if kind == "event" {
        client.raise_event("x", "arrival", &stored::Item::sample()).await.unwrap();
    }
    match kind {
        _ if state == State::Delayed => {}
        "activity input" => scene.book.has_begun("takes").await,
        _ => scene.book.has_begun("ready").await,
    }
    if state == State::Suspended {
        client.suspend(holder, "a deployment").await.unwrap();
    }
    runtime.shutdown().await.unwrap();
}

/// Waits until the instance is as described.
async fn until(runtime: &Runtime, id: &str, reached: impl Fn(&OrchestrationMetadata) -> bool) -> OrchestrationMetadata {
    let mut watch = runtime.client().watch_instance(id);
    while let Some(seen) = watch.next().await {
        let seen = seen.unwrap();
        assert_ne!(seen.runtime_status(), RuntimeStatus::Failed, "{seen:?}");
        if reached(&seen) {
            return seen;
        }
    }
    panic!("{id} ended without it");
}

async fn records(scene: &Scene, id: &str) -> u64 {
    let target = InstanceRef::Id(InstanceId::new(id).unwrap());
    scene.store.instance(target, false).await.unwrap().unwrap().record_count
}

/// Deploys code that cannot decode the value. Returns the reason with which the instance is parked.
async fn is_parked(scene: &Scene, holder: &str, state: State, deployment: Deployment) -> ParkReason {
    let (_, code, _) = deployment;
    let runtime = scene.deploy(code()).await;
    let client = runtime.client();
    client.raise_event(holder, "go", &Value::Null).await.unwrap();
    match state {
        State::Running => {}
        State::Suspended => client.resume(holder, "deployed").await.unwrap(),
        State::Delayed => scene.clock.advance(Duration::from_secs(60)),
    }
    let parked = until(&runtime, holder, |seen| seen.parked_reason().is_some()).await;
    let reason = parked.parked_reason().unwrap().clone();
    assert_ne!(parked.runtime_status(), RuntimeStatus::Suspended);
    runtime.shutdown().await.unwrap();
    // Another start with the same code changes nothing.
    let before = records(scene, holder).await;
    let runtime = scene.deploy(code()).await;
    let parked = until(&runtime, holder, |seen| seen.parked_reason().is_some()).await;
    assert_eq!(parked.parked_reason(), Some(&reason));
    runtime.shutdown().await.unwrap();
    assert_eq!(records(scene, holder).await, before);
    reason
}

async fn check(scene: Scene, kind: Kind, state: State, deployment: Deployment) {
    store_value(&scene, kind, state).await;
    let reason = is_parked(&scene, kind.1, state, deployment).await;
    assert_eq!(reason.code(), ParkCode::UndecodableValue, "{reason}");
    for part in [kind.2, deployment.2, "deploys/program.rs"] {
        // The start of an execution has no place in the code.
        assert!(reason.text().contains(part) || kind.0 == "custom status", "{reason} does not say {part}");
    }
    scene.book.let_all_end();
    let runtime = scene.deploy(fixed::code()).await;
    let ended = until(&runtime, "x", |seen| seen.runtime_status() == RuntimeStatus::Completed).await;
    assert_eq!(ended.read_output_as::<String>().unwrap().as_deref(), Some("kettle"));
    assert_eq!(scene.book.runs("compensates"), 0);
    runtime.shutdown().await.unwrap();
}

async fn matrix(scene: impl Fn() -> Scene) {
    for kind in KINDS {
        for deployment in DEPLOYMENTS {
            for state in [State::Running, State::Suspended, State::Delayed] {
                let can_be_early = ["start input", "event", "custom status"].contains(&kind.0);
                if state != State::Delayed || can_be_early {
                    println!("{} / {} / {state:?}", kind.0, deployment.0);
                    in_time(check(scene(), kind, state, deployment)).await;
                }
            }
        }
    }
}

fn scene(store: impl Store, live: usize) -> Scene {
    let clock = ManualClock::new(Timestamp(1_700_000_000_000_000));
    Scene { store: Arc::new(store), clock, book: Book::default(), live }
}

#[tokio::test]
async fn a_stored_value_that_does_not_decode_parks_until_it_does() {
    matrix(|| scene(MemoryStore::new(), 1_000)).await;
}

#[tokio::test]
async fn a_stored_value_that_does_not_decode_parks_until_it_does_when_every_turn_replays() {
    matrix(|| scene(MemoryStore::new(), 0)).await;
}

#[tokio::test]
async fn a_stored_value_that_does_not_decode_parks_until_it_does_with_four_partitions() {
    matrix(|| scene(MemoryStore::with_partitions(4), 1_000)).await;
}
