//! Limits at their boundaries, costs in rows and replayed turns, and what code derives from the execution (B13, B16, B20).

use serde_json::{Value, json};

use crate::engine::sim::code::{Child, Echo, Main, Red, again, call, child, code, registry};
use crate::engine::sim::{Sim, id, start};
use crate::engine::{PartitionConfig, Refusal, StartOperation};
use crate::model::{EventLimit, HeadChange, RuntimeStatus};

code! {
    fn loops(ctx, _) {
        loop {
            let event: Value = ctx.wait_for_external_event("red").await?;
            if event == json!("end") { return Ok(json!("ended")); }
        }
    }
    fn ignores(ctx, _) {
        let mut seen = Vec::new();
        let _: Value = ctx.wait_for_external_event("green").await?;
        loop {
            let event: Value = ctx.wait_for_external_event("red").await?;
            if event == json!("end") { return Ok(json!(seen)); }
            seen.push(event);
        }
    }
    fn works(ctx, input) {
        for _ in 0..input.as_u64().unwrap_or(0) { call::<Echo>(&ctx, "a hundred bytes or so").await?; }
        let event: Value = ctx.wait_for_external_event("red").await?;
        Ok(event)
    }
    fn sends_many(ctx, input) {
        for number in 0..input.as_u64().unwrap_or(0) { ctx.send_event(&id("x"), &Red(json!(number)))?; }
        Ok(Value::Null)
    }
    fn calls_many(ctx, input) {
        let calls: Vec<_> = (0..input.as_u64().unwrap_or(0)).map(|number| call::<Echo>(&ctx, number)).collect();
        let failed = ctx.join_all(calls).await.iter().filter(|done| done.is_err()).count();
        Ok(json!(failed))
    }
}

fn registry_of_all() -> crate::Registry {
    registry(&[
        ("main", loops),
        ("works", works),
        ("ignores", ignores),
        ("sends many", sends_many),
        ("calls many", calls_many),
    ])
}

#[test]
fn b20_the_turn_after_the_history_limit_ends_the_instance() {
    for (calls, status) in [(8, RuntimeStatus::Running), (9, RuntimeStatus::Running), (10, RuntimeStatus::Failed)] {
        let config = PartitionConfig { history_records: 10, live_instances: 0, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry_of_all());
        sim.start("x", "works", &json!(calls));
        sim.settle();
        let head = sim.head("x");
        assert_eq!(head.progress.status, status, "{calls} calls");
        if status == RuntimeStatus::Failed {
            assert_eq!(head.progress.failure.as_ref().unwrap().error_type(), "persevere.HistoryLimit");
        } else {
            let terminated = sim.terminate("x", true);
            sim.settle();
            assert!(sim.result(terminated).is_ok(), "ending is never refused by a limit");
            assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
        }
        sim.assert_clean();
    }
}

#[test]
fn b20_a_history_of_too_many_bytes_ends_the_instance() {
    let config = PartitionConfig { history_bytes: 2_000, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry_of_all());
    sim.start("x", "works", &json!(40));
    sim.settle();
    assert_eq!(sim.head("x").progress.failure.as_ref().unwrap().error_type(), "persevere.HistoryLimit");
}

#[test]
fn b20_events_over_the_limit_are_refused_or_stay_in_the_inbox() {
    for live_instances in [0, 100] {
        let config = PartitionConfig { buffered_events: 5, live_instances, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry_of_all());
        sim.start("x", "ignores", &Value::Null);
        sim.settle();
        let raised: Vec<_> = (0..6).map(|number| sim.raise("x", "red", &json!(["raised", number]))).collect();
        sim.settle();
        let accepted = raised.iter().filter(|request| sim.result(**request).is_ok()).count();
        assert_eq!(accepted, 5);
        assert!(matches!(sim.result(raised[5]), Err(Refusal::TooManyEvents { limit: EventLimit::Events(5), .. })));
        sim.start("s", "sends many", &json!(7));
        sim.settle();
        assert_eq!(sim.store.inbox.len(), 7, "their sender's commit is durable: they stay");
        sim.crash();
        sim.settle();
        assert_eq!(sim.store.inbox.len(), 7);
        // Room comes when the code takes some; the key to it is not kept out by what waits.
        sim.terminate("nobody", false);
        sim.suspend("x");
        sim.resume("x");
        sim.settle();
        assert_eq!(sim.store.inbox.len(), 7);
        let blocked = sim.raise("x", "green", &Value::Null);
        sim.settle();
        assert!(matches!(sim.result(blocked), Err(Refusal::TooManyEvents { .. })));
        let ended = sim.terminate("x", false);
        sim.settle();
        assert!(sim.result(ended).is_ok());
        sim.assert_clean();
    }
}

