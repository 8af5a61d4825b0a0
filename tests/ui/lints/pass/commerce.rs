//! Ten orchestrators of a shop: not one of them may meet a warning.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use persevere::prelude::*;

/// An order as customers place it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Order {
    id: u64,
    lines: Vec<Line>,
    customer: String,
}

/// One line of an order.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Line {
    article: String,
    amount: u32,
    cents: u64,
}

impl Order {
    fn total(&self) -> u64 {
        self.lines.iter().map(|line| line.cents * u64::from(line.amount)).sum()
    }
}

/// How far an order is.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Stage {
    /// It has been placed.
    Placed,
    /// It has been paid.
    Paid {
        /// The receipt.
        receipt: String,
    },
    /// It is on its way.
    Shipped(String),
}

#[activity]
async fn charge(customer: String, cents: u64) -> Result<String, ActivityError> {
    Ok(format!("{customer} paid {cents}"))
}

#[activity]
async fn refund(receipt: String) -> Result<(), ActivityError> {
    drop(receipt);
    Ok(())
}

#[activity]
async fn reserve(article: String, amount: u32) -> Result<bool, ActivityError> {
    Ok(!article.is_empty() && amount < 100)
}

#[activity]
async fn release(article: String) -> Result<(), ActivityError> {
    drop(article);
    Ok(())
}

#[activity]
async fn ship(order: Order) -> Result<String, ActivityError> {
    Ok(format!("parcel {}", order.id))
}

#[activity]
async fn mail(to: String, text: String) -> Result<(), ActivityError> {
    drop((to, text));
    Ok(())
}

#[activity]
async fn price(article: String) -> Result<u64, ActivityError> {
    Ok(article.len() as u64)
}

/// The customer changed their mind.
#[external_event]
struct OrderCancelled;

/// Somebody in the office decided.
#[external_event]
struct Decision {
    accepted: bool,
    by: String,
}

/// Something was put into the cart.
#[external_event]
struct CartChanged(Vec<String>);

/// Charges, ships, and takes the money back when the shipment fails.
#[orchestrator]
async fn process_order(ctx: OrchestrationContext<Stage>, order: Order) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&Stage::Placed)?;
    let receipt = charge::call(&ctx, order.customer.clone(), order.total()).await?;
    ctx.set_custom_status(&Stage::Paid { receipt: receipt.clone() })?;
    match ship::call(&ctx, order.clone()).await {
        Ok(parcel) => {
            ctx.set_custom_status(&Stage::Shipped(parcel.clone()))?;
            Ok(parcel)
        }
        Err(error) => {
            tracing::warn!(order = order.id, %error, "no parcel");
            refund::call(&ctx, receipt).await?;
            Err(error.into())
        }
    }
}

/// A saga: what was reserved is released in reverse order.
#[orchestrator]
async fn reserve_all(ctx: OrchestrationContext, order: Order) -> Result<bool, OrchestrationError> {
    let mut reserved = Vec::new();
    for Line { article, amount, .. } in &order.lines {
        if reserve::call(&ctx, article.clone(), *amount).await? {
            reserved.push(article.as_str());
            continue;
        }
        while let Some(article) = reserved.pop() {
            release::call(&ctx, article.to_owned()).await?;
        }
        return Ok(false);
    }
    Ok(true)
}

/// Waits three days for a decision.
#[orchestrator(name = "Approval")]
async fn approval(ctx: OrchestrationContext, order: Order, limit: u64) -> Result<bool, OrchestrationError> {
    if order.total() <= limit {
        return Ok(true);
    }
    mail::call(&ctx, "office".into(), format!("order {} needs a decision", order.id)).await?;
    match Decision::wait(&ctx).timeout(&ctx, Duration::from_secs(3 * 24 * 60 * 60)).await {
        Ok(decision) => {
            let Decision { accepted, by } = decision?;
            Ok(accepted && by != order.customer)
        }
        Err(_late) => Ok(false),
    }
}

