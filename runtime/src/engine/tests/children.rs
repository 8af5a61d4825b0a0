//! What becomes of a sub-orchestration, for each way in which its parent stops waiting for it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::context::Durable;
use crate::engine::sim::code::{Child, Main, Program, again, child, code, registry};
use crate::engine::sim::{Fate, SECOND, Sim, id};
use crate::engine::{ClientOperation, ParentClosePolicy, PartitionConfig};
use crate::model::{Action, Execution, Input, JsonText, PartitionCount, RuntimeStatus};

code! {
    fn parent(ctx, input) {
        let kid = || child::<Child>(&ctx, ()).instance_id(id("kid"));
        let abandoned = || kid().parent_close_policy(ParentClosePolicy::Abandon);
        let stop = ctx.wait_for_external_event::<Value>("stop");
        let moment = Duration::from_secs(10);
        match input.as_str().unwrap_or_default() {
            "select" => crate::select! {
                _ = kid() => (),
                _ = stop => (),
            },
            "timeout" => drop(kid().timeout(&ctx, moment).await),
            "drop" => {
                let called = kid().schedule();
                stop.await?;
                drop(called);
            }
            "abandon and drop" => drop(abandoned().timeout(&ctx, moment).await),
            "detach" => {
                let called = kid().schedule();
                stop.await?;
                assert_eq!(called.detach()?, id("kid"));
            }
            "detach at once" => {
                assert_eq!(kid().detach()?, id("kid"));
                stop.await?;
            }
            "continue" => {
                let _called = kid().schedule();
                stop.await?;
                return again::<Main>(&ctx, "continued").await;
            }
            "terminate it" => {
                let called = kid().schedule();
                stop.await?;
                ctx.terminate(&id("kid"), "as asked")?;
                assert!(called.await.is_err());
            }
            "continued" => {}
            how => {
                let called = if how.starts_with("abandon") { abandoned() } else { kid() }.schedule();
                stop.await?;
                match how.trim_start_matches("abandon and ") {
                    "return" => return Ok(Value::Null),
                    "fail" => return Err("as asked".into()),
                    "panic" => panic!("as asked"),
                    "forget" => {
                        std::mem::forget(called);
                        return Ok(Value::Null);
                    }
                    "terminate itself" => ctx.terminate(&ctx.instance_id().clone(), "as asked")?,
                    _ => {}
                }
                called.await?;
            }
        }
        Ok(ctx.wait_for_external_event("end").await?)
    }
    fn kid(ctx, _) { Ok(child::<Program>(&ctx, ()).instance_id(id("grandkid")).await?) }
    fn grandkid(ctx, _) { Ok(ctx.wait_for_external_event("go").await?) }
}

/// Who is left: the parent, the sub-orchestration and its own.
const TABLE: [(&str, &str); 19] = [
    ("select", "parent"),
    ("timeout", "parent"),
    ("drop", "parent"),
    ("abandon and drop", "parent, kid, grandkid"),
    ("detach", "parent, kid, grandkid"),
    ("detach at once", "parent, kid, grandkid"),
    ("return", ""),
    ("fail", ""),
    ("panic", ""),
    ("forget", ""),
    ("terminate itself", ""),
    ("abandon and return", "kid, grandkid"),
    ("abandon and panic", "kid, grandkid"),
    ("abandon and terminate itself", "kid, grandkid"),
    ("continue", "parent, kid, grandkid"),
    ("terminate it", "parent"),
    // Terminated by a caller.
    ("terminated", ""),
    ("abandon and terminated", "kid, grandkid"),
    ("abandon and terminated recursively", ""),
];

fn begun(how: &str, partitions: u16, live_instances: usize) -> Sim {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    let code = registry(&[("main", parent), ("child", kid), ("program", grandkid)]);
    let mut sim = Sim::with_partitions(PartitionCount::new(partitions).unwrap(), config, code);
    sim.start("parent", "main", &json!(how));
    sim.settle_rows();
    sim
}

