//! The HTTP API with a few small orchestrations, for tools that use it from outside. The program prints its address and
//! serves until its standard input ends, so that it never outlives the process that started it.
//!
//! `--keys FILE` serves with keys, and `--database FILE` stores the instances. Without these options there are no keys,
//! and the store is in memory.

mod scenarios;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use persevere::http::{ApiKeys, HttpLimits, HttpOptions};
use persevere::prelude::*;
use persevere::store::Store;
use tokio::io::AsyncReadExt;

use scenarios::Pace;

/// What somebody orders.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

/// Whether the order may be sent.
#[external_event]
struct Approval {
    approved: bool,
    by: Option<String>,
}

/// Waits until its order is approved. It lists its events, so every other event is refused.
#[orchestrator(events(Approval))]
async fn approve_order(ctx: OrchestrationContext<String>, order: Order) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&format!("{} x {} wait for an approval", order.count, order.item))?;
    let Approval { approved, by } = Approval::wait(&ctx).await?;
    let by = by.unwrap_or_else(|| "nobody".to_owned());
    Ok(if approved { format!("{} is sent, approved by {by}", order.item) } else { format!("declined by {by}") })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut limits = HttpLimits::default();
    // Tools do not wait, but they still see the answer to a wait that times out.
    limits.wait_time = Duration::from_millis(100);
    let mut options = HttpOptions::new().bind(([127, 0, 0, 1], 0)).limits(limits);
    let mut store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or("an option without a value")?;
        match name.to_str() {
            Some("--keys") => options = options.keys(ApiKeys::from_file(PathBuf::from(value))?),
            Some("--database") => store = Arc::new(SqliteStore::open(PathBuf::from(value))?),
            _ => return Err("the options are `--keys FILE` and `--database FILE`".into()),
        }
    }
    let (runtime, server) = scenarios::server(store, &Pace::free(), options).await?;
    println!("http://{}", server.local_addr());
    let started_by = async {
        // Whatever the end of the server is, no reader is left.
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    };
    server.run_until(started_by).await;
    runtime.shutdown().await?;
    Ok(())
}
