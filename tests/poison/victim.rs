//! The process that its own work ends: `poison_victim <file of the store> <begin | go on> <turn | activity>`.
//!
//! `begin` starts healthy instances and one that ends the process, and the process ends. `go on` ends in the same way, or
//! prints how many healthy instances have finished, and why the other one is parked.

use std::hint::black_box;
use std::io::Write;

use persevere::prelude::*;

const HEALTHY: u32 = 50;

/// What the activities do in this process.
struct Mode {
    begins: bool,
}

/// Never returns in the first process, so that every instance has work left when that ends.
#[activity]
async fn work(cx: &ActivityContext, number: u32) -> Result<u32, ActivityError> {
    if cx.state::<Mode>().begins {
        std::future::pending::<()>().await;
    }
    Ok(number)
}

#[activity]
async fn ready() -> Result<(), ActivityError> {
    Ok(())
}

#[activity]
async fn abort() -> Result<(), ActivityError> {
    std::process::abort()
}

#[orchestrator]
async fn healthy(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    Ok(work::call(&ctx, number).await?)
}

#[orchestrator]
async fn aborts_in_an_activity(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    abort::call(&ctx).await?;
    Ok(())
}

#[orchestrator]
async fn overflows_in_a_turn(ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
    ready::call(&ctx).await?;
    Ok(deep(u64::MAX))
}

/// Calls itself until the stack is full.
#[allow(unconditional_recursion, reason = "the stack must overflow")]
fn deep(left: u64) -> u64 {
    let room = black_box([left; 64]);
    room[0] ^ black_box(deep(left - 1))
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, mode, place] = &arguments[..] else { return Err("three arguments are needed".into()) };
    let begins = mode == "begin";
    let runtime =
        Runtime::builder().store(SqliteStore::open(file)?).auto_register().state(Mode { begins }).start().await?;
    let client = runtime.client();
    if begins {
        for number in 0..HEALTHY {
            healthy::start(client, number).instance_id(format!("healthy-{number}")).await?;
        }
        let start = if place == "turn" {
            overflows_in_a_turn::start(client).instance_id("bomb").await.map(drop)
        } else {
            aborts_in_an_activity::start(client).instance_id("bomb").await.map(drop)
        };
        start?;
        std::future::pending::<()>().await;
    }
    for number in 0..HEALTHY {
        let handle = client.handle::<healthy>(format!("healthy-{number}"))?;
        assert_eq!(handle.result().await?, number);
    }
    let bomb = client.get_instance("bomb").await?.ok_or("the bomb is gone")?;
    let reason = bomb.parked_reason().map_or_else(|| "not parked".to_owned(), ToString::to_string);
    writeln!(std::io::stdout(), "{HEALTHY} have finished; {reason}")?;
    runtime.shutdown().await?;
    Ok(())
}
