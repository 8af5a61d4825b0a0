//! A client raises an event, the orchestrator answers with a custom status, and the client sees it and raises the next
//! event.

use std::time::Instant;

use persevere::Client;

use crate::raw::SingleCommits;
use crate::report::Figure;
use crate::samples::Samples;
use crate::stage::{Stage, StoreKind};
use crate::workload::{Go, announce};
use crate::{Bench, Outcome, progress};

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let count = bench.scale.pick(5_000, 2_000, 20);
    let bar = progress::bar("events", 2);
    for kind in StoreKind::BOTH {
        let stage = Stage::open(&bench.disk, kind).await?;
        let times = rounds(stage.client(), count).await?;
        stage.close().await?;
        let mut figure = Figure::new("events", kind, times.median(), "ms").case("raise -> seen").times(&times);
        if kind == StoreKind::Sqlite {
            let mut commits = SingleCommits::open(&bench.disk)?;
            commits.commit_many(bench.scale.pick(1_000, 300, 10))?;
            figure = figure.raw(commits.samples().median());
        }
        bench.report.add(&figure)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Runs this many rounds with one instance.
pub(crate) async fn rounds(client: &Client, count: u32) -> Outcome<Samples> {
    let announcer = announce::start(client, count).await?;
    let mut watch = announcer.watch_custom_status();
    watch.next().await.ok_or("no custom status")??;
    let mut times = Samples::default();
    for number in 1..=count {
        let begin = Instant::now();
        announcer.raise_event(Go(number)).await?;
        let seen = watch.next().await.ok_or("the announcer has ended")??;
        times.since(begin);
        if seen != number {
            return Err(format!("saw {seen} in place of {number}").into());
        }
    }
    announcer.result().await?;
    Ok(times)
}
