//! Lives and ids: keys, lookups, starts, refusals (A2, A9 to A13).

use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::RetryPolicy;
use crate::engine::sim::code::{Child, Echo, Fail, Main, call, child, code, registry};
use crate::engine::sim::{Answer, Fate, SECOND, Sim, id, start};
use crate::engine::{
    ClientAnswer, ClientOperation, IdReusePolicy, PartitionConfig, PartitionInput, Refusal, StartOperation,
};
use crate::model::{Action, HeadChange, InstanceKey, JsonText, Message, Parent, RuntimeStatus, TaskId, wire};

code! {
    fn works(ctx, input) { call::<Echo>(&ctx, input).await.map_err(Into::into) }
    fn waits(ctx, _) { ctx.wait_for_external_event("red").await.map_err(Into::into) }
    fn parent(ctx, _) { child::<Child>(&ctx, 1).await.map_err(Into::into) }
    fn adopts(ctx, _) {
        let named = child::<Child>(&ctx, 1).instance_id(id("taken")).await;
        let minted = child::<Child>(&ctx, 2).await?;
        Ok(json!([named.is_err(), minted]))
    }
    fn nests(ctx, input) {
        let depth = input.as_u64().unwrap_or(0);
        if depth == 0 { return Ok(json!("bottom")); }
        match child::<Main>(&ctx, depth - 1).await {
            Ok(value) => Ok(value),
            Err(error) => Ok(json!(std::error::Error::source(&error).map(ToString::to_string))),
        }
    }
}

fn sim_with(live_instances: usize) -> Sim {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    Sim::new(
        config,
        registry(&[
            ("works", works),
            ("waits", waits),
            ("parent", parent),
            ("child", works),
            ("adopts", adopts),
            ("main", nests),
        ]),
    )
}

fn replace(instance: &str, name: &str, input: &Value) -> StartOperation {
    StartOperation { reuse: IdReusePolicy::ReplaceEnded, ..start(Some(instance), name, input) }
}

#[test]
fn a02_a_late_result_of_an_earlier_life_is_discarded() {
    for how in ["replace", "purge"] {
        let mut sim = sim_with(0);
        sim.start("order", "works", &json!("first"));
        sim.settle_rows();
        let old = sim.start_activities().unwrap();
        sim.terminate("order", false);
        sim.settle_rows();
        if how == "purge" {
            sim.purge("order");
        }
        sim.start_with(replace("order", "works", &json!("second")));
        sim.settle_rows();
        let new = TaskId { key: sim.head("order").life.key, ..old };
        assert!(new.key > old.key);
        sim.handle(PartitionInput::TaskDone { task: old, result: Ok(JsonText::encode(&"first").unwrap()) });
        sim.settle_rows();
        assert_eq!(sim.head("order").progress.status, RuntimeStatus::Running, "{how}");
        sim.settle();
        assert_eq!(sim.output("order"), json!("second"), "{how}");
    }
}

#[test]
fn a02_the_end_of_a_child_of_an_earlier_life_is_discarded_with_its_row() {
    let mut sim = sim_with(0);
    sim.start("order", "parent", &Value::Null);
    sim.settle_rows();
    sim.start_activities().unwrap();
    sim.terminate("order", false);
    sim.settle_rows();
    sim.start_with(replace("order", "waits", &Value::Null));
    sim.settle();
    assert_eq!(sim.inputs("order"), ["started"], "the end of the child came to nobody");
    assert!(sim.store.inbox.is_empty());
}

/// An ended instance while another one takes its id: the commit that does so is not durable yet. Also the activity of the
/// child of the ended instance, which is still running.
fn being_replaced() -> (Sim, TaskId) {
    let mut sim = sim_with(0);
    sim.start("order", "parent", &Value::Null);
    sim.settle_rows();
    let task = sim.start_activities().unwrap();
    sim.terminate("order", false);
    sim.settle_rows();
    sim.start_with(replace("order", "waits", &Value::Null));
    sim.deliver_load(0);
    sim.run();
    (sim, task)
}

#[test]
fn a02_inputs_for_a_life_that_is_being_replaced_are_discarded_with_their_rows() {
    let (mut sim, task) = being_replaced();
    // The commit that removes the old life is not durable when its child ends.
    sim.finish(task);
    sim.settle_rows();
    assert!(sim.store.inbox.is_empty());
    assert_eq!(sim.head("order").progress.status, RuntimeStatus::Running);
}

