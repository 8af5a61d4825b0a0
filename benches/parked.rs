//! Very many instances that wait for an event: what they cost in memory, on disk and in processor time, and what they
//! cost other instances.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use persevere::{Client, InstanceId, RuntimeBuilder};
use rusqlite::{Connection, OpenFlags};

use crate::process::{processor_seconds, resident_bytes};
use crate::report::Figure;
use crate::samples::{Samples, milliseconds};
use crate::sequence::hello;
use crate::stage::{Stage, StoreKind};
use crate::workload::{Go, swallow, wait_for_go};
use crate::{Bench, Outcome, progress};

const MEMORY_GOAL: f64 = 200.0;
const DISK_GOAL: f64 = 600.0;
/// Percent of one core. The ideal is zero; this allows for reading the counters.
const IDLE_GOAL: f64 = 0.1;
const START_UP_GOAL_MILLISECONDS: f64 = 2_000.0;
const WAKE_GOAL_MILLISECONDS: f64 = 10.0;
/// How much slower a small orchestration may be beside them, because of the noise of two measurements.
const BESIDE_GOAL: f64 = 1.1;

/// The number of live instances. It is small, so that the waiting instances are cold.
const LIVE: usize = 100;
/// The number of starts at a time.
const IN_FLIGHT: usize = 256;
/// The size of the rows that fill SQLite's page caches before memory is measured. The caches hold 80 MiB, however many
/// instances are parked.
const BALLAST_BYTES: usize = 16 * 1_024;
const BALLAST: u64 = 6_000;

/// The number of instances.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Count {
    /// Instances [default: 1000000]
    #[arg(long)]
    count: Option<u64>,
}

/// This may run only once in a process: memory that an earlier run has freed would be used again and not be counted.
pub(crate) async fn run(bench: &mut Bench, count: Count) -> Outcome {
    let count = count.count.unwrap_or(bench.scale.pick(1_000_000, 100_000, 300));
    let bar = progress::bar("parked", count);
    let stage = Stage::with(&bench.disk, StoreKind::Sqlite, settings).await?;
    fill_caches(stage.client(), bench.scale.pick(BALLAST, BALLAST, 0)).await?;
    let before = (resident_bytes(), database_bytes(&stage)?);
    let begin = Instant::now();
    let sample = start_all(stage.client(), count, &bar).await?;
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    bar.finish_and_clear();
    // This is long enough for the log to be copied into the database.
    tokio::time::sleep(Duration::from_millis(bench.scale.pick(2_500, 2_500, 50))).await;
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / count as f64;
    let (memory, disk) = (each(resident_bytes(), before.0), each(database_bytes(&stage)?, before.1));
    let idle = idle_percent(bench.scale.pick(2_000, 1_000, 100)).await;
    let beside = beside(bench, &stage).await?;

    let folder = stage.close().await?;
    let begin = Instant::now();
    let stage = Stage::start(folder, settings).await?;
    let start_up = milliseconds(begin);
    let wake = wake(stage.client(), &sample).await?;
    stage.close().await?;

    let figure = |case: &str, value: f64, unit: &'static str| {
        Figure::new("parked", StoreKind::Sqlite, value, unit).case(format!("{count}: {case}"))
    };
    let figures = [
        figure("started", rate, "instances/s"),
        figure("memory", memory, "bytes/instance").at_most(MEMORY_GOAL),
        figure("disk", disk, "bytes/instance").at_most(DISK_GOAL),
        figure("processor while idle", idle, "% of a core").at_most(IDLE_GOAL),
        figure("start-up", start_up, "ms").at_most(START_UP_GOAL_MILLISECONDS),
        figure("wake one, 99th percentile", wake.percentile(0.99), "ms").at_most(WAKE_GOAL_MILLISECONDS).times(&wake),
        figure("hello beside them", beside, "times as long").at_most(BESIDE_GOAL),
    ];
    figures.iter().try_for_each(|figure| bench.report.add(figure))?;
    Ok(())
}

fn settings(settings: RuntimeBuilder) -> RuntimeBuilder {
    settings.live_instances(LIVE)
}

/// A few at a time, so that their memory is soon used again.
pub(crate) async fn fill_caches(client: &Client, count: u64) -> Outcome {
    let text = "x".repeat(BALLAST_BYTES);
    let fillers = (0..8).map(|_| {
        let (client, text) = (client.clone(), text.clone());
        tokio::spawn(async move {
            for _ in 0..count / 8 {
                swallow::start(&client, text.clone()).await?;
            }
            Outcome::Ok(())
        })
    });
    for filler in fillers.collect::<Vec<_>>() {
        filler.await??;
    }
    Ok(())
}

/// Starts all instances, and returns the ids of some.
async fn start_all(client: &Client, count: u64, bar: &ProgressBar) -> Outcome<Vec<InstanceId>> {
    let next = Arc::new(AtomicU64::new(0));
    let every = (count / 200).max(1);
    let starters = (0..IN_FLIGHT).map(|_| {
        let (client, next, bar) = (client.clone(), Arc::clone(&next), bar.clone());
        tokio::spawn(async move {
            let mut sample = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Outcome::Ok(sample);
                }
                let instance = wait_for_go::start(&client).await?;
                if number % every == 0 {
                    sample.push(instance.id().clone());
                    bar.inc(every);
                }
            }
        })
    });
    let mut sample = Vec::new();
    for starter in starters.collect::<Vec<_>>() {
        sample.extend(starter.await??);
    }
    Ok(sample)
}

/// Returns the size of the database, including the log as if it were copied.
fn database_bytes(stage: &Stage) -> Outcome<u64> {
    let path = stage.database().ok_or("there is no database")?;
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    Ok((pragma("page_count")? * pragma("page_size")?).unsigned_abs())
}

/// Returns the processor time of the whole process while there are no requests.
async fn idle_percent(milliseconds: u64) -> f64 {
    let (begin, before) = (Instant::now(), processor_seconds());
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    (processor_seconds() - before).max(0.0) / begin.elapsed().as_secs_f64() * 100.0
}

/// Returns the latency of a small orchestration beside them, divided by the latency on an empty store. They are
/// measured alternately, so that noise affects both.
async fn beside(bench: &Bench, stage: &Stage) -> Outcome<f64> {
    let empty = Stage::open(&bench.disk, StoreKind::Sqlite).await?;
    let (mut with, mut without) = (Samples::default(), Samples::default());
    for _ in 0..bench.scale.pick(1_000, 400, 10) {
        for (stage, times) in [(stage, &mut with), (&empty, &mut without)] {
            let begin = Instant::now();
            hello(stage.client()).await?;
            times.since(begin);
        }
    }
    empty.close().await?;
    Ok(with.median() / without.median())
}

/// Measures from the event to the result, one instance at a time.
async fn wake(client: &Client, sample: &[InstanceId]) -> Outcome<Samples> {
    let mut times = Samples::default();
    for (number, id) in sample.iter().enumerate() {
        let instance = client.handle::<wait_for_go>(id)?;
        let begin = Instant::now();
        instance.raise_event(Go(number as u32)).await?;
        let result = instance.result().await?;
        times.since(begin);
        if result != number as u32 {
            return Err(format!("{result} in place of {number}").into());
        }
    }
    Ok(times)
}
