//! Ends of executions: continue-as-new, what a last turn leaves behind, termination with children (A15, A16, B17).

use std::time::Duration;

use serde_json::{Value, json};

use crate::context::start_detached;
use crate::engine::sim::code::{Child, Echo, Main, Red, again, call, child, code, registry};
use crate::engine::sim::{Answer, Fate, Sim, id};
use crate::engine::{PartitionConfig, Refusal};
use crate::model::{JsonText, Message, RuntimeStatus, wire};

code! {
    fn collects(ctx, input) {
        let mut seen: Vec<Value> = serde_json::from_value(input)?;
        let _kid = child::<Child>(&ctx, seen.len()).schedule();
        let _task = call::<Echo>(&ctx, 1).schedule();
        seen.push(ctx.wait_for_external_event::<Value>("red").await?);
        ctx.set_custom_status(&json!(seen.len()))?;
        if seen.len() == 5 {
            return Ok(json!(seen));
        }
        again::<Main>(&ctx, seen).await
    }
    fn forever(ctx, input) {
        again::<Main>(&ctx, input).await
    }
    fn quick(ctx, _) { call::<Echo>(&ctx, 1).await.map_err(Into::into) }
    fn waiting_child(ctx, _) {
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(Value::Null)
    }
}

fn collecting(live_instances: usize) -> Sim {
    collecting_with(PartitionConfig { live_instances, ..PartitionConfig::default() })
}

fn collecting_with(config: PartitionConfig) -> Sim {
    Sim::new(config, registry(&[("main", collects), ("child", waiting_child)]))
}

#[test]
fn a15_buffered_events_survive_a_crash_at_each_commit_of_a_loop() {
    for (live_instances, inline_event_bytes) in [(0, 0), (0, 1_024), (100, 0), (100, 1_024)] {
        let mut boundaries = 0;
        for boundary in 0.. {
            let config = PartitionConfig { live_instances, inline_event_bytes, ..PartitionConfig::default() };
            let mut sim = collecting_with(config);
            sim.start("x", "main", &json!([]));
            sim.settle_rows();
            for number in 0..5 {
                sim.raise("x", "red", &json!(number));
            }
            let mut made = 0;
            loop {
                sim.run();
                if !sim.loads.is_empty() {
                    sim.deliver_load(0);
                } else if sim.commits.is_empty() {
                    break;
                } else {
                    if made == boundary {
                        sim.crash();
                    }
                    made += 1;
                    sim.commit(1, Fate::Durable);
                }
            }
            sim.settle_rows();
            let unheard: Vec<u64> =
                sim.answers.iter().filter(|(_, (_, a))| *a == Some(Answer::Unknown)).map(|(r, _)| r.0).collect();
            for request in &unheard {
                sim.raise("x", "red", &json!(request - 2));
            }
            sim.settle_rows();
            assert_eq!(sim.output("x"), json!([0, 1, 2, 3, 4]), "crash before commit {boundary}");
            assert_eq!(sim.head("x").progress.custom_status, Some(JsonText::encode(&5).unwrap()));
            boundaries = boundary;
            if boundary >= made {
                break;
            }
        }
        assert!(boundaries >= 5, "{boundaries}");
    }
}

#[test]
fn a15_the_custom_status_is_carried_and_recorded_in_the_start() {
    let mut sim = collecting(0);
    sim.start("x", "main", &json!([]));
    sim.settle_rows();
    sim.raise("x", "red", &json!(0));
    sim.settle_rows();
    let turns = sim.turns("x");
    let crate::model::Input::ExecutionStarted(started) = &turns[0].inputs[0] else { panic!("{turns:?}") };
    assert_eq!(started.custom_status, Some(JsonText::encode(&1).unwrap()));
    assert_eq!(sim.head("x").life.execution.0, 1);
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
}

#[test]
fn a15_terminate_wins_over_continue_as_new_and_open_children_continue() {
    let mut sim = collecting(100);
    sim.start("x", "main", &json!([]));
    sim.settle_rows();
    sim.raise("x", "red", &json!(0));
    sim.settle_rows();
    let old: Vec<_> = sim
        .store
        .heads
        .values()
        .filter(|head| head.life.name == "child")
        .map(|head| head.life.id.to_string())
        .collect();
    sim.raise("x", "red", &json!(1));
    let terminated = sim.terminate("x", true);
    sim.raise("x", "red", &json!(2));
    sim.settle_rows();
    assert!(sim.result(terminated).is_ok());
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
    assert_eq!(sim.head("x").life.execution.0, 1, "the event before it did not begin another execution");
    let going: Vec<_> =
        sim.store.heads.values().filter(|head| !head.is_ended()).map(|head| head.life.id.to_string()).collect();
    assert_eq!(going, old[..1], "the child of the execution before is detached, the one of this execution has ended");
    sim.raise(&old[0], "go", &Value::Null);
    sim.settle();
    sim.assert_clean();
}