#[test]
fn a02_an_outdated_read_never_brings_back_a_life_that_is_being_replaced() {
    let (mut sim, task) = being_replaced();
    sim.finish(task);
    sim.deliver_load(0);
    sim.run();
    // Whatever is looked up of the old life is read now and answered when it is gone.
    (0..sim.loads.len()).for_each(|place| sim.read(place));
    sim.commit(usize::MAX, Fate::Durable);
    sim.settle_rows();
    let raised = sim.raise("order", "red", &json!(1));
    sim.settle();
    assert!(sim.result(raised).is_ok());
    assert_eq!(sim.output("order"), json!(1));
    sim.assert_clean();
}

#[test]
fn a02_keys_rise_over_lives_and_openings_whatever_the_clock_does() {
    let mut sim = sim_with(10);
    let mut keys: Vec<InstanceKey> = Vec::new();
    for _ in 0..3 {
        for _ in 0..2 {
            sim.start_with(replace("order", "works", &Value::Null));
            sim.settle();
            keys.push(sim.head("order").life.key);
        }
        sim.now.0 -= 3_600 * SECOND;
        sim.crash();
    }
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
}

#[test]
fn a09_two_starts_of_one_id_make_one_life() {
    for live_instances in [0, 1] {
        for (inputs, commits_between) in [((1, 1), false), ((1, 1), true), ((1, 2), false), ((1, 2), true)] {
            let mut sim = sim_with(live_instances);
            let first = sim.start("x", "works", &json!(inputs.0));
            if commits_between {
                sim.settle_rows();
            }
            let second = sim.start("x", "works", &json!(inputs.1));
            sim.settle();
            let Ok(ClientAnswer::Started { key, created: true, .. }) = sim.result(first) else { panic!() };
            if inputs.0 == inputs.1 {
                assert_eq!(sim.result(second), Ok(ClientAnswer::Started { id: id("x"), key, created: false }));
            } else {
                assert!(matches!(sim.result(second), Err(Refusal::AlreadyExists { .. })));
            }
            let inserted = sim.durable_commits.iter().filter(|turn| matches!(turn.head, HeadChange::Insert(_))).count();
            assert_eq!(inserted, 1);
        }
    }
}

#[test]
fn a09_an_instance_is_not_read_while_its_commit_is_not_durable() {
    // It ends, is purged and begins again, and all of it is still on its way.
    let mut sim = sim_with(0);
    sim.start("x", "waits", &Value::Null);
    sim.settle_rows();
    sim.raise("x", "red", &json!(1));
    sim.run();
    sim.deliver_load(0);
    sim.run();
    let (purged, again) = (sim.purge("x"), sim.start("x", "works", &json!(2)));
    sim.run();
    let late = sim.raise("x", "red", &json!(2));
    sim.run();
    assert!(sim.loads.is_empty(), "memory knows better than the store");
    assert!(sim.answer(purged).is_none() && sim.answer(again).is_none());
    sim.settle();
    assert!(sim.result(purged).is_ok() && sim.result(late).is_ok());
    assert!(matches!(sim.result(again), Ok(ClientAnswer::Started { created: true, .. })));
    assert_eq!(sim.output("x"), json!(2));
}

#[test]
fn a09_records_are_read_when_the_last_commit_is_durable() {
    let mut sim = sim_with(0);
    sim.start("x", "waits", &Value::Null);
    sim.suspend("x");
    sim.settle_rows();
    // Recorded without its code, and wanted back before that is durable.
    sim.raise("x", "green", &json!(1));
    sim.run();
    sim.deliver_load(0);
    sim.run();
    sim.resume("x");
    sim.raise("x", "red", &json!(2));
    sim.run();
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.parked, None);
    assert_eq!(sim.output("x"), json!(2));
}

#[test]
fn a09_a_read_that_was_overtaken_is_ignored() {
    let mut sim = sim_with(0);
    sim.start("x", "works", &json!(1));
    sim.settle_rows();
    let task = sim.start_activities().unwrap();
    // Looked up by id for the raise, by key for the activity; the first read is old when it arrives.
    sim.raise("x", "red", &json!(1));
    sim.finish(task);
    assert_eq!(sim.loads.len(), 2);
    sim.read(0);
    sim.deliver_load(1);
    sim.run();
    assert_eq!(sim.commits.len(), 1);
    sim.commit(1, Fate::Durable);
    sim.deliver_load(0);
    let purge = sim.purge("x");
    sim.settle();
    assert!(sim.result(purge).is_ok());
    assert!(sim.store.heads.is_empty());
}

#[test]
fn a10_ids_of_children_are_minted_and_looked_up_when_the_code_chose_them() {
    let mut sim = sim_with(0);
    sim.start("taken", "waits", &Value::Null);
    let long = "p".repeat(256);
    sim.start(&long, "adopts", &Value::Null);
    sim.settle();
    assert_eq!(sim.output(&long), json!([true, 2]));
    let minted: Vec<_> = sim
        .recorded
        .iter()
        .flat_map(|(_, _, turn)| &turn.actions)
        .filter_map(|action| match action {
            Action::StartSubOrchestration { instance, minted: true, .. } => Some(instance.as_str().len()),
            _ => None,
        })
        .collect();
    assert_eq!(minted, [14], "not built from the id of the parent");
}

