//! Ten orchestrators of a travel agency: sagas, deadlines, approvals.
#![deny(warnings)]

use std::collections::BTreeMap;
use std::time::Duration;

use persevere::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

/// What somebody wants to book.
#[derive(Serialize, Deserialize, Clone, Debug)]
struct Trip {
    traveller: String,
    legs: Vec<Leg>,
    budget: u64,
}

/// One part of a trip.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leg {
    Flight { number: String },
    Hotel { name: String, nights: u8 },
    Car(String),
}

/// A booking that can be undone.
#[derive(Serialize, Deserialize, Clone, Debug)]
struct Booking {
    leg: Leg,
    reference: String,
    cents: u64,
}

/// What goes wrong with suppliers.
#[derive(Serialize, Deserialize, Clone, Debug)]
enum SupplierError {
    SoldOut { leg: Leg },
    Closed,
}

impl std::fmt::Display for SupplierError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SoldOut { leg } => write!(f, "sold out: {leg:?}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl std::error::Error for SupplierError {}

/// Where a trip stands.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Stage {
    Booking { done: usize, of: usize },
    Undoing,
    Booked { cents: u64 },
}

#[external_event]
struct Approved {
    by: String,
}

#[external_event]
struct Rejected(String);

#[external_event(name = "seat-free")]
struct SeatFree(String);

#[activity(name = "trips.book")]
async fn book(leg: Leg) -> Result<Booking, SupplierError> {
    match &leg {
        Leg::Car(class) if class.is_empty() => Err(SupplierError::Closed),
        Leg::Hotel { nights: 0, .. } => Err(SupplierError::SoldOut { leg }),
        _ => Ok(Booking { reference: format!("{leg:?}"), leg, cents: 10_000 }),
    }
}

#[activity(name = "trips.cancel")]
async fn cancel(booking: Booking) -> Result<(), ActivityError> {
    drop(booking);
    Ok(())
}

#[activity(name = "trips.quote")]
async fn quote(leg: Leg) -> Result<u64, SupplierError> {
    Ok(match leg {
        Leg::Flight { .. } => 20_000,
        Leg::Hotel { nights, .. } => 9_000 * u64::from(nights),
        Leg::Car(_) => 4_000,
    })
}

#[activity(name = "trips.write")]
async fn write(to: String, text: String) -> Result<(), ActivityError> {
    drop((to, text));
    Ok(())
}

/// Bookings that are undone in the opposite order.
#[derive(Default)]
struct Undo(Vec<Booking>);

impl Undo {
    fn remember(&mut self, booking: &Booking) {
        self.0.push(booking.clone());
    }

    #[orchestrator_fn]
    async fn everything(mut self, ctx: &Context) -> Result<usize, CallError<ActivityError>> {
        let mut undone = 0;
        while let Some(booking) = self.0.pop() {
            cancel::call(ctx, booking).await?;
            undone += 1;
        }
        Ok(undone)
    }
}

#[orchestrator]
async fn book_trip(ctx: OrchestrationContext<Stage>, trip: Trip) -> Result<u64, OrchestrationError> {
    let mut undo = Undo::default();
    let mut cents = 0;
    let of = trip.legs.len();
    for (done, leg) in trip.legs.into_iter().enumerate() {
        ctx.set_custom_status(&Stage::Booking { done, of })?;
        match book::call(&ctx, leg).await {
            Ok(booking) => {
                cents += booking.cents;
                undo.remember(&booking);
            }
            Err(error) => {
                ctx.set_custom_status(&Stage::Undoing)?;
                let undone = undo.everything(&ctx).await?;
                write::call(&ctx, trip.traveller, format!("{error}, {undone} undone")).await?;
                return Err(error.into());
            }
        }
    }
    ctx.set_custom_status(&Stage::Booked { cents })?;
    Ok(cents)
}

#[orchestrator]
async fn quote_all(ctx: OrchestrationContext, trip: Trip) -> Result<Option<u64>, OrchestrationError> {
    let quotes = ctx.join_all(trip.legs.iter().cloned().map(|leg| quote::call(&ctx, leg))).await;
    let total = quotes.into_iter().try_fold(0, |sum, quote| quote.map(|cents| sum + cents))?;
    Ok((total <= trip.budget).then_some(total))
}

