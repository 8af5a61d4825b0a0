//! Runs every workload in a separate process, so that the memory of one does not influence the next.

use std::process::{Command, Stdio};

use crate::report::Figure;
use crate::{Bench, Outcome};

/// The workloads in the order of the table of goals.
const WORKLOADS: [&[&str]; 15] = [
    &["disk"],
    &["sequence", "--store", "sqlite"],
    &["memory"],
    &["latency"],
    &["fan_out"],
    &["long"],
    &["status"],
    &["replay"],
    &["verify"],
    &["events"],
    &["backlog"],
    &["recovery"],
    &["http"],
    &["parked"],
    &["mixed"],
];

/// The workloads that only the full run adds.
const IN_FULL: &[&str] = &["parked", "--count", "100000"];

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let mut failed = Vec::new();
    let more = bench.scale.pick(Some(IN_FULL), None, None);
    for workload in WORKLOADS.into_iter().chain(more) {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--json", "--folder"]).arg(bench.disk.root()).args(bench.scale.option()).args(workload);
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            bench.report.add(&serde_json::from_str::<Figure>(line)?)?;
        }
        if !output.status.success() {
            failed.push(workload.join(" "));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not finished: {}", failed.join(", ")).into()) }
}