#[test]
fn a10_sub_orchestrations_nest_to_the_limit() {
    let mut sim = sim_with(0);
    sim.start("fits", "main", &json!(64));
    sim.start("deep", "main", &json!(65));
    sim.settle();
    assert_eq!(sim.output("fits"), json!("bottom"));
    assert!(sim.output("deep").as_str().unwrap().contains("nested at most 64 deep"));
    sim.assert_clean();
}

#[test]
fn a10_a_minted_start_makes_one_instance_however_often_its_outcome_is_unknown() {
    let mut sim = sim_with(0);
    let request = sim.start_with(start(None, "works", &json!(1)));
    sim.run();
    sim.commit(1, Fate::LostAfter);
    assert_eq!(sim.answer(request), Some(Answer::Unknown));
    sim.settle();
    assert_eq!(sim.store.heads.len(), 1);
}

#[test]
fn a11_start_is_idempotent() {
    let mut sim = sim_with(0);
    let policies = [IdReusePolicy::Attach, IdReusePolicy::Reject, IdReusePolicy::ReplaceEnded];
    let first = sim.start("x", "works", &json!(1));
    sim.settle_rows();
    let Ok(ClientAnswer::Started { key, .. }) = sim.result(first) else { panic!() };
    let mut words = Vec::new();
    for ended in [false, true] {
        if ended {
            sim.settle();
        }
        sim.crash();
        for reuse in policies {
            for input in [1, 2] {
                let request = sim.start_with(StartOperation { reuse, ..start(Some("x"), "works", &json!(input)) });
                sim.settle_rows();
                words.push(match sim.result(request) {
                    Ok(ClientAnswer::Started { key: same, created: false, .. }) if same == key => "attached",
                    Ok(ClientAnswer::Started { created: true, .. }) => "created",
                    Err(Refusal::AlreadyExists { name, .. }) if name == "works" => "exists",
                    other => panic!("{other:?}"),
                });
            }
        }
    }
    let running = ["attached", "exists", "exists", "exists", "attached", "exists"];
    let ended = ["attached", "exists", "exists", "exists", "created", "exists"];
    assert_eq!(words, [running, ended].concat(), "the last finds the new life, which runs and was started otherwise");
}

#[test]
fn a11_a_start_after_continue_as_new_compares_the_first_input() {
    code! { fn next(ctx, input) {
        if input == json!(2) { return ctx.wait_for_external_event("red").await.map_err(Into::into); }
        crate::engine::sim::code::again::<Main>(&ctx, 2).await
    } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", next)]));
    sim.start("x", "main", &json!(1));
    sim.settle();
    let (same, other) = (sim.start("x", "main", &json!(1)), sim.start("x", "main", &json!(2)));
    sim.settle();
    assert!(matches!(sim.result(same), Ok(ClientAnswer::Started { created: false, .. })));
    assert!(matches!(sim.result(other), Err(Refusal::AlreadyExists { .. })));
}

#[test]
fn a12_the_same_event_id_is_delivered_once_in_an_execution() {
    for live_instances in [0, 100] {
        for state in ["running", "suspended", "parked"] {
            let mut sim = sim_with(live_instances);
            sim.start("x", "waits", &Value::Null);
            sim.settle_rows();
            match state {
                "suspended" => drop(sim.suspend("x")),
                "parked" => {
                    sim.deploy(registry(&[("works", works)]));
                    sim.retry_parked("x");
                }
                _ => {}
            }
            sim.settle_rows();
            assert_eq!(sim.head("x").progress.parked.is_some(), state == "parked");
            for _ in 0..3 {
                let request = sim.call(ClientOperation::RaiseEvent {
                    id: id("x"),
                    name: "green".to_owned(),
                    payload: JsonText::null(),
                    event_id: Some("only once".to_owned()),
                });
                sim.settle_rows();
                assert_eq!(sim.result(request), Ok(ClientAnswer::Done));
                sim.crash();
            }
            let times = sim.inputs("x").iter().filter(|input| *input == "green:null").count();
            assert!(times == 1 || state == "parked", "{state}: recorded {times} times");
            code! { fn counts(ctx, _) {
                let _: Value = ctx.wait_for_external_event("red").await?;
                let _: Value = ctx.wait_for_external_event("green").await?;
                crate::select! {
                    again = ctx.wait_for_external_event::<Value>("green") => again.map(|_| json!("twice")).map_err(Into::into),
                    _ = ctx.create_timer(std::time::Duration::from_secs(1)) => Ok(json!("once")),
                }
            } }
            sim.deploy(registry(&[("waits", counts)]));
            sim.resume("x");
            sim.raise("x", "red", &Value::Null);
            sim.settle_all();
            assert_eq!(sim.output("x"), json!("once"), "{state}");
        }
    }
}

#[test]
fn a12_an_event_id_is_known_after_its_event_was_carried_to_the_next_execution() {
    code! { fn carries(ctx, input) {
        if input == json!(1) {
            let _: Value = ctx.wait_for_external_event("go").await?;
            return crate::engine::sim::code::again::<Main>(&ctx, 2).await;
        }
        let _: Value = ctx.wait_for_external_event("go").await?;
        let _: Value = ctx.wait_for_external_event("red").await?;
        crate::select! {
            again = ctx.wait_for_external_event::<Value>("red") => again.map(|_| json!("twice")).map_err(Into::into),
            _ = ctx.create_timer(std::time::Duration::from_secs(1)) => Ok(json!("once")),
        }
    } }
    for live_instances in [0, 100] {
        let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry(&[("main", carries)]));
        sim.start("x", "main", &json!(1));
        sim.settle_rows();
        for _ in 0..2 {
            let request = sim.call(ClientOperation::RaiseEvent {
                id: id("x"),
                name: "red".to_owned(),
                payload: JsonText::null(),
                event_id: Some("only once".to_owned()),
            });
            sim.settle_rows();
            assert_eq!(sim.result(request), Ok(ClientAnswer::Done));
            sim.raise("x", "go", &Value::Null);
            sim.settle_rows();
        }
        sim.settle_all();
        assert_eq!(sim.output("x"), json!("once"));
    }
}

