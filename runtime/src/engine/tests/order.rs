//! The order of what an instance is given, over crashes and shutdowns (B18, B21).

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::OrchestratorHandler;
use crate::engine::PartitionConfig;
use crate::engine::sim::code::{Child, Echo, Main, Red, again, call, child, code, registry};
use crate::engine::sim::{Fate, Sim, id};
use crate::model::RuntimeStatus;

code! {
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

#[test]
fn b18_the_order_of_a_sender_is_kept_through_suspension_crash_and_continue_as_new() {
    code! {
        fn sends(ctx, input) {
            for number in 0..6 {
                ctx.send_event(&id("x"), &Red(json!([input, number])))?;
                if number % 2 == 1 { call::<Echo>(&ctx, number).await?; }
            }
            Ok(Value::Null)
        }
        fn receives(ctx, input) {
            let mut seen: Vec<Value> = serde_json::from_value(input)?;
            for _ in 0..3 { seen.push(ctx.wait_for_external_event("red").await?); }
            if seen.len() == 18 { return Ok(json!(seen)); }
            again::<Main>(&ctx, seen).await
        }
    }
    for live_instances in [0, 1, 100] {
        let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry(&[("main", receives), ("sends", sends)]));
        sim.start("x", "main", &json!([]));
        sim.settle();
        for sender in 0..3 {
            sim.start(&format!("s{sender}"), "sends", &json!(sender));
        }
        for step in 0..60 {
            match step % 15 {
                3 => drop(sim.suspend("x")),
                7 => sim.crash(),
                11 => sim.commit(1, Fate::LostAfter),
                13 => drop(sim.resume("x")),
                _ => {}
            }
            sim.run_some(1);
            sim.deliver_load(sim.loads.len().saturating_sub(1));
            if let Some(task) = sim.start_activities() {
                sim.finish(task);
            }
            if step % 2 == 0 {
                sim.commit(2, Fate::Durable);
            }
        }
        for sender in 0..3 {
            sim.start(&format!("s{sender}"), "sends", &json!(sender));
        }
        sim.settle();
        if sim.head("x").progress.status == RuntimeStatus::Suspended {
            sim.resume("x");
        }
        sim.settle();
        let seen: Vec<(usize, usize)> = serde_json::from_value(sim.output("x")).unwrap();
        for sender in 0..3 {
            let numbers: Vec<_> = seen.iter().filter(|(of, _)| *of == sender).map(|(_, number)| *number).collect();
            assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "sender {sender} of {seen:?}");
        }
    }
}

#[test]
fn b18_inputs_accepted_before_a_crash_come_before_inputs_that_arrive_after_it() {
    code! { fn sends(ctx, _) { ctx.send_event(&id("x"), &Red(json!("before")))?; Ok(Value::Null) } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", collects), ("sends", sends)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.start("s", "sends", &Value::Null);
    sim.run();
    sim.deliver_load(0);
    sim.run();
    sim.commit(1, Fate::Durable);
    sim.crash();
    sim.raise("x", "red", &json!("after"));
    sim.raise("x", "red", &json!("end"));
    sim.settle();
    assert_eq!(sim.output("x"), json!(["before", "after"]));
}

#[test]
fn b18_messages_of_an_instance_come_before_later_calls_of_a_client() {
    code! { fn sends(ctx, _) { ctx.send_event(&id("x"), &Red(json!("before")))?; Ok(Value::Null) } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", collects), ("sends", sends)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.start("s", "sends", &Value::Null);
    sim.deliver_load(0);
    // The second start settles the first: its turn sends.
    sim.start("s", "sends", &Value::Null);
    sim.raise("x", "red", &json!("after"));
    sim.raise("x", "red", &json!("end"));
    sim.settle();
    assert_eq!(sim.output("x"), json!(["before", "after"]));
}

#[test]
fn b18_an_event_of_a_child_comes_before_its_end() {
    code! {
        fn parent(ctx, _) {
            crate::select! {
                event = ctx.wait_for_external_event::<Value>("red") => event.map_err(Into::into),
                end = child::<Child>(&ctx, ()).instance_id(id("kid")) => end.map_err(Into::into),
            }
        }
        fn reports(ctx, _) {
            let _: Value = ctx.wait_for_external_event("go").await?;
            let parent = ctx.parent().cloned().ok_or("no parent")?;
            ctx.send_event(&parent, &Red(json!("report")))?;
            Ok(json!("end"))
        }
    }
    let config = PartitionConfig { live_instances: 0, inputs_per_turn: 1, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry(&[("main", parent), ("child", reports)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.raise("kid", "go", &Value::Null);
    sim.deliver_load(0);
    sim.run();
    // The event looks its target up by id, the end by key; the second is found first.
    assert_eq!(sim.loads.len(), 2);
    sim.deliver_load(1);
    sim.settle();
    assert_eq!(sim.output("x"), json!("report"));
}

#[test]
fn b21_inputs_recorded_during_a_shutdown_are_polled_after_the_next_start() {
    code! { fn goes_on(ctx, input) {
        let round = input.as_u64().unwrap_or(0);
        if round == 50 { return Ok(json!("done")); }
        if round == 20 { call::<Echo>(&ctx, round).await?; }
        if round == 30 { ctx.create_timer(Duration::from_secs(1)).await; }
        again::<Main>(&ctx, round + 1).await
    } }
    for stop_after in 0..60 {
        for live_instances in [0, 100] {
            let mut sim = sim_of(goes_on, live_instances);
            let started = sim.start("x", "main", &json!(0));
            for _ in 0..stop_after {
                sim.run_some(1);
                sim.deliver_load(0);
                sim.commit(1, Fate::Durable);
                if stop_after % 2 == 0
                    && let Some(task) = sim.start_activities()
                {
                    sim.finish(task);
                }
            }
            sim.now.0 += 2_000_000;
            sim.partition.stop_polling();
            let running: Vec<_> = sim.start_activities().into_iter().collect();
            running.into_iter().for_each(|task| sim.finish(task));
            sim.settle_rows();
            assert!(sim.partition.is_quiet() && sim.partition.next_deadline().is_none());
            assert!(sim.result(started).is_ok());
            sim.crash();
            sim.settle_all();
            assert_eq!(sim.output("x"), json!("done"), "stopped after {stop_after} steps");
            sim.assert_clean();
        }
    }
}
