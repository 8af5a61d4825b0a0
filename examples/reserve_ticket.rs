//! Gives clients data to act on: the orchestrator publishes an offer as its custom status and waits for an answer, but only
//! for a limited time.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Parser;
use persevere::{ClientError, OrchestrationHandle, prelude::*};
use persevere_examples::{ask, exit, start_or_continue};

/// Offers tickets at a discount for a limited time
#[derive(Parser)]
struct Options {
    /// How many seats to reserve
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=9))]
    seats: u8,
    /// How long the offer is valid, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    within: u32,
    /// Confirm the offer
    #[arg(long, group = "answer")]
    confirm: bool,
    /// Decline the offer
    #[arg(long, group = "answer")]
    decline: bool,
    /// Do not answer, so that the offer expires
    #[arg(long, group = "answer")]
    wait: bool,
    /// The database file
    #[arg(long, default_value = "reserve_ticket.db")]
    database: PathBuf,
}

/// The custom status: the open offer, then the outcome.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Booking {
    Offered { discount_percent: u8, answer_within_seconds: u32, answer_until: DateTime<Utc>, booking_address: String },
    Closed { message: String },
}

/// The answer to the offer.
#[external_event]
struct BookingConfirmed(bool);

/// Calculates the discount in percent.
#[activity]
async fn calculate_discount(seats: u8) -> Result<u8, ActivityError> {
    Ok(seats.saturating_sub(1).min(4) * 5)
}

/// Offers tickets and returns the outcome: `confirmed`, `declined` or `too late`.
#[orchestrator]
async fn reserve_ticket(
    ctx: OrchestrationContext<Booking>,
    seats: u8,
    within: u32,
) -> Result<String, OrchestrationError> {
    let discount_percent = calculate_discount::call(&ctx, seats).await?;
    let time = Duration::from_secs(within.into());
    ctx.set_custom_status(&Booking::Offered {
        discount_percent,
        answer_within_seconds: within,
        answer_until: ctx.current_time() + time,
        booking_address: format!("https://tickets.example/{}/{}", ctx.instance_id(), ctx.new_uuid()),
    })?;
    let answer = BookingConfirmed::wait(&ctx).timeout(&ctx, time).await;
    let (outcome, message) = match answer.map(|event| event.map(|BookingConfirmed(yes)| yes)) {
        Ok(Ok(true)) => ("confirmed", "Thank you! Your seats are reserved."),
        Ok(Ok(false)) => ("declined", "You declined the offer. The seats are released."),
        Ok(Err(unreadable)) => return Err(unreadable.into()),
        Err(TimedOut { .. }) => ("too late", "You did not answer in time. The offer has expired."),
    };
    ctx.set_custom_status(&Booking::Closed { message: message.to_owned() })?;
    Ok(outcome.to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).auto_register().start().await?;
    let start = reserve_ticket::start(runtime.client(), options.seats, options.within);
    let ticket = start_or_continue(runtime.client(), "ticket", start).await?;
    if !ticket.was_created() {
        println!("An earlier offer is still open, and its time has kept running.");
    }
    let offer = ticket.wait_for_custom_status(|booking| matches!(booking, Booking::Offered { .. })).await?;
    if let Booking::Offered { discount_percent, answer_until, booking_address, .. } = offer {
        println!("Discount: {discount_percent} %");
        println!("Answer by {answer_until} at {booking_address}");
    }
    if let Some(yes) = decide(&options, &ticket).await? {
        match ticket.raise_event(BookingConfirmed(yes)).await {
            Ok(()) | Err(ClientError::InstanceEnded { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("Outcome: {}", ticket.result().await?);
    println!("Custom status: {}", ticket.metadata().await?.serialized_custom_status().unwrap_or("none"));
    runtime.shutdown().await?;
    Ok(())
}

/// Returns the user's answer, or `None` if there is no answer in time.
async fn decide(
    options: &Options,
    ticket: &OrchestrationHandle<reserve_ticket>,
) -> Result<Option<bool>, Box<dyn Error>> {
    if options.confirm || options.decline {
        return Ok(Some(options.confirm));
    }
    if options.wait {
        return Ok(None);
    }
    tokio::select! {
        answer = ask("Confirm? [y/n]") => Ok(answer?.map(|text| text.starts_with(['y', 'Y']))),
        _ = ticket.result() => {
            println!();
            Ok(None)
        }
    }
}
