//! The values that the code computes again in a replay are compared with the recorded ones (D01).

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::sim::code::{Child, Echo, Red, again, call, child, code, registry};
use crate::engine::sim::{SECOND, Sim, id};
use crate::engine::{InputChanges, PartitionConfig};
use crate::model::{BuildId, ParkCode, ParkReason};

thread_local! {
    /// What the code computes. It stands for whatever differs from run to run, or between two builds.
    static VALUES: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
    static RAW: Cell<&'static str> = const { Cell::new("") };
    static SECONDS: Cell<u64> = const { Cell::new(10) };
}

fn value(place: usize) -> Value {
    VALUES.with_borrow(|values| values[place].clone())
}

fn values(values: Value) {
    VALUES.set(serde_json::from_value(values).unwrap());
}

fn target() -> crate::InstanceId {
    let name = value(0).as_str().map(str::to_owned);
    id(&name.unwrap_or_else(|| "b".to_owned()))
}

code! {
    fn calls(ctx, _) {
        let mut answers = Vec::new();
        for place in 0..2 {
            answers.push(call::<Echo>(&ctx, value(place)).await?);
        }
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(json!(answers))
    }
    fn calls_together(ctx, _) {
        let answers = ctx.join_all((0..2).map(|place| call::<Echo>(&ctx, value(place)))).await;
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(json!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>()))
    }
    fn children(ctx, _) {
        let started = child::<Child>(&ctx, value(0)).schedule();
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(started.await?)
    }
    fn named_children(ctx, _) {
        let started = child::<Child>(&ctx, Value::Null).instance_id(target()).schedule();
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(started.await?)
    }
    fn versions(ctx, _) {
        let version = value(0).as_str().unwrap_or_default().to_owned();
        let started = child::<Child>(&ctx, Value::Null).version(version).schedule();
        let _: Value = ctx.wait_for_external_event("go").await?;
        drop(started);
        Ok(Value::Null)
    }
    fn detached(ctx, _) {
        crate::context::start_detached::<Child>(&ctx, crate::JsonText::encode(&value(0))).unwrap();
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(Value::Null)
    }
    fn sends(ctx, _) {
        ctx.send_event(&id("nobody"), &Red(value(0))).unwrap();
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(Value::Null)
    }
    fn sleeps(ctx, _) {
        let timer = ctx.create_timer(Duration::from_secs(SECONDS.get()));
        crate::select! {
            _ = timer => Ok(json!("slept")),
            event = ctx.wait_for_external_event::<Value>("go") => Ok(event?),
        }
    }
    fn sleeps_until(ctx, _) {
        let due = ctx.current_time() + Duration::from_secs(SECONDS.get());
        let timer = ctx.create_timer_at(due);
        crate::select! {
            _ = timer => Ok(json!("slept")),
            event = ctx.wait_for_external_event::<Value>("go") => Ok(event?),
        }
    }
    fn returns_input(_ctx, input) {
        Ok(input)
    }
    fn counts_down(ctx, input) {
        let left = input.as_u64().unwrap();
        call::<Echo>(&ctx, value(0)).await?;
        if left > 0 {
            return again::<crate::engine::sim::code::Main>(&ctx, left - 1).await;
        }
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(Value::Null)
    }
}

type Handler = crate::definition::OrchestratorHandler;

fn config(build: &str) -> PartitionConfig {
    PartitionConfig { build: BuildId::of(build.as_bytes()), ..PartitionConfig::default() }
}

fn sim_of(handler: Handler) -> Sim {
    Sim::new(config("first"), registry(&[("main", handler), ("child", returns_input)]))
}

/// Runs until it waits for `go`, then loses the memory and lets this program go on.
fn replayed(handler: Handler, before: &Value, after: &Value, next: PartitionConfig) -> Sim {
    values(before.clone());
    let mut sim = sim_of(handler);
    sim.start("x", "main", &json!(1));
    sim.settle();
    values(after.clone());
    sim.config = next;
    sim.crash();
    sim.raise("x", "go", &json!("gone"));
    sim.settle();
    sim
}

fn reason(sim: &Sim) -> Option<ParkReason> {
    sim.head("x").progress.parked.clone()
}

fn parked(sim: &Sim, contains: &[&str]) {
    let reason = reason(sim).expect("the instance is parked");
    assert_eq!(reason.code(), ParkCode::HistoryMismatch, "{reason}");
    for text in contains {
        assert!(reason.text().contains(text), "{reason}\nlacks {text}");
    }
}

