//! Restart: a new life, or a new instance, with what another one began with (rules A02 and C04).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::engine::sim::code::{Main, again, code, orchestrator, registry};
use crate::engine::sim::{Answer, Fate, Sim, id, start};
use crate::engine::{ClientAnswer, PartitionConfig, Refusal, StartOperation};
use crate::model::{InstanceId, JsonText, RuntimeStatus};
use crate::registry::Registry;

code! {
    fn waits(ctx, input) {
        ctx.set_custom_status(&json!("waiting"))?;
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(input)
    }
    fn counts(ctx, input) {
        match input.as_u64().unwrap_or(0) {
            3 => Ok(json!("done")),
            n => again::<Main>(&ctx, n + 1).await,
        }
    }
}

fn sim() -> Sim {
    Sim::new(PartitionConfig::default(), registry(&[("waits", waits), ("main", counts)]))
}

fn ended(sim: &mut Sim) {
    let tags = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
    let custom_status = Some(JsonText::encode(&"initial").unwrap());
    sim.start_with(StartOperation { tags, custom_status, ..start(Some("x"), "waits", &json!([1, 2])) });
    sim.settle();
    sim.raise("x", "go", &Value::Null);
    sim.settle();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Completed);
}

fn started(result: Result<ClientAnswer, Refusal>) -> InstanceId {
    match result {
        Ok(ClientAnswer::Started { id, created: true, .. }) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a02_a_restart_is_a_new_life_with_the_same_beginning() {
    let mut sim = sim();
    ended(&mut sim);
    let old = sim.head("x");
    let request = sim.restart("x", false);
    sim.settle();
    assert_eq!(started(sim.result(request)), id("x"));
    let new = sim.head("x");
    assert!(new.life.key > old.life.key);
    assert_eq!(
        (&new.life.name, &new.life.version, &new.life.input, &new.life.tags),
        (&old.life.name, &old.life.version, &old.life.input, &old.life.tags)
    );
    assert_eq!(new.progress.status, RuntimeStatus::Running);
    assert_eq!(
        (new.progress.output.as_ref(), new.progress.ended_at, new.progress.custom_status_version),
        (None, None, 1),
        "nothing is left of it"
    );
    assert!(sim.store.records.keys().all(|(key, _, _)| *key == new.life.key), "the old history is gone");
    // What the first start was is the same for the new life.
    let attached = sim.start("x", "waits", &json!([1, 2]));
    sim.settle();
    assert!(matches!(sim.result(attached), Ok(ClientAnswer::Started { created: false, .. })));
}

#[test]
fn c04_a_restart_after_continue_as_new_takes_the_input_of_the_last_execution() {
    let mut sim = sim();
    sim.start("x", "main", &json!(0));
    sim.settle();
    assert_eq!(sim.head("x").life.execution.0, 3);
    sim.restart("x", false);
    sim.settle();
    let head = sim.head("x");
    assert_eq!((head.life.execution.0, head.life.input.as_str()), (0, "3"));
    assert_eq!(sim.output("x"), json!("done"));
}

#[test]
fn a_restart_with_a_new_id_leaves_the_other_as_it_is() {
    for state in ["running", "suspended", "ended"] {
        let mut sim = sim();
        match state {
            "ended" => ended(&mut sim),
            _ => drop(sim.start("x", "waits", &json!([1, 2]))),
        }
        sim.settle();
        if state == "suspended" {
            sim.suspend("x");
            sim.settle();
        }
        let before = sim.head("x");
        let request = sim.restart("x", true);
        sim.settle();
        let new = started(sim.result(request));
        assert_ne!(new, id("x"));
        assert_eq!(sim.head("x"), before, "{state}");
        let head = sim.head(new.as_str());
        assert_eq!(
            (&head.life.name, &head.life.input, &head.life.tags),
            (&before.life.name, &before.life.input, &before.life.tags)
        );
        sim.raise(new.as_str(), "go", &Value::Null);
        sim.settle();
        assert_eq!(sim.output(new.as_str()), json!([1, 2]));
    }
}

#[test]
fn a_restart_without_its_code_is_refused_and_changes_nothing() {
    let mut sim = sim();
    ended(&mut sim);
    sim.deploy(Registry::new([orchestrator("waits", "2", waits)]).unwrap());
    let before = sim.store.clone();
    let requests = [sim.restart("x", false), sim.restart("x", true)];
    sim.settle();
    for request in requests {
        assert!(matches!(sim.result(request), Err(Refusal::NotRegistered { .. })), "{:?}", sim.answer(request));
    }
    assert_eq!(sim.store, before);
}

#[test]
fn a13_two_restarts_in_one_batch_begin_one_life() {
    let mut sim = sim();
    ended(&mut sim);
    let old = sim.head("x").life.key;
    let (first, second) = (sim.restart("x", false), sim.restart("x", false));
    let again = sim.start("x", "waits", &json!([1, 2]));
    sim.run();
    while !sim.loads.is_empty() {
        sim.deliver_load(0);
        sim.run();
    }
    assert!(sim.answer(first).is_none() && sim.answer(second).is_none(), "answers wait for the commit");
    sim.settle();
    started(sim.result(first));
    assert!(matches!(sim.result(second), Err(Refusal::NotEnded { .. })));
    assert!(matches!(sim.result(again), Ok(ClientAnswer::Started { created: false, .. })));
    assert!(sim.head("x").life.key > old);
}

#[test]
fn a12_a_restart_of_what_is_being_purged_finds_nothing() {
    let mut sim = sim();
    ended(&mut sim);
    let (purged, restarted) = (sim.purge("x"), sim.restart("x", false));
    sim.settle();
    assert_eq!(sim.result(purged), Ok(ClientAnswer::Done));
    assert!(matches!(sim.result(restarted), Err(Refusal::NotFound { .. })));
    assert!(sim.store.head("x").is_none());
}

#[test]
fn a12_a_restart_whose_commit_is_lost_has_not_happened() {
    let mut sim = sim();
    ended(&mut sim);
    let before = sim.head("x");
    let request = sim.restart("x", false);
    sim.run();
    while !sim.loads.is_empty() {
        sim.deliver_load(0);
        sim.run();
    }
    sim.commit(0, Fate::Durable);
    sim.crash();
    sim.settle();
    assert_eq!(sim.answer(request), Some(Answer::Unknown));
    assert_eq!(sim.head("x"), before);
}

#[test]
fn a02_a_purge_of_an_earlier_life_leaves_the_later_one() {
    let mut sim = sim();
    ended(&mut sim);
    let old = sim.head("x").life.key;
    sim.restart("x", false);
    sim.settle();
    sim.terminate("x", false);
    sim.settle();
    let new = sim.head("x").life.key;
    let purge = |key| crate::engine::ClientOperation::Purge { id: id("x"), key: Some(key) };
    let late = sim.call(purge(old));
    sim.settle();
    assert!(matches!(sim.result(late), Err(Refusal::NotFound { .. })));
    assert_eq!(sim.head("x").life.key, new);
    let right = sim.call(purge(new));
    sim.settle();
    assert_eq!(sim.result(right), Ok(ClientAnswer::Done));
    assert!(sim.store.head("x").is_none());
}
