//! Measures from the moment when an orchestrator sets its custom status to the moment when a waiting client sees it,
//! what many watchers cost, and what a read costs.

use std::time::Instant;

use persevere::{OrchestrationHandle, StatusValue};

use crate::raw::SingleCommits;
use crate::report::Figure;
use crate::samples::{Samples, milliseconds};
use crate::stage::{Stage, StoreKind};
use crate::workload::{Go, announce, since_set};
use crate::{Bench, Outcome, progress};

/// What this may take in addition to one commit.
const GOAL_MILLISECONDS: f64 = 0.3;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let count: u32 = bench.scale.pick(3_000, 1_000, 20);
    let bar = progress::bar("status", 2 * u64::from(count));
    for kind in StoreKind::BOTH {
        let stage = Stage::open(&bench.disk, kind).await?;
        let mut commits = SingleCommits::open(&bench.disk)?;
        let announcer = announce::start(stage.client(), count + 2).await?;
        let mut watch = announcer.watch_custom_status();
        let mut times = Samples::default();
        watch.next().await.ok_or("no custom status")??;
        for number in 1..=count {
            announcer.raise_event(Go(number)).await?;
            let seen = watch.next().await.ok_or("the announcer has ended")??;
            times.push(since_set());
            if seen != number {
                return Err(format!("saw {seen} in place of {number}").into());
            }
            bar.inc(1);
            if kind == StoreKind::Sqlite {
                commits.commit()?;
            }
        }
        let mut figure = Figure::new("status", kind, times.median(), "ms").case("set -> seen").times(&times);
        if kind == StoreKind::Sqlite {
            let commit = commits.samples().median();
            figure = figure.at_most(commit + GOAL_MILLISECONDS).raw(commit);
        }
        bench.report.add(&figure)?;
        drop(watch);
        watchers(bench, kind, &stage, &announcer, count).await?;
        reads(bench, kind, &stage, &announcer).await?;
        stage.close().await?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Measures many watchers of one instance.
async fn watchers(
    bench: &mut Bench,
    kind: StoreKind,
    stage: &Stage,
    announcer: &OrchestrationHandle<announce>,
    last: u32,
) -> Outcome {
    let count = bench.scale.pick(1_000, 1_000, 50);
    let before = stage.seen().instance_reads();
    let (looking, mut looked) = tokio::sync::mpsc::channel(count);
    let watchers: Vec<_> = (0..count)
        .map(|_| {
            let (mut watch, looking) = (announcer.watch_custom_status(), looking.clone());
            tokio::spawn(async move {
                watch.next().await.ok_or("no custom status")??;
                looking.send(()).await?;
                while let Some(number) = watch.next().await {
                    if number? > last {
                        return Outcome::Ok(());
                    }
                }
                Err("the announcer has ended".into())
            })
        })
        .collect();
    for _ in 0..count {
        looked.recv().await.ok_or("a watcher has ended")?;
    }
    let begin = Instant::now();
    announcer.raise_event(Go(last + 1)).await?;
    for watcher in watchers {
        watcher.await??;
    }
    let took = milliseconds(begin);
    let reads = stage.seen().instance_reads() - before;
    let case = format!("{count} watchers of one instance");
    bench.report.add(&Figure::new("status", kind, reads as f64, "reads").case(case).at_most(1.0))?;
    let case = format!("raise -> the last of {count} sees it");
    bench.report.add(&Figure::new("status", kind, took, "ms").case(case))?;
    Ok(())
}

/// Measures reads of an instance with a long history.
async fn reads(
    bench: &mut Bench,
    kind: StoreKind,
    stage: &Stage,
    announcer: &OrchestrationHandle<announce>,
) -> Outcome {
    let before = stage.seen().history_reads();
    let mut times = Samples::default();
    for _ in 0..bench.scale.pick(1_000, 1_000, 20) {
        let begin = Instant::now();
        let StatusValue::Typed(_) = announcer.custom_status().await? else { return Err("no custom status".into()) };
        times.since(begin);
    }
    let histories = stage.seen().history_reads() - before;
    let figure = Figure::new("status", kind, histories as f64, "histories loaded").case("custom_status() of a client");
    bench.report.add(&figure.at_most(0.0).times(&times))?;
    Ok(())
}
