//! One orchestration at a time, from the start of an orchestration of three activities to its result, compared with
//! commits on the same disk.

use std::time::Instant;

use crate::raw::SingleCommits;
use crate::report::Figure;
use crate::samples::Samples;
use crate::sequence::hello;
use crate::stage::{Stage, StoreKind};
use crate::{Bench, Outcome, progress};

/// The goal: this many commits, plus this many milliseconds.
const GOAL_COMMITS: f64 = 5.0;
const GOAL_MILLISECONDS: f64 = 0.5;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let count = bench.scale.pick(3_000, 1_000, 20);
    let bar = progress::bar("latency", 2 * count);
    for kind in StoreKind::BOTH {
        let stage = Stage::open(&bench.disk, kind).await?;
        let mut commits = SingleCommits::open(&bench.disk)?;
        let mut times = Samples::default();
        // The first calls fill caches.
        for round in 0..count + count / 10 {
            let begin = Instant::now();
            hello(stage.client()).await?;
            if round >= count / 10 {
                times.since(begin);
                bar.inc(1);
            }
            if kind == StoreKind::Sqlite {
                commits.commit()?;
            }
        }
        stage.close().await?;
        let mut figure = Figure::new("latency", kind, times.median(), "ms").times(&times);
        if kind == StoreKind::Sqlite {
            let commit = commits.samples().median();
            figure = figure.at_most(GOAL_COMMITS * commit + GOAL_MILLISECONDS).raw(commit);
        }
        bench.report.add(&figure)?;
    }
    bar.finish_and_clear();
    Ok(())
}