fn small_limits(live_instances: usize) -> PartitionConfig {
    PartitionConfig {
        live_instances,
        history_records: 60,
        history_bytes: 20_000,
        buffered_event_bytes: 10_000,
        ..PartitionConfig::default()
    }
}

/// Raises a hundred events of so many bytes, over crashes. Returns how many were accepted, and the limit of the last one.
fn raise_until_refused(sim: &mut Sim, bytes: usize) -> (usize, EventLimit) {
    let (mut accepted, mut reached) = (0, None);
    for number in 0..100 {
        let raised = sim.raise("x", "red", &json!("e".repeat(bytes)));
        sim.settle();
        match sim.result(raised) {
            Ok(_) => accepted += 1,
            Err(Refusal::TooManyEvents { limit, .. }) => reached = Some(limit),
            Err(refusal) => panic!("{refusal}"),
        }
        if number % 7 == 0 {
            sim.crash();
            sim.settle();
        }
    }
    assert!(!sim.head("x").is_ended(), "{:?}", sim.head("x").progress.failure);
    (accepted, reached.unwrap())
}

#[test]
fn b20_what_others_send_never_ends_an_instance() {
    for live_instances in [0, 100] {
        for (state, name, bytes, accepts, limit) in [
            ("running", "main", 1_000, 15, EventLimit::HistoryBytes(16_000)),
            ("running", "main", 10, 48, EventLimit::HistoryRecords(48)),
            ("running", "ignores", 1_000, 9, EventLimit::Bytes(10_000)),
            ("suspended", "main", 1_000, 9, EventLimit::Bytes(10_000)),
            ("suspended", "main", 10, 48, EventLimit::HistoryRecords(48)),
            ("parked", "main", 1_000, 9, EventLimit::Bytes(10_000)),
        ] {
            let mut sim = Sim::new(small_limits(live_instances), registry_of_all());
            sim.start("x", name, &Value::Null);
            sim.settle();
            match state {
                "suspended" => drop(sim.suspend("x")),
                "parked" => sim.deploy(registry(&[])),
                _ => {}
            }
            sim.settle();
            let (accepted, reached) = raise_until_refused(&mut sim, bytes);
            assert!((accepts - 1..=accepts).contains(&accepted), "{accepted} of {bytes} bytes, {state} {name}");
            assert_eq!(reached, limit, "{state} {name}");
            sim.deploy(registry_of_all());
            sim.resume("x");
            sim.settle();
            let head = sim.head("x");
            assert_eq!(head.progress.status, RuntimeStatus::Running, "{:?}", head.progress.failure);
            assert_eq!(head.progress.parked, None);
            sim.terminate("x", false);
            sim.settle();
            assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated, "ending is never refused");
            sim.assert_clean();
        }
    }
}

#[test]
fn b20_suspending_and_resuming_never_ends_an_instance() {
    for live_instances in [0, 100] {
        let mut sim = Sim::new(small_limits(live_instances), registry_of_all());
        sim.start("x", "main", &Value::Null);
        sim.settle();
        let mut refused = 0;
        for _ in 0..100 {
            let suspended = sim.suspend("x");
            sim.settle();
            refused += usize::from(matches!(sim.result(suspended), Err(Refusal::TooManyEvents { .. })));
            let resumed = sim.resume("x");
            sim.settle();
            assert_eq!(sim.result(resumed).is_ok(), sim.result(suspended).is_ok(), "a resumption is never refused");
        }
        assert!((70..80).contains(&refused), "{refused} suspensions were refused");
        assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
        sim.assert_clean();
    }
}

