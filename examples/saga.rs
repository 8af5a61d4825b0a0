//! Undoes what is done when a later step fails: a trip is booked step by step, and if one booking is not possible, the
//! earlier ones are cancelled in reverse order.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use persevere::{Saga, prelude::*};
use persevere_examples::{exit, start_or_continue};

/// Books a flight, a hotel and a car, or nothing at all
#[derive(Parser)]
struct Options {
    /// The booking that is not possible: flight, hotel or car
    #[arg(long, value_name = "BOOKING")]
    sold_out: Option<String>,
    /// The database file
    #[arg(long, default_value = "saga.db")]
    database: PathBuf,
}

/// Books one part of the trip.
#[activity]
async fn book(what: String, sold_out: Option<String>) -> Result<String, ActivityError> {
    if sold_out.as_deref() == Some(&*what) {
        println!("the {what} is sold out");
        return Err(ActivityError::new(format!("the {what} is sold out")).non_retriable());
    }
    println!("booked the {what}");
    Ok(format!("{what}-1"))
}

/// Cancels a booking. It must succeed in the end, so it is tried often.
#[activity(retry(attempts = 20, first = "1s", max = "10m"))]
async fn cancel(booking: String) -> Result<(), ActivityError> {
    println!("cancelled {booking}");
    Ok(())
}

/// Books everything, or nothing.
#[orchestrator]
async fn trip(ctx: OrchestrationContext, sold_out: Option<String>) -> Result<Vec<String>, OrchestrationError> {
    let bookings = Saga::run(&ctx, async |saga| {
        let mut bookings = Vec::new();
        for what in ["flight", "hotel", "car"] {
            let booking = book::call(&ctx, what.to_owned(), sold_out.clone()).await?;
            saga.compensate(cancel::call(&ctx, booking.clone()));
            bookings.push(booking);
        }
        Ok(bookings)
    })
    .within(Duration::from_secs(60 * 60))
    .await?;
    Ok(bookings)
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).auto_register().start().await?;
    let start = trip::start(runtime.client(), options.sold_out);
    let trip = start_or_continue(runtime.client(), "trip", start).await?;
    match trip.result().await {
        Ok(bookings) => println!("The trip is booked: {}.", bookings.join(", ")),
        Err(error) => println!("There is no trip: {}.", error.app().ok_or("it did not run to its end")?),
    }
    runtime.shutdown().await?;
    Ok(())
}
