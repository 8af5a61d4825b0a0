//! Payloads that exceed the limit, or just fit: a text of `n` letters has `n + 2` bytes as JSON.

use persevere::prelude::*;
use persevere::{ClientError, ResultError, SendError, registry};

use crate::bad_input::{Word, echo, in_full, in_time, limited, listen, says};

const LIMIT: usize = 100;
const FITS: usize = LIMIT - 2;

fn text(letters: usize) -> String {
    "x".repeat(letters)
}

#[tokio::test]
async fn the_input_of_a_start_and_an_event() {
    in_time(async {
        let runtime = limited(LIMIT as u32, registry![listen, echo]).await;
        let too_large = listen::start(runtime.client(), text(FITS + 1)).instance_id("big").await.unwrap_err();
        assert_eq!(too_large, ClientError::PayloadTooLarge { size: LIMIT + 1, limit: LIMIT });
        says(too_large, &["101", "100", "store the data elsewhere", "reference"]);
        assert!(runtime.client().get_instance("big").await.unwrap().is_none());

        let listener = listen::start(runtime.client(), text(FITS)).await.unwrap();
        let too_large = listener.raise_event(Word(text(FITS + 1))).await.unwrap_err();
        assert_eq!(too_large, ClientError::PayloadTooLarge { size: LIMIT + 1, limit: LIMIT });
        // The instance is not affected. Now its output is too large.
        listener.raise_event(Word(text(FITS))).await.unwrap();
        let error = listener.result().await.unwrap_err();
        assert!(matches!(error, ResultError::Failed(_)), "{error:?}");
        says(in_full(&error), &["200 bytes", "limit is 100", "reference"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[activity]
async fn grow(letters: usize) -> Result<String, ActivityError> {
    Ok(text(letters))
}

/// Makes calls with inputs and results of these sizes, and returns their outcome.
#[orchestrator]
async fn calls(ctx: OrchestrationContext, input: usize, output: usize) -> Result<String, OrchestrationError> {
    let called = echo::call(&ctx, text(input)).await;
    let grown = grow::call(&ctx, output).await;
    let sent = ctx.send_event(&persevere::InstanceId::new("nobody")?, &Word(text(input)));
    if let Err(error) = &sent {
        assert!(matches!(error, SendError::Limit(_)), "{error:?}");
    }
    let child = listen::call(&ctx, text(input)).schedule();
    let child = if input > FITS { child.await.err().map(|error| in_full(&error)) } else { None };
    let outcome = |result: Result<String, CallError<ActivityError>>| match result {
        Ok(_) => "ok",
        Err(CallError::Failed(details)) if details.message().contains("store the data elsewhere") => "too large",
        Err(_) => "otherwise",
    };
    let (called, grown, sent) = (outcome(called), outcome(grown), sent.is_ok());
    Ok(format!("{called}, {grown}, {sent}, {}", child.is_some_and(|error| error.contains("reference"))))
}

#[tokio::test]
async fn inputs_and_results_of_calls_fail_the_call_and_nothing_else() {
    in_time(async {
        let runtime = limited(LIMIT as u32, registry![calls, listen, echo, grow]).await;
        for (input, output, outcome) in [
            (FITS, FITS, "ok, ok, true, false"),
            (FITS + 1, FITS, "too large, ok, false, true"),
            (FITS, FITS + 1, "ok, too large, true, false"),
        ] {
            let calls = calls::start(runtime.client(), input, output).await.unwrap();
            assert_eq!(calls.result().await.unwrap(), outcome);
        }
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// Continues as new with an input of this size.
#[orchestrator]
async fn go_on(ctx: OrchestrationContext, input: String, next: usize) -> Result<usize, OrchestrationError> {
    if next == 0 {
        return Ok(input.len());
    }
    go_on::continue_as_new(&ctx, text(next), 0).await
}

#[tokio::test]
async fn the_input_of_the_next_execution() {
    in_time(async {
        let runtime = limited(LIMIT as u32, registry![go_on]).await;
        // Two inputs are stored as an array: the text, its quotation marks, a comma, a digit and two brackets.
        let fits = LIMIT - 6;
        let done = go_on::start(runtime.client(), String::new(), fits).await.unwrap();
        assert_eq!(done.result().await.unwrap(), fits);
        let error = go_on::start(runtime.client(), String::new(), fits + 1).await.unwrap().result().await.unwrap_err();
        says(in_full(&error), &["101 bytes", "limit is 100"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_value_that_has_no_json_form() {
    /// A map whose keys are not texts.
    type Odd = std::collections::BTreeMap<(u8, u8), u8>;
    in_time(async {
        let runtime = limited(1_000, registry![listen, echo]).await;
        let odd: Odd = [((1, 2), 3)].into();
        let error = runtime.client().start_by_name("listen", &odd).await.unwrap_err();
        assert!(matches!(error, ClientError::Encode(_)), "{error:?}");
        says(error, &["cannot be stored"]);
        let error = runtime.client().raise_event("x", "Word", &odd).await.unwrap_err();
        assert!(matches!(error, ClientError::Encode(_)), "{error:?}");
        runtime.shutdown().await.unwrap();
    })
    .await;
}
