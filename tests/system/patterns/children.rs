//! Sub-orchestrations: attached, detached, failing, and ended with their parent.

use std::time::Duration;

use persevere::prelude::*;
use persevere::{CancellationReason, InstanceId, ParentClosePolicy, ResultError, RuntimeStatus};

use crate::system::patterns::together::Answer;
use crate::system::stage::{Stage, echo, handle, job, on_every_stage};

on_every_stage! {
    a_sub_orchestration_returns_to_its_parent
    sub_orchestrations_side_by_side
    a_failure_crosses_the_border_typed
    a_panic_of_a_sub_orchestration_is_a_failure_of_the_call
    a_terminated_sub_orchestration_is_a_failure_of_the_call
    an_id_that_is_in_use_fails_the_call
    a_fixed_id_in_every_round_of_a_loop
    a_parent_that_is_started_again_calls_its_child_by_the_same_id
    a_call_waits_for_the_instance_that_has_the_id
    a_detached_start_goes_on_without_its_starter
    a_sub_orchestration_that_loses_ends
    a_sub_orchestration_goes_on_when_its_call_says_so
    terminate_ends_children_and_theirs
    terminate_leaves_alone_what_the_code_lets_go_on
    terminate_recursively_ends_children_and_theirs
    code_terminates_another_instance
    a_restart_in_the_middle_finds_parent_and_child_again
    nesting_has_a_limit
}

#[derive(thiserror::Error, Debug, Clone, PartialEq, Serialize, Deserialize)]
enum ShipError {
    #[error("{0} is out of stock")]
    OutOfStock(String),
}

#[orchestrator]
async fn ship(ctx: OrchestrationContext<String>, what: String) -> Result<String, ShipError> {
    if what == "unicorn" {
        return Err(ShipError::OutOfStock(what));
    }
    assert!(what != "anvil", "too heavy");
    let _ = ctx.set_custom_status(&format!("shipping {what}"));
    let shipped = job::call(&ctx, what).await;
    Ok(shipped.unwrap_or_else(|error| error.to_string()))
}

#[orchestrator]
async fn order(ctx: OrchestrationContext, what: String) -> Result<String, OrchestrationError> {
    let id = format!("shipment of {what}");
    match ship::call(&ctx, what).instance_id(InstanceId::new(id)?).await {
        Ok(shipped) => Ok(format!("shipped: {shipped}")),
        Err(CallError::App { error, .. }) => Ok(format!("typed: {error}")),
        Err(other) => Ok(format!("failed: {other:#}")),
    }
}