#[test]
fn d01_the_same_build_computes_the_same_values_or_is_parked() {
    let cases: [(Handler, &str, &str); 8] = [
        (calls, "call of activity `echo` (operation 1)", "input"),
        (calls_together, "call of activity `echo` (operation 1)", "input"),
        (children, "call of orchestrator `child` (operation 1)", "input"),
        (named_children, "call of orchestrator `child` (operation 1)", "instance id"),
        (versions, "call of orchestrator `child` (operation 1)", "version"),
        (detached, "detached start of orchestrator `child` (operation 1)", "input"),
        (sends, "event `red` sent to `nobody` (operation 1)", "payload"),
        (counts_down, "call of activity `echo` (operation 1)", "input"),
    ];
    for (handler, step, part) in cases {
        let sim = replayed(handler, &json!(["a", "b"]), &json!(["b", "a"]), config("first"));
        let quote = if part == "instance id" { "" } else { "\"" };
        let both = ["a", "b"].map(|value| format!("with the {part} {quote}{value}{quote}"));
        parked(&sim, &[&both[0], &both[1], step, " recorded ", "tests/inputs.rs:", "The same build", "BTreeMap"]);
        // Nothing of the replay has become durable, and the instance goes on where it computes the same again.
        values(json!(["a", "b"]));
        let mut sim = sim;
        sim.retry_parked("x");
        sim.settle_all();
        assert_eq!(reason(&sim), None);
        assert!(sim.head("x").is_ended());
    }
}

