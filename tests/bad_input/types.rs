//! Values that do not have the type that the other side expects.

use persevere::prelude::*;
use persevere::{ClientError, OrchestrationHandle, ResultError, RuntimeStatus, registry};

use crate::bad_input::{Word, echo, in_full, in_time, listen, runtime, says};

#[tokio::test]
async fn an_input_that_does_not_decode_fails_the_instance() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        runtime.client().start_by_name("listen", &[1, 2]).instance_id("wrong").await.unwrap();
        let handle: OrchestrationHandle<listen> = runtime.client().handle("wrong").unwrap();
        let error = handle.result().await.unwrap_err();
        let ResultError::Failed(details) = &error else { panic!("{error:?}") };
        assert_eq!(details.error_type(), "persevere.Decode");
        says(in_full(&error), &["expected a string"]);
        assert_eq!(handle.metadata().await.unwrap().runtime_status(), RuntimeStatus::Failed);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// The same activity in another program, where it returns a number.
#[orchestrator(name = "listen", marker = listen_for_number)]
pub(crate) async fn listen_for_number(ctx: OrchestrationContext, name: String) -> Result<u32, OrchestrationError> {
    let _ = (ctx, name);
    Ok(1)
}

#[tokio::test]
async fn a_client_is_told_about_an_output_that_does_not_decode() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        let listener = listen::start(runtime.client(), "a".to_owned()).instance_id("l").await.unwrap();
        listener.raise_event(Word("hello".to_owned())).await.unwrap();
        listener.result().await.unwrap();
        let handle: OrchestrationHandle<listen_for_number> = runtime.client().handle("l").unwrap();
        let error = handle.result().await.unwrap_err();
        assert!(matches!(&error, ResultError::Client(ClientError::Decode { what: "output", .. })), "{error:?}");
        says(&error, &["output", "`l`", "another type"]);
        let metadata = handle.metadata().await.unwrap();
        let error = metadata.read_input_as::<u32>().unwrap_err();
        assert!(matches!(error, ClientError::Decode { what: "input", .. }), "{error:?}");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// Waits for words until one arrives.
#[orchestrator]
async fn patient(ctx: OrchestrationContext) -> Result<Vec<String>, OrchestrationError> {
    let mut heard = Vec::new();
    loop {
        match Word::wait(&ctx).await {
            Ok(Word(word)) => return Ok([heard, vec![word]].concat()),
            Err(error @ EventError::Decode { .. }) => heard.push(in_full(&error)),
            Err(other) => return Err(other.into()),
        }
    }
}

#[tokio::test]
async fn an_event_that_does_not_decode_is_consumed_and_returned_as_an_error() {
    in_time(async {
        let runtime = runtime(registry![patient]).await;
        let patient = patient::start(runtime.client()).instance_id("p").await.unwrap();
        runtime.client().raise_event("p", "word", &17).await.unwrap();
        patient.raise_event(Word("hello".to_owned())).await.unwrap();
        let heard = patient.result().await.unwrap();
        says(&heard[0], &["`Word`", "another type", "expected a string"]);
        assert_eq!(heard[1..], ["hello"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[activity(name = "measure", marker = measure_text)]
async fn measure_text(text: String) -> Result<String, ActivityError> {
    Ok(format!("{} letters", text.len()))
}

/// The same name in another program, with other types.
#[activity(name = "measure", marker = measure_number)]
async fn measure_number(number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

#[activity(name = "measure", marker = measure_to_number)]
async fn measure_to_number(text: String) -> Result<u32, ActivityError> {
    Ok(text.len() as u32)
}

// Nothing shows that these names are those of the activities above, as if the callers were in another program.
use self::{measure_number as by_number, measure_to_number as to_number};

#[orchestrator]
async fn mistaken(ctx: OrchestrationContext) -> Result<Vec<String>, OrchestrationError> {
    let mut told = Vec::new();
    for result in [by_number::call(&ctx, 5).await, to_number::call(&ctx, "five".to_owned()).await] {
        match result {
            Err(CallError::Decode(details)) => told.push(details.message().to_owned()),
            other => told.push(format!("{other:?}")),
        }
    }
    Ok(told)
}

#[tokio::test]
async fn inputs_and_outputs_of_activities_that_do_not_decode_fail_the_call() {
    in_time(async {
        let runtime = runtime(registry![mistaken, measure_text]).await;
        let told = mistaken::start(runtime.client()).await.unwrap().result().await.unwrap();
        says(&told[0], &["expected a string"]);
        says(&told[1], &["expected u32"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}
