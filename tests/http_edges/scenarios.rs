//! The orchestrations of the examples, for a server that tests and tools use. Greetings wait for nothing, or for the
//! test.

use std::sync::Arc;
use std::time::Duration;

use persevere::http::{HttpOptions, Server};
use persevere::prelude::*;
use persevere::store::Store;
use tokio::sync::Semaphore;

/// How many more greetings may end. Clones share the number.
#[derive(Clone, Debug)]
pub(crate) struct Pace(Arc<Semaphore>);

impl Pace {
    /// Greetings wait for nothing.
    pub(crate) fn free() -> Self {
        Self(Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)))
    }

    /// Every greeting waits for a [`step`](Self::step).
    #[allow(dead_code, reason = "the server for tools has no use for it")]
    pub(crate) fn stepped() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Allows one more greeting to end.
    #[allow(dead_code, reason = "the server for tools has no use for it")]
    pub(crate) fn step(&self) {
        self.0.add_permits(1);
    }
}

/// How many greetings are done, and which city is being greeted.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    done: usize,
    total: usize,
    greeting: Option<String>,
}

#[activity]
async fn say_hello(cx: &ActivityContext, city: String) -> Result<String, ActivityError> {
    cx.state::<Pace>().0.acquire().await?.forget();
    Ok(format!("Hello {city}!"))
}

/// Greets every city in turn.
#[orchestrator]
async fn hello_cities(
    ctx: OrchestrationContext<Progress>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let total = cities.len();
    let mut greetings = Vec::new();
    for city in cities {
        ctx.set_custom_status(&Progress { done: greetings.len(), total, greeting: Some(city.clone()) })?;
        greetings.push(say_hello::call(&ctx, city).await?);
    }
    ctx.set_custom_status(&Progress { done: total, total, greeting: None })?;
    Ok(greetings)
}

/// The possible choices. After the choice, what is left of them.
#[derive(Debug, Serialize, Deserialize)]
struct Recommendation {
    cities: Vec<String>,
    seasons: Vec<String>,
}

/// What the user chose.
#[external_event]
struct CityChosen(String);

/// Recommends cities, waits for a choice, and refines the recommendation.
#[orchestrator]
async fn recommend_city(ctx: OrchestrationContext<Recommendation>, interest: u8) -> Result<String, OrchestrationError> {
    let (cities, seasons) = match interest {
        1 => (["Kyoto", "Prague", "Cusco"], ["spring", "autumn"]),
        2 => (["Lisbon", "Split", "Cape Town"], ["summer", "autumn"]),
        3 => (["Sapporo", "Innsbruck", "Banff"], ["winter", "summer"]),
        _ => return Err(format!("there is no interest {interest}").into()),
    };
    let cities = cities.map(str::to_owned).to_vec();
    ctx.set_custom_status(&Recommendation { cities: cities.clone(), seasons: seasons.map(str::to_owned).to_vec() })?;
    let CityChosen(choice) = CityChosen::wait(&ctx).await?;
    if !cities.contains(&choice) {
        return Err(format!("{choice} is not one of the recommended cities: {}", cities.join(", ")).into());
    }
    let season = seasons[0].to_owned();
    ctx.set_custom_status(&Recommendation { cities: vec![choice.clone()], seasons: vec![season.clone()] })?;
    Ok(format!("Go to {choice} in {season}."))
}

/// An offer and its outcome.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Booking {
    Offered { discount_percent: u8, answer_within_seconds: u32, answer_until: String, booking_address: String },
    Closed { message: String },
}

/// The answer to the offer.
#[external_event]
struct BookingConfirmed(bool);

/// Offers tickets, and reports the outcome.
#[orchestrator]
async fn reserve_ticket(
    ctx: OrchestrationContext<Booking>,
    seats: u8,
    within: u32,
) -> Result<String, OrchestrationError> {
    let time = Duration::from_secs(within.into());
    ctx.set_custom_status(&Booking::Offered {
        discount_percent: seats.saturating_sub(1).min(4) * 5,
        answer_within_seconds: within,
        answer_until: format!("{:?}", ctx.current_time() + time),
        booking_address: format!("https://tickets.example/{}/{}", ctx.instance_id(), ctx.new_uuid()),
    })?;
    let answer = BookingConfirmed::wait(&ctx).timeout(&ctx, time).await;
    let (outcome, message) = match answer {
        Ok(Ok(BookingConfirmed(true))) => ("confirmed", "Thank you! Your seats are reserved."),
        Ok(Ok(BookingConfirmed(false))) => ("declined", "You declined the offer. The seats are released."),
        Ok(Err(unreadable)) => return Err(unreadable.into()),
        Err(TimedOut { .. }) => ("too late", "You did not answer in time. The offer has expired."),
    };
    ctx.set_custom_status(&Booking::Closed { message: message.to_owned() })?;
    Ok(outcome.to_owned())
}

/// Starts a runtime with these orchestrations on this store, and binds its API without serving it yet.
pub(crate) async fn server(
    store: Arc<dyn Store>,
    pace: &Pace,
    options: HttpOptions,
) -> Result<(Runtime, Server), Box<dyn std::error::Error>> {
    let runtime = Runtime::builder().shared_store(store).state(pace.clone()).auto_register().start().await?;
    let server = Server::bind(runtime.client().clone(), options).await?;
    Ok((runtime, server))
}
