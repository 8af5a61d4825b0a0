//! Ten orchestrators with aliases of `Result`, contexts and errors of the user's own.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::time::Duration;

use persevere::prelude::*;

type Context1 = OrchestrationContext<Value>;
type Plain = OrchestrationContext;
type Value = serde_json::Value;
type Res<T, E = OrchestrationError> = std::result::Result<T, E>;
type Done = Result<(), OrchestrationError>;

#[derive(thiserror::Error, Debug, Clone, Serialize, Deserialize)]
enum PayError {
    #[error("declined: {reason}")]
    Declined { reason: String },
    #[error("the limit is {0}")]
    Limit(u64),
}

#[derive(thiserror::Error, Debug, Serialize, Deserialize)]
enum TripError {
    #[error(transparent)]
    Pay(#[from] CallError<PayError>),
    #[error("no seat: {0}")]
    Book(String),
    #[error("nobody answered")]
    Silence,
}

impl From<CallError<ActivityError>> for TripError {
    fn from(error: CallError<ActivityError>) -> Self {
        Self::Book(error.to_string())
    }
}

impl From<TimedOut> for TripError {
    fn from(_: TimedOut) -> Self {
        Self::Silence
    }
}

mod outcome {
    pub(crate) type Activity<T> = Result<T, persevere::ActivityError>;
}

#[activity]
async fn pay(cents: u64) -> Result<u64, PayError> {
    if cents > 1_000_000 {
        return Err(PayError::Limit(1_000_000));
    }
    if cents == 0 { Err(PayError::Declined { reason: "nothing to pay".into() }) } else { Ok(cents) }
}

#[activity(name = "Book a seat")]
async fn book(cx: &ActivityContext, seat: String) -> outcome::Activity<String> {
    Ok(format!("{seat} for {}", cx.instance_id()))
}

#[external_event(name = "Answer")]
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Yes,
    No { because: String },
}

/// An alias with a default error.
#[orchestrator]
async fn aliased(ctx: Plain, cents: u64) -> Res<u64> {
    Ok(pay::call(&ctx, cents).await?)
}

/// The path of `Result` written out.
#[orchestrator]
async fn spelled_out(ctx: persevere::OrchestrationContext) -> core::result::Result<String, persevere::OrchestrationError> {
    book::call(&ctx, "1A".to_owned()).await.map_err(Into::into)
}

/// An alias without parameters.
#[orchestrator]
async fn unit(ctx: Plain) -> Done {
    pay::call(&ctx, 1).await.map(drop)?;
    Ok(())
}

/// An error of its own, which collects those of the activities.
#[orchestrator]
async fn trip(ctx: Plain, seat: String) -> Res<String, TripError> {
    pay::call(&ctx, 100).await?;
    let seat = book::call(&ctx, seat).timeout(&ctx, Duration::from_secs(60)).await??;
    Ok(seat)
}

/// Decides by the activity's own error.
#[orchestrator]
async fn by_kind(ctx: Plain, cents: u64) -> Res<u64> {
    match pay::call(&ctx, cents).await {
        Ok(paid) => Ok(paid),
        Err(CallError::App { error: PayError::Limit(limit), .. }) => Ok(pay::call(&ctx, limit).await?),
        Err(CallError::App { error: PayError::Declined { reason }, .. }) => Err(OrchestrationError::new(reason)),
        Err(CallError::NotRegistered(..)) => Ok(0),
        Err(other) => Err(other.into()),
    }
}

/// The loose form of the status.
#[orchestrator]
async fn loose_status(ctx: Context1, seats: Vec<String>) -> Res<Value> {
    for (place, seat) in seats.iter().enumerate() {
        ctx.set_custom_status(&serde_json::json!({ "seat": seat, "of": seats.len(), "place": place }))?;
        book::call(&ctx, seat.clone()).await?;
    }
    ctx.clear_custom_status();
    Ok(serde_json::json!(seats.len()))
}

/// Optional and nested inputs.
#[orchestrator(version = "3")]
async fn many_inputs(
    ctx: OrchestrationContext<(u32, String)>,
    mut seats: Vec<(String, Option<u64>)>,
    /* not given by older callers */ note: Option<String>,
    r#type: [u8; 2],
) -> Res<Vec<String>> {
    seats.retain(|(seat, _)| !seat.is_empty());
    let mut booked = Vec::new();
    for (seat, cents) in seats {
        if let Some(cents) = cents {
            pay::call(&ctx, cents).await?;
        }
        booked.push(book::call(&ctx, seat).await?);
        ctx.set_custom_status(&(u32::from(r#type[0]), note.clone().unwrap_or_default()))?;
    }
    Ok(booked)
}

/// Enums as events.
#[orchestrator]
async fn ask(ctx: Plain) -> Res<bool, TripError> {
    let answer = Answer::wait(&ctx).timeout(&ctx, Duration::from_secs(5)).await?;
    match answer {
        Ok(Answer::Yes) => Ok(true),
        Ok(Answer::No { because }) if because.is_empty() => Ok(false),
        Ok(Answer::No { .. }) | Err(_) => Err(TripError::Silence),
    }
}

/// Errors of the standard library go through `?`.
#[orchestrator]
async fn parse(ctx: Plain, text: String) -> Res<u64> {
    let cents: u64 = text.trim().parse()?;
    let value: Value = serde_json::from_str(&text)?;
    let known = value.as_u64().ok_or("not a number")?;
    Ok(pay::call(&ctx, cents.max(known)).await?)
}

/// Failing branches together.
#[orchestrator]
async fn both(ctx: Plain) -> Res<(u64, String), TripError> {
    let (paid, booked) = join!(pay::call(&ctx, 5), book::call(&ctx, "2B".to_owned()));
    let paid = paid.or_else(|error| match error {
        CallError::App { error: PayError::Declined { .. }, .. } => Ok(0),
        other => Err(other),
    })?;
    Ok((paid, booked?))
}

fn main() {}
