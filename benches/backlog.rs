//! An instance drains a backlog of events and continues as new after each of them, while other instances work beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use persevere::Client;
use persevere::model::{RecordRow, TurnCommit};

use crate::process::written_bytes;
use crate::report::Figure;
use crate::samples::Samples;
use crate::sequence::hello;
use crate::stage::{Stage, StoreKind};
use crate::workload::{Item, drain};
use crate::{Bench, LINEAR_GOAL, Outcome, progress};

/// The bytes of the text in each event.
const PAYLOAD: usize = 1_024;

/// The bytes of records that an event may cost: three times its payload, and 1 KiB for the execution that consumes it.
const BYTES_GOAL: f64 = (3 * PAYLOAD + 1_024) as f64;

/// The milliseconds that a small orchestration beside the backlog may take, in 99 of 100 cases.
const BESIDE_GOAL: f64 = 20.0;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let counts = [bench.scale.pick(1_000, 1_000, 20), bench.scale.pick(10_000, 10_000, 200)];
    let bar = progress::bar("backlog", 2);
    let mut times = Vec::new();
    for count in counts {
        let measured = measure(bench, count).await?;
        let events = f64::from(count);
        let figure = |case: &str, value: f64, unit: &'static str| {
            Figure::new("backlog", StoreKind::Sqlite, value, unit).case(format!("{count} events: {case}"))
        };
        bench.report.add(&figure("drained", events / measured.seconds, "events/s"))?;
        bench.report.add(&figure("records", measured.records as f64 / events, "bytes/event").at_most(BYTES_GOAL))?;
        bench.report.add(&figure("files", measured.files as f64 / events, "bytes/event"))?;
        let beside = measured.beside.percentile(0.99);
        let figure = figure("hello beside them, 99th percentile", beside, "ms").times(&measured.beside);
        bench.report.add(&figure.at_most(BESIDE_GOAL))?;
        times.push(measured.seconds);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let growth = times[1] / times[0].max(f64::MIN_POSITIVE);
    let figure = Figure::new("backlog", StoreKind::Sqlite, growth, "times as long").case("10 times as many");
    bench.report.add(&figure.at_most(LINEAR_GOAL))?;
    Ok(())
}

struct Measured {
    seconds: f64,
    /// The bytes of all records that passed through the store, from the first raise to the end.
    records: usize,
    /// The bytes that the process has written to files.
    files: u64,
    beside: Samples,
}

async fn measure(bench: &Bench, count: u32) -> Outcome<Measured> {
    let stage = Stage::open(&bench.disk, StoreKind::Sqlite).await?;
    let client = stage.client().clone();
    let drained = drain::start(&client, count).await?;
    drained.suspend("the backlog is filled first").await?;
    stage.seen().keep();
    let files = written_bytes();
    let text = "e".repeat(PAYLOAD - 2);
    for _ in 0..count {
        drained.raise_event(Item(text.clone())).await?;
    }
    // Nobody else works yet.
    let raised = stage.seen().take_kept();
    let key = raised.iter().find_map(|batch| batch.turns.iter().flat_map(rows).next()).ok_or("no records")?.key;
    let ended = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn(beside(client, Arc::clone(&ended)));
    let begin = Instant::now();
    drained.resume("now it is drained").await?;
    drained.result().await?;
    let seconds = begin.elapsed().as_secs_f64();
    ended.store(true, Ordering::Relaxed);
    let beside = others.await??;
    let kept = [raised, stage.seen().take_kept()].concat();
    let of_this = kept.iter().flat_map(|batch| &batch.turns).flat_map(rows).filter(|row| row.key == key);
    let records = of_this.map(|row| row.bytes.len()).sum();
    stage.close().await?;
    Ok(Measured { seconds, records, files: written_bytes() - files, beside })
}

fn rows(turn: &TurnCommit) -> impl Iterator<Item = &RecordRow> {
    turn.record.iter().chain(&turn.carried)
}

/// Runs small orchestrations, one after the other, until the backlog is drained.
async fn beside(client: Client, ended: Arc<AtomicBool>) -> Outcome<Samples> {
    let mut times = Samples::default();
    while times.len() == 0 || !ended.load(Ordering::Relaxed) {
        let begin = Instant::now();
        hello(&client).await?;
        times.since(begin);
    }
    Ok(times)
}
