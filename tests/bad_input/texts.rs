//! Texts that are too long: names, ids, reasons, tags and the messages of failures.

use persevere::prelude::*;
use persevere::{Limits, MemoryStore, ResultError, Runtime, registry};

#[external_event]
#[derive(Clone, Debug)]
struct Go(u8);

/// Uses a name of so many bytes, or fails with a message of so many.
#[orchestrator]
async fn uses(ctx: OrchestrationContext, what: String, bytes: usize) -> Result<(), OrchestrationError> {
    let text = "é".repeat(bytes / 2);
    match what.as_str() {
        "wait" => {
            let timer = ctx.create_timer(std::time::Duration::ZERO);
            persevere::select! {
                _ = ctx.wait_for_external_event::<u8>(text) => {},
                _ = timer => {},
            }
        }
        "patch" => drop(ctx.patched(&text)),
        "fail" => return Err(OrchestrationError::new(text)),
        "panic" => panic!("{text}"),
        "activity" => fails::call(&ctx, bytes).await?,
        _ => {
            Go::wait(&ctx).await?;
        }
    }
    Ok(())
}

#[activity]
async fn fails(bytes: usize) -> Result<(), ActivityError> {
    Err(ActivityError::new("é".repeat(bytes / 2)))
}

async fn runtime() -> Runtime {
    Runtime::builder().store(MemoryStore::new()).register(registry![uses, fails]).start().await.unwrap()
}

#[tokio::test]
async fn a_text_above_its_limit_is_refused_and_one_at_it_is_not() {
    let runtime = runtime().await;
    let client = runtime.client();
    let text = |bytes: usize| "x".repeat(bytes);
    let refused = |result: Result<(), ClientError>, what: &str, bytes: usize| match result {
        Err(ClientError::TextTooLong { what: of, size, limit }) => {
            assert_eq!((of, size, limit), (what, bytes + 1, bytes));
        }
        other => panic!("{what}: {other:?}"),
    };
    let start = |id: &str| uses::start(client, "sleep".to_owned(), 0).instance_id(id);
    start("fits").tag("k", text(Limits::TAGS_BYTES - 1)).await.unwrap();
    refused(start("t").tag("k", text(Limits::TAGS_BYTES)).await.map(drop), "tags", Limits::TAGS_BYTES);
    refused(start("v").version(text(Limits::NAME_BYTES + 1)).await.map(drop), "version", Limits::NAME_BYTES);
    assert!(client.get_instance("t").await.unwrap().is_none(), "nothing was started");
    client.raise_event("fits", text(Limits::NAME_BYTES), &1).event_id(text(Limits::EVENT_ID_BYTES)).await.unwrap();
    refused(client.raise_event("fits", text(Limits::NAME_BYTES + 1), &1).await, "event name", Limits::NAME_BYTES);
    let id = text(Limits::EVENT_ID_BYTES + 1);
    refused(client.raise_event("fits", "Go", &1).event_id(id).await, "event id", Limits::EVENT_ID_BYTES);
    let reasons = [Limits::REASON_BYTES + 1, Limits::REASON_BYTES].map(text);
    refused(client.suspend("fits", &reasons[0]).await, "reason", Limits::REASON_BYTES);
    client.suspend("fits", &reasons[1]).await.unwrap();
    refused(client.resume("fits", &reasons[0]).await, "reason", Limits::REASON_BYTES);
    client.resume("fits", &reasons[1]).await.unwrap();
    refused(client.terminate("fits", &reasons[0]).await, "reason", Limits::REASON_BYTES);
    client.terminate("fits", &reasons[1]).await.unwrap();
    runtime.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_orchestrator_that_uses_a_name_above_the_limit_fails() {
    let runtime = runtime().await;
    for what in ["wait", "patch"] {
        let run = |bytes| uses::start(runtime.client(), what.to_owned(), bytes);
        run(Limits::NAME_BYTES).await.unwrap().result().await.unwrap();
        let error = run(Limits::NAME_BYTES + 2).await.unwrap().result().await.unwrap_err();
        assert!(
            matches!(&error, ResultError::Failed(details) if details.error_type() == "persevere.NameTooLong")
                || error.to_string().contains("the limit is"),
            "{what}: {error:?}"
        );
    }
    runtime.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failure_of_any_size_is_recorded_and_cut() {
    let runtime = runtime().await;
    for what in ["fail", "panic", "activity"] {
        let instance = uses::start(runtime.client(), what.to_owned(), 40 << 20).await.unwrap();
        instance.result().await.unwrap_err();
        let metadata = instance.metadata().await.unwrap();
        let failure = metadata.failure_details().unwrap();
        let whole = std::iter::successors(Some(failure), |failure| failure.inner());
        assert!(whole.clone().all(|part| part.message().len() <= Limits::FAILURE_TEXT_BYTES), "{what}");
        assert!(whole.clone().any(|part| part.message().contains("bytes in all")), "{what}");
        let history = serde_json::to_string(&instance.history().await.unwrap()).unwrap();
        assert!(history.len() < 512 * 1024, "{what}: {} bytes of history", history.len());
    }
    runtime.shutdown().await.unwrap();
}
