//! Events that continue-as-new carries over: they are written once, and nothing loses or doubles them (A15).

use serde_json::{Value, json};

use crate::engine::sim::code::{Main, again, code, registry};
use crate::engine::sim::{Answer, Fate, Sim, id};
use crate::engine::{ClientOperation, PartitionConfig, Refusal, RequestId};
use crate::model::{Execution, JsonText, ParkCode, PartitionCount, RuntimeStatus, TurnCommit};

code! {
    // One event for each execution, until one is the end.
    fn drains(ctx, input) {
        let mut seen: Vec<Value> = serde_json::from_value(input)?;
        let event: Value = ctx.wait_for_external_event("red").await?;
        if event == json!("end") { return Ok(json!(seen)); }
        seen.push(event);
        again::<Main>(&ctx, seen).await
    }
    // The same without remembering what it saw.
    fn forgets(ctx, input) {
        let event: Value = ctx.wait_for_external_event("red").await?;
        if event == json!("end") { return Ok(input); }
        again::<Main>(&ctx, input.as_u64().unwrap_or(0) + 1).await
    }
    fn drops_events(ctx, _) {
        let event: Value = ctx.wait_for_external_event("red").await?;
        if event == json!("end") { return Ok(Value::Null); }
        again::<Main>(&ctx, Value::Null).keep_events(false).await
    }
}

fn config(live_instances: usize) -> PartitionConfig {
    PartitionConfig { live_instances, inline_event_bytes: 0, ..PartitionConfig::default() }
}

fn carried_rows(sim: &Sim) -> usize {
    sim.store.records.keys().filter(|(_, execution, _)| *execution == Execution::CARRIED).count()
}

fn raise_as(sim: &mut Sim, event_id: &str, payload: &Value) -> RequestId {
    let (payload, event_id) = (JsonText::encode(payload).unwrap(), Some(event_id.to_owned()));
    sim.call(ClientOperation::RaiseEvent { id: id("x"), name: "red".to_owned(), payload, event_id })
}

/// A suspended instance with a backlog, which ends with the event that ends it.
fn backlog(sim: &mut Sim, events: usize, payload: impl Fn(usize) -> Value) {
    sim.suspend("x");
    sim.settle_rows();
    for number in 0..events {
        sim.raise("x", "red", &payload(number));
    }
    sim.raise("x", "red", &json!("end"));
    sim.settle_rows();
    sim.resume("x");
}

/// Runs turns until another execution has begun.
fn until_the_next_execution(sim: &mut Sim) {
    while sim.head("x").life.execution == Execution(0) {
        sim.run_some(1);
        if sim.commits.is_empty() {
            sim.deliver_load(0);
        } else {
            sim.commit(1, Fate::Durable);
        }
    }
    assert!(carried_rows(sim) > 0);
}

fn written(commits: &[TurnCommit]) -> usize {
    let bytes = |commit: &TurnCommit| {
        let head = commit.head.life().map_or(0, |life| 128 + life.input.len());
        let rows = commit.record.iter().chain(&commit.carried).map(|row| 24 + row.bytes.len());
        head + rows.sum::<usize>()
    };
    commits.iter().map(bytes).sum()
}

#[test]
fn a15_draining_a_backlog_writes_each_event_a_fixed_number_of_times() {
    let mut per_event = Vec::new();
    for events in [1_000, 10_000 - 1] {
        let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", forgets)]));
        // Its checks after each commit read the whole history, which is quadratic here.
        sim.damaged = true;
        sim.start("x", "main", &json!(0));
        sim.settle_rows();
        let payload = json!("e".repeat(1_000));
        backlog(&mut sim, events, |_| payload.clone());
        sim.settle_rows();
        assert_eq!(sim.output("x"), json!(events));
        let (bytes, rows) = (written(&sim.durable_commits), sim.durable_commits.iter().map(TurnCommit::row_operations));
        let (allowed, rows) = (events * (3 * payload.to_string().len() + 1_024), rows.sum::<usize>());
        assert!(bytes <= allowed, "{bytes} bytes for {events} events");
        assert!(rows <= 8 * events, "{rows} row operations for {events} events");
        per_event.push(bytes / events);
        assert_eq!(carried_rows(&sim), 0, "they are removed when little is left");
    }
    assert!(per_event[1] <= per_event[0] + per_event[0] / 10, "it grows with the backlog: {per_event:?}");
}

#[test]
fn a15_a_backlog_is_drained_in_order_over_crashes_and_evictions() {
    for live_instances in [0, 100] {
        for crash_every in [usize::MAX, 1, 2, 5] {
            let mut sim = Sim::new(config(live_instances), registry(&[("main", drains)]));
            sim.start("x", "main", &json!([]));
            sim.settle_rows();
            backlog(&mut sim, 12, |number| json!(number));
            for step in 1.. {
                // Turn by turn, so that a crash hits every place.
                sim.run_some(1);
                if step % crash_every == 0 && !sim.commits.is_empty() {
                    sim.commit(1, Fate::Durable);
                    sim.crash();
                } else if !sim.commits.is_empty() {
                    sim.commit(1, if step % 3 == 0 { Fate::LostAfter } else { Fate::Durable });
                } else if !sim.loads.is_empty() {
                    sim.deliver_load(0);
                } else if !sim.run_some(1) && sim.commits.is_empty() && sim.loads.is_empty() {
                    break;
                }
            }
            sim.settle_rows();
            assert_eq!(sim.output("x"), json!((0..12).collect::<Vec<_>>()), "{live_instances} {crash_every}");
            sim.assert_clean();
        }
    }
}