/// Makes the parent stop waiting. Repeating it changes nothing.
fn stop(sim: &mut Sim, how: &str) {
    if how.contains("terminated") {
        sim.terminate("parent", how.ends_with("recursively"));
    } else {
        let (name, event_id) = ("stop".to_owned(), Some("stop".to_owned()));
        sim.call(ClientOperation::RaiseEvent { id: id("parent"), name, payload: JsonText::null(), event_id });
        sim.now.0 = sim.now.0.max(crate::engine::sim::EPOCH.0 + 10 * SECOND);
    }
}

fn left(sim: &Sim) -> String {
    let names = ["parent", "kid", "grandkid"];
    let left: Vec<_> = names.into_iter().filter(|name| !sim.head(name).is_ended()).collect();
    left.join(", ")
}

/// Whoever is left ends by itself, and nothing is left over.
fn finish(mut sim: Sim, how: &str, left: &str) {
    let failed = |sim: &Sim| {
        let kid = sim.head("kid").life.key;
        let ends = |input: &Input| {
            matches!(input, Input::SubOrchestrationCompleted { .. } | Input::SubOrchestrationFailed { .. })
        };
        sim.recorded.iter().any(|(key, _, turn)| *key != kid && turn.inputs.iter().any(ends))
    };
    if !left.contains("kid") && how != "terminate it" {
        assert!(!failed(&sim), "{how}: nobody is told of an end that the parent asked for");
    }
    for (name, event) in [("grandkid", "go"), ("parent", "end")] {
        if left.split(", ").any(|one| one == name) {
            sim.raise(name, event, &json!(name));
            sim.settle();
            assert_eq!(sim.head(name).progress.status, RuntimeStatus::Completed, "{how}: {name}");
        }
    }
    if left.contains("kid") {
        assert_eq!(sim.output("kid"), json!("grandkid"), "{how}");
    } else {
        let status = sim.head("kid").progress.status;
        assert_eq!(status, RuntimeStatus::Terminated, "{how}");
        let reason = sim.output("kid").to_string();
        assert!(
            reason.contains("parent") || reason.contains("as asked") || reason.contains("enough"),
            "{how}: {reason}"
        );
    }
    sim.settle_all();
    sim.assert_clean();
}

#[test]
fn a05_what_becomes_of_a_sub_orchestration_whose_parent_stops_waiting() {
    for (how, expected) in TABLE {
        for (partitions, live_instances) in [(1, 1_000), (1, 0), (3, 1_000), (3, 0)] {
            let mut sim = begun(how, partitions, live_instances);
            assert_eq!(left(&sim), "parent, kid, grandkid", "{how}");
            stop(&mut sim, how);
            sim.settle();
            assert_eq!(left(&sim), expected, "{how} with {partitions} partitions");
            finish(sim, how, expected);
        }
    }
}

#[test]
fn a05_a_crash_at_each_commit_of_a_dropped_sub_orchestration_changes_nothing() {
    for (how, expected) in TABLE {
        for (partitions, boundary) in (0..8).flat_map(|boundary| [(1, boundary), (3, boundary)]) {
            let mut sim = begun(how, partitions, 1_000);
            stop(&mut sim, how);
            for _ in 0..boundary {
                sim.settle_some_rows(1);
            }
            sim.crash();
            stop(&mut sim, how);
            sim.settle();
            assert_eq!(left(&sim), expected, "{how} with {partitions} partitions, crash after {boundary}");
            finish(sim, how, expected);
        }
    }
}

