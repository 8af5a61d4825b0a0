//! The orchestrations of the other examples over HTTP, and a page that starts, watches and answers them.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

mod page;

/// The other examples, unchanged. Their orchestrations and activities are registered together with the rest.
#[path = ".."]
#[allow(dead_code, reason = "their command lines are not used here")]
mod examples {
    mod city_recommender;
    pub(crate) mod hello_cities;
    mod reserve_ticket;
}

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use persevere::http::{HttpOptions, Server};
use persevere::prelude::*;
use persevere_examples::exit;

use examples::hello_cities::GreetingLog;

/// Serves the Durable Functions HTTP API, and a page that uses it.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7071")]
    bind: SocketAddr,
    /// Where the orchestrations live; `hello_cities.log` beside it gets a line for each greeting
    #[arg(long, default_value = "http_server.db")]
    database: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let log = GreetingLog::beside(&options.database);
    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).state(log).auto_register().start().await?;

    let api = HttpOptions::new().bind(options.bind);
    let server = Server::bind(runtime.client().clone(), api).await?.merge(page::routes());
    println!("Open http://{} in a browser. Ctrl-C ends it.", server.local_addr());
    server.run_until(stopped()).await;

    println!("Unfinished orchestrations continue when you start it again.");
    runtime.shutdown().await?;
    Ok(())
}

/// Waits for Ctrl-C, or for the SIGTERM of a service manager.
async fn stopped() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without this signal, the process can only be ended from outside.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = ctrl_c => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => drop(terminated.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
