//! Replays that verify what an instance did find code that does not do the same again (D02).

use std::cell::Cell;

use serde_json::{Value, json};

use crate::definition::OrchestratorHandler;
use crate::engine::sim::code::{Echo, Main, Red, again, call, code, registry};
use crate::engine::sim::{Fate, Sim, id};
use crate::engine::{PartitionConfig, VerifyReplay};
use crate::model::{BuildId, ParkCode, PartitionCount};

thread_local! {
    /// Rises with each poll, whether live or replayed.
    static POLLS: Cell<u64> = const { Cell::new(0) };
    static CLOSURES: Cell<u64> = const { Cell::new(0) };
}

fn changing() -> u64 {
    POLLS.replace(POLLS.get() + 1)
}

code! {
    fn input_differs(ctx, _) {
        call::<Echo>(&ctx, changing()).await?;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
    fn step_differs(ctx, _) {
        if changing().is_multiple_of(2) {
            call::<Echo>(&ctx, 1).await?;
        }
        ctx.create_timer(std::time::Duration::from_secs(1)).await;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
    fn status_differs(ctx, _) {
        ctx.set_custom_status(&json!(changing())).unwrap();
        call::<Echo>(&ctx, 1).await?;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
    fn status_is_missing(ctx, _) {
        if changing() == 0 {
            ctx.clear_custom_status();
        }
        call::<Echo>(&ctx, 1).await?;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
    fn replaying_differs(ctx, _) {
        let live = !ctx.is_replaying();
        if live {
            call::<Echo>(&ctx, 1).await?;
        }
        ctx.create_timer(std::time::Duration::from_secs(1)).await;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
    fn event_differs(ctx, _) {
        ctx.send_event(&id("nobody"), &Red(json!(changing()))).unwrap();
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
    fn output_differs(_ctx, _) {
        Ok(json!(changing()))
    }
    fn error_differs(_ctx, _) {
        Err(format!("attempt {}", changing()).into())
    }
    fn next_input_differs(ctx, input) {
        if input == json!("second") {
            let _: Value = ctx.wait_for_external_event("go").await?;
            return Ok(call::<Echo>(&ctx, "never").await?);
        }
        let _ = changing();
        let next = if POLLS.get() == 1 { "second" } else { "third" };
        again::<Main>(&ctx, next).await
    }
    fn repeats(ctx, input) {
        let ctx = &ctx;
        let before = ctx.side_effect(|| CLOSURES.replace(CLOSURES.get() + 1));
        ctx.set_custom_status(&json!({ "random": ctx.random(), "id": ctx.new_uuid() })).unwrap();
        let mut sum = 0;
        for round in 0..input.as_u64().unwrap() {
            let answer = crate::select! {
                answer = call::<Echo>(ctx, (round, before, ctx.current_time())) => answer?,
                _ = ctx.create_timer(std::time::Duration::from_secs(1_000)) => json!("late"),
            };
            sum += answer[0].as_u64().unwrap();
            ctx.patched("change");
        }
        Ok(json!(sum))
    }
    fn loses_a_side_effect(ctx, _) {
        let ctx = &ctx;
        let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ctx.side_effect(|| if CLOSURES.replace(CLOSURES.get() + 1) == 0 { panic!("no value") } else { 7 })
        }));
        Ok(call::<Echo>(ctx, lost.is_err()).await?)
    }
    fn panics_in_a_side_effect(ctx, _) {
        call::<Echo>(&ctx, 1).await?;
        Ok(json!(ctx.side_effect(|| -> u64 { CLOSURES.set(CLOSURES.get() + 1); panic!("no value") })))
    }
}

fn config() -> PartitionConfig {
    PartitionConfig { verify: VerifyReplay::Always, build: BuildId::of(b"build"), ..PartitionConfig::default() }
}

fn sim_with(config: PartitionConfig, handler: OrchestratorHandler) -> Sim {
    POLLS.set(0);
    CLOSURES.set(0);
    Sim::with_partitions(PartitionCount::new(2).unwrap(), config, registry(&[("main", handler)]))
}

fn run(handler: OrchestratorHandler, input: &Value) -> Sim {
    let mut sim = sim_with(config(), handler);
    sim.start("x", "main", input);
    sim.settle_all();
    sim
}

/// Every difference parks the instance after the turn in which it shows, and names both values and the place.
#[test]
fn d02_what_a_replay_does_in_another_way_parks_the_instance_in_its_first_run() {
    let cases: [(OrchestratorHandler, &[&str]); 8] = [
        (input_differs, &["call of activity `echo` (operation 1)", "with the input 0,", "with the input 1."]),
        (step_differs, &["issued call of activity `echo` (operation 1)", "but the replay issued timer (operation 1)"]),
        (
            status_differs,
            &["set the custom status 0 at ", "but the replay set the custom status 1 at ", "activity `echo`"],
        ),
        (status_is_missing, &["set the custom status (removed) at ", "the replay set the custom status (not set)"]),
        (replaying_differs, &["but the replay issued timer", "ctx.is_replaying()"]),
        (event_differs, &["event `red` sent to `nobody` (operation 1)", "with the payload 0", "with the payload 1"]),
        (next_input_differs, &["continue-as-new with the input \"second\"", "with the input \"third\""]),
        (input_differs, &["orchestrator \"main\" is not deterministic", "Turn 0 ", "tests/verify.rs:", "BTreeMap"]),
    ];
    for (handler, texts) in cases {
        let mut sim = run(handler, &Value::Null);
        sim.raise("x", "go", &Value::Null);
        sim.settle_all();
        let parked = sim.head("x").progress.parked.clone().expect("it is parked");
        assert_eq!(parked.code(), ParkCode::NotRepeatable, "{parked}");
        for text in texts {
            assert!(parked.text().contains(text), "{parked}\nlacks {text}");
        }
        assert!(!sim.turns("x").iter().any(|turn| format!("{turn:?}").contains("never")), "it went on");
        assert_eq!(sim.parked.len(), 1, "one line in the log");
    }
}

/// What has ended cannot be parked, so the operator is told.
#[test]
fn d02_an_end_that_a_replay_does_not_reach_again_is_reported() {
    for (handler, texts) in [
        (output_differs as OrchestratorHandler, ["return of Ok with the output 0", "with the output 1"]),
        (error_differs, ["return of Err with the error", "attempt 1"]),
    ] {
        let sim = run(handler, &Value::Null);
        assert!(sim.head("x").is_ended());
        let [reason] = &sim.not_repeatable[..] else { panic!("{:?}", sim.not_repeatable) };
        assert_eq!(reason.code(), ParkCode::NotRepeatable);
        assert!(texts.iter().all(|text| reason.text().contains(text)), "{reason}");
    }
}

#[test]
fn d02_code_that_does_the_same_again_is_left_alone_and_its_closures_run_once() {
    for (live_instances, handler) in [(0, repeats as OrchestratorHandler), (100, repeats), (100, loses_a_side_effect)] {
        let mut sim = sim_with(PartitionConfig { live_instances, ..config() }, handler);
        sim.start("x", "main", &json!(20));
        sim.settle_all();
        assert_eq!((sim.head("x").progress.parked.clone(), &sim.not_repeatable), (None, &Vec::new()));
        assert_eq!(CLOSURES.get(), 1, "only the live turn computes");
    }
    let sim = run(panics_in_a_side_effect, &Value::Null);
    assert_eq!((sim.not_repeatable.len(), CLOSURES.get()), (0, 1));
    assert!(sim.head("x").progress.failure.is_some());
}

/// A check waits for the commit of its turn, so the effects of the turn have left.
#[test]
fn d02_a_turn_is_checked_only_when_it_is_durable() {
    let mut sim = sim_with(config(), input_differs);
    sim.start("x", "main", &Value::Null);
    sim.deliver_load(0);
    sim.run();
    let polls = POLLS.get();
    assert_eq!(polls, 1);
    let now = sim.now;
    sim.partition.verify(now, 1_000);
    assert_eq!(POLLS.get(), polls, "nothing is durable");
    sim.verifies = false;
    sim.commit(1, Fate::Durable);
    assert!(sim.start_activities().is_some(), "the effects have left");
    assert_eq!(POLLS.get(), polls);
    // Whoever is first, the check comes before the next turn.
    let task = sim.start_activities().unwrap();
    sim.finish(task);
    sim.run();
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.parked.clone().unwrap().code(), ParkCode::NotRepeatable);
}

/// A loop of n turns costs a multiple of n, and the first sixteen turns are checked one by one.
#[test]
fn d02_the_replays_of_a_long_execution_are_bounded() {
    let polls = |rounds: u64| {
        let mut sim = sim_with(config(), counted);
        sim.start("x", "main", &json!(rounds));
        sim.settle_all();
        assert_eq!(sim.head("x").progress.parked, None);
        POLLS.get()
    };
    // 16 replays of 1 turn, 8 of 2, 5 of 3, 4 of 4, 3 of 5, 2 of 6 to 8, 1 of 9 to 16.
    assert_eq!(polls(15), 16 + 220);
    assert_eq!(polls(31), 32 + 220 + 32);
    assert_eq!(polls(199), 200 + 220 + 32 + 64 + 128 + 200);
    // In a sample, each turn is replayed once.
    let mut sim = sim_with(PartitionConfig { verify: VerifyReplay::Sample(1.0), ..config() }, counted);
    sim.start("x", "main", &json!(15));
    sim.settle_all();
    assert_eq!(POLLS.get(), 16 + (1..=16).sum::<u64>());
}

code! {
    fn counted(ctx, input) {
        for round in 0..input.as_u64().unwrap() {
            std::future::poll_fn(|_| { changing(); std::task::Poll::Ready(()) }).await;
            call::<Echo>(&ctx, round).await?;
        }
        changing();
        Ok(Value::Null)
    }
}

#[test]
fn d02_nothing_is_replayed_where_that_is_not_asked_for() {
    let mut sim = sim_with(PartitionConfig { verify: VerifyReplay::Never, ..config() }, input_differs);
    sim.start("x", "main", &Value::Null);
    sim.settle_all();
    assert_eq!((POLLS.get(), sim.output("x")), (1, json!("never")));
}

/// A parked instance can be tried again, and goes on with code that is right.
#[test]
fn d02_an_instance_that_was_not_repeatable_goes_on_with_right_code() {
    let mut sim = run(input_differs, &Value::Null);
    assert!(sim.head("x").progress.parked.is_some());
    sim.config.build = BuildId::of(b"mended");
    sim.deploy(registry(&[("main", mended)]));
    sim.settle_all();
    assert_eq!(sim.output("x"), json!("never"));
}

code! {
    fn mended(ctx, _) {
        call::<Echo>(&ctx, "constant").await?;
        Ok(call::<Echo>(&ctx, "never").await?)
    }
}