#[test]
fn a15_what_arrives_between_executions_comes_after_what_is_carried() {
    for live_instances in [0, 100] {
        let mut sim = Sim::with_partitions(
            PartitionCount::new(3).unwrap(),
            config(live_instances),
            registry(&[("main", drains)]),
        );
        sim.start("x", "main", &json!([]));
        sim.settle_rows();
        sim.suspend("x");
        sim.settle_rows();
        for number in 0..4 {
            sim.raise("x", "red", &json!(number));
        }
        sim.settle_rows();
        sim.resume("x");
        sim.run_some(2);
        sim.raise("x", "red", &json!("late"));
        sim.run_some(1);
        sim.suspend("x");
        sim.settle_rows();
        sim.raise("x", "red", &json!("later"));
        sim.crash();
        sim.settle_rows();
        let lost = sim.answers.values().any(|(_, answer)| *answer == Some(Answer::Unknown));
        assert!(lost, "the last raise was on its way");
        sim.resume("x");
        sim.raise("x", "red", &json!("end"));
        sim.settle_rows();
        assert_eq!(sim.output("x"), json!([0, 1, 2, 3, "late"]));
        sim.assert_clean();
    }
}

#[test]
fn a15_a_carried_event_keeps_its_id_and_a_consumed_one_does_not() {
    for live_instances in [0, 100] {
        let mut sim = Sim::new(config(live_instances), registry(&[("main", drains)]));
        sim.start("x", "main", &json!([]));
        sim.suspend("x");
        sim.settle_rows();
        for number in 0..3 {
            raise_as(&mut sim, &format!("id {number}"), &json!(number));
        }
        sim.settle_rows();
        sim.resume("x");
        until_the_next_execution(&mut sim);
        sim.suspend("x");
        sim.settle_rows();
        sim.crash();
        let again = raise_as(&mut sim, "id 1", &json!("again"));
        sim.settle_rows();
        assert!(sim.result(again).is_ok(), "it is there already");
        raise_as(&mut sim, "id 0", &json!("anew"));
        sim.raise("x", "red", &json!("end"));
        sim.settle_rows();
        sim.resume("x");
        sim.settle_rows();
        assert_eq!(sim.output("x"), json!([0, 1, 2, "anew"]));
        sim.assert_clean();
    }
}

#[test]
fn a15_carried_events_go_with_their_life() {
    let mut sim = Sim::new(config(100), registry(&[("main", drains)]));
    for ends in ["terminate", "replace"] {
        sim.start("x", "main", &json!([]));
        backlog(&mut sim, 5, |number| json!(number));
        until_the_next_execution(&mut sim);
        sim.suspend("x");
        sim.settle_rows();
        sim.terminate("x", false);
        sim.settle_rows();
        assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
        let done = if ends == "terminate" { sim.purge("x") } else { sim.restart("x", false) };
        sim.settle_rows();
        assert!(sim.result(done).is_ok());
        assert_eq!(carried_rows(&sim), 0, "{ends}");
        sim.assert_clean();
        sim.terminate("x", false);
        sim.settle_rows();
        sim.purge("x");
        sim.settle_rows();
    }
}

#[test]
fn a15_events_that_are_not_kept_leave_nothing() {
    let mut sim = Sim::new(config(100), registry(&[("main", drops_events)]));
    sim.start("x", "main", &Value::Null);
    backlog(&mut sim, 5, |number| json!(number));
    sim.settle_rows();
    assert_eq!(sim.head("x").life.execution, Execution(1));
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
    assert_eq!(carried_rows(&sim), 0);
    sim.crash();
    sim.raise("x", "red", &json!("end"));
    sim.settle_rows();
    assert_eq!(sim.output("x"), Value::Null);
    sim.assert_clean();
}

#[test]
fn b05_carried_events_that_are_damaged_park_the_instance() {
    let mut sim = Sim::new(config(0), registry(&[("main", drains)]));
    sim.start("x", "main", &json!([]));
    backlog(&mut sim, 5, |number| json!(number));
    until_the_next_execution(&mut sim);
    sim.damaged = true;
    let place = *sim.store.records.keys().find(|(_, execution, _)| *execution == Execution::CARRIED).unwrap();
    let row = sim.store.records.remove(&place).unwrap();
    sim.crash();
    sim.settle_rows();
    let parked = sim.head("x").progress.parked.clone().unwrap();
    assert_eq!(parked.code(), ParkCode::DamagedData, "{parked:?}");
    let refused = sim.raise("x", "red", &json!("more"));
    sim.settle_rows();
    assert!(matches!(sim.result(refused), Err(Refusal::Corrupt { .. })));
    sim.store.records.insert(place, row);
    sim.retry_parked("x");
    sim.settle_rows();
    assert_eq!(sim.output("x"), json!([0, 1, 2, 3, 4]));
}
