//! The program of the first page, with every lint denied.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, rust_2018_idioms)]

use persevere::prelude::*;

/// How far it is.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Progress {
    city: String,
    done: usize,
}

/// Greets one city.
#[activity]
pub async fn say_hello(city: String) -> Result<String, ActivityError> {
    Ok(format!("Hello {city}!"))
}

/// Greets every city in turn.
#[orchestrator]
pub async fn hello_cities(
    ctx: OrchestrationContext<Progress>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for (i, city) in cities.iter().enumerate() {
        greetings.push(say_hello::call(&ctx, city.clone()).await?);
        ctx.set_custom_status(&Progress { city: city.clone(), done: i + 1 })?;
    }
    Ok(greetings)
}

fn main() {
    assert_eq!(<say_hello as persevere::Activity>::NAME, "say_hello");
    assert_eq!(<hello_cities as persevere::Orchestrator>::NAME, "hello_cities");
    assert_eq!(<hello_cities as persevere::Orchestrator>::VERSION, "");
    let registry = persevere::Registry::auto().unwrap();
    assert!(registry.orchestrator("hello_cities", "").is_some());
    assert!(registry.activity("say_hello").is_some());
}
