//! The workloads of `benches` on other engines, and how many times as good persevere is, measured in turns.
//! `benches/peers/README.md` says how to run and read it.

mod compare;
mod engine;
mod engines;
mod workloads;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use self::engine::Kind;
use self::workloads::Workload;

/// What a measurement gives, or why it gives nothing.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Compares persevere with other engines. Build with --release, or the figures mean nothing.")]
struct Arguments {
    /// Where databases are made: a folder on the disk to be measured. That for temporary files unless given.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    /// The PostgreSQL server for dbos, as a URL. Without one dbos is left out.
    #[arg(long, global = true, env = "PEERS_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures persevere and each of the others in turns, and prints the ratios.
    Compare(compare::Options),
    /// Measures one engine with one workload, and prints a JSON line.
    Run {
        #[arg(value_enum)]
        engine: Kind,
        #[arg(value_enum)]
        workload: Workload,
    },
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments = Arguments::parse();
    let folder = arguments.folder.unwrap_or_else(std::env::temp_dir);
    match arguments.command {
        Command::Compare(options) => compare::run(&options, &folder, arguments.postgres.as_deref()),
        Command::Run { engine, workload } => {
            // On a worker thread, as a caller in a program would be.
            let run = workloads::run(engine, workload, folder, arguments.postgres);
            println!("{}", serde_json::to_string(&tokio::spawn(run).await??)?);
            Ok(())
        }
    }
}
