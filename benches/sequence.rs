//! Orchestrations per second: three activities in turn, a custom status after each, many in flight.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use persevere::Client;

use crate::report::{self, Figure};
use crate::workload::{hello_cities, runtime};
use crate::{Size, StoreKind};

pub(crate) async fn run(size: &Size) -> Result<(), Box<dyn Error>> {
    let (runtime, _folder) = runtime(size.store).await?;
    let bar = progress(size);
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let workers: Vec<_> = (0..size.in_flight)
        .map(|_| tokio::spawn(worker(runtime.client().clone(), Arc::clone(&next), size.count, bar.clone())))
        .collect();
    let mut milliseconds = Vec::new();
    for worker in workers {
        milliseconds.extend(worker.await?.map_err(|error| error.to_string())?);
    }
    let seconds = begin.elapsed().as_secs_f64();
    bar.finish_and_clear();
    runtime.shutdown().await?;
    report::print(
        &Figure {
            workload: "sequence",
            store: size.store.name(),
            value: milliseconds.len() as f64 / seconds,
            unit: "orchestrations/s",
            goal: if size.store == StoreKind::Memory { 50_000.0 } else { 15_000.0 },
            p50_ms: report::percentile(&mut milliseconds, 0.5),
            p99_ms: report::percentile(&mut milliseconds, 0.99),
        },
        size.json,
    )?;
    Ok(())
}

/// One of those in flight: starts an orchestration, waits for its end, starts the next.
async fn worker(
    client: Client,
    next: Arc<AtomicU64>,
    count: u64,
    bar: ProgressBar,
) -> Result<Vec<f64>, Box<dyn Error + Send + Sync>> {
    let mut milliseconds = Vec::new();
    while next.fetch_add(1, Ordering::Relaxed) < count {
        let begin = Instant::now();
        let hello = hello_cities::start(&client, ["Tokyo", "Seattle", "London"].map(String::from).to_vec()).await?;
        let greetings = hello.result().await?;
        if greetings != ["Hello Tokyo!", "Hello Seattle!", "Hello London!"] {
            return Err(format!("unexpected result {greetings:?}").into());
        }
        milliseconds.push(begin.elapsed().as_secs_f64() * 1_000.0);
        bar.inc(1);
    }
    Ok(milliseconds)
}

fn progress(size: &Size) -> ProgressBar {
    let target = if size.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(5) };
    let bar = ProgressBar::with_draw_target(Some(size.count), target);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message("sequence")
}
