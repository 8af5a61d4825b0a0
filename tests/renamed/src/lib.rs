//! Uses the crate under another name, without any other dependency, in an older edition, and with every lint.
#![forbid(unsafe_code)]
#![deny(warnings, clippy::pedantic, missing_docs, unreachable_pub)]
#![allow(clippy::unused_async, reason = "an activity is async also when it has nothing to wait for")]

use durable::prelude::*;

mod no_prelude;

/// Greets one city.
///
/// # Errors
/// Never.
#[activity(crate = durable)]
pub async fn say_hello(_ctx: &ActivityContext, city: String) -> Result<String, ActivityError> {
    Ok(format!("Hello {city}!"))
}

/// Go on.
#[external_event(crate = durable)]
#[derive(Debug)]
pub struct GoOn(pub bool);

/// Greets twice.
///
/// # Errors
/// Greeting failed.
#[orchestrator_fn(crate = durable)]
pub async fn twice(ctx: &Context, city: &str) -> Result<String, OrchestrationError> {
    let (first, second) =
        try_join!(say_hello::call(ctx, city.to_owned()), async { say_hello::call(ctx, city.to_owned()).await })?;
    Ok(first + &second)
}

/// Greets every city in turn.
///
/// # Errors
/// Greeting failed.
#[orchestrator(crate = durable, version = "2")]
pub async fn hello_cities(
    ctx: OrchestrationContext<u32>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for city in cities {
        greetings.push(twice(&ctx, &city).await?);
        ctx.set_custom_status(&1)?;
    }
    let goes_on = select! {
        event = GoOn::wait(&ctx) => event?.0,
        greeting = say_hello::call(&ctx, "nobody".to_owned()) => greeting?.is_empty(),
    };
    let _ = durable::join!(std::future::ready(goes_on));
    Ok(greetings)
}

durable::declare_activity! {
    /// Sends a parcel.
    #[activity(name = "Ship")]
    pub fn ship(order: u64, city: String) -> Result<String, ActivityError>;

    /// Nothing.
    pub async fn nothing() -> Result<(), ActivityError>;
}

durable::declare_orchestrator! {
    /// Settles an order.
    #[orchestrator(version = "2")]
    pub fn settle(ctx: OrchestrationContext<u8>, order: u64) -> Result<bool, OrchestrationError>;
}

/// Uses what runs elsewhere.
///
/// # Errors
/// It failed there.
#[orchestrator(crate = durable)]
pub async fn elsewhere(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    nothing::call(&ctx).await?;
    settle::call(&ctx, 1).await?;
    Ok(ship::call(&ctx, 1, "Tokyo".to_owned()).await?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_declared_has_a_name_and_no_registration() {
        use durable::{Activity, Orchestrator};
        assert_eq!((super::ship::NAME, super::nothing::NAME), ("Ship", "nothing"));
        assert_eq!((super::settle::NAME, super::settle::VERSION), ("settle", "2"));
        let registry = durable::Registry::auto().unwrap();
        assert!(registry.activity("Ship").is_none() && registry.orchestrator("settle", "2").is_none());
    }

    #[test]
    fn everything_is_registered_under_its_own_name() {
        let registry = durable::Registry::auto().unwrap();
        assert!(registry.activity("say_hello").is_some());
        assert_eq!(registry.orchestrator("hello_cities", "2").unwrap().marker, "hello_cities");
        assert!(registry.orchestrator("hello_cities", "").is_none());
    }
}
