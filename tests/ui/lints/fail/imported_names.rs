//! Names that are imported, by the file or by the body, under their own name or another.
use std::process::Command;
use std::time::{Instant, SystemTime};
use std::{env, fs, process, thread};

use persevere::prelude::*;
use tokio::sync::Notify;
use tokio::time;

mod host {
    pub(crate) use std::env::*;
    pub(crate) use std::time::Instant;
}

#[orchestrator]
async fn by_the_file(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _ = (Instant::now(), SystemTime::now(), std::time::Instant::now());
    let _ = (env::var("HOME"), host::Instant::now());
    let _ = fs::read_to_string("a");
    let _ = Command::new("ls");
    thread::sleep(std::time::Duration::from_secs(1));
    time::sleep(std::time::Duration::from_secs(1)).await;
    let pause = time::sleep(std::time::Duration::from_secs(1));
    pause.await;
    let _ = Notify::new();
    ctx.create_timer(std::time::Duration::from_secs(1)).await;
    process::exit(1)
}

#[orchestrator]
async fn by_the_body(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    use std::env::var;
    use std::time::SystemTime as Clock;
    use tokio::spawn as begin;
    use tokio::time::sleep;
    let _ = var("HOME");
    let _ = Clock::now();
    begin(std::future::ready(1));
    sleep(std::time::Duration::from_secs(1)).await;
    Ok(())
}

fn main() {
    let _ = host::var("HOME");
}
