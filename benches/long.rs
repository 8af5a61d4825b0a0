//! Many activities one after the other: what a step costs in addition to its commit, and whether the time grows
//! linearly.

use std::time::Instant;

use crate::raw::SingleCommits;
use crate::report::Figure;
use crate::samples::milliseconds;
use crate::stage::{Stage, StoreKind};
use crate::workload::long;
use crate::{Bench, LINEAR_GOAL, Outcome, progress};

/// What a step may cost in addition to its commit.
const GOAL_MILLISECONDS: f64 = 0.1;

/// The number of commits that are measured before and after each run.
const COMMITS: usize = 300;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let small: u32 = bench.scale.pick(1_000, 1_000, 20);
    let bar = progress::bar("long", 4);
    for kind in StoreKind::BOTH {
        let mut commits = SingleCommits::open(&bench.disk)?;
        let mut took = Vec::new();
        for steps in [small, small * 10] {
            commits.commit_many(bench.scale.pick(COMMITS, COMMITS, 10))?;
            let stage = Stage::open(&bench.disk, kind).await?;
            let begin = Instant::now();
            let done = long::start(stage.client(), steps).await?.result().await?;
            took.push(milliseconds(begin));
            stage.close().await?;
            if done != steps {
                return Err(format!("{done} of {steps} steps").into());
            }
            bar.inc(1);
        }
        commits.commit_many(bench.scale.pick(COMMITS, COMMITS, 10))?;
        let commit = commits.samples().median();
        for (steps, took) in [small, small * 10].into_iter().zip(&took) {
            let mut figure =
                Figure::new("long", kind, took / f64::from(steps), "ms/step").case(format!("{steps} steps"));
            if kind == StoreKind::Sqlite {
                figure = figure.at_most(commit + GOAL_MILLISECONDS).raw(commit);
            }
            bench.report.add(&figure)?;
        }
        let growth = Figure::new("long", kind, took[1] / took[0], "times as long");
        bench.report.add(&growth.case("10 times as many").at_most(LINEAR_GOAL))?;
    }
    bar.finish_and_clear();
    Ok(())
}
