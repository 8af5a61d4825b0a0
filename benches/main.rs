//! Measures persevere, with one subcommand for each workload. Each prints a table for people, and one JSON line for
//! each result for programs. `benches/README.md` explains the output.

mod all;
mod backlog;
mod disk;
mod events;
mod fan_out;
mod http;
mod latency;
mod long;
mod mixed;
mod observed;
mod parked;
#[path = "../tests/passed_on.rs"]
mod passed_on;
mod process;
mod progress;
mod raw;
mod recovery;
mod replay;
mod report;
mod samples;
mod scale;
mod sequence;
mod stage;
mod status;
mod verify;
mod workload;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use self::report::Report;
use self::scale::Scale;
use self::stage::Disk;

/// The result of a measurement, or the reason why there is none.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ten times the work may take this many times as long: linear, with some room for noise.
const LINEAR_GOAL: f64 = 12.0;

#[derive(Parser)]
#[command(about = "Measures persevere. Build with --release, or the figures mean nothing.")]
struct Arguments {
    /// Run smaller workloads, all of them in under three minutes
    #[arg(long, global = true)]
    quick: bool,
    /// Run the smallest workloads, which only shows that they work
    #[arg(long, global = true, conflicts_with = "quick")]
    tiny: bool,
    /// Print only the JSON lines
    #[arg(long, global = true)]
    json: bool,
    /// The folder for the databases, on the disk to be measured [default: the folder for temporary files]
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
#[command(rename_all = "snake_case")]
enum Workload {
    /// All workloads below, each in a separate process
    All,
    /// The cost of a durable commit of one row
    Disk,
    /// Three activities with a custom status after each, many orchestrations at a time
    Sequence(sequence::Size),
    /// The same on the memory store, which shows the cost of the engine
    Memory(sequence::Size),
    /// The same, one orchestration at a time
    Latency,
    /// One parent with many activities at once
    FanOut,
    /// Many activities, one after the other
    Long,
    /// From a set custom status to the client that sees it; many watchers; reads
    Status,
    /// Rebuilding an instance from its history
    Replay,
    /// Replaying instances while they run, to find code that is not deterministic
    Verify,
    /// Events and custom statuses in alternation
    Events,
    /// An instance that drains a backlog of events, one for each execution
    Backlog,
    /// A killed process, and the process that continues
    Recovery,
    /// Very many instances that wait
    Parked(parked::Count),
    /// All kinds of work at once for some time
    Mixed(mixed::Length),
    /// Many open status streams and steady polls over HTTP
    Http(http::Length),
    /// The server that `http` measures
    #[command(hide = true)]
    ServeHttp,
    /// The process that `recovery` kills
    #[command(hide = true)]
    Hold {
        #[arg(long)]
        count: usize,
        #[arg(long)]
        path: PathBuf,
    },
}

/// What every workload receives.
struct Bench {
    scale: Scale,
    disk: Disk,
    report: Report,
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments = Arguments::parse();
    let scale = match (arguments.quick, arguments.tiny) {
        (_, true) => Scale::Tiny,
        (true, _) => Scale::Quick,
        _ => Scale::Full,
    };
    let mut bench = Bench { scale, disk: Disk::new(arguments.folder), report: Report::new(arguments.json) };
    // This runs on a worker thread, as a caller in a program would.
    tokio::spawn(async move {
        let outcome = measure(&mut bench, arguments.workload).await;
        bench.report.finish();
        outcome
    })
    .await?
}

async fn measure(bench: &mut Bench, workload: Workload) -> Outcome {
    match workload {
        Workload::All => all::run(bench),
        Workload::Disk => disk::run(bench),
        Workload::Sequence(size) => sequence::run(bench, size).await,
        Workload::Memory(size) => sequence::memory(bench, size).await,
        Workload::Latency => latency::run(bench).await,
        Workload::FanOut => fan_out::run(bench).await,
        Workload::Long => long::run(bench).await,
        Workload::Status => status::run(bench).await,
        Workload::Replay => replay::run(bench).await,
        Workload::Verify => verify::run(bench).await,
        Workload::Events => events::run(bench).await,
        Workload::Backlog => backlog::run(bench).await,
        Workload::Recovery => recovery::run(bench).await,
        Workload::Parked(count) => parked::run(bench, count).await,
        Workload::Mixed(length) => mixed::run(bench, length).await,
        Workload::Http(length) => http::run(bench, length).await,
        Workload::ServeHttp => http::serve(&bench.disk).await,
        Workload::Hold { count, path } => recovery::be_a_victim(&path, count).await,
    }
}
