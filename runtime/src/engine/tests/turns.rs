//! What a turn issues, takes, cancels and records (A4 to A8).

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};

use super::plain;
use crate::context::Durable;
use crate::definition::OrchestratorHandler;
use crate::engine::PartitionConfig;
use crate::engine::sim::code::{Child, Echo, Red, call, child, code, registry};
use crate::engine::sim::{Fate, SECOND, Sim, id};
use crate::model::Action;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn sim_of(handler: OrchestratorHandler, live_instances: usize) -> Sim {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    Sim::new(config, registry(&[("main", handler), ("child", children)]))
}

fn actions(sim: &Sim, instance: &str) -> Vec<String> {
    sim.turns(instance).iter().flat_map(|turn| turn.actions.iter().map(plain)).collect()
}

code! {
    fn children(ctx, input) {
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(input)
    }
    fn timer_or_event(ctx, input) {
        let first = if input == json!("event first") {
            crate::select! {
                event = ctx.wait_for_external_event::<Value>("red") => event?,
                _ = ctx.create_timer(seconds(10)) => json!("timer"),
            }
        } else {
            crate::select! {
                _ = ctx.create_timer(seconds(10)) => json!("timer"),
                event = ctx.wait_for_external_event::<Value>("red") => event?,
            }
        };
        let second = ctx.wait_for_external_event::<Value>("red").await?;
        Ok(json!([first, second]))
    }
}

#[test]
fn a04_an_event_is_taken_only_by_the_wait_that_is_ready() {
    for live_instances in [0, 100] {
        for (order, together, event_wins) in [
            ("event first", true, true),
            ("timer first", true, false),
            ("event first", false, true),
            ("timer first", false, true),
        ] {
            let mut sim = sim_of(timer_or_event, live_instances);
            sim.start("x", "main", &json!(order));
            sim.settle();
            sim.raise("x", "red", &json!(1));
            if !together {
                sim.settle();
            }
            sim.pass(10);
            if event_wins {
                assert_eq!(sim.inputs("x").last().unwrap(), if together { "timer 2" } else { "red:1" });
                sim.raise("x", "red", &json!(2));
                sim.settle();
                assert_eq!(sim.output("x"), json!([1, 2]), "{order}");
            } else {
                assert_eq!(sim.output("x"), json!(["timer", 1]), "{order}: the wait that lost has taken nothing");
            }
        }
    }
}

#[test]
fn a04_a_timer_that_fires_first_leaves_the_event_for_the_next_wait() {
    for order in ["event first", "timer first"] {
        let mut sim = sim_of(timer_or_event, 0);
        sim.start("x", "main", &json!(order));
        sim.settle();
        sim.pass(10);
        sim.raise("x", "RED", &json!(1));
        sim.settle();
        assert_eq!(sim.output("x"), json!(["timer", 1]));
    }
}

code! {
    fn waits_for_all(ctx, _) {
        let (task, _, event) = crate::join!(
            call::<Echo>(&ctx, 1),
            ctx.create_timer(seconds(10)),
            ctx.wait_for_external_event::<Value>("red"),
        );
        Ok(json!([task?, event?]))
    }
}