#[test]
fn a15_a_tight_loop_starves_nobody() {
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", forever), ("child", quick)]));
    sim.start("loop", "main", &Value::Null);
    sim.start("other", "child", &Value::Null);
    for _ in 0..40 {
        sim.run_some(1);
        sim.commit(1, Fate::Durable);
        if !sim.loads.is_empty() {
            sim.deliver_load(0);
        }
        if let Some(task) = sim.start_activities() {
            sim.finish(task);
        }
    }
    assert_eq!(sim.output("other"), json!(1));
    assert!(sim.head("loop").life.execution.0 > 5);
    sim.terminate("loop", false);
    sim.settle_rows();
    assert_eq!(sim.head("loop").progress.status, RuntimeStatus::Terminated);
}

#[test]
fn a15_a_loop_whose_next_version_is_not_registered_parks_and_goes_on_later() {
    code! { fn to_next(ctx, _) { again::<Main>(&ctx, 7).version("2").await } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", to_next)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    let parked = sim.head("x").progress.parked.clone().unwrap();
    assert!(parked.text().contains("not registered: orchestrator \"main\" version \"2\""), "{parked}");
    let both = crate::Registry::new([
        crate::engine::sim::code::orchestrator("main", "2", quick),
        crate::engine::sim::code::activity("echo"),
    ]);
    sim.deploy(both.unwrap());
    sim.settle();
    assert_eq!(sim.output("x"), json!(1));
}

code! {
    fn last_words(ctx, input) {
        ctx.send_event(&id("listener"), &Red(json!("sent")))?;
        start_detached::<Child>(&ctx, JsonText::encode(&"detached"))?;
        let kept = (call::<Echo>(&ctx, 1).schedule(), child::<Child>(&ctx, "attached").schedule());
        let timer = crate::select! {
            _ = ctx.create_timer(Duration::from_secs(5)) => 1,
            _ = crate::context::block(async {}) => 2,
        };
        ctx.set_custom_status(&json!("last"))?;
        match input.as_str() {
            Some("ok") => Ok(json!(timer)),
            Some("err") => Err("as asked".into()),
            Some("panic") => panic!("as asked"),
            Some("forget") => {
                std::mem::forget(kept);
                Ok(Value::Null)
            }
            _ => {
                let _: Value = ctx.wait_for_external_event("red").await?;
                drop(kept);
                Ok(Value::Null)
            }
        }
    }
    fn listener(ctx, _) { ctx.wait_for_external_event("red").await.map_err(Into::into) }
}

#[test]
fn a16_ok_error_and_panic_keep_messages_and_drop_issued_operations() {
    for (how, status) in [
        ("ok", RuntimeStatus::Completed),
        ("err", RuntimeStatus::Failed),
        ("panic", RuntimeStatus::Failed),
        ("forget", RuntimeStatus::Completed),
    ] {
        let mut sim = Sim::new(
            PartitionConfig::default(),
            registry(&[("main", last_words), ("child", waiting_child), ("listener", listener)]),
        );
        sim.start("listener", "listener", &Value::Null);
        sim.start("x", "main", &json!(how));
        sim.raise("x", "red", &json!("unread"));
        sim.settle();
        let head = sim.head("x");
        assert_eq!(head.progress.status, status, "{how}");
        assert_eq!(head.progress.custom_status, Some(JsonText::encode(&"last").unwrap()));
        assert_eq!(sim.output("listener"), json!("sent"), "{how}: sends are kept");
        let children: Vec<_> = sim
            .store
            .heads
            .values()
            .filter(|head| head.life.name == "child")
            .map(|head| head.life.input.to_string())
            .collect();
        assert_eq!(children, ["\"detached\""], "{how}: detached starts are kept, attached ones are not");
        assert!(sim.activities.runs.is_empty(), "{how}: no activity was started");
        assert!(sim.store.tasks.is_empty() && sim.store.timers.is_empty() && sim.store.inbox.is_empty());
    }
}

#[test]
fn a16_terminate_removes_open_operations_and_unread_events() {
    let mut sim = Sim::new(
        PartitionConfig::default(),
        registry(&[("main", last_words), ("child", waiting_child), ("listener", listener)]),
    );
    sim.start("x", "main", &json!("wait"));
    sim.settle_rows();
    let task = sim.start_activities().unwrap();
    let (terminated, late, twice) =
        (sim.terminate("x", false), sim.raise("x", "red", &json!(1)), sim.terminate("x", false));
    sim.settle_rows();
    assert!(sim.result(terminated).is_ok());
    assert!(matches!(sim.result(late), Err(Refusal::InstanceEnded { status: RuntimeStatus::Terminated, .. })));
    assert!(matches!(sim.result(twice), Err(Refusal::InstanceEnded { .. })));
    assert_eq!(sim.activities.cancelled, [task]);
    assert_eq!(sim.head("x").progress.custom_status, Some(JsonText::encode(&"last").unwrap()));
    assert!(sim.store.tasks.is_empty() && sim.store.timers.is_empty());
}

code! {
    fn parent_of_many(ctx, input) {
        let count: usize = serde_json::from_value(input)?;
        let children: Vec<_> = (0..count).map(|n| child::<Child>(&ctx, n).instance_id(id(&format!("kid {n}")))).collect();
        ctx.join_all(children).await;
        Ok(Value::Null)
    }
    fn changed(ctx, _) { Ok(json!(ctx.instance_id().to_string())) }
}

fn family(live_instances: usize, count: usize) -> Sim {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry(&[("main", parent_of_many), ("child", waiting_child)]));
    sim.start("root", "main", &json!(count));
    sim.settle_rows();
    sim
}