async fn a_sub_orchestration_returns_to_its_parent(stage: Stage) {
    let runtime = stage.runtime().await;
    let order = order::start(runtime.client(), "book".to_owned()).instance_id("o").await.unwrap();
    stage.book.begun("book").await;
    let child = handle::<ship>(&runtime, "shipment of book").metadata().await.unwrap();
    assert_eq!(child.parent_id().map(InstanceId::as_str), Some("o"));
    stage.book.let_end("book");
    assert_eq!(order.result().await.unwrap(), "shipped: book is done");
    assert_eq!(handle::<ship>(&runtime, "shipment of book").result().await.unwrap(), "book is done");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn orders(ctx: OrchestrationContext, what: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    Ok(ctx.try_join_all(what.into_iter().map(|what| order::call(&ctx, what))).await?)
}

async fn sub_orchestrations_side_by_side(stage: Stage) {
    let runtime = stage.runtime().await;
    let orders = orders::start(runtime.client(), ["a", "b", "unicorn"].map(str::to_owned).to_vec()).await.unwrap();
    stage.book.begun("b").await;
    stage.book.let_end("b");
    stage.book.begun("a").await;
    stage.book.let_end("a");
    let expected = ["shipped: a is done", "shipped: b is done", "typed: unicorn is out of stock"];
    assert_eq!(orders.result().await.unwrap(), expected);
    runtime.shutdown().await.unwrap();
}

async fn a_failure_crosses_the_border_typed(stage: Stage) {
    let runtime = stage.runtime().await;
    let order = order::start(runtime.client(), "unicorn".to_owned()).await.unwrap();
    assert_eq!(order.result().await.unwrap(), "typed: unicorn is out of stock");
    // The client gets the same error.
    let failed = handle::<ship>(&runtime, "shipment of unicorn").result().await.unwrap_err();
    assert_eq!(failed.app(), Some(&ShipError::OutOfStock("unicorn".to_owned())));
    runtime.shutdown().await.unwrap();
}

async fn a_panic_of_a_sub_orchestration_is_a_failure_of_the_call(stage: Stage) {
    let runtime = stage.runtime().await;
    let order = order::start(runtime.client(), "anvil".to_owned()).await.unwrap();
    let outcome = order.result().await.unwrap();
    assert!(outcome.starts_with("failed: ") && outcome.contains("too heavy"), "{outcome}");
    runtime.shutdown().await.unwrap();
}

async fn a_terminated_sub_orchestration_is_a_failure_of_the_call(stage: Stage) {
    let runtime = stage.runtime().await;
    let order = order::start(runtime.client(), "lamp".to_owned()).await.unwrap();
    stage.book.begun("lamp").await;
    runtime.client().terminate("shipment of lamp", "no lamps today").await.unwrap();
    let outcome = order.result().await.unwrap();
    assert!(outcome.starts_with("failed: ") && outcome.contains("no lamps today"), "{outcome}");
    runtime.shutdown().await.unwrap();
}

async fn an_id_that_is_in_use_fails_the_call(stage: Stage) {
    let runtime = stage.runtime().await;
    let first = order::start(runtime.client(), "vase".to_owned()).await.unwrap();
    stage.book.begun("vase").await;
    let second = order::start(runtime.client(), "vase".to_owned()).await.unwrap();
    let outcome = second.result().await.unwrap();
    assert!(outcome.starts_with("failed: ") && outcome.contains("already exists"), "{outcome}");
    stage.book.let_end("vase");
    assert_eq!(first.result().await.unwrap(), "shipped: vase is done");
    assert_eq!(stage.book.runs("vase"), 1);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn repeated_shipments(
    ctx: OrchestrationContext,
    policy: String,
    times: u32,
) -> Result<Vec<String>, OrchestrationError> {
    let policy = match policy.as_str() {
        "attach" => IdReusePolicy::Attach,
        _ => IdReusePolicy::ReplaceEnded,
    };
    let mut shipped = Vec::new();
    for _ in 0..times {
        let id = InstanceId::new("the shipment")?;
        shipped.push(ship::call(&ctx, "cup".to_owned()).instance_id(id).on_existing(policy).await?);
    }
    Ok(shipped)
}

async fn a_fixed_id_in_every_round_of_a_loop(stage: Stage) {
    let runtime = stage.runtime().await;
    stage.book.let_end("cup");
    let replaces = repeated_shipments::start(runtime.client(), "replace".to_owned(), 3).await.unwrap();
    assert_eq!(replaces.result().await.unwrap(), ["cup is done"; 3]);
    assert_eq!(stage.book.runs("cup"), 3);
    // The same work is done once.
    let attaches = repeated_shipments::start(runtime.client(), "attach".to_owned(), 3).await.unwrap();
    assert_eq!(attaches.result().await.unwrap(), ["cup is done"; 3]);
    assert_eq!(stage.book.runs("cup"), 3);
    runtime.shutdown().await.unwrap();
}

async fn a_parent_that_is_started_again_calls_its_child_by_the_same_id(stage: Stage) {
    let runtime = stage.runtime().await;
    stage.book.let_end("cup");
    let first =
        repeated_shipments::start(runtime.client(), "replace".to_owned(), 1).instance_id("parent").await.unwrap();
    first.result().await.unwrap();
    let runtime = stage.restart(runtime).await;
    runtime.client().restart("parent").await.unwrap();
    assert_eq!(handle::<repeated_shipments>(&runtime, "parent").result().await.unwrap(), ["cup is done"]);
    assert_eq!(stage.book.runs("cup"), 2);
    runtime.shutdown().await.unwrap();
}

async fn a_call_waits_for_the_instance_that_has_the_id(stage: Stage) {
    let runtime = stage.runtime().await;
    let started = ship::start(runtime.client(), "cup".to_owned()).instance_id("the shipment").await.unwrap();
    stage.book.begun("cup").await;
    let callers = ["attach", "replace"].map(|policy| repeated_shipments::start(runtime.client(), policy.to_owned(), 1));
    let mut waiting = Vec::new();
    for caller in callers {
        waiting.push(caller.await.unwrap());
    }
    // The calls wait over a restart too.
    let runtime = stage.restart(runtime).await;
    stage.book.let_end("cup");
    for caller in waiting {
        let caller = handle::<repeated_shipments>(&runtime, caller.id().as_str());
        assert_eq!(caller.result().await.unwrap(), ["cup is done"]);
    }
    assert_eq!(handle::<ship>(&runtime, started.id().as_str()).metadata().await.unwrap().parent_id(), None);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn starter(ctx: OrchestrationContext, what: String) -> Result<String, OrchestrationError> {
    let id = ship::start_detached(&ctx, what)?;
    Ok(id.as_str().to_owned())
}

async fn a_detached_start_goes_on_without_its_starter(stage: Stage) {
    let runtime = stage.runtime().await;
    let id = starter::start(runtime.client(), "kite".to_owned()).await.unwrap().result().await.unwrap();
    stage.book.begun("kite").await;
    let kite = handle::<ship>(&runtime, &id);
    assert_eq!(kite.metadata().await.unwrap().parent_id(), None);
    stage.book.let_end("kite");
    assert_eq!(kite.result().await.unwrap(), "kite is done");
    runtime.shutdown().await.unwrap();
}

/// Waits ten seconds for a shipment, and ends only when it is told to.
#[orchestrator]
async fn impatient(ctx: OrchestrationContext<String>, what: String, how: String) -> Result<String, OrchestrationError> {
    let mut call = ship::call(&ctx, what.clone()).instance_id(InstanceId::new(format!("shipment of {what}"))?);
    if how == "abandon" {
        call = call.parent_close_policy(ParentClosePolicy::Abandon);
    }
    let mut call = call.schedule();
    ctx.set_custom_status(&"waiting".to_owned())?;
    let shipped = select! {
        shipped = &mut call => Some(shipped?),
        _ = ctx.create_timer(Duration::from_secs(10)) => None,
    };
    match how.as_str() {
        "detach" => drop(call.detach()?),
        _ => drop(call),
    }
    ctx.set_custom_status(&"back".to_owned())?;
    Answer::wait(&ctx).await?;
    Ok(shipped.unwrap_or_else(|| "too late".to_owned()))
}

async fn a_sub_orchestration_that_loses_ends(stage: Stage) {
    let runtime = stage.runtime().await;
    let parent = impatient::start(runtime.client(), "moon".to_owned(), "drop".to_owned()).await.unwrap();
    stage.book.begun("moon").await;
    stage.clock.advance(Duration::from_secs(10));
    let child = handle::<ship>(&runtime, "shipment of moon");
    let ResultError::Terminated { reason } = child.result().await.unwrap_err() else { panic!("it was terminated") };
    assert!(reason.contains(parent.id().as_str()), "{reason}");
    assert_eq!(stage.book.cancelled("moon").await, CancellationReason::InstanceEnded);
    // Its id can be used again, and the parent goes on as before.
    ship::start(runtime.client(), "unicorn".to_owned())
        .instance_id("shipment of moon")
        .on_existing(IdReusePolicy::ReplaceEnded)
        .await
        .unwrap();
    let runtime = stage.restart(runtime).await;
    let parent = handle::<impatient>(&runtime, parent.id().as_str());
    parent.raise_event(Answer(String::new())).await.unwrap();
    assert_eq!(parent.result().await.unwrap(), "too late");
    runtime.shutdown().await.unwrap();
}

async fn a_sub_orchestration_goes_on_when_its_call_says_so(stage: Stage) {
    let runtime = stage.runtime().await;
    for how in ["abandon", "detach"] {
        let parent = impatient::start(runtime.client(), how.to_owned(), how.to_owned()).await.unwrap();
        stage.book.begun(how).await;
        stage.clock.advance(Duration::from_secs(10));
        parent.wait_for_custom_status(|shown| shown == "back").await.unwrap();
        parent.raise_event(Answer(String::new())).await.unwrap();
        assert_eq!(parent.result().await.unwrap(), "too late");
        stage.book.let_end(how);
        let child = handle::<ship>(&runtime, &format!("shipment of {how}"));
        assert_eq!(child.result().await.unwrap(), format!("{how} is done"));
    }
    runtime.shutdown().await.unwrap();
}

async fn terminate_ends_children_and_theirs(stage: Stage) {
    let runtime = stage.runtime().await;
    let orders = orders::start(runtime.client(), vec!["drum".to_owned()]).await.unwrap();
    stage.book.begun("drum").await;
    let runtime = stage.restart(runtime).await;
    handle::<orders>(&runtime, orders.id().as_str()).terminate("enough").await.unwrap();
    let child = handle::<ship>(&runtime, "shipment of drum");
    assert_eq!(child.result().await.unwrap_err(), ResultError::Terminated { reason: "enough".to_owned() });
    runtime.shutdown().await.unwrap();
}

async fn terminate_leaves_alone_what_the_code_lets_go_on(stage: Stage) {
    let runtime = stage.runtime().await;
    for (what, recursive) in [("bell", false), ("gong", true)] {
        let id = format!("shipment of {what}");
        let parent = impatient::start(runtime.client(), what.to_owned(), "abandon".to_owned()).await.unwrap();
        stage.book.begun(what).await;
        match recursive {
            true => parent.terminate("enough").recursive().await.unwrap(),
            false => parent.terminate("enough").await.unwrap(),
        }
        let child = handle::<ship>(&runtime, &id);
        if !recursive {
            assert_eq!(child.metadata().await.unwrap().runtime_status(), RuntimeStatus::Running);
        }
        stage.book.let_end(what);
        assert_eq!(child.result().await.is_ok(), !recursive, "{what}");
    }
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn closes(ctx: OrchestrationContext, id: String) -> Result<(), OrchestrationError> {
    Ok(ctx.terminate(&InstanceId::new(id)?, "closed")?)
}

async fn code_terminates_another_instance(stage: Stage) {
    let runtime = stage.runtime().await;
    let order = order::start(runtime.client(), "lute".to_owned()).await.unwrap();
    stage.book.begun("lute").await;
    closes::start(runtime.client(), order.id().as_str().to_owned()).await.unwrap().result().await.unwrap();
    assert_eq!(order.result().await.unwrap_err(), ResultError::Terminated { reason: "closed".to_owned() });
    let child = handle::<ship>(&runtime, "shipment of lute");
    assert_eq!(child.result().await.unwrap_err(), ResultError::Terminated { reason: "closed".to_owned() });
    // Nobody is there any more.
    for id in [order.id().as_str(), "nobody"] {
        closes::start(runtime.client(), id.to_owned()).await.unwrap().result().await.unwrap();
    }
    runtime.shutdown().await.unwrap();
}

async fn terminate_recursively_ends_children_and_theirs(stage: Stage) {
    let runtime = stage.runtime().await;
    let what = ["oboe", "viola"].map(str::to_owned).to_vec();
    let orders = orders::start(runtime.client(), what.clone()).await.unwrap();
    for what in &what {
        stage.book.begun(what).await;
    }
    // The children are found in each case: not in memory, live, or loading.
    let runtime = stage.restart(runtime).await;
    handle::<orders>(&runtime, orders.id().as_str()).terminate("no music").recursive().await.unwrap();
    for what in &what {
        let child = handle::<ship>(&runtime, &format!("shipment of {what}"));
        assert_eq!(child.result().await.unwrap_err(), ResultError::Terminated { reason: "no music".to_owned() });
        assert_eq!(child.metadata().await.unwrap().serialized_custom_status(), Some(&*format!("\"shipping {what}\"")));
    }
    runtime.shutdown().await.unwrap();
}

async fn a_restart_in_the_middle_finds_parent_and_child_again(stage: Stage) {
    let runtime = stage.runtime().await;
    let order = order::start(runtime.client(), "harp".to_owned()).await.unwrap();
    stage.book.begun("harp").await;
    let runtime = stage.restart(runtime).await;
    stage.book.let_end("harp");
    let order = handle::<order>(&runtime, order.id().as_str());
    assert_eq!(order.result().await.unwrap(), "shipped: harp is done");
    assert_eq!(stage.book.runs("harp"), 2, "once cut off by the restart, and once to its end");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn nested(ctx: OrchestrationContext, depth: u32) -> Result<u32, OrchestrationError> {
    match nested::call(&ctx, depth + 1).await {
        Ok(deepest) => Ok(deepest),
        Err(error) if error.details().message().contains("deep") => {
            echo::call(&ctx, error.details().message().to_owned()).await?;
            Ok(depth)
        }
        Err(error) => Err(error.into()),
    }
}

async fn nesting_has_a_limit(stage: Stage) {
    let runtime = stage.runtime_with(|limits| limits.depth = 5).await;
    assert_eq!(nested::start(runtime.client(), 0).await.unwrap().result().await.unwrap(), 5);
    runtime.shutdown().await.unwrap();
}
