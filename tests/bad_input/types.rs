//! Values that do not have the type that the other side expects.

use std::fmt::Debug;

use persevere::prelude::*;
use persevere::{ClientError, OrchestrationHandle, Orchestrator, ParkCode, ResultError, registry};

use crate::bad_input::{Word, echo, in_time, listen, runtime, says};

/// The instance is parked with a reason that contains these words. It has not failed, and it can be terminated.
async fn is_parked<O: Orchestrator>(handle: &OrchestrationHandle<O>, words: &[&str])
where
    O::Output: Debug,
    O::Error: Debug,
{
    let ResultError::Parked { reason, .. } = handle.result().await.unwrap_err() else { panic!("it is not parked") };
    assert_eq!(reason.code(), ParkCode::UndecodableValue, "{reason}");
    says(reason, words);
    let metadata = handle.metadata().await.unwrap();
    assert!(!metadata.is_ended(), "{metadata:?}");
    handle.terminate("a mistake").await.unwrap();
}

#[tokio::test]
async fn an_input_that_does_not_decode_parks_the_instance() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        runtime.client().start_by_name("listen", &[1, 2]).instance_id("wrong").await.unwrap();
        let handle: OrchestrationHandle<listen> = runtime.client().handle("wrong").unwrap();
        is_parked(&handle, &["the input of orchestrator `listen`", "expected a string"]).await;
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

#[tokio::test]
async fn an_event_that_does_not_decode_parks_the_instance() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        let listener = listen::start(runtime.client(), "a".to_owned()).instance_id("l").await.unwrap();
        runtime.client().raise_event("l", "word", &17).await.unwrap();
        is_parked(&listener, &["the payload of event `Word`", "expected a string"]).await;
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
async fn mistaken(ctx: OrchestrationContext, input: bool) -> Result<String, OrchestrationError> {
    let called = match input {
        true => by_number::call(&ctx, 5).await.map(drop),
        false => to_number::call(&ctx, "five".to_owned()).await.map(drop),
    };
    Ok(format!("{called:?}"))
}

#[tokio::test]
async fn inputs_and_outputs_of_activities_that_do_not_decode_park_the_instance() {
    in_time(async {
        let runtime = runtime(registry![mistaken, measure_text]).await;
        let input = mistaken::start(runtime.client(), true).await.unwrap();
        is_parked(&input, &["the input of activity `measure`", "expected a string"]).await;
        let output = mistaken::start(runtime.client(), false).await.unwrap();
        is_parked(&output, &["the result of activity `measure` (operation 1, at ", "expected u32"]).await;
        runtime.shutdown().await.unwrap();
    })
    .await;
}
