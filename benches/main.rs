//! Measures persevere: one subcommand per workload. Each prints a table for people and one JSON line per result for
//! machines. `benches/README.md` says how to read them.

mod report;
mod sequence;
mod workload;

use std::error::Error;

use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(about = "Measures persevere. Build with --release, or the figures mean nothing.")]
struct Arguments {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Three activities with a custom status after each, many orchestrations in flight.
    Sequence(Size),
}

/// How much work, and on which store.
#[derive(Debug, Clone, clap::Args)]
struct Size {
    /// How many orchestrations in all.
    #[arg(long, default_value_t = 20_000)]
    count: u64,
    /// How many of them at a time.
    #[arg(long, default_value_t = 200)]
    in_flight: usize,
    /// Where the rows go.
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite)]
    store: StoreKind,
    /// Print only the JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StoreKind {
    /// SQLite in a temporary folder, synchronous=FULL.
    Sqlite,
    /// Nothing durable: what the engine itself costs.
    Memory,
}

impl StoreKind {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().workload {
        Workload::Sequence(size) => sequence::run(&size).await,
    }
}
