//! Orchestrations per second: three activities one after the other, a custom status after each, many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::ProgressBar;
use persevere::model::CommitBatch;
use persevere::{Client, RuntimeBuilder};

use crate::process::processor_seconds;
use crate::raw::write_turns;
use crate::report::Figure;
use crate::samples::Samples;
use crate::stage::{Disk, Stage, StoreKind};
use crate::workload::hello_cities;
use crate::{Bench, Outcome, progress};

/// The goals, in orchestrations per second and as a share of the raw limit.
const SQLITE_GOAL: f64 = 15_000.0;
const MEMORY_GOAL: f64 = 50_000.0;
const RAW_SHARE_GOAL: f64 = 0.5;

/// How often the measured run and the raw run alternate, so that other load on the machine affects both.
const ROUNDS: u64 = 5;

/// How much work.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Size {
    /// The number of orchestrations
    #[arg(long)]
    pub(crate) count: Option<u64>,
    /// How many of them run at a time
    #[arg(long, default_value_t = 200)]
    pub(crate) in_flight: usize,
    /// The store [default: both]
    #[arg(long, value_enum)]
    pub(crate) store: Option<StoreKind>,
    /// How many partitions the store has.
    #[arg(long, default_value_t = 1)]
    pub(crate) partitions: u16,
    /// How many engine threads run turns; as many as suit the partitions and the processors unless it is given.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

impl Size {
    async fn stage(self, disk: &Disk, kind: StoreKind) -> Outcome<Stage> {
        let settings = |builder: RuntimeBuilder| match self.threads {
            Some(threads) => builder.engine_threads(threads),
            None => builder,
        };
        Stage::partitioned(disk, kind, self.partitions, settings).await
    }
}

pub(crate) async fn run(bench: &mut Bench, size: Size) -> Outcome {
    if size.store != Some(StoreKind::Memory) {
        sqlite(bench, size).await?;
    }
    if size.store != Some(StoreKind::Sqlite) {
        memory(bench, size).await?;
    }
    Ok(())
}

/// Measures the memory store, which shows the cost of the engine.
pub(crate) async fn memory(bench: &mut Bench, size: Size) -> Outcome {
    let count = size.count.unwrap_or(bench.scale.pick(100_000, 40_000, 200));
    let bar = progress::bar("sequence in memory", count);
    let stage = size.stage(&bench.disk, StoreKind::Memory).await?;
    let (mut rates, mut times, mut processor) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        let before = processor_seconds();
        let (rate, round) = hello_many(stage.client(), count.div_ceil(ROUNDS), size.in_flight, &bar).await?;
        processor.push(microseconds_each(before, round.len()));
        rates.push(rate);
        times.extend(round);
    }
    bar.finish_and_clear();
    stage.close().await?;
    let figure = Figure::new("sequence", StoreKind::Memory, rates.median(), "orchestrations/s");
    bench.report.add(&figure.at_least(MEMORY_GOAL).times(&times))?;
    bench.report.add(&processor_time(StoreKind::Memory, &processor))?;
    Ok(())
}

async fn sqlite(bench: &mut Bench, size: Size) -> Outcome {
    let count = size.count.unwrap_or(bench.scale.pick(60_000, 25_000, 200));
    let chunk = count.div_ceil(ROUNDS);
    let bar = progress::bar("sequence", count + chunk);
    let turns = recorded(bench, chunk, size.in_flight, &bar).await?;
    let stage = size.stage(&bench.disk, StoreKind::Sqlite).await?;
    let (mut rates, mut limits, mut shares) = (Samples::default(), Samples::default(), Samples::default());
    let (mut times, mut batches, mut processor) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        stage.seen().take_batches();
        let before = processor_seconds();
        let (rate, round) = hello_many(stage.client(), chunk, size.in_flight, &bar).await?;
        processor.push(microseconds_each(before, round.len()));
        let sizes = stage.seen().take_batches();
        batches.extend(sizes.iter().map(|turns| *turns as f64).collect());
        let limit = chunk as f64 / raw_seconds(&bench.disk, turns.clone(), sizes).await?;
        rates.push(rate);
        limits.push(limit);
        shares.push(rate / limit);
        times.extend(round);
    }
    bar.finish_and_clear();
    stage.close().await?;
    let figure = Figure::new("sequence", StoreKind::Sqlite, rates.median(), "orchestrations/s");
    bench.report.add(&figure.at_least(SQLITE_GOAL).raw(limits.median()).times(&times))?;
    let share = Figure::new("sequence", StoreKind::Sqlite, shares.median(), "of the raw limit");
    bench.report.add(&share.case("median of the ratios of rounds").at_least(RAW_SHARE_GOAL))?;
    let size = Figure::new("sequence", StoreKind::Sqlite, batches.mean(), "turns/commit");
    bench.report.add(&size.case("the batches of both"))?;
    bench.report.add(&processor_time(StoreKind::Sqlite, &processor))?;
    Ok(())
}

/// Returns the processor time of the whole process, including callers and activities. Two cores have two seconds per
/// second.
fn processor_time(kind: StoreKind, microseconds: &Samples) -> Figure {
    Figure::new("sequence", kind, microseconds.median(), "us").case("processor time of one orchestration")
}

pub(crate) fn microseconds_each(before: f64, orchestrations: usize) -> f64 {
    (processor_seconds() - before) * 1e6 / orchestrations.max(1) as f64
}

/// Returns the turns of a run that is not measured.
async fn recorded(bench: &Bench, count: u64, in_flight: usize, bar: &ProgressBar) -> Outcome<Vec<Arc<CommitBatch>>> {
    let stage = Stage::open(&bench.disk, StoreKind::Sqlite).await?;
    stage.seen().keep();
    hello_many(stage.client(), count, in_flight, bar).await?;
    let kept = stage.seen().take_kept();
    stage.close().await?;
    Ok(kept)
}

/// Returns how long plain rusqlite takes for these turns in batches of these sizes.
async fn raw_seconds(disk: &Disk, turns: Vec<Arc<CommitBatch>>, sizes: Vec<usize>) -> Outcome<f64> {
    let disk = disk.clone();
    let turns = move || write_turns(&disk, turns.iter().flat_map(|batch| &batch.turns), sizes.into_iter().cycle());
    tokio::task::spawn_blocking(turns).await?
}

/// Starts orchestrations and awaits their results, this many at a time. Returns the rate, and how long each took.
pub(crate) async fn hello_many(
    client: &Client,
    count: u64,
    in_flight: usize,
    bar: &ProgressBar,
) -> Outcome<(f64, Samples)> {
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (client, next, bar) = (client.clone(), Arc::clone(&next), bar.clone());
            tokio::spawn(async move {
                let mut times = Samples::default();
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let begin = Instant::now();
                    hello(&client).await?;
                    times.since(begin);
                    bar.inc(1);
                }
                Outcome::Ok(times)
            })
        })
        .collect();
    let mut times = Samples::default();
    for caller in callers {
        times.extend(caller.await??);
    }
    Ok((times.len() as f64 / begin.elapsed().as_secs_f64(), times))
}

/// Runs one orchestration from its start to its result.
pub(crate) async fn hello(client: &Client) -> Outcome {
    let cities = ["Tokyo", "Seattle", "London"].map(String::from).to_vec();
    let greetings = hello_cities::start(client, cities).await?.result().await?;
    if greetings != ["Hello Tokyo!", "Hello Seattle!", "Hello London!"] {
        return Err(format!("unexpected result {greetings:?}").into());
    }
    Ok(())
}