/// The cart is forgotten when nothing happens for an hour.
#[orchestrator]
async fn cart(ctx: OrchestrationContext<usize>, customer: String) -> Result<Vec<String>, OrchestrationError> {
    let mut content = Vec::new();
    loop {
        let idle = ctx.create_timer(Duration::from_secs(3600));
        select! {
            changed = CartChanged::wait(&ctx) => {
                content = changed?.0;
                ctx.set_custom_status(&content.len())?;
            }
            _ = idle => break,
        }
    }
    if !content.is_empty() {
        mail::call(&ctx, customer, "something is still in your cart".to_owned()).await?;
    }
    Ok(content)
}

/// Ships unless the order is cancelled within ten minutes.
#[orchestrator]
async fn ship_later(ctx: OrchestrationContext, order: Order) -> Result<Option<String>, OrchestrationError> {
    let waited = select! {
        _ = OrderCancelled::wait(&ctx) => false,
        _ = ctx.create_timer(Duration::from_secs(600)) => true,
    };
    Ok(if waited { Some(ship::call(&ctx, order).await?) } else { None })
}

/// Charges every month, for ever, with a new history each time.
#[orchestrator]
async fn subscription(ctx: OrchestrationContext<u32>, customer: String, month: u32) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&month)?;
    charge::call(&ctx, customer.clone(), 999).await?;
    let cancelled = OrderCancelled::wait(&ctx).timeout(&ctx, Duration::from_secs(30 * 24 * 60 * 60)).await.is_ok();
    if cancelled {
        return Ok(());
    }
    subscription::continue_as_new(&ctx, customer, month + 1).await
}

/// Prices of many articles, in the order of the request.
#[orchestrator]
async fn quote(ctx: OrchestrationContext, articles: Vec<String>) -> Result<BTreeMap<String, u64>, OrchestrationError> {
    let prices = ctx.try_join_all(articles.iter().cloned().map(|article| price::call(&ctx, article))).await?;
    Ok(articles.into_iter().zip(prices).collect())
}

/// A map is fine as long as its order decides over nothing.
#[orchestrator]
async fn discount(ctx: OrchestrationContext, rates: HashMap<String, u64>, order: Order) -> Result<u64, OrchestrationError> {
    let mut total = 0;
    for line in &order.lines {
        let rate = rates.get(&line.article).copied().unwrap_or(100);
        total += price::call(&ctx, line.article.clone()).await? * rate / 100;
    }
    let highest = rates.values().copied().max().unwrap_or_default();
    let mut known: Vec<_> = rates.keys().cloned().collect();
    known.sort();
    for article in known {
        total += price::call(&ctx, article).await?;
    }
    Ok(total.min(highest))
}

/// Returns are inspected by a sub-orchestration, the letter goes out meanwhile.
#[orchestrator]
async fn return_goods(ctx: OrchestrationContext, order: Order) -> Result<bool, OrchestrationError> {
    let (accepted, letter) =
        join!(approval::call(&ctx, order.clone(), 100), mail::call(&ctx, order.customer.clone(), "got it".into()));
    if let Err(error) = letter {
        tracing::info!(%error, "the letter was lost");
    }
    let accepted = accepted?;
    if accepted {
        process_order::start_detached(&ctx, order)?;
    }
    Ok(accepted)
}

/// Three attempts, with growing pauses.
#[orchestrator]
async fn insist(ctx: OrchestrationContext, customer: String, cents: u64) -> Result<String, OrchestrationError> {
    let mut pause = Duration::from_secs(1);
    for attempt in 1..=3_u32 {
        match charge::call(&ctx, customer.clone(), cents).await {
            Ok(receipt) => return Ok(receipt),
            Err(error) if attempt == 3 => return Err(error.into()),
            Err(_) => ctx.create_timer(pause).await,
        }
        pause *= 2;
    }
    unreachable!("the third attempt returns")
}

fn main() {
    let registry = persevere::Registry::auto().unwrap();
    assert_eq!(registry.orchestrator("Approval", "").unwrap().calls.len(), 2, "a call and a wait");
}
