//! The usual patterns, ten of them, with every lint of the compiler denied.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, rust_2018_idioms)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use persevere::prelude::*;

/// What is worked on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    name: String,
    size: u64,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.size)
    }
}

/// Splits the work.
#[activity]
pub async fn split(job: Job, parts: u64) -> Result<Vec<Job>, ActivityError> {
    Ok((0..parts).map(|part| Job { name: format!("{}-{part}", job.name), size: job.size / parts }).collect())
}

/// Does a part.
#[activity]
pub async fn work(job: Job) -> Result<u64, ActivityError> {
    Ok(job.size)
}

/// Looks whether something is there.
#[activity]
pub async fn look(name: String) -> Result<bool, ActivityError> {
    Ok(!name.is_empty())
}

/// Tells somebody.
#[activity]
pub async fn tell(who: String, what: String) -> Result<(), ActivityError> {
    drop((who, what));
    Ok(())
}

/// A measurement comes in.
#[external_event]
#[derive(Debug)]
pub struct Measured {
    device: String,
    value: f64,
}

/// Enough.
#[external_event]
#[derive(Debug)]
pub struct Enough;

/// How far it is, in parts.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Parts {
    done: usize,
    of: usize,
}

/// Fan out, fan in.
#[orchestrator]
pub async fn fan_out(ctx: OrchestrationContext<Parts>, job: Job) -> Result<u64, OrchestrationError> {
    let parts = split::call(&ctx, job, 8).await?;
    let of = parts.len();
    let results = ctx.try_join_all(parts.into_iter().map(|part| work::call(&ctx, part))).await?;
    ctx.set_custom_status(&Parts { done: results.len(), of })?;
    Ok(results.into_iter().sum())
}

/// Fan out, a few at a time.
#[orchestrator]
pub async fn limited(ctx: OrchestrationContext, jobs: BTreeSet<Job>) -> Result<usize, OrchestrationError> {
    let results = ctx.join_all_limit(4, jobs.into_iter().map(|job| work::call(&ctx, job))).await;
    let (done, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    for error in failed.iter().filter_map(|result| result.as_ref().err()) {
        tracing::error!(%error, "a part failed");
    }
    Ok(done.len())
}

/// Looks every minute until it is there, at most for a day.
#[orchestrator]
pub async fn monitor(ctx: OrchestrationContext, name: String) -> Result<bool, OrchestrationError> {
    let end = ctx.current_time() + Duration::from_secs(24 * 60 * 60);
    while ctx.current_time() < end {
        if look::call(&ctx, name.clone()).await? {
            tell::call(&ctx, "everybody".to_owned(), format!("{name} is there")).await?;
            return Ok(true);
        }
        ctx.create_timer(Duration::from_secs(60)).await;
    }
    Ok(false)
}

/// Collects events until it is told that it is enough.
#[orchestrator]
pub async fn aggregate(
    ctx: OrchestrationContext<BTreeMap<String, f64>>,
) -> Result<BTreeMap<String, f64>, OrchestrationError> {
    let mut highest: BTreeMap<String, f64> = BTreeMap::new();
    let mut enough = Enough::wait(&ctx);
    loop {
        select! {
            measured = Measured::wait(&ctx) => {
                let Measured { device, value } = measured?;
                let known = highest.entry(device).or_insert(value);
                *known = known.max(value);
                ctx.set_custom_status(&highest)?;
            }
            _ = &mut enough => return Ok(highest),
        }
    }
}

/// Goes round for ever, with a new history after each round.
#[orchestrator]
pub async fn eternal(ctx: OrchestrationContext<u64>, round: u64, seen: VecDeque<String>) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&round)?;
    let mut seen = seen;
    loop {
        let measured = Measured::wait(&ctx).await?;
        seen.push_back(measured.device);
        if seen.len() > 100 {
            seen.pop_front();
            return eternal::continue_as_new(&ctx, round + 1, seen).await;
        }
    }
}

/// Children, some of which are waited for.
#[orchestrator]
pub async fn parent(ctx: OrchestrationContext, jobs: Vec<Job>) -> Result<u64, OrchestrationError> {
    let first = jobs.first().cloned().ok_or("no jobs")?;
    monitor::start_detached(&ctx, first.name.clone())?;
    let mut sum = fan_out::call(&ctx, first).await?;
    for result in ctx.join_all(jobs.into_iter().skip(1).map(|job| fan_out::call(&ctx, job))).await {
        sum += result.unwrap_or_default();
    }
    Ok(sum)
}

/// The first of several answers counts.
#[orchestrator]
pub async fn first_of(ctx: OrchestrationContext, names: (String, String)) -> Result<String, OrchestrationError> {
    let (left, right) = names;
    let winner = select! {
        there = look::call(&ctx, left.clone()) => there?.then_some(left),
        there = look::call(&ctx, right.clone()) => there?.then_some(right),
        _ = ctx.create_timer(Duration::from_secs(5)) => None,
    };
    winner.ok_or_else(|| "nobody".into())
}

/// Values that differ from run to run are recorded.
#[orchestrator]
pub async fn recorded(ctx: OrchestrationContext, job: Job) -> Result<String, OrchestrationError> {
    let host = ctx.side_effect(|| std::env::var("HOSTNAME").unwrap_or_default());
    let started = ctx.side_effect(|| {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
    });
    let id = ctx.new_uuid();
    let dice = ctx.random() % 6 + 1;
    if !ctx.is_replaying() {
        println!("started on {host}");
        tracing::info!(%id, dice, "started");
    }
    if ctx.patched("tell-first") {
        tell::call(&ctx, host, job.to_string()).await?;
    }
    work::call(&ctx, job).await?;
    Ok(format!("{id} at {started}"))
}

/// Sets and maps without an order, for membership only.
#[orchestrator]
pub async fn without_doubles(ctx: OrchestrationContext, jobs: Vec<Job>) -> Result<u64, OrchestrationError> {
    let mut seen = HashSet::new();
    let mut sizes: HashMap<String, u64> = HashMap::with_capacity(jobs.len());
    for job in jobs {
        if seen.insert(job.name.clone()) {
            *sizes.entry(job.name.clone()).or_default() += work::call(&ctx, job.clone()).await?;
        }
    }
    let mut total = 0;
    for (_, size) in &sizes {
        total += size;
    }
    let sorted: BTreeMap<_, _> = sizes.into_iter().collect();
    for (name, size) in sorted {
        tell::call(&ctx, name, size.to_string()).await?;
    }
    Ok(total)
}

/// The ways out, each with a reason.
#[orchestrator(allow(stdio, statics))]
pub async fn ways_out(ctx: OrchestrationContext, job: Job) -> Result<u64, OrchestrationError> {
    static POLLED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    POLLED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    println!("in every replay: {job}");
    let begun = nondeterministic! { reason = "measured for the log only", std::time::Instant::now() };
    let done = work::call(&ctx, job).await?;
    tracing::debug!(took = ?nondeterministic! { reason = "for the log", begun.elapsed() }, "worked");
    Ok(persevere::assume_durable!(reason = "it is ready at once", async { done }).await)
}

fn main() {
    assert_eq!(<fan_out as persevere::Orchestrator>::NAME, "fan_out");
}
