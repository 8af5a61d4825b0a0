//! Gives clients data to present: the orchestrator publishes the possible choices as its custom status, and the user's
//! choice comes back as an event.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use persevere::prelude::*;
use persevere_examples::{ask, exit};

const INTERESTS: &str = "1: old towns, 2: the sea, 3: snow";

/// Recommends cities and seasons for an interest, then narrows the recommendation to the city that you choose
#[derive(Parser)]
struct Options {
    /// 1: old towns, 2: the sea, 3: snow [default: ask]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=3))]
    interest: Option<u8>,
    /// The city to choose [default: ask]
    #[arg(long, value_name = "CITY")]
    choose: Option<String>,
    /// The database file
    #[arg(long, default_value = "city_recommender.db")]
    database: PathBuf,
}

/// The custom status: the cities to choose from; after the choice, the chosen city alone.
#[derive(Debug, Serialize, Deserialize)]
struct Recommendation {
    cities: Vec<String>,
    seasons: Vec<String>,
}

/// The city that the user chose.
#[external_event]
struct CityChosen(String);

/// Why there is no recommendation.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum RecommendError {
    #[error("there is no interest {0}")]
    UnknownInterest(u8),
    #[error("{choice} is not one of the recommended cities: {}", .cities.join(", "))]
    NotRecommended { choice: String, cities: Vec<String> },
    #[error(transparent)]
    Status(#[from] CustomStatusError),
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Call(#[from] CallError<ActivityError>),
}

/// Looks up the best season for a city.
#[activity]
async fn best_season(city: String) -> Result<String, ActivityError> {
    let season = match city.as_str() {
        "Kyoto" | "Prague" => "spring",
        "Cusco" | "Split" => "autumn",
        "Lisbon" | "Cape Town" | "Banff" => "summer",
        "Sapporo" | "Innsbruck" => "winter",
        _ => return Err(format!("there is no season for {city}").into()),
    };
    Ok(season.to_owned())
}

/// Recommends cities, waits for a choice, and adds the best season for the chosen city.
#[orchestrator]
async fn recommend_city(ctx: OrchestrationContext<Recommendation>, interest: u8) -> Result<String, RecommendError> {
    let (cities, seasons) = match interest {
        1 => (["Kyoto", "Prague", "Cusco"], ["spring", "autumn"]),
        2 => (["Lisbon", "Split", "Cape Town"], ["summer", "autumn"]),
        3 => (["Sapporo", "Innsbruck", "Banff"], ["winter", "summer"]),
        _ => return Err(RecommendError::UnknownInterest(interest)),
    };
    let cities = cities.map(str::to_owned).to_vec();
    ctx.set_custom_status(&Recommendation { cities: cities.clone(), seasons: seasons.map(str::to_owned).to_vec() })?;

    let CityChosen(choice) = CityChosen::wait(&ctx).await?;
    let Some(city) = cities.iter().find(|city| city.eq_ignore_ascii_case(&choice)) else {
        return Err(RecommendError::NotRecommended { choice, cities });
    };
    let season = best_season::call(&ctx, city.clone()).await?;
    ctx.set_custom_status(&Recommendation { cities: vec![city.clone()], seasons: vec![season.clone()] })?;
    Ok(format!("Go to {city} in {season}."))
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let interest = match options.interest {
        Some(interest) => interest,
        None => answer(&format!("What do you like? {INTERESTS}")).await?.parse()?,
    };
    let store = SqliteStore::open(options.database)?;
    let runtime = Runtime::builder().store(store).auto_register().start().await?;
    // If an instance for this interest is still waiting for a choice, this returns that one.
    let trip = recommend_city::start(runtime.client(), interest)
        .instance_id(format!("interest-{interest}"))
        .on_existing(persevere::IdReusePolicy::ReplaceEnded)
        .await?;

    let Recommendation { cities, seasons } = trip.wait_for_custom_status(|_| true).await?;
    println!("Cities:  {}", cities.join(", "));
    println!("Seasons: {}", seasons.join(", "));
    let city = match options.choose {
        Some(city) => city,
        None => answer("Which city?").await?,
    };
    trip.raise_event(CityChosen(city)).await?;
    println!("{}", trip.result().await?);
    println!("Custom status: {}", trip.metadata().await?.serialized_custom_status().unwrap_or("none"));
    runtime.shutdown().await?;
    Ok(())
}

async fn answer(question: &str) -> Result<String, Box<dyn Error>> {
    ask(question).await?.ok_or_else(|| "no answer was given: pass it as an argument (see --help)".into())
}
