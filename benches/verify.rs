//! What verified replay costs: the same orchestrations with no checks, with a sample and with checks of all, in
//! alternation, on the memory store.

use persevere::VerifyReplay;

use crate::process::processor_seconds;
use crate::report::Figure;
use crate::samples::Samples;
use crate::sequence::{hello_many, microseconds_each};
use crate::stage::{Stage, StoreKind};
use crate::{Bench, Outcome, progress};

/// How much processor time a sample of one in a hundred may cost, as a multiple of that without checks.
const SAMPLE_GOAL: f64 = 1.02;

/// How often the settings alternate, so that other load on the machine affects all of them.
const ROUNDS: u64 = 15;

const IN_FLIGHT: usize = 200;

pub(crate) async fn run(bench: &mut Bench) -> Outcome {
    let settings = [VerifyReplay::Never, VerifyReplay::Sample(0.01), VerifyReplay::Always];
    let count = bench.scale.pick(150_000, 60_000, 300);
    let bar = progress::bar("verify", count * settings.len() as u64);
    let mut stages = Vec::new();
    for verify in settings {
        stages.push(Stage::with(&bench.disk, StoreKind::Memory, |builder| builder.verify_replay(verify)).await?);
    }
    let mut times = [Samples::default(), Samples::default(), Samples::default()];
    let mut ratios = [Samples::default(), Samples::default(), Samples::default()];
    for _ in 0..ROUNDS {
        let mut round = [0.0; 3];
        for (stage, time) in stages.iter().zip(&mut round) {
            let before = processor_seconds();
            let (_, each) = hello_many(stage.client(), count.div_ceil(ROUNDS), IN_FLIGHT, &bar).await?;
            *time = microseconds_each(before, each.len());
        }
        for ((time, times), ratios) in round.iter().zip(&mut times).zip(&mut ratios) {
            times.push(*time);
            ratios.push(time / round[0]);
        }
    }
    bar.finish_and_clear();
    for stage in stages {
        stage.close().await?;
    }
    let names = ["no checks", "one execution in a hundred", "every execution"];
    for (name, times) in names.into_iter().zip(&times) {
        let figure = Figure::new("verify", StoreKind::Memory, times.median(), "us");
        bench.report.add(&figure.case(format!("processor time of one orchestration, {name}")))?;
    }
    let ratio = |place: usize| Figure::new("verify", StoreKind::Memory, ratios[place].median(), "x");
    bench.report.add(&ratio(1).case("one in a hundred, against no checks").at_most(SAMPLE_GOAL))?;
    bench.report.add(&ratio(2).case("every execution, against no checks"))?;
    Ok(())
}
