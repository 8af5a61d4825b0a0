//! The workloads, smaller than in `benches` where these engines would take minutes. What is measured per orchestration,
//! activity, step or instance does not depend on how many there are, or favours the smaller number.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::engine::{Engine, Kind};

/// The size of a page of memory.
const PAGE: u64 = 4_096;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Three activities and statuses each, 200 in flight.
    Sequence,
    /// The same, one at a time.
    Latency,
    /// One parent, 1,000 activities at once.
    FanOut,
    /// 1,000 activities in turn.
    Long,
    /// Instances that wait for an event: memory of each.
    Parked,
}

/// A result, with the keys of `benches`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) workload: String,
    #[serde(default)]
    pub(crate) case: String,
    pub(crate) store: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

pub(crate) async fn run(kind: Kind, workload: Workload, folder: PathBuf, postgres: Option<String>) -> Outcome<Figure> {
    let folder = tempfile::Builder::new().prefix("peers-").tempdir_in(folder)?;
    let engine: Arc<dyn Engine> = Arc::from(kind.start(folder.path(), postgres.as_deref()).await?);
    // The first calls fill caches and pools.
    for _ in 0..5 {
        engine.hello().await?;
    }
    let (value, unit) = match workload {
        Workload::Sequence => (sequence(&engine, 400, 200).await?, "orchestrations/s"),
        Workload::Latency => (latency(&*engine, 50).await?, "ms"),
        Workload::FanOut => (1_000.0 / seconds(engine.fan_out(1_000)).await?, "activities/s"),
        Workload::Long => (seconds(engine.long(1_000)).await?, "ms/step"),
        Workload::Parked => (parked(&engine, 5_000).await?, "bytes/instance"),
    };
    let workload = workload.to_possible_value().map_or_else(String::new, |value| value.get_name().replace('-', "_"));
    let store = if engine.database().is_some() { "sqlite" } else { "postgres" };
    Ok(Figure { workload, case: String::new(), store: store.to_owned(), value, unit: unit.to_owned() })
}

async fn seconds(work: impl Future<Output = Outcome>) -> Outcome<f64> {
    let begin = Instant::now();
    work.await?;
    Ok(begin.elapsed().as_secs_f64())
}

async fn sequence(engine: &Arc<dyn Engine>, count: u32, in_flight: u32) -> Outcome<f64> {
    let begin = Instant::now();
    at_a_time(engine, count, in_flight, |engine| Box::pin(async move { engine.hello().await })).await?;
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}

/// The median, in milliseconds.
async fn latency(engine: &dyn Engine, count: usize) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(seconds(engine.hello()).await? * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Bytes of memory for each.
async fn parked(engine: &Arc<dyn Engine>, count: u32) -> Outcome<f64> {
    let before = resident_bytes();
    at_a_time(engine, count, 64, |engine| Box::pin(async move { engine.park().await })).await?;
    // Until they have come to their wait.
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(resident_bytes().saturating_sub(before) as f64 / f64::from(count))
}

type Task = std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>;

async fn at_a_time(engine: &Arc<dyn Engine>, count: u32, in_flight: u32, work: fn(Arc<dyn Engine>) -> Task) -> Outcome {
    let next = Arc::new(AtomicU32::new(0));
    let callers = (0..in_flight).map(|_| {
        let (engine, next) = (Arc::clone(engine), Arc::clone(&next));
        tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                work(Arc::clone(&engine)).await?;
            }
            Outcome::Ok(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    Ok(())
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * PAGE
}
