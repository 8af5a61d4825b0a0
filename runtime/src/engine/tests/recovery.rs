//! Damage, missing code, status and limits over a deploy (B5, B11, B12, B19).

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::definition::OrchestratorHandler;
use crate::engine::sim::code::{Echo, Main, Red, Unknown, activity, again, call, code, orchestrator, registry};
use crate::engine::sim::{Fate, Sim, id, start};
use crate::engine::{Damage, PartitionConfig, Refusal};
use crate::model::{Execution, JsonText, ParkCode, RuntimeStatus};
use crate::registry::Registry;

code! {
    fn works(ctx, _) {
        let (task, _, event) = crate::join!(
            call::<Echo>(&ctx, 1),
            ctx.create_timer(Duration::from_secs(10)),
            ctx.wait_for_external_event::<Value>("red"),
        );
        Ok(json!([task?, event?]))
    }
    fn collects(ctx, _) {
        let mut seen = Vec::new();
        loop {
            let event: Value = ctx.wait_for_external_event("red").await?;
            if event == json!("end") { return Ok(json!(seen)); }
            seen.push(event);
        }
    }
}

fn sim_of(handler: OrchestratorHandler, live_instances: usize) -> Sim {
    Sim::new(PartitionConfig { live_instances, ..PartitionConfig::default() }, registry(&[("main", handler)]))
}

