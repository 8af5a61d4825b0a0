//! Tasks that were open when the process ended: when they are started again, and what follows if they cannot be.

use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::Undecodable;
use crate::definition::{OrchestratorHandler, Registration};
use crate::engine::PartitionConfig;
use crate::engine::sim::code::{Echo, Main, activity, call, child, code, orchestrator, registry};
use crate::engine::sim::{Fate, SECOND, Sim, id};
use crate::model::{DecodeError, JsonText, ParkCode, RuntimeStatus};
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
}

fn sim_of(handler: OrchestratorHandler, live_instances: usize) -> Sim {
    Sim::new(PartitionConfig { live_instances, ..PartitionConfig::default() }, registry(&[("main", handler)]))
}

/// The same activity in code that cannot decode its stored input.
fn cannot_decode() -> Registration {
    let Registration::Activity(mut echo) = activity("echo") else { panic!("it is an activity") };
    echo.check_input = |_| Err(DecodeError("missing field `priority`".to_owned()));
    Registration::Activity(echo)
}

#[test]
fn an_activity_whose_input_does_not_decode_parks_its_instance_and_runs_later() {
    for live_instances in [0, 1_000] {
        let mut sim = sim_of(works, live_instances);
        sim.start("x", "main", &Value::Null);
        sim.settle_rows();
        let Registration::Activity(echo) = cannot_decode() else { panic!("it is an activity") };
        let error = (echo.check_input)(&JsonText::null()).unwrap_err();
        sim.activities.undecodable = Some(echo.undecodable_input(error));
        sim.deploy(Registry::new([orchestrator("main", "", works), cannot_decode()]).unwrap());
        // The commit that parks it is lost twice. The activity says so again.
        sim.settle_rows();
        let task = sim.start_activities().unwrap();
        sim.finish(task);
        sim.run();
        sim.commit(1, Fate::LostBefore);
        sim.run();
        sim.commit(1, Fate::LostAfter);
        sim.settle();
        let parked = sim.head("x").progress.parked.clone().unwrap();
        assert_eq!(parked.code(), ParkCode::UndecodableValue);
        assert!(parked.text().contains("the input of activity `echo`"), "{parked}");
        assert!(parked.text().contains("missing field `priority`"), "{parked}");
        assert_eq!(sim.store.tasks.len(), 1, "it waits, and has not failed");
        // Everything else is recorded meanwhile, and another start of the same code writes nothing.
        let raised = sim.raise("x", "red", &json!(2));
        sim.now.0 += 10 * SECOND;
        sim.settle();
        assert!(sim.result(raised).is_ok());
        let (commits, runs) = (sim.durable_commits.len(), sim.activities.most_runs());
        sim.crash();
        sim.retry_parked("x");
        sim.settle();
        assert_eq!((sim.durable_commits.len(), sim.activities.most_runs()), (commits, runs));
        assert_eq!(sim.head("x").progress.parked, Some(parked));
        sim.activities.undecodable = None;
        sim.deploy(registry(&[("main", works)]));
        sim.settle();
        assert_eq!(sim.output("x"), json!([1, 2]));
        sim.assert_clean();
    }
}

#[test]
fn an_activity_whose_input_does_not_decode_is_nobodys_after_the_end() {
    let mut sim = sim_of(works, 0);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim.activities.undecodable = Some(Undecodable::new("the input", DecodeError("no".to_owned())));
    let task = sim.start_activities().unwrap();
    let terminated = sim.terminate("x", false);
    sim.run();
    sim.finish(task);
    sim.settle();
    assert!(sim.result(terminated).is_ok());
    assert_eq!(sim.head("x").progress.parked, None);
    sim.assert_clean();
}

code! {
    fn hurries(ctx, _) {
        let called = crate::context::Durable::timeout(call::<Echo>(&ctx, 1), &ctx, Duration::from_secs(10)).await;
        let _: Value = ctx.wait_for_external_event("red").await?;
        Ok(json!(called.is_err()))
    }
}

/// An instance whose activity was running when the process died; `meanwhile` happens before the next start. Returns the
/// simulation after that start, when everything has started that may.
fn restarted(live_instances: usize, meanwhile: impl Fn(&mut Sim)) -> Sim {
    let mut sim = sim_of(hurries, live_instances);
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim.start_activities();
    meanwhile(&mut sim);
    sim.crash();
    // The driver is as quick as it can be: whatever it is asked for starts before the partition runs a turn.
    sim.start_activities();
    sim.settle_rows();
    sim.start_activities();
    sim
}

#[test]
fn a_timer_that_is_due_fires_before_activities_are_started_again() {
    for live_instances in [0, 1_000] {
        let mut sim = restarted(live_instances, |sim| sim.now.0 += 10 * SECOND);
        assert_eq!(sim.activities.most_runs(), 1, "the time-out has passed, so the activity is not started again");
        sim.raise("x", "red", &Value::Null);
        sim.settle();
        assert_eq!(sim.output("x"), json!(true));
        sim.assert_clean();
    }
}

#[test]
fn activities_are_started_again_if_no_timer_is_due() {
    let mut sim = restarted(0, |sim| sim.now.0 += 10 * SECOND - 1);
    assert_eq!(sim.activities.most_runs(), 2);
    sim.settle();
    sim.raise("x", "red", &Value::Null);
    sim.settle_all();
    assert_eq!(sim.output("x"), json!(false));
}

#[test]
fn activities_are_started_again_after_a_due_timer_that_does_not_concern_them() {
    // The instance is suspended, so the timer is recorded and cancels nothing.
    let mut sim = restarted(0, |sim| {
        sim.suspend("x");
        sim.settle_rows();
        sim.now.0 += 10 * SECOND;
    });
    assert_eq!(sim.activities.most_runs(), 2);
    sim.resume("x");
    sim.settle();
    sim.raise("x", "red", &Value::Null);
    sim.settle_all();
    sim.assert_clean();
}

#[test]
fn a_message_in_the_inbox_is_handled_before_activities_are_started_again() {
    code! {
        fn parent(ctx, _) {
            let _child = child::<Main>(&ctx, ()).instance_id(id("x")).schedule();
            let _: Value = ctx.wait_for_external_event("never").await?;
            Ok(Value::Null)
        }
    }
    let mut sim = Sim::new(
        PartitionConfig { live_instances: 0, ..PartitionConfig::default() },
        registry(&[("parent", parent), ("main", hurries)]),
    );
    sim.start("p", "parent", &Value::Null);
    sim.settle_rows();
    sim.start_activities();
    // The end of the parent is durable, and the message to its child is on its way when the process dies.
    sim.terminate("p", true);
    while sim.commits.is_empty() || !sim.head("p").is_ended() {
        sim.run();
        if !sim.loads.is_empty() {
            sim.deliver_load(0);
        }
        sim.run();
        sim.commit(1, Fate::Durable);
        if sim.head("p").is_ended() {
            break;
        }
    }
    assert!(!sim.head("x").is_ended(), "its message waits in the inbox");
    sim.crash();
    sim.start_activities();
    sim.settle_rows();
    sim.start_activities();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
    assert_eq!(sim.activities.most_runs(), 1);
    sim.assert_clean();
}
