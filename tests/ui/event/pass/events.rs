//! Events of every shape, with and without derives of the user's own.
#![deny(warnings, missing_docs, missing_debug_implementations)]
#![forbid(unsafe_code)]

use persevere::prelude::*;

/// Confirmed or declined.
#[external_event]
#[derive(Debug)]
pub struct BookingConfirmed(pub bool);

/// Stop.
#[external_event(name = "stop-it")]
#[derive(Debug, PartialEq)]
pub struct Stop;

/// A choice.
#[external_event]
#[derive(Debug, Clone, serde::Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// One.
    FirstCity {
        /// Its name.
        name: String,
    },
    /// Another.
    Other,
}

#[external_event]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<bool, OrchestrationError> {
    Stop::wait(&ctx).await?;
    let order = Order::wait(&ctx).await?;
    drop(order.order_id);
    match Choice::wait(&ctx).await? {
        Choice::FirstCity { name } => drop(name),
        Choice::Other => {}
    }
    Ok(BookingConfirmed::wait(&ctx).await?.0)
}

fn main() {
    assert_eq!(<BookingConfirmed as persevere::ExternalEvent>::NAME, "BookingConfirmed");
    assert_eq!(<Stop as persevere::ExternalEvent>::NAME, "stop-it");
    assert_eq!(serde_json::to_string(&Order { order_id: "1".into() }).unwrap(), r#"{"orderId":"1"}"#);
    assert_eq!(serde_json::to_string(&BookingConfirmed(true)).unwrap(), "true");
    assert_eq!(serde_json::from_str::<Stop>("null").unwrap(), Stop);
}
