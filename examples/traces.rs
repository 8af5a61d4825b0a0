//! One trace from the start of an order to the end of its shipment, also across a crash: as a tree in the terminal and, if you
//! have a collector, over OTLP.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it shows")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use persevere::{prelude::*, telemetry::ReplayFilter};
use persevere_examples::{exit, start_or_continue};
use tracing::Instrument;
use tracing_subscriber::prelude::*;

/// Processes an order and shows its trace
#[derive(Parser)]
struct Options {
    /// Abort the process in the middle of the payment
    #[arg(long)]
    crash: bool,
    /// Send the spans to this OTLP collector, such as http://localhost:4318
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// The database file
    #[arg(long, default_value = "traces.db")]
    database: PathBuf,
}

static CRASHES: AtomicBool = AtomicBool::new(false);

/// Reserves the goods.
#[activity]
async fn reserve(item: String) -> Result<String, ActivityError> {
    Ok(format!("{item} from shelf 7"))
}

/// Charges the customer. This is where `--crash` aborts.
#[activity]
async fn charge(_reserved: String) -> Result<(), ActivityError> {
    if CRASHES.load(Ordering::Relaxed) {
        eprintln!("Aborting in the middle of the payment. Run the program again to continue.");
        std::process::abort();
    }
    Ok(())
}

/// Packs the goods and returns the number of the parcel.
#[activity]
async fn pack(goods: String) -> Result<String, ActivityError> {
    Ok(format!("parcel with {goods}"))
}

/// Ships the goods. It is an orchestration of its own.
#[orchestrator]
async fn ship(ctx: OrchestrationContext, goods: String) -> Result<String, OrchestrationError> {
    Ok(pack::call(&ctx, goods).await?)
}

/// Reserves, charges and ships.
#[orchestrator]
async fn order(ctx: OrchestrationContext, item: String) -> Result<String, OrchestrationError> {
    let goods = reserve::call(&ctx, item).await?;
    charge::call(&ctx, goods.clone()).await?;
    Ok(ship::call(&ctx, goods).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    CRASHES.store(options.crash, Ordering::Relaxed);
    let kept = InMemorySpanExporter::default();
    let mut provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone());
    if let Some(url) = &options.otlp {
        let exporter = SpanExporter::builder().with_http().with_endpoint(format!("{url}/v1/traces")).build()?;
        provider = provider.with_batch_exporter(exporter);
    }
    let provider = provider.build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("traces"));
    tracing_subscriber::registry().with(spans).with(ReplayFilter::new()).init();

    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).auto_register().start().await?;
    let request = tracing::info_span!("request", otel.kind = "server");
    let begins =
        async { start_or_continue(runtime.client(), "order", order::start(runtime.client(), "a lamp".into())).await };
    let handle = begins.instrument(request).await?;
    println!("{}", if handle.was_created() { "A new order." } else { "Continuing the order, in the same trace." });
    println!("Shipped: {}", handle.result().await?);
    runtime.shutdown().await?;
    let of_order = |span: &&SpanData| span.name.starts_with("orchestration:") || span.name.starts_with("activity:");
    let spans = kept.get_finished_spans()?;
    if let Some(span) = spans.iter().find(of_order) {
        println!("Trace {}", span.span_context.trace_id());
    }
    // The parents of these spans may have ended in an earlier process.
    let known = |id: SpanId| spans.iter().any(|span| span.span_context.span_id() == id);
    spans.iter().filter(of_order).filter(|span| !known(span.parent_span_id)).for_each(|span| print(span, &spans, 0));
    spans.iter().filter(|span| span.name == "request").for_each(|span| print(span, &spans, 0));
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

/// Prints a span and, below it, those that it called.
fn print(span: &SpanData, spans: &[SpanData], depth: usize) {
    println!("{:indent$}{}", "", span.name, indent = depth * 2);
    let mut called: Vec<_> = spans.iter().filter(|child| child.parent_span_id == span.span_context.span_id()).collect();
    called.sort_by_key(|child| child.start_time);
    called.into_iter().for_each(|child| print(child, spans, depth + 1));
}
