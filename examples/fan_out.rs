//! Does the same work for each item of a list, a few items at a time: pictures are made smaller and uploaded, and a damaged
//! picture does not stop the others.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use persevere::{Failures, prelude::*};
use persevere_examples::{exit, start_or_continue};

/// Makes pictures smaller and uploads them
#[derive(Parser)]
struct Options {
    /// How many pictures there are
    #[arg(long, default_value_t = 12)]
    pictures: u32,
    /// Every so many pictures, one is damaged
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    damaged_every: u32,
    /// Start no more pictures after this many failures
    #[arg(long, value_name = "N")]
    stop_after: Option<usize>,
    /// The database file
    #[arg(long, default_value = "fan_out.db")]
    database: PathBuf,
}

/// What became of the pictures.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    uploaded: usize,
    failed: Vec<String>,
    not_tried: Vec<u32>,
}

/// Makes a picture smaller.
#[activity]
async fn shrink(picture: u32, damaged_every: u32) -> Result<u32, ActivityError> {
    if picture.is_multiple_of(damaged_every) {
        return Err(ActivityError::new(format!("picture {picture} is damaged")).non_retriable());
    }
    Ok(picture * 10)
}

/// Uploads the small picture.
#[activity(retry(attempts = 5, first = "1s"))]
async fn upload(bytes: u32) -> Result<u32, ActivityError> {
    Ok(bytes)
}

/// Handles all pictures, three at a time.
#[orchestrator]
async fn album(
    ctx: OrchestrationContext,
    pictures: u32,
    damaged_every: u32,
    stop_after: Option<usize>,
) -> Result<Report, OrchestrationError> {
    let batch = ctx
        .map(1..=pictures, async |picture: u32| {
            let small = shrink::call(&ctx, picture, damaged_every).await?;
            Ok(upload::call(&ctx, small).await?)
        })
        .limit(3)
        .stop_after(stop_after.map_or(Failures::None, Failures::Count))
        .await;
    let failed = batch.failed.into_iter().map(|(_, error)| format!("{error:#}")).collect();
    Ok(Report { uploaded: batch.ok.len(), failed, not_tried: batch.not_started })
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).auto_register().start().await?;
    let start = album::start(runtime.client(), options.pictures, options.damaged_every, options.stop_after);
    let album = start_or_continue(runtime.client(), "album", start).await?;
    let report = album.result().await?;
    println!("{} uploaded", report.uploaded);
    for failure in &report.failed {
        println!("failed: {failure}");
    }
    println!("{} not tried", report.not_tried.len());
    runtime.shutdown().await?;
    Ok(())
}