#[test]
fn d01_a_map_that_is_written_in_another_order_is_the_same_input() {
    for (after, fits) in [(r#"{"b":[1,2],"a":1}"#, true), (r#"{"b":[2,1],"a":1}"#, false)] {
        RAW.set(r#"{"a":1,"b":[1,2]}"#);
        let mut sim = sim_of(calls_raw);
        sim.start("x", "main", &Value::Null);
        sim.settle();
        RAW.set(after);
        sim.crash();
        sim.raise("x", "go", &Value::Null);
        sim.settle();
        assert_eq!(reason(&sim).is_none(), fits, "{:?}", reason(&sim));
    }
}

code! {
    fn calls_raw(ctx, _) {
        let raw = serde_json::value::RawValue::from_string(RAW.get().to_owned())?;
        call::<Echo>(&ctx, raw).await?;
        Ok(ctx.wait_for_external_event("go").await?)
    }
}

#[test]
fn d01_timers_of_the_same_build_are_due_at_the_same_time() {
    for handler in [sleeps as Handler, sleeps_until] {
        for (seconds, build, fits) in [(10, "first", true), (20, "first", false), (20, "second", true)] {
            SECONDS.set(10);
            let mut sim = sim_of(handler);
            sim.start("x", "main", &Value::Null);
            sim.settle();
            SECONDS.set(seconds);
            sim.config = config(build);
            sim.crash();
            sim.raise("x", "go", &json!("gone"));
            sim.settle();
            match fits {
                true => assert_eq!(sim.output("x"), json!("gone")),
                false => parked(&sim, &["timer (operation 1)", "with the due time 2023-"]),
            }
        }
    }
}

#[test]
fn d01_a_relative_timer_counts_from_the_clock_also_where_the_clock_has_gone_back() {
    let mut sim = sim_of(sleeps_later);
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.now.0 -= 100 * SECOND;
    sim.raise("x", "go", &Value::Null);
    sim.settle();
    let turns = sim.turns("x");
    assert!(turns.last().unwrap().clock.is_some_and(|clock| clock < turns[0].time), "{turns:?}");
    sim.crash();
    sim.raise("x", "end", &Value::Null);
    sim.settle();
    assert_eq!(sim.output("x"), json!("ended"));
}

code! {
    fn sleeps_later(ctx, _) {
        let _: Value = ctx.wait_for_external_event("go").await?;
        crate::select! {
            _ = ctx.create_timer(Duration::from_secs(1_000)) => Ok(json!("slept")),
            event = ctx.wait_for_external_event::<Value>("end") => { let _ = event?; Ok(json!("ended")) }
        }
    }
}

#[test]
fn d01_another_build_may_change_inputs_and_the_recorded_ones_stand() {
    let before = json!([{ "id": 1 }, { "id": 2 }]);
    let after = json!([{ "id": 1, "rush": false }, { "id": 2, "rush": false }]);
    for next in ["second", ""] {
        let config = if next.is_empty() { PartitionConfig::default() } else { config(next) };
        let sim = replayed(calls, &before, &after, config);
        assert_eq!(reason(&sim), None, "{next}");
        assert_eq!(sim.output("x"), before);
    }
}

#[test]
fn d01_a_changed_order_is_parked_whatever_the_build() {
    for handler in [calls as Handler, calls_together] {
        let sim = replayed(handler, &json!(["a", "b"]), &json!(["b", "a"]), config("second"));
        parked(&sim, &["operation 1", "operation 2", "\"a\"", "\"b\"", "have changed their order", "BTreeSet"]);
    }
    // The value stands at no other operation.
    let sim = replayed(calls, &json!(["a", "b"]), &json!(["c", "a"]), config("second"));
    parked(&sim, &["operation 2"]);
    let sim = replayed(calls, &json!(["a", "b"]), &json!(["c", "d"]), config("second"));
    assert_eq!(reason(&sim), None);
}

#[test]
fn d01_changes_are_parked_where_none_are_accepted() {
    let strict = |build| PartitionConfig { input_changes: InputChanges::Park, ..config(build) };
    let sim = replayed(calls, &json!(["a", "b"]), &json!(["c", "d"]), strict("second"));
    parked(&sim, &["InputChanges::Park", "ctx.patched"]);
    let sim = replayed(calls, &json!(["a", "b"]), &json!(["a", "b"]), strict("second"));
    assert_eq!(reason(&sim), None);
}

#[test]
fn d01_the_build_is_recorded_once_in_an_execution_and_again_when_it_changes() {
    values(json!(["a", "b"]));
    let mut sim = sim_of(calls);
    sim.start("x", "main", &Value::Null);
    sim.settle();
    let builds = |sim: &Sim| sim.turns("x").iter().map(|turn| turn.build).collect::<Vec<_>>();
    let first = Some(BuildId::of(b"first"));
    assert_eq!(builds(&sim), [first, None, None]);
    sim.config = config("second");
    sim.crash();
    sim.suspend("x");
    sim.settle();
    sim.resume("x");
    sim.settle();
    assert_eq!(builds(&sim), [first, None, None, None, Some(BuildId::of(b"second"))]);
    // The first turns belong to another build, and what changes in them is accepted.
    values(json!(["c", "d"]));
    sim.crash();
    sim.raise("x", "go", &Value::Null);
    sim.settle();
    assert_eq!((reason(&sim), sim.output("x")), (None, json!(["a", "b"])));
}

#[test]
fn d01_records_without_a_build_are_of_another_one() {
    values(json!(["a", "b"]));
    let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", calls)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    assert!(sim.turns("x").iter().all(|turn| turn.build.is_none()));
    values(json!(["c", "d"]));
    sim.config = config("first");
    sim.crash();
    sim.raise("x", "go", &Value::Null);
    sim.settle();
    assert_eq!((reason(&sim), sim.output("x")), (None, json!(["a", "b"])));
}

code! {
    fn shifts(ctx, input) {
        let ctx = &ctx;
        let value = match input.as_str().unwrap() {
            "random" => ctx.side_effect(|| json!(ctx.random())),
            "uuid" => ctx.side_effect(|| json!(ctx.new_uuid())),
            "nested" => ctx.side_effect(|| ctx.side_effect(|| json!(1))),
            "patched" => ctx.side_effect(|| json!(ctx.patched("change"))),
            "status" => ctx.side_effect(|| { ctx.set_custom_status(&json!(1)).unwrap(); json!(1) }),
            "schedule" => ctx.side_effect(|| { drop(call::<Echo>(ctx, 1).schedule()); json!(1) }),
            "facts" => ctx.side_effect(|| json!([ctx.instance_id(), ctx.current_time(), ctx.name()])),
            _ => {
                let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ctx.side_effect(|| ctx.random())));
                json!([panicked.is_err(), ctx.random() > 0])
            }
        };
        Ok(value)
    }
}

#[test]
fn a08_the_closure_of_a_side_effect_cannot_use_the_context() {
    for wrong in ["random", "uuid", "nested", "patched", "status", "schedule"] {
        let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", shifts)]));
        sim.start("x", "main", &json!(wrong));
        sim.settle();
        let failure = sim.head("x").progress.failure.clone().expect("it failed");
        assert!(failure.message().contains("closure of `ctx.side_effect(..)`"), "{wrong}: {failure}");
        assert_eq!(sim.turns("x")[0].actions.len(), 1, "nothing was issued");
    }
    for right in ["facts", "caught"] {
        let mut sim = Sim::new(PartitionConfig::default(), registry(&[("main", shifts)]));
        sim.start("x", "main", &json!(right));
        sim.settle();
        assert!(sim.head("x").progress.failure.is_none(), "{right}: {:?}", sim.head("x").progress.failure);
    }
}