#[test]
fn b20_large_events_are_refused_before_a_history_is_full() {
    for (raises, bytes) in [(54, 1_000_000), (5_226, 10_000)] {
        let mut sim = Sim::new(PartitionConfig::default(), registry_of_all());
        // Its checks after each commit read the whole history, which is quadratic here.
        sim.damaged = true;
        sim.start("x", "main", &Value::Null);
        sim.suspend("x");
        sim.settle();
        let payload = json!("e".repeat(bytes));
        let raised: Vec<_> = (0..raises).map(|_| sim.raise("x", "red", &payload)).collect();
        sim.settle();
        let accepted = raised.iter().filter(|request| sim.result(**request).is_ok()).count();
        assert!((accepted + 1) * (bytes + 32) > 32 * 1024 * 1024 && accepted < raises, "{accepted} of {raises}");
        sim.crash();
        sim.resume("x");
        sim.settle();
        assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
        sim.raise("x", "red", &json!("end"));
        sim.settle();
        assert_eq!(sim.output("x"), json!("ended"));
    }
}

#[test]
fn b20_held_messages_come_in_order_when_there_is_room() {
    code! { fn after_a_task(ctx, _) {
        call::<Echo>(&ctx, 1).await?;
        let mut seen = Vec::new();
        for _ in 0..9 { seen.push(ctx.wait_for_external_event::<Value>("red").await?); }
        Ok(json!(seen))
    } }
    for live_instances in [0, 100] {
        let config =
            PartitionConfig { buffered_events: 2, inputs_per_turn: 2, live_instances, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry(&[("main", after_a_task), ("sends many", sends_many)]));
        sim.start("x", "main", &Value::Null);
        sim.settle_rows();
        sim.start("s", "sends many", &json!(9));
        sim.settle_rows();
        assert_eq!(sim.store.inbox.len(), 7);
        sim.settle();
        assert_eq!(sim.output("x"), json!([0, 1, 2, 3, 4, 5, 6, 7, 8]));
        sim.assert_clean();
    }
}

#[test]
fn b20_open_tasks_are_limited() {
    for (calls, failed) in [(4, 0), (5, 0), (6, 1)] {
        let config = PartitionConfig { open_tasks: 5, live_instances: 0, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry_of_all());
        sim.start("x", "calls many", &json!(calls));
        sim.settle_rows();
        sim.crash();
        sim.settle();
        assert_eq!(sim.output("x"), json!(failed));
        sim.assert_clean();
    }
}

#[test]
fn b20_payloads_are_limited_where_they_come_in() {
    code! { fn returns(ctx, _) {
        let called = call::<Echo>(&ctx, "z".repeat(60)).await.is_ok();
        let sent = ctx.send_event(&id("x"), &Red(json!("z".repeat(60)))).is_ok();
        if called || sent { return Ok(Value::Null); }
        Ok(json!("z".repeat(60)))
    } }
    let mut config = PartitionConfig::default();
    config.execution.payload_bytes = 50;
    let mut sim = Sim::new(config, registry(&[("main", loops), ("returns", returns)]));
    let large = sim.start("large", "main", &json!("x".repeat(49)));
    let fits = sim.start("fits", "main", &json!("x".repeat(48)));
    sim.settle();
    assert!(matches!(sim.result(large), Err(Refusal::PayloadTooLarge { size: 51, limit: 50 })));
    assert!(sim.result(fits).is_ok());
    let raised = sim.raise("fits", "red", &json!("x".repeat(49)));
    sim.start("r", "returns", &Value::Null);
    sim.settle();
    assert!(matches!(sim.result(raised), Err(Refusal::PayloadTooLarge { .. })));
    assert_eq!(sim.head("r").progress.failure.as_ref().unwrap().error_type(), "persevere.PayloadTooLarge");
}

#[test]
fn b20_a_side_effect_over_the_limit_fails_the_instance() {
    code! { fn noisy(ctx, input) {
        let length = input.as_u64().unwrap_or(0);
        ctx.side_effect(|| "z".repeat(length as usize));
        Ok(json!("fits"))
    } }
    let mut config = PartitionConfig::default();
    config.execution.payload_bytes = 50;
    let mut sim = Sim::new(config, registry(&[("main", noisy)]));
    sim.start("fits", "main", &json!(48));
    sim.start("large", "main", &json!(49));
    sim.settle();
    assert_eq!(sim.output("fits"), json!("fits"));
    assert_eq!(sim.head("large").progress.failure.as_ref().unwrap().error_type(), "persevere.PayloadTooLarge");
}