#[orchestrator(events(Approved, Rejected))]
async fn approve(ctx: OrchestrationContext, trip: Trip) -> Result<String, OrchestrationError> {
    write::call(&ctx, "boss".to_owned(), format!("{} wants {}", trip.traveller, trip.budget)).await?;
    let answer = select! {
        yes = Approved::wait(&ctx) => Ok(yes?.by),
        no = Rejected::wait(&ctx) => Err(no?.0),
        _ = ctx.create_timer(48 * HOUR) => Err("nobody answered".to_owned()),
    };
    answer.map_err(OrchestrationError::from)
}

#[orchestrator]
async fn waiting_list(ctx: OrchestrationContext, flight: String, people: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    let mut waiting = std::collections::VecDeque::from(people);
    let mut seated = vec![];
    let closing = ctx.current_time() + 24 * HOUR;
    let mut closes = ctx.create_timer_at(closing);
    while let Some(next) = waiting.front().cloned() {
        let seat = select! {
            seat = SeatFree::wait(&ctx) => seat?.0,
            _ = &mut closes => break,
        };
        book::call(&ctx, Leg::Flight { number: format!("{flight}/{seat}") }).await?;
        seated.push(next);
        waiting.pop_front();
    }
    Ok(seated)
}

#[orchestrator]
async fn cheapest(ctx: OrchestrationContext, legs: Vec<Leg>) -> Result<Leg, OrchestrationError> {
    let mut best: Option<(u64, Leg)> = None;
    for leg in legs {
        let cents = match quote::call(&ctx, leg.clone()).timeout(&ctx, HOUR).await {
            Ok(quoted) => quoted?,
            Err(TimedOut { .. }) => continue,
        };
        if best.as_ref().is_none_or(|(known, _)| cents < *known) {
            best = Some((cents, leg));
        }
    }
    best.map(|(_, leg)| leg).ok_or_else(|| "no offer".into())
}

#[orchestrator]
async fn remind(ctx: OrchestrationContext, traveller: String, days: u32) -> Result<u32, OrchestrationError> {
    for day in (1..=days).rev() {
        let text = if day == 1 { "tomorrow".to_owned() } else { format!("in {day} days") };
        write::call(&ctx, traveller.clone(), text).await?;
        ctx.create_timer(24 * HOUR).await;
    }
    Ok(days)
}

#[orchestrator]
async fn group_trip(ctx: OrchestrationContext, trips: BTreeMap<String, Trip>) -> Result<BTreeMap<String, u64>, OrchestrationError> {
    let children = trips.iter().map(|(name, trip)| {
        let id = persevere::InstanceId::new(format!("{}-{name}", ctx.instance_id()))?;
        Ok::<_, OrchestrationError>(book_trip::call(&ctx, trip.clone()).instance_id(id))
    });
    let results = ctx.join_all(children.collect::<Result<Vec<_>, _>>()?).await;
    let paid = trips.into_keys().zip(results);
    Ok(paid.filter_map(|(name, result)| Some((name, result.ok()?))).collect())
}

#[orchestrator]
async fn either_hotel(ctx: OrchestrationContext, first: String, second: String) -> Result<Booking, OrchestrationError> {
    let hotel = |name: String| book::call(&ctx, Leg::Hotel { name, nights: 2 });
    let booked = match hotel(first).await {
        Err(CallError::App { error: SupplierError::SoldOut { .. }, .. }) => hotel(second).await?,
        other => other?,
    };
    Ok(booked)
}

#[orchestrator]
async fn upgrade(ctx: OrchestrationContext, old: Booking, leg: Leg) -> Result<Booking, OrchestrationError> {
    let new = book::call(&ctx, leg).await?;
    let (cancelled, told) = join!(cancel::call(&ctx, old), write::call(&ctx, "guest".into(), new.reference.clone()));
    cancelled.and(told)?;
    Ok(new)
}

#[orchestrator]
async fn season(ctx: OrchestrationContext<u32>, year: u32, trips: Vec<Trip>) -> Result<u32, OrchestrationError> {
    ctx.set_custom_status(&year)?;
    for trip in &trips {
        book_trip::start_detached(&ctx, trip.clone())?;
    }
    ctx.create_timer(365 * 24 * HOUR).await;
    if year >= 2040 {
        return Ok(year);
    }
    season::continue_as_new(&ctx, year + 1, trips).await
}

fn main() {}
