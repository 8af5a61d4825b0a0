//! The HTTP API with a few small orchestrations, for tools that use it from outside. The program prints its address and
//! serves until its standard input ends, so that it never outlives the process that started it.
//!
//! `--keys FILE` serves with keys, and `--database FILE` stores the instances. Without these options there are no keys,
//! and the store is in memory.
//! `--nested PREFIX` serves the router in an axum application, below this prefix, until SIGTERM.

mod scenarios;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use persevere::http::{ApiKeys, HttpLimits, HttpOptions, Management};
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
    let mut prefix = None;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or("an option without a value")?;
        match name.to_str() {
            Some("--keys") => options = options.keys(ApiKeys::from_file(PathBuf::from(value))?),
            Some("--database") => store = Arc::new(SqliteStore::open(PathBuf::from(value))?),
            Some("--nested") => prefix = value.into_string().ok(),
            _ => return Err("the options are `--keys FILE`, `--database FILE` and `--nested PREFIX`".into()),
        }
    }
    if let Some(prefix) = prefix {
        return nested(&prefix, store, options.limits(HttpLimits::default())).await;
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

/// An application of the program's own that contains the router, as docs/http.md shows it.
async fn nested(prefix: &str, store: Arc<dyn Store>, options: HttpOptions) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder().shared_store(store).state(Pace::free()).auto_register().start().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}{prefix}", listener.local_addr()?);
    let management = Management::new(runtime.client().clone(), options.public_base_url(&base))?;
    let app = axum::Router::new().nest(prefix, management.router());
    println!("{base}");
    let shutdown = async move {
        terminated().await;
        management.close();
    };
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await?;
    runtime.shutdown().await?;
    println!("The application has ended.");
    Ok(())
}

#[cfg(unix)]
async fn terminated() {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a handler");
    terminated.recv().await;
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
