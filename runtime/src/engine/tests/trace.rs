//! The trace to which instances belong. Without OpenTelemetry, all that an instance begins belongs to the trace of its start.

use serde_json::{Value, json};

use crate::engine::sim::code::{Child, Echo, Main, again, call, child as start_child, code, registry};
use crate::engine::sim::{Sim, start};
use crate::engine::{PartitionConfig, StartOperation};
use crate::model::{Input, PartitionCount, TraceContext};

code! {
    fn main(ctx, input) {
        let seen: Value = call::<Echo>(&ctx, &input).await?;
        match seen.as_u64().unwrap_or(0) {
            0 => again::<Main>(&ctx, 1).await,
            _ => Ok(start_child::<Child>(&ctx, json!(5)).await?),
        }
    }
    fn child(ctx, input) {
        Ok(call::<Echo>(&ctx, &input).await?)
    }
}

fn context() -> Option<TraceContext> {
    TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("vendor=1")).ok()
}

/// The traces of everything that a run of `main` begins, with a crash whenever an activity is open.
fn traces(partitions: u16, trace: Option<TraceContext>) -> Vec<Option<TraceContext>> {
    let code = || registry(&[("main", main), ("child", child)]);
    let mut sim = Sim::with_partitions(PartitionCount::new(partitions).unwrap(), PartitionConfig::default(), code());
    sim.start_with(StartOperation { trace, ..start(Some("x"), "main", &json!(0)) });
    let mut traces = Vec::new();
    loop {
        sim.settle_rows();
        traces.extend(sim.activities.open().map(|task| task.trace.clone()));
        sim.crash();
        sim.settle_rows();
        traces.extend(sim.activities.open().map(|task| task.trace.clone()));
        let Some(task) = sim.start_activities() else { break };
        sim.finish(task);
    }
    assert!(sim.head("x").is_ended());
    traces.extend(sim.recorded.iter().flat_map(|(_, _, record)| &record.inputs).filter_map(|input| match input {
        Input::ExecutionStarted(started) => Some(started.trace.clone()),
        _ => None,
    }));
    traces
}

#[test]
fn all_that_an_instance_begins_belongs_to_its_trace_also_after_a_crash() {
    for partitions in [1, 4] {
        let traces = traces(partitions, context());
        assert!(traces.len() >= 9, "two executions, a child and their activities: {traces:?}");
        assert!(traces.iter().all(|trace| *trace == context()), "{traces:?}");
    }
}

#[test]
fn without_a_trace_nothing_is_stored() {
    assert!(traces(1, None).iter().all(Option::is_none));
}
