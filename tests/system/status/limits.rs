//! How large the custom status may be, and which values it cannot have.

use persevere::prelude::*;
use serde_json::json;

use super::meaning::begins_with;
use super::{Next, puppet};
use crate::system::stage::{Stage, on_every_stage};

on_every_stage! {
    the_limit_counts_utf_16
    a_value_that_is_too_large_or_not_json_leaves_the_previous_value
    a_number_that_is_not_finite_leaves_the_previous_value
    cleared_and_null_are_none_and_the_empty_text_is_a_value
}

/// Sets texts one after another, and records the results.
#[orchestrator]
async fn sizes(ctx: OrchestrationContext<String>, texts: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    let mut outcomes = Vec::new();
    for text in texts {
        outcomes.push(match ctx.set_custom_status(&text) {
            Ok(()) => "set".to_owned(),
            Err(CustomStatusError::TooLarge { size, limit }) => format!("{size} > {limit}"),
            Err(other) => other.to_string(),
        });
    }
    Next::wait(&ctx).await?;
    Ok(outcomes)
}

async fn the_limit_counts_utf_16(stage: Stage) {
    let runtime = stage.runtime().await;
    // Two quotation marks belong to the JSON text. 16 KiB are 8,192 units of UTF-16.
    let fits = ["a".repeat(8_190), "ö".repeat(8_190), "€".repeat(8_190), "😀".repeat(4_095)];
    for text in fits {
        let over = format!("{text}{}", if text.starts_with('😀') { "😀" } else { "a" });
        let size = over.encode_utf16().count() * 2 + 4;
        let instance = sizes::start(runtime.client(), vec![text.clone(), over]).await.unwrap();
        assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), text);
        instance.raise_event(Next(json!(0))).await.unwrap();
        assert_eq!(instance.result().await.unwrap(), ["set".to_owned(), format!("{size} > 16384")]);
        assert_eq!(instance.custom_status().await.unwrap().typed(), Some(text));
    }
    // The initial value has exactly the same limit.
    let start = |units: usize| begins_with::start(runtime.client()).custom_status(&"ö".repeat(units));
    start(8_190).await.unwrap();
    let error = start(8_191).await.unwrap_err();
    assert!(matches!(error, persevere::ClientError::CustomStatusTooLarge { size: 16_386, limit: 16_384 }), "{error:?}");
    assert!(error.to_string().contains("reference"), "{error}");
    runtime.shutdown().await.unwrap();
}

/// A map whose keys are not texts, so it cannot be written as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Odd(std::collections::BTreeMap<(u8, u8), u8>);

#[orchestrator]
async fn odd(ctx: OrchestrationContext<Odd>) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&Odd(Default::default()))?;
    let error = ctx.set_custom_status(&Odd([((1, 2), 3)].into())).err();
    Ok(error.map(|error| error.to_string()).unwrap_or_default())
}

async fn a_value_that_is_too_large_or_not_json_leaves_the_previous_value(stage: Stage) {
    let runtime = stage.runtime().await;
    let texts = vec!["former".to_owned(), "x".repeat(20_000)];
    let instance = sizes::start(runtime.client(), texts).await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), "former");
    let odd = odd::start(runtime.client()).await.unwrap();
    let error = odd.result().await.unwrap();
    assert!(error.contains("cannot be stored"), "{error}");
    assert_eq!(odd.metadata().await.unwrap().serialized_custom_status(), Some("{}"));
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn measures(ctx: OrchestrationContext<Vec<f64>>) -> Result<Vec<String>, OrchestrationError> {
    ctx.set_custom_status(&vec![1.5])?;
    let outcomes = [f64::NAN, f64::INFINITY].map(|number| match ctx.set_custom_status(&vec![number]) {
        Err(CustomStatusError::Serialize(error)) => error.to_string(),
        other => format!("{other:?}"),
    });
    Next::wait(&ctx).await?;
    Ok(outcomes.to_vec())
}

#[activity]
async fn measure() -> Result<Vec<f64>, ActivityError> {
    Ok(vec![f64::NAN])
}

#[activity]
async fn weigh(number: Option<f64>) -> Result<bool, ActivityError> {
    Ok(number.is_some())
}

/// Fails at each place where a value is stored.
#[orchestrator]
async fn has_no_number(ctx: OrchestrationContext, place: String) -> Result<f64, OrchestrationError> {
    match place.as_str() {
        "output of an activity" => Ok(measure::call(&ctx).await?[0]),
        "input of an activity" => Ok(f64::from(weigh::call(&ctx, Some(f64::NAN)).await?)),
        "side effect" => Ok(ctx.side_effect(|| f64::NAN)),
        _ => Ok(f64::NEG_INFINITY),
    }
}

async fn a_number_that_is_not_finite_leaves_the_previous_value(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = measures::start(runtime.client()).await.unwrap();
    assert_eq!(instance.wait_for_custom_status(|_| true).await.unwrap(), [1.5]);
    instance.raise_event(Next(json!(0))).await.unwrap();
    for outcome in instance.result().await.unwrap() {
        assert!(outcome.contains("JSON has no number"), "{outcome}");
    }
    assert_eq!(instance.custom_status().await.unwrap().typed(), Some(vec![1.5]));
    let payload = runtime.client().raise_event(instance.id(), "Next", &f64::NAN).await.unwrap_err();
    assert!(matches!(payload, persevere::ClientError::Encode(_)), "{payload:?}");
    for place in ["output of an activity", "input of an activity", "side effect", "output"] {
        let failed = has_no_number::start(runtime.client(), place.to_owned()).await.unwrap();
        let error = failed.result().await.unwrap_err();
        let text = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ");
        assert!(text.contains("JSON has no number"), "{place}: {text}");
    }
    runtime.shutdown().await.unwrap();
}

async fn cleared_and_null_are_none_and_the_empty_text_is_a_value(stage: Stage) {
    let runtime = stage.runtime().await;
    let instance = puppet::start(runtime.client(), json!(1)).instance_id("p").await.unwrap();
    for (sent, seen, version) in
        [(json!("clear"), None, 2), (json!(""), Some("\"\""), 3), (json!(null), None, 4), (json!("clear"), None, 4)]
    {
        instance.raise_event(Next(sent.clone())).await.unwrap();
        let metadata = instance.metadata().await.unwrap();
        assert_eq!((metadata.serialized_custom_status(), metadata.custom_status_version()), (seen, version), "{sent}");
    }
    let silent = puppet::start(runtime.client(), json!(null)).await.unwrap();
    assert_eq!(silent.wait_for_start().await.unwrap().serialized_custom_status(), None);
    assert_eq!(silent.metadata().await.unwrap().custom_status_version(), 0);
    runtime.shutdown().await.unwrap();
}