#[test]
fn a05_a_drop_outside_a_turn_cancels_nothing() {
    let mut sim = sim_of(waits_for_all, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    let rows = sim.store.clone();
    assert_eq!(sim.partition.live_instances(), 0, "it was evicted");
    sim.recover();
    sim.settle_rows();
    sim.crash();
    sim.settle_rows();
    sim.partition.stop_polling();
    sim.settle_rows();
    sim.crash();
    assert_eq!(sim.store, rows);
    sim.settle_all();
    sim.raise("x", "red", &json!(2));
    sim.settle();
    assert_eq!(sim.output("x"), json!([1, 2]));
    assert!(sim.activities.cancelled.is_empty());
    assert!(!actions(&sim, "x").iter().any(|action| action.starts_with("cancellation")));
}

code! {
    fn event_or_work(ctx, _) {
        let winner = crate::select! {
            event = ctx.wait_for_external_event::<Value>("red") => event?,
            done = call::<Echo>(&ctx, 1) => done?,
            _ = ctx.create_timer(seconds(10)) => json!("timer"),
        };
        let _: Value = ctx.wait_for_external_event("green").await?;
        Ok(winner)
    }
}

#[test]
fn a05_the_loser_of_a_select_is_cancelled_after_the_commit_and_its_result_is_discarded() {
    for live_instances in [0, 100] {
        let mut sim = sim_of(event_or_work, live_instances);
        sim.start("x", "main", &Value::Null);
        sim.settle_rows();
        let task = sim.start_activities().unwrap();
        sim.raise("x", "red", &json!(5));
        sim.run();
        while !sim.loads.is_empty() {
            sim.deliver_load(0);
            sim.run();
        }
        assert!(sim.activities.cancelled.is_empty(), "not before the commit is durable");
        sim.commit(1, Fate::Durable);
        assert_eq!(sim.activities.cancelled, [task]);
        assert!(sim.store.tasks.is_empty() && sim.store.timers.is_empty());
        sim.handle(crate::engine::PartitionInput::TaskDone { task, result: Ok(crate::model::JsonText::null()) });
        sim.settle();
        assert_eq!(sim.inputs("x"), ["started", "red:5"]);
        assert_eq!(
            actions(&sim, "x"),
            [
                "wait for event `red` (operation 1)",
                "call of activity `echo` (operation 2)",
                "timer (operation 3)",
                "cancellation (operation 2)",
                "cancellation (operation 3)",
                "wait for event `green` (operation 4)",
            ]
        );
    }
}

code! {
    fn issued_and_dropped(ctx, _) {
        drop(call::<Echo>(&ctx, 1).schedule());
        drop(child::<Child>(&ctx, 2).schedule());
        let _: Value = ctx.wait_for_external_event("red").await?;
        Ok(Value::Null)
    }
}

#[test]
fn a05_an_operation_issued_and_cancelled_in_one_turn_is_recorded_and_never_dispatched() {
    let mut sim = sim_of(issued_and_dropped, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle();
    assert_eq!(
        actions(&sim, "x"),
        [
            "call of activity `echo` (operation 1)",
            "cancellation (operation 1)",
            "call of orchestrator `child` (operation 2)",
            "cancellation (operation 2)",
            "wait for event `red` (operation 3)",
        ]
    );
    assert!(sim.activities.runs.is_empty());
    assert!(sim.durable_commits.iter().all(|turn| turn.tasks_new.is_empty()));
    assert_eq!(sim.store.heads.len(), 1, "the sub-orchestration was never started");
}

code! {
    fn out_of_order(ctx, _) {
        let first = call::<Echo>(&ctx, "first");
        let second = call::<Echo>(&ctx, "second");
        let (second, first) = crate::join!(second, first);
        let inner = crate::context::block(async {
            crate::select! {
                event = ctx.wait_for_external_event::<Value>("red") => event.map(|_| json!("red")),
                _ = ctx.create_timer(seconds(5)) => Ok(json!("inner timer")),
            }
        });
        let nested = crate::select! {
            event = ctx.wait_for_external_event::<Value>("green") => event?,
            value = inner => value?,
        };
        let late = child::<Child>(&ctx, 3).instance_id(id("kid")).timeout(&ctx, seconds(7)).await;
        ctx.send_event(&id("nobody"), &Red(json!(1)))?;
        let patched = ctx.patched("new way");
        let noise = ctx.side_effect(|| 42);
        Ok(json!([first?, second?, nested, late.is_err(), patched, noise]))
    }
}

#[test]
fn a06_golden_history_of_the_numbering() {
    let mut sim = sim_of(out_of_order, 100);
    sim.start("x", "main", &Value::Null);
    sim.settle_all();
    assert_eq!(sim.output("x"), json!(["first", "second", "inner timer", true, true, 42]));
    let inputs: Vec<Vec<String>> =
        sim.turns("x").iter().map(|turn| turn.inputs.iter().map(crate::engine::sim::short).collect()).collect();
    assert_eq!(inputs, [vec!["started"], vec!["task 1"], vec!["task 2"], vec!["timer 5"], vec!["timer 7"]]);
    assert_eq!(
        actions(&sim, "x"),
        [
            "call of activity `echo` (operation 1)",
            "call of activity `echo` (operation 2)",
            "wait for event `green` (operation 3)",
            "wait for event `red` (operation 4)",
            "timer (operation 5)",
            "cancellation (operation 4)",
            "cancellation (operation 3)",
            "call of orchestrator `child` (operation 6)",
            "timer (operation 7)",
            "cancellation (operation 6)",
            "event `red` sent to `nobody` (operation 8)",
            "patch `new way` (operation 9)",
            "side effect (operation 10)",
            "return of Ok",
        ]
    );
    let turns = sim.turns("x");
    let Action::ScheduleTask { input, .. } = &turns[0].actions[0] else { panic!("{turns:?}") };
    assert_eq!(input.as_str(), "\"second\"", "the number is given at the first poll");
}

/// What serde does not bring back as it was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Lossy {
    exact: f64,
    #[serde(skip)]
    skipped: u32,
}

struct Measure;
impl crate::Activity for Measure {
    type Input = Lossy;
    type Output = Lossy;
    type Error = crate::ActivityError;
    const NAME: &'static str = "echo";
}

code! {
    fn lossy(ctx, _) {
        let lossy = Lossy { exact: 0.1 + 0.2, skipped: 7 };
        let noted = ctx.side_effect(|| lossy.clone());
        let measured = call::<Measure>(&ctx, &lossy).await?;
        let time = ctx.current_time().to_rfc3339();
        let said: Value = call::<Echo>(&ctx, &time).await?;
        let _: Value = ctx.wait_for_external_event("red").await?;
        Ok(json!([noted.skipped, noted.exact == lossy.exact, measured.skipped, measured.exact == lossy.exact, said == json!(time)]))
    }
}

#[test]
fn a07_live_values_are_the_recorded_values() {
    for live_instances in [0, 100] {
        let mut sim = sim_of(lossy, live_instances);
        sim.start("x", "main", &Value::Null);
        sim.settle();
        sim.raise("x", "red", &Value::Null);
        sim.settle();
        assert_eq!(sim.output("x"), json!([0, true, 0, true, true]));
    }
}

thread_local! { static SIDE: Cell<u32> = const { Cell::new(0) }; }

code! {
    fn side_effects(ctx, _) {
        let first = ctx.side_effect(|| SIDE.replace(SIDE.get() + 1));
        let _: Value = ctx.wait_for_external_event("red").await?;
        let second = ctx.side_effect(|| SIDE.replace(SIDE.get() + 1));
        let _: Value = ctx.wait_for_external_event("red").await?;
        Ok(json!([first, second]))
    }
}

#[test]
fn a08_a_side_effect_runs_again_only_when_its_turn_was_not_committed() {
    let mut sim = sim_of(side_effects, 100);
    SIDE.set(0);
    sim.start("x", "main", &Value::Null);
    sim.run();
    sim.deliver_load(0);
    sim.run();
    assert_eq!(SIDE.get(), 1);
    sim.crash();
    sim.start("x", "main", &Value::Null);
    sim.settle();
    assert_eq!(SIDE.get(), 2, "its turn was lost");
    sim.crash();
    sim.raise("x", "red", &Value::Null);
    sim.settle();
    assert_eq!(SIDE.get(), 3, "replay takes the recorded value");
    sim.raise("x", "red", &Value::Null);
    sim.settle();
    assert_eq!(sim.output("x"), json!([1, 2]));
}

code! {
    fn loops_before(ctx, _) {
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(json!(false));
            let _: Value = ctx.wait_for_external_event("red").await?;
        }
        Ok(json!(answers))
    }
    fn loops_after(ctx, _) {
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(json!(ctx.patched("loop")));
            let _: Value = ctx.wait_for_external_event("red").await?;
        }
        Ok(json!(answers))
    }
    fn loops_later(ctx, _) {
        let mut answers = Vec::new();
        for _ in 0..3 {
            let _: Value = ctx.wait_for_external_event("red").await?;
            answers.push(json!(true));
        }
        Ok(json!(answers))
    }
}