#[test]
fn b17_a_parked_parent_is_terminated_with_its_children_and_no_others() {
    let mut sim = family(30, 60);
    // One has ended and its id has a new life that is nobody's child.
    sim.raise("kid 7", "go", &Value::Null);
    sim.settle_rows();
    let mut replacement = crate::engine::sim::start(Some("kid 7"), "child", &json!("other"));
    replacement.reuse = crate::engine::IdReusePolicy::ReplaceEnded;
    sim.start_with(replacement);
    // One is parked, one suspended.
    sim.suspend("kid 8");
    sim.settle_rows();
    sim.deploy(registry(&[("main", changed), ("child", waiting_child)]));
    sim.retry_parked("root");
    sim.settle_rows();
    assert!(sim.head("root").progress.parked.is_some());
    sim.crash();
    sim.settle_rows();
    let request = sim.terminate("root", true);
    sim.settle_rows();
    assert!(sim.result(request).is_ok());
    for head in sim.store.heads.values() {
        let expected =
            if head.life.id.as_str() == "kid 7" { RuntimeStatus::Running } else { RuntimeStatus::Terminated };
        assert_eq!(head.progress.status, expected, "{}", head.life.id);
    }
    sim.assert_clean();
}

#[test]
fn b17_a_crash_at_each_commit_of_a_recursive_termination_changes_nothing() {
    for boundary in 0..9 {
        let mut sim = family(2, 3);
        sim.terminate("root", true);
        for _ in 0..boundary {
            sim.run();
            while !sim.loads.is_empty() {
                sim.deliver_load(0);
                sim.run();
            }
            sim.commit(1, Fate::Durable);
        }
        sim.crash();
        sim.settle_rows();
        if sim.head("root").progress.status == RuntimeStatus::Running {
            sim.terminate("root", true);
            sim.settle_rows();
        }
        assert!(
            sim.store.heads.values().all(|head| head.progress.status == RuntimeStatus::Terminated),
            "crash after {boundary}"
        );
        sim.assert_clean();
    }
}

#[test]
fn b17_an_unfinished_start_comes_before_its_termination() {
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", parent_of_many), ("child", waiting_child)]));
    sim.start("root", "main", &json!(2));
    sim.deliver_load(0);
    // The first turn sends the starts; the children are still being looked up when the termination comes.
    sim.run();
    assert_eq!(sim.loads.len(), 2);
    sim.terminate("root", true);
    sim.run();
    let sent: Vec<_> = sim
        .commits
        .iter()
        .flat_map(|(_, turn)| &turn.inbox_new)
        .map(|row| matches!(wire::decode_message(&row.bytes).unwrap(), Message::Start { .. }))
        .collect();
    assert_eq!(sent, [true, true, false, false]);
    sim.deliver_load(1);
    sim.settle_rows();
    assert!(
        sim.store.heads.values().all(|head| head.progress.status == RuntimeStatus::Terminated),
        "{:?}",
        sim.store.heads
    );
    sim.assert_clean();
}
