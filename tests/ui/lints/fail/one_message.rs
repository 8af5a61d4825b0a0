//! One mistake is one message, however often its value is used.
use std::panic::AssertUnwindSafe;

use persevere::prelude::*;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

trait CatchUnwind: Sized {
    fn catch_unwind(self) -> std::future::Pending<u8>;
}

impl<F> CatchUnwind for AssertUnwindSafe<F> {
    fn catch_unwind(self) -> std::future::Pending<u8> {
        std::future::pending()
    }
}

#[orchestrator]
async fn channels(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let (sender, mut receiver) = mpsc::channel(1);
    let _ = sender.send(1_u8).await;
    while let Some(_number) = receiver.recv().await {}
    Ok(())
}

#[orchestrator]
async fn tasks(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async { 1 });
    while let Some(_number) = tasks.join_next().await {}
    Ok(())
}

#[orchestrator]
async fn unwinding(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    AssertUnwindSafe(1).catch_unwind().await;
    Ok(())
}

fn main() {}
