//! Code that is registered and taken out while the partition runs (B19, P31).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::PartitionConfig;
use crate::engine::sim::Sim;
use crate::engine::sim::code::{Echo, Fail, call, code, registry};
use crate::model::ParkCode;
use crate::registry::Registry;

code! {
    fn both(ctx, _) {
        let (echoed, failed) = crate::join!(call::<Echo>(&ctx, 1), call::<Fail>(&ctx, 2));
        Ok(json!([echoed?, failed.is_err()]))
    }
}

fn without(activities: &[&str]) -> Registry {
    let mut registry = registry(&[("main", both)]);
    for name in activities {
        assert!(registry.remove_activity(name) && !registry.remove_activity(name));
    }
    registry
}

fn parked(sim: &Sim) -> String {
    let parked = sim.head("x").progress.parked.clone().expect("it is parked");
    assert_eq!(parked.code(), ParkCode::NotRegistered);
    parked.text().to_owned()
}

/// Both tasks are open and not yet running.
fn scheduled(live_instances: usize) -> Sim {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, without(&[]));
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim
}

/// Removes both activities. Afterwards they are registered again, one after the other.
fn come_and_go(mut sim: Sim) {
    sim.settle();
    assert!(parked(&sim).contains("\"echo\"") || parked(&sim).contains("\"fail\""));
    assert_eq!((sim.activities.runs.len(), sim.store.tasks.len()), (0, 2));
    // A retry does not help, and nothing is lost by it.
    sim.retry_parked("x");
    sim.settle();
    sim.change_registry(without(&["fail"]));
    sim.settle();
    assert!(parked(&sim).contains("\"fail\""), "it waits for the other one: {}", parked(&sim));
    assert_eq!((sim.activities.runs.len(), sim.store.tasks.len()), (1, 1), "the result of the first one is recorded");
    sim.change_registry(without(&[]));
    sim.settle();
    assert_eq!(sim.output("x"), json!([1, true]));
    assert_eq!(sim.activities.most_runs(), 1);
    sim.assert_clean();
}

#[test]
fn p31_tasks_whose_activity_is_removed_before_they_run_wait_for_it() {
    for live_instances in [0, 100] {
        let mut sim = scheduled(live_instances);
        sim.change_registry(without(&["echo", "fail"]));
        come_and_go(sim);
    }
}

#[test]
fn p31_open_tasks_loaded_without_their_activities_run_when_these_are_registered() {
    for live_instances in [0, 100] {
        let mut sim = scheduled(live_instances);
        sim.registry = Arc::new(without(&["echo", "fail"]));
        sim.crash();
        come_and_go(sim);
    }
}

#[test]
fn p31_a_task_that_waits_for_its_activity_is_removed_with_its_instance() {
    let mut sim = scheduled(0);
    sim.change_registry(without(&["echo", "fail"]));
    sim.settle();
    parked(&sim);
    sim.terminate("x", false);
    sim.settle();
    sim.change_registry(without(&[]));
    sim.settle();
    assert!(sim.activities.runs.is_empty() && sim.store.tasks.is_empty());
    sim.assert_clean();
}
