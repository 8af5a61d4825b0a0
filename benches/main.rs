//! Measures persevere: one subcommand per workload. Each prints a table for people and one JSON line per result for
//! machines. `benches/README.md` says how to read them.

mod all;
mod disk;
mod events;
mod fan_out;
mod http;
mod latency;
mod long;
mod mixed;
mod observed;
mod parked;
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
mod workload;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use self::report::Report;
use self::scale::Scale;
use self::stage::Disk;

/// What a measurement gives, or why it gives nothing.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Ten times the work may take so many times as long: linear, and some room for noise.
const LINEAR_GOAL: f64 = 12.0;

#[derive(Parser)]
#[command(about = "Measures persevere. Build with --release, or the figures mean nothing.")]
struct Arguments {
    /// Less of everything: all of it in under three minutes.
    #[arg(long, global = true)]
    quick: bool,
    /// Next to nothing of everything: shows that it runs.
    #[arg(long, global = true, conflicts_with = "quick")]
    tiny: bool,
    /// Print only the JSON lines.
    #[arg(long, global = true)]
    json: bool,
    /// Where the databases are made: a folder on the disk to be measured. That for temporary files unless given.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
#[command(rename_all = "snake_case")]
enum Workload {
    /// Everything below, each in a process of its own.
    All,
    /// What a durable commit of one row costs.
    Disk,
    /// Three activities with a custom status after each, many orchestrations in flight.
    Sequence(sequence::Size),
    /// The same on the memory store: what the engine itself costs.
    Memory(sequence::Size),
    /// The same, one at a time.
    Latency,
    /// One parent, many activities at once.
    FanOut,
    /// Many activities one after the other.
    Long,
    /// From a set custom status to a client that sees it; many watchers; reads.
    Status,
    /// Rebuilding an instance from its history.
    Replay,
    /// Events and custom statuses in turn.
    Events,
    /// A killed process, and the one that goes on.
    Recovery,
    /// Very many instances that wait.
    Parked(parked::Count),
    /// All at once for a while.
    Mixed(mixed::Length),
    /// Many open status streams and steady polls over HTTP.
    Http(http::Length),
    /// The server that `http` measures.
    #[command(hide = true)]
    ServeHttp,
    /// The process that `recovery` kills.
    #[command(hide = true)]
    Hold {
        #[arg(long)]
        count: usize,
        #[arg(long)]
        path: PathBuf,
    },
}

/// What every workload is given.
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
    // On a worker thread, as a caller in a program would be.
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
        Workload::Events => events::run(bench).await,
        Workload::Recovery => recovery::run(bench).await,
        Workload::Parked(count) => parked::run(bench, count).await,
        Workload::Mixed(length) => mixed::run(bench, length).await,
        Workload::Http(length) => http::run(bench, length).await,
        Workload::ServeHttp => http::serve(&bench.disk).await,
        Workload::Hold { count, path } => recovery::be_a_victim(&path, count).await,
    }
}