/// An instance with two records and every kind of open operation; then the damage is done.
fn damaged(damage: impl Fn(&mut Sim)) -> Sim {
    let mut sim = sim_of(works, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim.raise("x", "green", &Value::Null);
    sim.settle_rows();
    sim.damaged = true;
    damage(&mut sim);
    sim.crash();
    sim.settle_rows();
    sim
}

fn record(sim: &mut Sim, turn: u64) -> &mut Bytes {
    let key = sim.head("x").life.key;
    &mut sim.store.records.get_mut(&(key, Execution(0), turn)).unwrap().bytes
}

fn is_corrupt(sim: &mut Sim, detail: &str) {
    let raised = sim.raise("x", "red", &json!(2));
    sim.settle_rows();
    let parked = sim.head("x").progress.parked.clone().unwrap();
    assert_eq!(parked.code(), ParkCode::DamagedData, "{parked}");
    assert!(parked.text().contains(detail), "{parked} does not say {detail:?}");
    assert!(matches!(sim.result(raised), Err(Refusal::Corrupt { .. })), "{:?}", sim.result(raised));
    let started = sim.start("x", "main", &Value::Null);
    let other = sim.start("x", "main", &json!(1));
    sim.settle_rows();
    assert!(sim.result(started).is_ok(), "it is there");
    assert!(matches!(sim.result(other), Err(Refusal::AlreadyExists { .. })), "never taken for absent");
    let terminated = sim.terminate("x", true);
    sim.settle_rows();
    assert!(sim.result(terminated).is_ok());
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
}

#[test]
fn b05_a_flipped_byte_parks() {
    for turn in [0, 1] {
        let mut sim = damaged(|sim| {
            let bytes = record(sim, turn);
            let mut flipped = bytes.to_vec();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            *bytes = flipped.into();
        });
        is_corrupt(&mut sim, &format!("turn record {turn}: the checksum"));
    }
}

#[test]
fn b05_a_missing_record_parks() {
    let mut sim = damaged(|sim| {
        let key = sim.head("x").life.key;
        sim.store.records.remove(&(key, Execution(0), 0));
    });
    is_corrupt(&mut sim, "record");
}

#[test]
fn b05_a_newer_format_parks() {
    let mut sim = damaged(|sim| {
        let bytes = record(sim, 1);
        let mut newer = bytes[..bytes.len() - 4].to_vec();
        // The last value of a field counts: `format` is field 1.
        newer.extend([1 << 3, 99]);
        newer.extend(crc32fast::hash(&newer).to_le_bytes());
        *bytes = newer.into();
    });
    is_corrupt(&mut sim, "run a newer version");
}

#[test]
fn b05_a_missing_row_parks() {
    let mut sim = damaged(|sim| sim.store.tasks.clear());
    is_corrupt(&mut sim, "has no row");
    let mut sim = damaged(|sim| sim.store.timers.clear());
    is_corrupt(&mut sim, "has no row");
}

#[test]
fn b05_a_row_without_an_operation_in_the_history_parks() {
    let mut sim = damaged(|sim| {
        let mut row = *sim.store.timers.first().unwrap();
        row.operation.0 += 7;
        row.fire_at.0 += 1;
        sim.store.timers.insert(row);
    });
    is_corrupt(&mut sim, "rows, but the history has");
}

#[test]
fn b05_a_history_that_cannot_be_read_parks_with_the_cause() {
    let mut sim = sim_of(works, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim.raise("x", "red", &json!(1));
    sim.run();
    // With history, then the head alone, then the history: only the head can be read.
    sim.unreadable = true;
    sim.deliver_load(0);
    sim.unreadable = false;
    sim.deliver_load(0);
    sim.run();
    sim.unreadable = true;
    sim.deliver_load(0);
    sim.unreadable = false;
    is_corrupt(&mut sim, "a page is damaged");
}

#[test]
fn b05_a_head_that_cannot_be_read_is_never_absent() {
    let mut sim = sim_of(works, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim.unreadable = true;
    let (raised, started) = (sim.raise("x", "red", &json!(1)), sim.start("x", "main", &json!(9)));
    sim.settle_rows();
    sim.unreadable = false;
    assert!(matches!(sim.result(raised), Err(Refusal::Corrupt { .. })));
    assert!(matches!(sim.result(started), Err(Refusal::Corrupt { .. })));
    assert_eq!(sim.store.heads.len(), 1);
}

/// An instance whose turns the store refuses because they meet damage, beside another one.
fn unwritable(can_be_parked: bool) -> Sim {
    let mut sim = sim_of(collects, 0);
    sim.start("x", "main", &Value::Null);
    sim.start("y", "main", &Value::Null);
    sim.settle_rows();
    sim.crash();
    let (now, key) = (sim.now, sim.head("x").life.key);
    sim.partition.note_damage(now, key, &Damage { cause: "page 7 is damaged".to_owned(), can_be_parked });
    sim.settle_rows();
    sim
}

fn the_other_goes_on(sim: &mut Sim) {
    sim.raise("y", "red", &json!(1));
    sim.raise("y", "red", &json!("end"));
    sim.settle_rows();
    assert_eq!(sim.output("y"), json!([1]));
}

#[test]
fn b05_an_instance_whose_turns_cannot_be_written_is_parked_and_the_others_go_on() {
    let mut sim = unwritable(true);
    let retried = sim.retry_parked("x");
    sim.settle_rows();
    assert!(sim.result(retried).is_ok());
    let records = sim.turns("x").len();
    is_corrupt(&mut sim, "page 7 is damaged");
    assert_eq!(sim.turns("x").len(), records, "nothing is added to its history");
    the_other_goes_on(&mut sim);
}

#[test]
fn b05_an_instance_that_cannot_even_be_parked_is_refused_and_the_others_go_on() {
    let mut sim = unwritable(false);
    let before = (sim.head("x"), sim.durable_commits.len());
    let asked = [sim.raise("x", "red", &json!(1)), sim.terminate("x", true), sim.start("x", "main", &Value::Null)];
    sim.settle_rows();
    for request in asked {
        let Err(Refusal::Corrupt { detail, .. }) = sim.result(request) else { panic!("{:?}", sim.result(request)) };
        assert!(detail.contains("page 7 is damaged"), "{detail}");
    }
    assert_eq!((sim.head("x"), sim.durable_commits.len()), before, "nothing of it is written");
    the_other_goes_on(&mut sim);
}

#[test]
fn b05_an_instance_continues_after_its_record_is_restored_and_takes_waiting_messages() {
    code! { fn sends(ctx, _) { ctx.send_event(&id("x"), &Red(json!("end")))?; Ok(Value::Null) } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", collects), ("sends", sends)]));
    sim.start("x", "main", &Value::Null);
    sim.raise("x", "red", &json!(1));
    sim.settle();
    let good = record(&mut sim, 0).clone();
    sim.damaged = true;
    *record(&mut sim, 0) = Bytes::from_static(b"damaged");
    sim.crash();
    sim.raise("x", "red", &json!("refused"));
    sim.settle();
    assert!(sim.head("x").progress.parked.is_some());
    sim.start("s", "sends", &Value::Null);
    sim.settle();
    assert_eq!(sim.store.inbox.len(), 1, "the message stays where it is");
    *record(&mut sim, 0) = good;
    sim.crash();
    sim.settle();
    assert_eq!(sim.output("x"), json!([1]));
    sim.assert_clean();
}

#[test]
fn b11_the_status_that_code_reads_is_a_function_of_the_history() {
    code! { fn by_status(ctx, input) {
        let round = input.as_u64().unwrap_or(0);
        let mut seen = vec![json!(ctx.custom_status())];
        for step in 0..2 {
            ctx.set_custom_status(&json!([round, step]))?;
            let _: Value = ctx.wait_for_external_event("red").await?;
            // An action that depends on the getter: a wrong value would be a mismatch.
            let text = format!("{}", json!(ctx.custom_status()));
            if text.contains(&step.to_string()) { call::<Echo>(&ctx, text).await?; }
            seen.push(json!(ctx.custom_status()));
        }
        if round == 1 { return Ok(json!(seen)); }
        again::<Main>(&ctx, 1).await
    } }
    for live_instances in [0, 100] {
        let mut sim = sim_of(by_status, live_instances);
        let initial = Some(JsonText::encode(&"initial").unwrap());
        sim.start_with(crate::engine::StartOperation { custom_status: initial, ..start(Some("x"), "main", &json!(0)) });
        for _ in 0..4 {
            sim.settle();
            sim.crash();
            sim.raise("x", "red", &Value::Null);
        }
        sim.settle();
        assert_eq!(sim.output("x"), json!([[0, 1], [1, 0], [1, 1]]));
        let head = sim.head("x");
        assert_eq!(head.progress.custom_status, Some(JsonText::encode(&[1, 1]).unwrap()));
        assert_eq!(head.progress.custom_status_version, 5, "initial and four changes");
    }
}

#[test]
fn b11_new_code_that_computes_another_status_publishes_it_only_with_the_next_set() {
    code! {
        fn old(ctx, _) {
            ctx.set_custom_status(&json!("old"))?;
            let _: Value = ctx.wait_for_external_event("red").await?;
            let _: Value = ctx.wait_for_external_event("red").await?;
            Ok(Value::Null)
        }
        fn new(ctx, _) {
            ctx.set_custom_status(&json!("new"))?;
            let _: Value = ctx.wait_for_external_event("red").await?;
            let _: Value = ctx.wait_for_external_event("red").await?;
            ctx.set_custom_status(&json!("new"))?;
            Ok(Value::Null)
        }
    }
    let mut sim = sim_of(old, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.deploy(registry(&[("main", new)]));
    let status = |sim: &Sim| sim.head("x").progress.custom_status.clone().unwrap().to_string();
    for expected in ["\"old\"", "\"new\""] {
        sim.raise("x", "red", &Value::Null);
        sim.settle();
        assert_eq!(status(&sim), expected);
    }
    assert_eq!(sim.head("x").progress.custom_status_version, 2);
}

#[test]
fn b12_limits_that_code_sees_are_those_of_its_start() {
    code! { fn measures(ctx, _) {
        let status = ctx.set_custom_status(&json!("x".repeat(100))).is_ok();
        let payload = call::<Echo>(&ctx, "y".repeat(100)).await.is_ok();
        let many = ctx.join_all((0..10).map(|n| call::<Echo>(&ctx, n))).await.iter().filter(|done| done.is_ok()).count();
        let _: Value = ctx.wait_for_external_event("red").await?;
        Ok(json!([status, payload, many]))
    } }
    let narrow = crate::model::ExecutionLimits { custom_status_bytes: 50, payload_bytes: 50, actions_per_turn: 4 };
    let wide = crate::model::ExecutionLimits::default();
    for (first, second, expected) in [(narrow, wide, json!([false, false, 4])), (wide, narrow, json!([true, true, 10]))]
    {
        let mut sim = sim_of(measures, 0);
        sim.config.execution = first;
        sim.crash();
        sim.start("x", "main", &Value::Null);
        sim.settle();
        sim.config.execution = second;
        sim.crash();
        sim.raise("x", "red", &Value::Null);
        sim.settle();
        assert_eq!(sim.head("x").progress.parked, None);
        assert_eq!(sim.output("x"), expected);
    }
}

#[test]
fn b19_an_activity_that_is_not_registered_parks_what_waits_for_it_and_goes_on_later() {
    code! { fn two(ctx, _) {
        let first = call::<Echo>(&ctx, 1).await?;
        let unknown = call::<crate::engine::sim::code::Unknown>(&ctx, 1).await;
        Ok(json!([first, unknown.is_err()]))
    } }
    let mut sim = sim_of(two, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim.deploy(Registry::new([orchestrator("main", "", two), activity("other")]).unwrap());
    sim.settle();
    let parked = sim.head("x").progress.parked.clone().unwrap();
    assert_eq!(parked.code(), ParkCode::NotRegistered);
    assert!(parked.text().contains("not registered: activity \"echo\""), "{parked}");
    assert_eq!(sim.store.tasks.len(), 1, "it waits, and was not failed");
    let retried = sim.retry_parked("x");
    sim.settle();
    assert!(sim.result(retried).is_ok());
    assert!(sim.head("x").progress.parked.is_some());
    let commits = sim.durable_commits.len();
    sim.crash();
    sim.settle();
    assert_eq!(sim.durable_commits.len(), commits, "parked again: nothing is written");
    sim.deploy(registry(&[("main", two)]));
    sim.settle();
    assert_eq!(sim.output("x"), json!([1, true]), "a name that was never known fails its call");
    assert_eq!(sim.activities.most_runs(), 1);
    sim.assert_clean();
}

#[test]
fn b19_an_orchestrator_that_is_not_registered_parks_and_goes_on_later() {
    let mut sim = sim_of(collects, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.deploy(Registry::new([activity("echo")]).unwrap());
    let (raised, refused) = (sim.raise("x", "red", &json!(1)), sim.start("y", "main", &Value::Null));
    sim.settle();
    assert!(sim.result(raised).is_ok());
    assert!(matches!(sim.result(refused), Err(Refusal::NotRegistered { .. })));
    assert!(sim.head("x").progress.parked.clone().unwrap().text().contains("not registered: orchestrator \"main\""));
    sim.deploy(registry(&[("main", collects)]));
    sim.raise("x", "red", &json!("end"));
    sim.settle();
    assert_eq!(sim.output("x"), json!([1]));
}

#[test]
fn b19_a_refusal_that_nobody_waits_for_any_more_is_discarded_after_a_crash() {
    code! {
        fn asks_and_drops(ctx, input) {
            let (mut first, mut second) = (call::<Unknown>(&ctx, 1), call::<Unknown>(&ctx, 2));
            crate::select! { _ = &mut first => (), _ = &mut second => () };
            drop((first, second));
            if input == json!("again") { return again::<Main>(&ctx, "last").await; }
            let _: Value = ctx.wait_for_external_event("red").await?;
            Ok(json!("done"))
        }
    }
    for input in ["again", "once"] {
        for live_instances in [0, 100] {
            for commits in 0..6 {
                let config = PartitionConfig { live_instances, inputs_per_turn: 1, ..PartitionConfig::default() };
                let mut sim = Sim::new(config, registry(&[("main", asks_and_drops)]));
                sim.start("x", "main", &json!(input));
                for _ in 0..commits {
                    sim.run_some(1);
                    sim.deliver_load(0);
                    sim.run_some(1);
                    sim.commit(1, Fate::Durable);
                }
                sim.crash();
                sim.start("x", "main", &json!(input));
                sim.raise("x", "red", &Value::Null);
                sim.settle();
                assert_eq!(sim.head("x").progress.parked, None, "{input}, crash after {commits} commits");
                assert_eq!(sim.output("x"), json!("done"));
                sim.assert_clean();
            }
        }
    }
}
