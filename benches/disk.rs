//! Measures the disk itself: durable commits of one row by plain rusqlite, which show what a sync costs.

use crate::raw::SingleCommits;
use crate::report::Figure;
use crate::stage::StoreKind;
use crate::{Bench, Outcome, progress};

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let count = bench.scale.pick(5_000, 2_000, 20);
    let bar = progress::bar("disk", count);
    let mut commits = SingleCommits::open(&bench.disk)?;
    for _ in 0..count {
        commits.commit()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let figure = Figure::new("disk", StoreKind::Sqlite, 1_000.0 / commits.samples().median(), "commits/s");
    bench.report.add(&figure.case("single rows, plain rusqlite").times(commits.samples()))?;
    Ok(())
}