#[test]
fn a05_a_termination_that_comes_after_the_end_or_the_purge_of_the_sub_orchestration_changes_nothing() {
    for purged in [false, true] {
        let mut sim = begun("select", 3, 1_000);
        sim.raise("grandkid", "go", &json!("done"));
        for name in ["grandkid", "kid"] {
            sim.focus(sim.partitions.partition_of(&id(name)));
            // Its own partition gets on; the parent has not heard of it.
            while sim.head(name).progress.status == RuntimeStatus::Running {
                sim.run();
                while !sim.loads.is_empty() {
                    sim.deliver_load(0);
                    sim.run();
                }
                sim.commit(100, Fate::Durable);
                let home = sim.partitions.partition_of(&id(name));
                while let Some(place) = sim.looks.iter().position(|partition| *partition == home) {
                    sim.look(place);
                }
                let next = if name == "grandkid" { "grandkid" } else { "kid" };
                sim.focus(sim.partitions.partition_of(&id(next)));
            }
        }
        if purged {
            sim.purge("kid");
            sim.run();
            sim.commit(100, Fate::Durable);
        }
        stop(&mut sim, "select");
        sim.settle();
        assert_eq!(sim.store.head("kid").is_none(), purged);
        if !purged {
            assert_eq!(sim.output("kid"), json!("done"), "an end stays as it is");
        }
        sim.raise("parent", "end", &Value::Null);
        sim.settle_all();
        sim.assert_clean();
    }
}

#[test]
fn a05_a_call_that_waits_for_somebody_elses_instance_leaves_it_alone() {
    code! {
        fn attaches(ctx, _) {
            let called = child::<Child>(&ctx, ()).instance_id(id("kid")).on_existing(crate::IdReusePolicy::Attach);
            crate::select! {
                value = called => Ok(value?),
                stopped = ctx.wait_for_external_event::<Value>("stop") => Ok(stopped?),
            }
        }
    }
    let mut sim =
        Sim::new(PartitionConfig::default(), registry(&[("main", attaches), ("child", kid), ("program", grandkid)]));
    sim.start("kid", "child", &Value::Null);
    sim.start("parent", "main", &Value::Null);
    sim.settle_rows();
    assert_eq!(sim.store.inbox.len(), 1, "the start waits");
    sim.raise("parent", "stop", &json!("stopped"));
    sim.settle();
    assert_eq!(sim.output("parent"), json!("stopped"));
    assert_eq!(sim.head("kid").progress.status, RuntimeStatus::Running);
    assert!(sim.store.inbox.is_empty(), "nobody waits any more");
    sim.raise("grandkid", "go", &json!(1));
    sim.settle();
    assert_eq!(sim.output("kid"), json!(1));
    sim.assert_clean();
}

#[test]
fn a05_a_call_that_an_earlier_version_recorded_goes_on_when_it_is_dropped() {
    let mut sim = begun("drop", 1, 1_000);
    // Earlier versions recorded no policy.
    let key = sim.head("parent").life.key;
    for ((of, _, _), row) in &mut sim.store.records {
        let mut record = crate::model::wire::decode_record(&row.bytes).unwrap();
        for action in &mut record.actions {
            if let Action::StartSubOrchestration { on_close, .. } = action
                && *of == key
            {
                *on_close = None;
            }
        }
        row.bytes = crate::model::wire::encode_record(&record);
    }
    sim.crash();
    stop(&mut sim, "drop");
    sim.settle();
    assert_eq!((left(&sim).as_str(), sim.head("parent").progress.parked.clone()), ("parent, kid, grandkid", None));
    sim.crash();
    sim.raise("parent", "end", &Value::Null);
    sim.settle();
    assert_eq!(left(&sim), "kid, grandkid");
    let cancelled = |action: &Action| matches!(action, Action::Cancelled { .. });
    assert!(!sim.recorded.iter().any(|(of, _, turn)| *of == key && turn.actions.iter().any(cancelled)));
    assert_eq!(sim.head("kid").life.execution, Execution(0));
}

#[test]
fn b17_an_instance_that_fails_for_its_history_takes_its_sub_orchestrations_along() {
    code! { fn other(ctx, _) { Ok(json!(ctx.instance_id().to_string())) } }
    let mut sim = begun("select", 1, 1_000);
    sim.config.fail_on_mismatch = true;
    sim.deploy(registry(&[("main", other), ("child", kid), ("program", grandkid)]));
    sim.raise("parent", "stop", &Value::Null);
    sim.settle();
    assert_eq!(sim.head("parent").progress.status, RuntimeStatus::Failed);
    assert_eq!(left(&sim), "");
    sim.assert_clean();
}
