//! Persevere and another engine in turns: A B A B, each time in a process of its own, and the medians of both.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::Outcome;
use crate::engine::Kind;
use crate::workloads::{Figure, Workload};

/// What is compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often each is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The other engines; all that can run unless given.
    #[arg(long, value_enum, value_delimiter = ',')]
    engines: Vec<Kind>,
    /// The workloads; all unless given.
    #[arg(long, value_enum, value_delimiter = ',')]
    workloads: Vec<Workload>,
}

pub(crate) fn run(options: &Options, folder: &Path, postgres: Option<&str>) -> Outcome {
    let ours = build_ours()?;
    let all = Kind::value_variants().iter().copied().filter(|kind| *kind != Kind::Dbos || postgres.is_some());
    let engines = if options.engines.is_empty() { all.collect() } else { options.engines.clone() };
    let workloads =
        if options.workloads.is_empty() { Workload::value_variants().to_vec() } else { options.workloads.clone() };
    println!(
        "{:<9} {:<12} {:>14} {:>14} {:<17} {:>12}",
        "workload", "engine", "its", "persevere", "unit", "times better"
    );
    for workload in workloads {
        for engine in &engines {
            let (mut theirs, mut own) = (Vec::new(), Vec::new());
            let mut unit = String::new();
            for _ in 0..options.rounds.max(1) {
                own.push(measure_ours(&ours, workload, folder)?.value);
                let figure = measure(*engine, workload, folder, postgres)?;
                theirs.push(figure.value);
                unit = figure.unit;
            }
            print(workload, *engine, median(&mut theirs), median(&mut own), &unit)?;
        }
    }
    Ok(())
}

fn print(workload: Workload, engine: Kind, theirs: f64, ours: f64, unit: &str) -> Outcome {
    // Of rates more is better, of times and bytes less.
    let ratio = if unit.ends_with("/s") { ours / theirs } else { theirs / ours };
    let name = workload.to_possible_value().map_or_else(String::new, |value| value.get_name().replace('-', "_"));
    println!("{name:<9} {:<12} {theirs:>14.2} {ours:>14.2} {unit:<17} {ratio:>12.1}", engine.name());
    let line = serde_json::json!({
        "workload": name, "engine": engine.name(), "value": theirs, "persevere": ours, "unit": unit, "ratio": ratio,
    });
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// The benchmarks of this checkout.
fn build_ours() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "benches", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .status()?;
    if !built.success() {
        return Err("persevere's benchmarks cannot be built".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/benches"))
}

fn measure_ours(program: &Path, workload: Workload, folder: &Path) -> Outcome<Figure> {
    let mut command = Command::new(program);
    command.args(["--quick", "--json", "--folder"]).arg(folder);
    // The part of its output that is the same work.
    let (arguments, case): (&[&str], &str) = match workload {
        Workload::Sequence => (&["sequence", "--store", "sqlite"], ""),
        Workload::Latency => (&["latency"], ""),
        Workload::FanOut => (&["fan_out"], "1000 activities"),
        Workload::Long => (&["long"], "1000 steps"),
        Workload::Parked => (&["parked"], "100000: memory"),
    };
    let figures = figures(command.args(arguments), "persevere")?;
    let found = figures.into_iter().find(|figure| figure.case == case && figure.store == "sqlite");
    found.ok_or_else(|| format!("no result of {arguments:?}").into())
}

fn measure(engine: Kind, workload: Workload, folder: &Path, postgres: Option<&str>) -> Outcome<Figure> {
    let workload = workload.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["run", &engine.name(), &workload, "--folder"]).arg(folder);
    if let Some(postgres) = postgres {
        // Not an argument: it may hold a password, and arguments can be seen by everybody.
        command.env("PEERS_POSTGRES", postgres);
    }
    let figures = figures(&mut command, &engine.name())?;
    figures.into_iter().next().ok_or_else(|| format!("no result of {} {workload}", engine.name()).into())
}

fn figures(command: &mut Command, engine: &str) -> Outcome<Vec<Figure>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("measuring {engine} failed").into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.starts_with('{')).map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
