//! A process with many running instances is killed, and another process continues them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use persevere::{RuntimeBuilder, SqliteStore};
use tempfile::TempDir;

use crate::report::Figure;
use crate::samples::milliseconds;
use crate::stage::{Stage, StoreKind, database};
use crate::workload::{Holding, hold};
use crate::{Bench, LINEAR_GOAL, Outcome, progress};

/// What the victim prints when everything is running.
const RUNNING: &str = "running";

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let small = bench.scale.pick(1_000, 1_000, 10);
    let bar = progress::bar("recovery", 2);
    let mut all = Vec::new();
    for count in [small, small * 10] {
        let folder = bench.disk.folder()?;
        let path = database(folder.path());
        tokio::task::spawn_blocking(move || kill_a_victim(&path, count)).await??;
        let (first, last) = recover(folder, count).await?;
        let figure = |value: f64, case: &str| {
            Figure::new("recovery", StoreKind::Sqlite, value, "ms").case(format!("{count} running: {case}"))
        };
        bench.report.add(&figure(first, "until the first turn"))?;
        bench.report.add(&figure(last, "until all run again"))?;
        all.push(last);
        bar.inc(1);
    }
    let growth = Figure::new("recovery", StoreKind::Sqlite, all[1] / all[0], "times as long");
    bench.report.add(&growth.case("10 times as many").at_most(LINEAR_GOAL))?;
    bar.finish_and_clear();
    Ok(())
}

/// Starts this program as one that holds instances, and kills it.
fn kill_a_victim(path: &Path, count: usize) -> Outcome {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["hold", "--count", &count.to_string()])
        .arg("--path")
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let heard = match victim.stdout.take() {
        Some(output) => BufReader::new(output).read_line(&mut line),
        None => Ok(0),
    };
    // On Unix this is SIGKILL.
    victim.kill()?;
    victim.wait()?;
    heard?;
    if line.trim() == RUNNING { Ok(()) } else { Err("the process that was to be killed ended by itself".into()) }
}

/// The work of the victim: this many instances, each with a running activity.
pub(crate) async fn be_a_victim(path: &Path, count: usize) -> Outcome {
    let holding = Arc::new(Holding::default());
    let settings = persevere::Runtime::builder().auto_register().store(SqliteStore::open(path)?);
    let runtime = with_holding(settings, &holding, count).start().await?;
    let starts = (0..count).map(|_| {
        let client = runtime.client().clone();
        tokio::spawn(async move { hold::start(&client).await.map(drop) })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await??;
    }
    holding.reached(1, count).await;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{RUNNING}")?;
    output.flush()?;
    // Wait to be killed.
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Opens what the victim left. Returns when the first instance had taken its next turn, and when all had.
async fn recover(folder: TempDir, count: usize) -> Outcome<(f64, f64)> {
    let holding = Arc::new(Holding::at_the_second());
    let begin = Instant::now();
    let stage = Stage::start(Some(folder), |settings| with_holding(settings, &holding, count)).await?;
    holding.reached(2, 1).await;
    let first = milliseconds(begin);
    holding.reached(2, count).await;
    let last = milliseconds(begin);
    stage.close().await?;
    Ok((first, last))
}

fn with_holding(settings: RuntimeBuilder, holding: &Arc<Holding>, count: usize) -> RuntimeBuilder {
    settings
        .state(Arc::clone(holding))
        .max_concurrent_activities(2 * count)
        .live_instances(count)
        .shutdown_grace(Duration::ZERO)
}