#[test]
fn a08_a_patch_keeps_its_first_answer_for_the_whole_execution() {
    let mut sim = sim_of(loops_before, 0);
    sim.start("old", "main", &Value::Null);
    sim.settle();
    sim.deploy(registry(&[("main", loops_after)]));
    sim.start("new", "main", &Value::Null);
    for instance in ["old", "new"] {
        for _ in 0..3 {
            sim.raise(instance, "red", &Value::Null);
            sim.settle();
            sim.crash();
        }
    }
    assert_eq!(sim.output("old"), json!([false, false, false]));
    assert_eq!(sim.output("new"), json!([true, true, true]));
}

#[test]
fn a08_a_marker_that_the_code_does_not_ask_for_is_a_mismatch() {
    let mut sim = sim_of(loops_after, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.deploy(registry(&[("main", loops_later)]));
    sim.raise("x", "red", &Value::Null);
    sim.settle();
    let parked = sim.head("x").progress.parked.clone().unwrap();
    assert!(
        parked.code() == crate::model::ParkCode::HistoryMismatch && parked.text().contains("patch `loop`"),
        "{parked}"
    );
}

#[test]
fn g06_a_mismatch_fails_the_instance_where_that_is_asked_for() {
    let config = PartitionConfig { live_instances: 0, fail_on_mismatch: true, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry(&[("main", loops_after)]));
    sim.start("x", "main", &Value::Null);
    sim.settle();
    sim.deploy(registry(&[("main", loops_later)]));
    sim.raise("x", "red", &Value::Null);
    sim.settle();
    let head = sim.head("x");
    assert_eq!(head.progress.failure.as_ref().unwrap().error_type(), "persevere.Nondeterminism");
}

#[test]
fn b15_a_delayed_start_is_polled_though_the_clock_goes_back_when_it_is_due() {
    for live_instances in [0, 100] {
        let mut sim = sim_of(waits_for_all, live_instances);
        let mut operation = crate::engine::sim::start(Some("x"), "main", &Value::Null);
        operation.start_at = Some(crate::model::Timestamp(sim.now.0 + 10 * SECOND));
        sim.start_with(operation);
        sim.settle_rows();
        sim.pass(9);
        assert_eq!(sim.head("x").progress.status, crate::model::RuntimeStatus::Pending);
        sim.now.0 += SECOND;
        sim.run_some(0);
        sim.now.0 -= 3_600 * SECOND;
        sim.settle_rows();
        assert_eq!(sim.head("x").progress.status, crate::model::RuntimeStatus::Running);
        assert_eq!(sim.turns("x").last().unwrap().time.0, crate::engine::sim::EPOCH.0 + 10 * SECOND);
    }
}

#[test]
fn b15_the_time_of_a_turn_never_goes_back_and_timers_are_never_early() {
    code! { fn timers(ctx, _) {
        let mut times = Vec::new();
        for _ in 0..4 {
            let before = ctx.current_time();
            ctx.create_timer_at(before + seconds(10)).await;
            times.push(ctx.current_time() >= before + seconds(10));
        }
        ctx.create_timer(Duration::MAX).timeout(&ctx, seconds(1)).await.ok();
        Ok(json!(times))
    } }
    for live_instances in [0, 100] {
        let mut sim = sim_of(timers, live_instances);
        sim.start("x", "main", &Value::Null);
        for _ in 0..5 {
            sim.settle();
            sim.now.0 += 10 * SECOND;
            // Fired, and then the clock goes back before the turn.
            sim.run_some(0);
            sim.now.0 -= 3_600 * SECOND;
            sim.settle();
            assert!(sim.turns("x").is_sorted_by_key(|turn| turn.time));
            sim.now.0 += 7_200 * SECOND;
        }
        sim.settle_all();
        assert_eq!(sim.output("x"), json!([true, true, true, true]));
    }
}
