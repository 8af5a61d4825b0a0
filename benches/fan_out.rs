//! One parent with many activities at once: activities per second, and whether the time grows linearly.

use std::time::Instant;

use crate::raw::write_turns;
use crate::report::Figure;
use crate::samples::Samples;
use crate::stage::{Disk, Stage, StoreKind};
use crate::workload::fan_out;
use crate::{Bench, LINEAR_GOAL, Outcome, progress};

const GOAL: f64 = 50_000.0;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let small = bench.scale.pick(1_000, 1_000, 10);
    let rounds = bench.scale.pick(9, 5, 1);
    let bar = progress::bar("fan_out", 4 * rounds);
    for kind in StoreKind::BOTH {
        let mut seconds = Vec::new();
        for width in [small, small * 10] {
            let stage = Stage::open(&bench.disk, kind).await?;
            let mut times = Samples::default();
            for _ in 0..rounds {
                times.push(once(&stage, width).await?);
                bar.inc(1);
            }
            let mut figure = Figure::new("fan_out", kind, rate(width, times.median()), "activities/s")
                .case(format!("{width} activities"))
                .times(&times);
            if kind == StoreKind::Sqlite {
                figure = figure.at_least(GOAL).raw(raw_rate(&bench.disk, &stage, width).await?);
            }
            bench.report.add(&figure)?;
            stage.close().await?;
            seconds.push(times.median());
        }
        let growth = Figure::new("fan_out", kind, seconds[1] / seconds[0], "times as long");
        bench.report.add(&growth.case("10 times as many").at_most(LINEAR_GOAL))?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn rate(width: u32, milliseconds: f64) -> f64 {
    f64::from(width) / milliseconds * 1_000.0
}

async fn once(stage: &Stage, width: u32) -> Outcome<f64> {
    let begin = Instant::now();
    let done = fan_out::start(stage.client(), width).await?.result().await?;
    if done != width as usize {
        return Err(format!("{done} of {width} activities").into());
    }
    Ok(crate::samples::milliseconds(begin))
}

/// Writes the same rows in the same batches with plain rusqlite.
async fn raw_rate(disk: &Disk, stage: &Stage, width: u32) -> Outcome<f64> {
    stage.seen().keep();
    once(stage, width).await?;
    let kept = stage.seen().take_kept();
    let disk = disk.clone();
    let seconds = tokio::task::spawn_blocking(move || {
        let sizes: Vec<_> = kept.iter().map(|batch| batch.turns.len()).collect();
        write_turns(&disk, kept.iter().flat_map(|batch| &batch.turns), sizes)
    });
    Ok(f64::from(width) / seconds.await??)
}
