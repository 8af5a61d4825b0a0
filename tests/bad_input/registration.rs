//! Code that is missing.

use std::sync::Arc;

use persevere::prelude::*;
use persevere::store::Store;
use persevere::{ClientError, OrchestrationHandle, Registration, RegistryError, ResultError, StartError, registry};

use crate::bad_input::{builder, echo, in_time, listen, runtime, says};

#[tokio::test]
async fn an_orchestrator_that_is_not_registered_is_refused_at_the_start() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        let client = runtime.client();
        let unknown = client.start_by_name("lisen", "a").await.unwrap_err();
        assert!(matches!(&unknown, ClientError::NotRegistered { name, version: None } if name == "lisen"));
        says(unknown, &["`lisen`", "register it", "correct the name"]);
        let version = client.start_by_name("listen", "a").version("9").await.unwrap_err();
        assert!(matches!(&version, ClientError::NotRegistered { version: Some(version), .. } if version == "9"));
        says(version, &["`listen`", "`9`"]);
        let typed = calls_elsewhere::start(client).await.unwrap_err();
        assert!(matches!(typed, ClientError::NotRegistered { .. }), "{typed:?}");
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[activity]
async fn elsewhere(text: String) -> Result<String, ActivityError> {
    Ok(format!("{text} from elsewhere"))
}

#[orchestrator]
async fn calls_here(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(elsewhere::call(&ctx, "here".to_owned()).await?)
}

#[tokio::test]
async fn calling_a_linked_but_unregistered_item_is_refused_when_the_runtime_starts() {
    let refused = builder(registry![calls_here]).start().await.unwrap_err();
    let StartError::Registry(RegistryError::NotRegistered { orchestrator, called, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!((*orchestrator, *called), ("calls_here", "elsewhere"));
    says(refused, &["`calls_here`", "`elsewhere`", "registration.rs:", "registry!"]);
}

#[tokio::test]
async fn duplicate_names_are_refused_with_both_places() {
    let refused = builder(registry![listen, super::types::listen_for_number, echo]).start().await.unwrap_err();
    let StartError::Registry(RegistryError::Duplicates(duplicates)) = &refused else { panic!("{refused:?}") };
    assert_eq!(duplicates.iter().map(|duplicate| duplicate.name).collect::<Vec<_>>(), ["listen"]);
    says(refused, &["mod.rs:", "types.rs:", "its own name"]);
}

// The name alone does not say where the code is.
use self::elsewhere as remote;

#[orchestrator]
async fn calls_elsewhere(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    match remote::call(&ctx, "there".to_owned()).await {
        Ok(text) => Ok(text),
        Err(CallError::NotRegistered(details)) => Ok(details.message().to_owned()),
        Err(other) => Err(other.into()),
    }
}

#[tokio::test]
async fn b19_a_live_call_of_an_unknown_name_fails_at_once() {
    in_time(async {
        let runtime = runtime(registry![calls_elsewhere]).await;
        let told = calls_elsewhere::start(runtime.client()).await.unwrap().result().await.unwrap();
        says(told, &["`elsewhere`", "register it", "correct the name"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[orchestrator]
async fn before_remote(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    super::Word::wait(&ctx).await?;
    Ok(remote::call(&ctx, "later".to_owned()).await?)
}

#[orchestrator]
async fn calls_child(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    match child_elsewhere::call(&ctx, "c".to_owned()).await {
        Err(CallError::NotRegistered(details)) => Ok(details.message().to_owned()),
        other => Ok(format!("{other:?}")),
    }
}

use crate::bad_input::listen as child_elsewhere;

#[tokio::test]
async fn b19_a_live_call_of_an_unknown_orchestrator_fails_at_once() {
    in_time(async {
        let runtime = runtime(registry![calls_child]).await;
        let told = calls_child::start(runtime.client()).await.unwrap().result().await.unwrap();
        says(told, &["orchestrator `listen`", "register it"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

async fn with(store: &Arc<dyn Store>, registrations: impl IntoIterator<Item = Registration>) -> Runtime {
    Runtime::builder().shared_store(Arc::clone(store)).register(registrations).start().await.unwrap()
}

#[tokio::test]
async fn b19_an_instance_whose_code_is_gone_waits_for_it() {
    in_time(async {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let first = with(&store, registry![listen, before_remote, elsewhere]).await;
        listen::start(first.client(), "l".to_owned()).instance_id("l").await.unwrap();
        first.shutdown().await.unwrap();

        // This deployment lacks the orchestrator.
        let second = with(&store, registry![echo]).await;
        let handle: OrchestrationHandle<listen> = second.client().handle("l").unwrap();
        // The event is recorded, and neither refused nor lost, because recording needs no code.
        handle.raise_event(super::Word("kept".to_owned())).await.unwrap();
        let error = handle.result().await.unwrap_err();
        let ResultError::Parked { reason } = &error else { panic!("{error:?}") };
        says(reason, &["not registered", "\"listen\"", "when it is registered"]);
        second.shutdown().await.unwrap();

        let third = with(&store, registry![listen, echo]).await;
        let handle: OrchestrationHandle<listen> = third.client().handle("l").unwrap();
        handle.raise_event(super::Word("too late".to_owned())).await.ok();
        assert_eq!(handle.result().await.unwrap(), "l: kept");
        third.shutdown().await.unwrap();
    })
    .await;
}
