//! All kinds of work at once for some time: memory, the log and the queue must not grow.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use persevere::Client;
use tokio::task::JoinHandle;

use crate::observed::Seen;
use crate::process::{file_bytes, resident_bytes};
use crate::report::Figure;
use crate::samples::Samples;
use crate::sequence::hello;
use crate::stage::{Stage, StoreKind};
use crate::workload::{Go, fan_out, long, wait_for_go};
use crate::{Bench, Outcome, events, parked, progress};

/// How much larger the last quarter may be than the second, because of the noise of a constant load.
const GROWTH_GOAL: f64 = 1.1;

/// How large the log may be. It is copied when it has 4 MiB, and a batch can add up to 8 MiB. The file never shrinks,
/// so its size is the largest that it ever had.
const LOG_GOAL_MEBIBYTES: f64 = 16.0;

/// The number of samples over the whole time.
const SAMPLES: u32 = 400;

/// The time of one in this many repetitions is kept.
const KEPT: u64 = 16;

/// The number of sequences that run at a time.
const SEQUENCES: usize = 50;
/// The number of bytes in a MiB.
const MEBIBYTE: f64 = 1_048_576.0;

/// The number of live instances. It is smaller than the number of waiting instances, so that waking one replays it.
const LIVE: usize = 500;

/// The length of the run.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Length {
    /// Seconds of load [default: 600]
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
}

pub(crate) async fn run(bench: &mut Bench, length: Length) -> Outcome {
    let default = bench.scale.pick(600_000, 20_000, 1_500);
    let time = Duration::from_millis(length.seconds.map_or(default, |seconds| seconds * 1_000));
    let stage = Stage::with(&bench.disk, StoreKind::Sqlite, |settings| settings.live_instances(LIVE)).await?;
    parked::fill_caches(stage.client(), bench.scale.pick(6_000, 6_000, 0)).await?;
    let end = Instant::now() + time;
    let sequences: Vec<_> = (0..SEQUENCES).map(|_| repeat(stage.client(), end, once_hello)).collect();
    let waiting = tokio::spawn(keep_waiting(stage.client().clone(), end, bench.scale.pick(1_000, 1_000, 20)));
    let others = [
        repeat(stage.client(), end, once_fan_out),
        repeat(stage.client(), end, once_long),
        repeat(stage.client(), end, once_events),
    ];
    let log = stage.database().map(|path| path.with_extension("db-wal")).unwrap_or_default();
    let levels = sample(end, time / SAMPLES, stage.seen(), &log).await;
    let (mut count, mut hellos) = (0, Samples::default());
    for sequence in sequences {
        let (own, times) = sequence.await??;
        count += own;
        hellos.extend(times);
    }
    for other in others {
        other.await??;
    }
    let waking = waiting.await??;
    stage.close().await?;
    let figure = |case: &str, value: f64, unit: &'static str| {
        Figure::new("mixed", StoreKind::Sqlite, value, unit).case(case.to_owned())
    };
    let figures = [
        figure("sequence", count as f64 / time.as_secs_f64(), "orchestrations/s").times(&hellos),
        figure("waking one of those that wait", waking.median(), "ms").times(&waking),
        levels.growth("memory, MiB", |level| level.memory / MEBIBYTE),
        figure("write-ahead log, in the last quarter", levels.mean(3, |level| level.log / MEBIBYTE), "MiB")
            .at_most(LOG_GOAL_MEBIBYTES),
        levels.growth("turns in a commit", |level| level.turns),
    ];
    figures.iter().try_for_each(|figure| bench.report.add(figure))?;
    Ok(())
}

/// Repeats something until the end. Returns how often, and how long some of the repetitions took. Keeping all times
/// would itself be the growth of memory that this looks for.
fn repeat<W>(
    client: &Client,
    end: Instant,
    mut work: impl FnMut(Client) -> W + Send + 'static,
) -> JoinHandle<Outcome<(u64, Samples)>>
where
    W: Future<Output = Outcome> + Send + 'static,
{
    let client = client.clone();
    tokio::spawn(async move {
        let (mut count, mut times) = (0, Samples::default());
        while Instant::now() < end {
            let begin = Instant::now();
            work(client.clone()).await?;
            if count % KEPT == 0 {
                times.since(begin);
            }
            count += 1;
        }
        Ok((count, times))
    })
}

async fn once_hello(client: Client) -> Outcome {
    hello(&client).await
}

async fn once_fan_out(client: Client) -> Outcome {
    fan_out::start(&client, 100).await?.result().await?;
    Ok(())
}

async fn once_long(client: Client) -> Outcome {
    long::start(&client, 100).await?.result().await?;
    Ok(())
}

async fn once_events(client: Client) -> Outcome {
    events::rounds(&client, 100).await.map(drop)
}

/// Keeps this many instances waiting: starts one and wakes the oldest, again and again. Returns how long waking took.
async fn keep_waiting(client: Client, end: Instant, count: usize) -> Outcome<Samples> {
    let (mut waiting, mut times) = (VecDeque::new(), Samples::default());
    while Instant::now() < end {
        waiting.push_back(wait_for_go::start(&client).await?);
        if waiting.len() > count
            && let Some(oldest) = waiting.pop_front()
        {
            let begin = Instant::now();
            oldest.raise_event(Go(1)).await?;
            oldest.result().await?;
            times.since(begin);
        }
    }
    Ok(times)
}

/// The levels that must not grow, over time.
#[derive(Debug)]
struct Levels(Vec<Level>);

#[derive(Debug, Clone, Copy)]
struct Level {
    memory: f64,
    log: f64,
    turns: f64,
}

async fn sample(end: Instant, every: Duration, seen: &Arc<Seen>, log: &Path) -> Levels {
    let bar = progress::bar("mixed", u64::from(SAMPLES));
    let mut levels = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(every).await;
        bar.inc(1);
        // The largest batch of the interval: what accumulated during one commit.
        let turns = seen.take_batches().into_iter().max().unwrap_or_default();
        levels.push(Level { memory: resident_bytes() as f64, log: file_bytes(log) as f64, turns: turns as f64 });
    }
    bar.finish_and_clear();
    Levels(levels)
}

impl Levels {
    /// Returns the mean of a quarter of the time. The first quarter is 0.
    fn mean(&self, quarter: usize, level: impl Fn(&Level) -> f64) -> f64 {
        let length = (self.0.len() / 4).max(1);
        let part = self.0.chunks(length).nth(quarter).unwrap_or_default();
        part.iter().map(level).sum::<f64>() / part.len().max(1) as f64
    }

    /// Returns the mean of the last quarter of the time divided by the mean of the second quarter.
    fn growth(&self, case: &str, level: impl Fn(&Level) -> f64) -> Figure {
        let (second, last) = (self.mean(1, &level), self.mean(3, &level));
        let growth = if second == 0.0 { 1.0 } else { last / second };
        Figure::new("mixed", StoreKind::Sqlite, growth, "times as much")
            .case(format!("{case}: from {second:.1} to {last:.1}"))
            .at_most(GROWTH_GOAL)
    }
}