#[test]
fn b13_a_turn_takes_a_limited_number_of_inputs_and_bytes() {
    let config = PartitionConfig { inputs_per_turn: 4, input_bytes_per_turn: 100, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry_of_all());
    sim.start("x", "ignores", &Value::Null);
    sim.settle();
    for number in 0..8 {
        sim.raise("x", "red", &json!(number));
    }
    for _ in 0..3 {
        sim.raise("x", "red", &json!("z".repeat(90)));
    }
    sim.settle();
    let sizes: Vec<_> = sim.turns("x").iter().map(|turn| turn.inputs.len()).collect();
    assert_eq!(sizes, [1, 4, 4, 1, 1, 1]);
}

#[test]
fn b13_a_suspension_that_is_left_to_a_later_turn_still_suspends() {
    for live_instances in [0, 100] {
        let config = PartitionConfig { inputs_per_turn: 2, live_instances, ..PartitionConfig::default() };
        let mut sim = Sim::new(config, registry_of_all());
        sim.start("x", "ignores", &Value::Null);
        sim.settle();
        let raise = |sim: &mut Sim| (0..3).map(|number| sim.raise("x", "red", &json!(number))).collect::<Vec<_>>();
        let mut requests = raise(&mut sim);
        requests.push(sim.suspend("x"));
        requests.extend(raise(&mut sim));
        requests.push(sim.resume("x"));
        requests.extend(raise(&mut sim));
        requests.push(sim.suspend("x"));
        sim.settle();
        assert!(requests.iter().all(|request| sim.result(*request).is_ok()));
        assert_eq!(sim.head("x").progress.status, RuntimeStatus::Suspended);
        let resumed = sim.resume("x");
        sim.raise("x", "green", &Value::Null);
        sim.raise("x", "red", &json!("end"));
        sim.settle();
        assert!(sim.result(resumed).is_ok());
        assert_eq!(sim.output("x"), json!([0, 1, 2, 0, 1, 2, 0, 1, 2]));
        sim.assert_clean();
    }
}

#[test]
fn b13_a_turn_that_ends_between_suspension_and_resumption_is_not_polled() {
    let config = PartitionConfig { inputs_per_turn: 2, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry_of_all());
    sim.start("x", "main", &Value::Null);
    sim.settle();
    let requests =
        [sim.raise("x", "red", &json!(1)), sim.suspend("x"), sim.raise("x", "red", &json!(2)), sim.resume("x")];
    sim.settle();
    assert!(requests.iter().all(|request| sim.result(*request).is_ok()));
    assert_eq!(sim.turns("x").iter().map(|turn| turn.polled).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Running);
}

#[test]
fn b13_inputs_recorded_without_a_poll_are_polled_after_a_crash() {
    // The pause comes after what one turn takes, and is lost.
    let config = PartitionConfig { inputs_per_turn: 1, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry_of_all());
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.raise("x", "red", &json!("end"));
    sim.suspend("x");
    sim.run_some(1);
    sim.commit(1, crate::engine::sim::Fate::Durable);
    sim.crash();
    sim.settle();
    assert_eq!(sim.output("x"), json!("ended"));
    sim.assert_clean();
}

#[test]
fn b16_golden_vectors() {
    code! { fn derives(ctx, input) {
        let values = json!([ctx.execution_id(), ctx.new_uuid(), ctx.new_uuid(), ctx.random(), ctx.random()]);
        if input == json!(2) { return Ok(values); }
        again::<Main>(&ctx, 2).await
    } }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", derives)]));
    // Keys of epoch 64 are what keys of epoch 1 were when an epoch had 24 bits: the vectors are as old as the format.
    sim.crash_into_epoch(crate::model::Epoch(64));
    sim.start("x", "main", &json!(2));
    sim.settle();
    assert_eq!(sim.head("x").life.key.0, (64 << 33) + 1);
    // Computed by other means from the store id 0x5eed, the key and the execution.
    let golden = json!([
        "0f5c259b-a594-5080-b418-f9e8d7111c61",
        "aa9285e9-2ca0-5522-8571-965c664cf515",
        "3a835402-1bec-52f3-b9be-3b105e75f623",
        12_000_229_539_652_598_398_u64,
        6_727_686_143_732_333_542_u64,
    ]);
    assert_eq!(sim.output("x"), golden);
    // Another execution, another life, another instance: nothing is the same.
    let mut all = vec![sim.output("x")];
    sim.start("y", "main", &json!(1));
    sim.settle();
    all.push(sim.output("y"));
    let replaced =
        StartOperation { reuse: crate::engine::IdReusePolicy::ReplaceEnded, ..start(Some("x"), "main", &json!(2)) };
    sim.start_with(replaced);
    sim.settle();
    all.push(sim.output("x"));
    sim.purge("x");
    sim.start("x", "main", &json!(2));
    sim.settle();
    all.push(sim.output("x"));
    let mut flat: Vec<_> = all.iter().flat_map(|values| values.as_array().unwrap()).map(ToString::to_string).collect();
    flat.sort_unstable();
    flat.dedup();
    assert_eq!(flat.len(), 20);
}

