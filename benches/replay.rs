//! Rebuilding an instance from its history: with the engine alone, and with a runtime that opens the store.

use std::sync::Arc;
use std::time::Instant;

use persevere::engine::{
    ClientOperation, LoadedInstance, Partition, PartitionConfig, PartitionInput, PartitionOutput, RequestId,
};
use persevere::model::{JsonText, PartitionCount, PartitionId, Timestamp};
use persevere::store::{Backlog, Claim, InstanceRef, Store};
use persevere::{InstanceId, MemoryStore, Registry, Runtime};

use crate::report::Figure;
use crate::samples::{Samples, milliseconds};
use crate::stage::{Stage, StoreKind};
use crate::workload::{Go, long_then_wait};
use crate::{Bench, Outcome, progress};

const GOAL: f64 = 1_000_000.0;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let steps: u32 = bench.scale.pick(4_999, 4_999, 49);
    let rounds = bench.scale.pick(51, 15, 1);
    let bar = progress::bar("replay", rounds + 1);
    // The start, the wait, and the schedule and the end of each step.
    let events = f64::from(2 + 2 * steps);
    let store = MemoryStore::new();
    let id = build(&store, steps).await?;
    let registry = Arc::new(Registry::auto()?);
    let mut times = Samples::default();
    for _ in 0..rounds {
        times.push(rebuild(&store, &id, &registry).await?);
        bar.inc(1);
    }
    let figure = Figure::new("replay", StoreKind::Memory, events / times.median() * 1_000.0, "events/s");
    let case = format!("{events} events, by the engine");
    bench.report.add(&figure.case(case).at_least(GOAL).times(&times))?;

    let took = reopen(bench, steps).await?;
    let figure = Figure::new("replay", StoreKind::Sqlite, events / took * 1_000.0, "events/s");
    bench.report.add(&figure.case(format!("{events} events, raise -> result")))?;
    bar.finish_and_clear();
    Ok(())
}

/// Creates an instance with a history that waits.
async fn build(store: &MemoryStore, steps: u32) -> Outcome<InstanceId> {
    let runtime = Runtime::builder().auto_register().store(store.clone()).start().await?;
    let instance = long_then_wait::start(runtime.client(), steps).await?;
    instance.wait_for_custom_status(move |done| *done == steps).await?;
    runtime.shutdown().await?;
    Ok(instance.id().clone())
}

/// Rebuilds the instance from its rows to a live future, in a separate partition.
async fn rebuild(store: &MemoryStore, id: &InstanceId, registry: &Arc<Registry>) -> Outcome<f64> {
    let claim: Claim = store.claim(PartitionId::FIRST).await?;
    let mut stored = store.instance(InstanceRef::Id(id.clone()), true).await?.ok_or("the instance is gone")?;
    let now = stored.newest_record.unwrap_or(Timestamp(0));
    let (config, registry) = (PartitionConfig::default(), Arc::clone(registry));
    let mut partition = Partition::recover(
        config,
        registry,
        (PartitionId::FIRST, PartitionCount::ONE),
        &claim,
        Backlog::default(),
        now,
    );
    let payload = JsonText::encode(&Go(1))?;
    let operation = ClientOperation::RaiseEvent { id: id.clone(), name: "Go".to_owned(), payload, event_id: None };
    partition.handle(now, PartitionInput::Client { request: RequestId(1), operation });
    partition.run(now, 1);
    let mut outputs = Vec::new();
    partition.take_outputs(&mut outputs);
    let ticket = outputs.into_iter().find_map(|output| match output {
        PartitionOutput::Load { ticket, with_history: true, .. } => Some(ticket),
        _ => None,
    });
    let ticket = ticket.ok_or("the partition did not ask for the history")?;
    let history = stored.history.take();
    let loaded = LoadedInstance { stored, history };

    let begin = Instant::now();
    partition.handle(now, PartitionInput::Loaded { ticket, result: Ok(Some(loaded)) });
    partition.run(now, 1);
    let took = milliseconds(begin);
    if partition.replayed_turns() == 0 {
        return Err("nothing was replayed".into());
    }
    Ok(took)
}

/// Measures the same with everything around it: a runtime on a file, from the event to the result.
async fn reopen(bench: &Bench, steps: u32) -> Outcome<f64> {
    let stage = Stage::open(&bench.disk, StoreKind::Sqlite).await?;
    let instance = long_then_wait::start(stage.client(), steps).await?;
    instance.wait_for_custom_status(move |done| *done == steps).await?;
    let stage = Stage::start(stage.close().await?, |settings| settings).await?;
    let instance = stage.client().handle::<long_then_wait>(instance.id())?;
    let begin = Instant::now();
    instance.raise_event(Go(1)).await?;
    instance.result().await?;
    let took = milliseconds(begin);
    stage.close().await?;
    Ok(took)
}
