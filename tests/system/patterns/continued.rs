//! Continue-as-new keeps the name: it may change the version, but never the orchestrator.

use persevere::prelude::*;

use crate::system::stage::{Stage, on_every_stage};

on_every_stage! {
    the_version_is_the_one_that_the_type_names
    a_version_that_is_given_goes_before_that_of_the_type
    a_helper_that_continues_as_another_orchestrator_fails_it
}

#[orchestrator(name = "climb", version = "1", marker = FirstClimb)]
async fn first_climb(ctx: OrchestrationContext, step: u32) -> Result<String, OrchestrationError> {
    match step {
        0 => FirstClimb::continue_as_new(&ctx, 1).await,
        1 => SecondClimb::continue_as_new(&ctx, "from 1".to_owned()).await,
        _ => SecondClimb::continue_as_new(&ctx, "not read".to_owned()).version("3").await,
    }
}

#[orchestrator(name = "climb", version = "2", marker = SecondClimb)]
async fn second_climb(ctx: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    Ok(format!("{text}, by version {}", ctx.version()))
}

#[orchestrator(name = "climb", version = "3", marker = ThirdClimb)]
async fn third_climb(ctx: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    Ok(format!("{}, by version {}", text.len(), ctx.version()))
}

#[orchestrator_fn]
async fn elsewhere(ctx: &Context) -> Result<String, OrchestrationError> {
    ThirdClimb::continue_as_new(ctx, "too far".to_owned()).await
}

#[orchestrator]
async fn strays(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    elsewhere(&ctx).await
}

async fn the_version_is_the_one_that_the_type_names(stage: Stage) {
    let runtime = stage.runtime().await;
    let climb = FirstClimb::start(runtime.client(), 0).await.unwrap();
    assert_eq!(climb.result().await.unwrap(), "from 1, by version 2");
    let metadata = climb.metadata().await.unwrap();
    assert_eq!((metadata.name(), metadata.version()), ("climb", Some("2")));
    runtime.shutdown().await.unwrap();
}

async fn a_version_that_is_given_goes_before_that_of_the_type(stage: Stage) {
    let runtime = stage.runtime().await;
    let climb = FirstClimb::start(runtime.client(), 2).await.unwrap();
    assert_eq!(climb.result().await.unwrap(), "8, by version 3");
    runtime.shutdown().await.unwrap();
}

async fn a_helper_that_continues_as_another_orchestrator_fails_it(stage: Stage) {
    let runtime = stage.runtime().await;
    let strays = strays::start(runtime.client()).await.unwrap();
    let refused = strays.result().await.unwrap_err();
    let causes = std::iter::successors(std::error::Error::source(&refused), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    assert!(causes.iter().any(|cause| cause.contains("an orchestrator continues as itself")), "{causes:?}");
    assert_eq!(strays.metadata().await.unwrap().name(), "strays");
    runtime.shutdown().await.unwrap();
}
