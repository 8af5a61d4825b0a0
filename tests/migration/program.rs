//! The orchestrators of the stores in `data`. Older versions of the library wrote these stores and this version
//! continues them, so this code must never change.

use std::time::Duration;

use persevere::InstanceId;
use persevere::prelude::*;

/// How many minutes `migrated_nap` sleeps and `migrated_full` waits.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

#[external_event]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amount(pub(crate) i64);

/// Whether tasks may end.
pub(crate) struct TasksEnd(pub(crate) bool);

#[activity]
pub(crate) async fn migrated_task(cx: &ActivityContext, name: String) -> Result<String, ActivityError> {
    if !cx.state::<TasksEnd>().0 {
        std::future::pending::<()>().await;
    }
    Ok(format!("{name} is done"))
}

#[orchestrator]
pub(crate) async fn migrated_sum(ctx: OrchestrationContext<i64>, count: u32) -> Result<i64, OrchestrationError> {
    let mut sum = 0;
    for _ in 0..count {
        sum += Amount::wait(&ctx).await?.0;
        ctx.set_custom_status(&sum)?;
    }
    Ok(sum)
}

#[orchestrator]
pub(crate) async fn migrated_fails(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Err(OrchestrationError::new("it failed on purpose"))
}

#[orchestrator]
pub(crate) async fn migrated_nap(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    ctx.create_timer(HOUR).await;
    Ok("rested".to_owned())
}

#[orchestrator]
pub(crate) async fn migrated_busy(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    Ok(migrated_task::call(&ctx, name).await?)
}

#[orchestrator]
pub(crate) async fn migrated_sender(ctx: OrchestrationContext, to: String) -> Result<(), OrchestrationError> {
    let to = InstanceId::new(to)?;
    for amount in 1..=3 {
        ctx.send_event(&to, &Amount(amount))?;
    }
    Ok(())
}

#[orchestrator]
pub(crate) async fn migrated_full(ctx: OrchestrationContext) -> Result<Vec<i64>, OrchestrationError> {
    ctx.create_timer(HOUR).await;
    let mut amounts = Vec::new();
    for _ in 0..3 {
        amounts.push(Amount::wait(&ctx).await?.0);
    }
    Ok(amounts)
}

#[orchestrator]
pub(crate) async fn migrated_rounds(ctx: OrchestrationContext<u32>, round: u32) -> Result<u32, OrchestrationError> {
    ctx.set_custom_status(&round)?;
    if round == 3 {
        Amount::wait(&ctx).await?;
        return Ok(round);
    }
    migrated_rounds::continue_as_new(&ctx, round + 1).await
}

#[orchestrator]
pub(crate) async fn migrated_parent(ctx: OrchestrationContext) -> Result<i64, OrchestrationError> {
    Ok(migrated_sum::call(&ctx, 1).instance_id(InstanceId::new("child")?).await?)
}

/// An orchestrator that was unknown to the last runtime that wrote the store.
#[orchestrator]
pub(crate) async fn migrated_absent(ctx: OrchestrationContext) -> Result<i64, OrchestrationError> {
    Ok(Amount::wait(&ctx).await?.0)
}