#[test]
fn a13_a_refusal_waits_for_the_commit_that_it_rests_on() {
    let mut sim = sim_with(100);
    sim.start("x", "waits", &Value::Null);
    sim.settle();
    sim.raise("x", "red", &json!(1));
    sim.run();
    let published = sim.published.len();
    let (late, other) = (sim.raise("x", "red", &json!(2)), sim.start("x", "works", &Value::Null));
    sim.run();
    assert!(sim.answer(late).is_none() && sim.answer(other).is_none(), "the end is not durable");
    sim.commit(1, Fate::LostBefore);
    assert_eq!((sim.answer(late), sim.answer(other)), (Some(Answer::Unknown), Some(Answer::Unknown)));
    assert_eq!(sim.published.len(), published, "nobody saw an end that never was");
    sim.raise("x", "red", &json!(3));
    sim.settle();
    assert_eq!(sim.output("x"), json!(3));
}

#[test]
fn b17_a_termination_from_somebody_elses_parent_is_ignored() {
    let mut sim = sim_with(0);
    sim.start("x", "waits", &Value::Null);
    sim.settle();
    let parent = Parent {
        instance: id("stranger"),
        key: InstanceKey(99),
        execution: crate::model::Execution(0),
        operation: crate::model::OperationId(1),
    };
    let message = Message::Terminate { target: id("x"), parent: Some(parent), reason: String::new(), recursive: true };
    sim.store
        .inbox
        .insert((crate::model::PartitionId::FIRST, crate::model::InboxId(1)), wire::encode_message(&message));
    sim.crash();
    sim.settle();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
    assert!(sim.store.inbox.is_empty());
}

#[test]
fn c05_a_late_result_of_an_earlier_attempt_completes_nothing() {
    code! {
        fn tries(ctx, input) {
            let policy = RetryPolicy::attempts(3).first_interval(Duration::from_secs(1)).jitter(0.0);
            let called = call::<Fail>(&ctx, input).retry(policy).await;
            Ok(json!(called.map_err(|error| error.to_string())))
        }
    }
    for live_instances in [0, 100] {
        let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry(&[("tries", tries)]));
        sim.start("x", "tries", &json!(1));
        sim.settle_rows();
        let first = sim.start_activities().unwrap();
        let mut attempts = vec![first];
        for _ in 0..2 {
            sim.finish(*attempts.last().unwrap());
            sim.settle_rows();
            sim.now.0 += 4 * SECOND;
            sim.settle_rows();
            attempts.push(sim.start_activities().unwrap());
            // The first attempt succeeds after all: nobody waits for it any more.
            sim.handle(PartitionInput::TaskDone { task: first, result: Ok(JsonText::null()) });
            sim.settle_rows();
            assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
        }
        let operations: Vec<_> = attempts.iter().map(|task| task.operation.0).collect();
        assert_eq!(operations, [1, 3, 5], "with a timer between them");
        sim.finish(attempts[2]);
        sim.settle();
        assert_eq!(sim.output("x"), json!({ "Err": "the call failed" }));
        sim.assert_clean();
    }
}
