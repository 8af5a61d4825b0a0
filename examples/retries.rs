//! Tries a call again until it succeeds: a weather station that answers only sometimes is asked again, with growing waits.
//! Stop the program in the middle and run it again: it continues with the next attempt.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use persevere::prelude::*;
use persevere_examples::{exit, start_or_continue};

/// Asks a weather station that does not always answer
#[derive(Parser)]
struct Options {
    /// In how many attempts the station does not answer
    #[arg(long, default_value_t = 2)]
    failures: u32,
    /// Ask a station that does not exist, which no further attempt can change
    #[arg(long)]
    unknown: bool,
    /// The database file
    #[arg(long, default_value = "retries.db")]
    database: PathBuf,
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum StationError {
    #[error("the station does not answer")]
    Silent,
    #[error("there is no such station")]
    Unknown,
}

/// Reads the temperature. It knows which attempt it is.
#[activity]
async fn measure(cx: &ActivityContext, station: String, failures: u32) -> Result<i32, StationError> {
    let result = match cx.attempt() {
        _ if station == "Atlantis" => Err(StationError::Unknown),
        attempt if attempt <= failures => Err(StationError::Silent),
        _ => Ok(21),
    };
    let shown = result.as_ref().map_or_else(ToString::to_string, |degrees| format!("{degrees} degrees"));
    println!("attempt {}: {shown}", cx.attempt());
    result
}

/// Asks the station up to five times.
#[orchestrator]
async fn weather(ctx: OrchestrationContext, station: String, failures: u32) -> Result<i32, CallError<StationError>> {
    measure::call(&ctx, station, failures)
        .retry(RetryPolicy::attempts(5).first_interval(Duration::from_millis(200)).coefficient(2.0))
        .retry_if(|error, _| match error.app() {
            Some(StationError::Unknown) => RetryDecision::GiveUp,
            _ => RetryDecision::Retry,
        })
        .await
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).auto_register().start().await?;
    let station = if options.unknown { "Atlantis" } else { "Zugspitze" };
    let start = weather::start(runtime.client(), station.to_owned(), options.failures);
    let weather = start_or_continue(runtime.client(), "weather", start).await?;
    match weather.result().await {
        Ok(degrees) => println!("It is {degrees} degrees."),
        Err(error) => println!("No measurement: {}.", error.app().and_then(CallError::app).ok_or("the call failed")?),
    }
    runtime.shutdown().await?;
    Ok(())
}
