//! Instances that do not exist, ids that are in use, and texts that are not valid ids.

use persevere::{ClientError, OrchestrationHandle, ResultError, RuntimeStatus, WaitError, registry};

use crate::bad_input::{Word, echo, in_time, listen, runtime, says};

#[tokio::test]
async fn an_unknown_instance_is_not_found_by_every_operation() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        let client = runtime.client();
        assert!(client.get_instance("nobody").await.unwrap().is_none());
        let handle: OrchestrationHandle<listen> = client.handle("nobody").unwrap();
        let answers = [
            handle.raise_event(Word("x".to_owned())).await,
            handle.terminate("x").await,
            handle.terminate("x").recursive().await,
            handle.suspend("x").await,
            handle.resume("x").await,
            handle.retry_parked().await,
            handle.purge().await,
            handle.metadata().await.map(drop),
            handle.wait_for_start().await.map(drop).map_err(client_error),
            client.wait_for_completion("nobody").await.map(drop).map_err(client_error),
        ];
        for (place, answer) in answers.into_iter().enumerate() {
            let error = answer.unwrap_err();
            assert!(matches!(error, ClientError::NotFound { .. }), "operation {place}: {error:?}");
            says(error, &["`nobody`", "check the id", "start it first"]);
        }
        let ResultError::Client(error) = handle.result().await.unwrap_err() else {
            panic!("the error is not from the client")
        };
        assert!(error.is_not_found());
        runtime.shutdown().await.unwrap();
    })
    .await;
}

fn client_error(error: WaitError) -> ClientError {
    match error {
        WaitError::Client(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_id_that_is_in_use_is_refused_with_who_uses_it() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        listen::start(runtime.client(), "a".to_owned()).instance_id("taken").await.unwrap();
        let other = listen::start(runtime.client(), "b".to_owned()).instance_id("taken").await.unwrap_err();
        let ClientError::AlreadyExists { id, name, status } = &other else { panic!("{other:?}") };
        assert_eq!((id.as_str(), name.as_str()), ("taken", "listen"));
        assert!(matches!(status, RuntimeStatus::Pending | RuntimeStatus::Running));
        says(&other, &["`taken`", "`listen`", "choose another id"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_illegal_id_is_refused_by_every_operation_with_the_rule() {
    in_time(async {
        let runtime = runtime(registry![listen, echo]).await;
        let client = runtime.client();
        let long = "x".repeat(257);
        for (id, rule) in [
            ("", "1"),
            (&long, "256"),
            ("@x", "@"),
            ("a/b", "/"),
            ("a\\b", "\\"),
            ("a#b", "#"),
            ("a?b", "?"),
            ("a\nb", "control"),
        ] {
            let errors = [
                listen::start(client, String::new()).instance_id(id).await.map(drop).unwrap_err(),
                client.start_by_name("listen", "").instance_id(id).await.map(drop).unwrap_err(),
                client.raise_event(id, "Word", "x").await.unwrap_err(),
                client.terminate(id, "x").await.unwrap_err(),
                client.get_instance(id).await.map(drop).unwrap_err(),
                client.handle::<listen>(id).map(drop).unwrap_err(),
            ];
            for error in errors {
                assert!(matches!(error, ClientError::InvalidInstanceId(_)), "{id:?}: {error:?}");
                says(error, &[rule]);
            }
        }
        for id in ["x".repeat(256), "ünï çødé 😀".to_owned(), "a@b:c".to_owned(), " ".to_owned()] {
            listen::start(client, String::new()).instance_id(&id).await.unwrap();
            assert!(client.get_instance(&id).await.unwrap().is_some(), "{id}");
        }
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_handle_for_another_orchestrator_names_both() {
    in_time(async {
        let runtime = runtime(registry![listen, other, echo]).await;
        listen::start(runtime.client(), "a".to_owned()).instance_id("l").await.unwrap();
        let handle: OrchestrationHandle<other> = runtime.client().handle("l").unwrap();
        let error = handle.metadata().await.unwrap_err();
        assert!(matches!(error, ClientError::WrongOrchestrator { .. }), "{error:?}");
        says(error, &["`listen`", "`other`", "`l`"]);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

use persevere::prelude::*;

/// A second orchestrator.
#[orchestrator]
async fn other(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}