code! {
    fn sequence(ctx, input) {
        for number in 0..input.as_u64().unwrap_or(0) { call::<Echo>(&ctx, number).await?; }
        Ok(Value::Null)
    }
    fn sequence_with_status(ctx, input) {
        for number in 0..input.as_u64().unwrap_or(0) {
            call::<Echo>(&ctx, number).await?;
            ctx.set_custom_status(&json!(number))?;
        }
        Ok(Value::Null)
    }
}

#[test]
fn an_activity_step_costs_three_row_operations() {
    for (handler, each) in [(sequence as crate::definition::OrchestratorHandler, 3), (sequence_with_status, 4)] {
        let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", handler)]));
        sim.start("x", "main", &json!(50));
        sim.settle();
        let costs: Vec<_> = sim.durable_commits.iter().map(crate::model::TurnCommit::row_operations).collect();
        // The first inserts the head, the last updates it and schedules nothing.
        assert_eq!(costs[0], 3);
        assert_eq!(costs[1..50], vec![each; 49]);
        assert_eq!(costs[50..], [3]);
        for turn in &sim.durable_commits[1..50] {
            assert!(turn.record.is_some() && turn.tasks_new.len() == 1 && turn.tasks_done.len() == 1);
            assert_eq!(turn.head != HeadChange::None, each == 4);
        }
    }
}

#[test]
fn a_thousand_sequential_activities_replay_nothing_while_live() {
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", sequence)]));
    sim.start("x", "main", &json!(1_000));
    sim.settle();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Completed);
    assert_eq!(sim.partition.replayed_turns(), 0);
    assert_eq!(sim.durable_commits.len(), 1_001);
}

#[test]
fn an_evicted_instance_replays_once_for_each_time_it_comes_back() {
    let mut sim =
        Sim::new(PartitionConfig { live_instances: 0, ..PartitionConfig::default() }, registry(&[("main", sequence)]));
    sim.start("x", "main", &json!(10));
    sim.settle();
    assert_eq!(sim.partition.replayed_turns(), (1..=10).sum::<u64>());
}

#[test]
fn a16_a_sub_orchestration_that_fails_tells_its_parent_how() {
    code! {
        fn asks(ctx, input) {
            match child::<Child>(&ctx, input).await {
                Ok(value) => Ok(value),
                Err(error) => Ok(json!(std::error::Error::source(&error).map(ToString::to_string))),
            }
        }
        fn answers(ctx, input) {
            match input.as_str() {
                Some("err") => Err("as asked".into()),
                Some("panic") => panic!("as asked"),
                Some("wait") => ctx.wait_for_external_event("red").await.map_err(Into::into),
                _ => Ok(json!("fine")),
            }
        }
    }
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", asks), ("child", answers)]));
    for how in ["ok", "err", "panic", "wait"] {
        sim.start(how, "main", &json!(how));
    }
    sim.settle();
    let waiting = sim
        .store
        .heads
        .values()
        .find(|head| head.life.name == "child" && !head.is_ended())
        .unwrap()
        .life
        .id
        .to_string();
    sim.terminate(&waiting, false);
    sim.settle();
    assert_eq!(sim.output("ok"), json!("fine"));
    assert_eq!(sim.output("err"), json!("as asked"));
    assert!(sim.output("panic").as_str().unwrap().contains("limits.rs"));
    assert_eq!(sim.output("wait"), json!("the sub-orchestration was terminated: \"enough\""));
}
