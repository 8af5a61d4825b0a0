//! Requests of the family's clients that were once answered wrongly.

use persevere::http::HttpOptions;
use persevere::prelude::*;
use persevere::{InstanceId, RuntimeStatus, registry};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::http::stage::{self, App, BASE, in_time, puppet};
use crate::http::wire::EventSource;

#[tokio::test]
async fn flags_are_read_as_the_family_reads_them() {
    in_time(async {
        let app = App::new().await;
        app.puppet("p", json!(1)).await;
        for query in
            ["showHistory=false+", "showHistory=+False", "SHOWHISTORY=FALSE%20&showInput=True%09", "showHistory=%20"]
        {
            let answer = app.get(&format!("instances/p?{query}")).await;
            assert_eq!(answer.status, 202, "{query}: {}", answer.text);
            assert!(!answer.text.contains("historyEvents"), "{query}");
        }
        let answer = app.post("orchestrators/divide?timeout=30+&pollingInterval=+1", "[6,3]").await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (200, "2"));
        assert_eq!(app.get("instances/?top=+5+&createdTimeFrom=+2020-01-01+").await.status, 200);
        for query in ["showHistory=maybe", "showHistory=false+false", "showHistory=1"] {
            assert_eq!(app.get(&format!("instances/p?{query}")).await.status, 400, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused() {
    in_time(async {
        let app = App::new().await;
        app.one_of_each().await;
        for (method, path, says) in [
            ("GET", "instances/running?showInputs=true", "did you mean `showInput`?"),
            ("GET", "instances/?runtimestate=Running", "did you mean `runtimeStatus`?"),
            ("GET", "instances/?recursive=true", "`recursive`"),
            ("GET", "instances/running/customStatus/stream?lastEventId=1", "`lastEventId`"),
            ("POST", "instances/running/suspend?recursive=true", "`recursive`"),
            ("POST", "instances/running/terminate?recursiv=true", "did you mean `recursive`?"),
            ("POST", "instances/running/terminate?recursive=perhaps", "neither `true` nor `false`"),
            ("POST", "instances/running/raiseEvent/Next?=1", "``"),
            ("POST", "orchestrators/puppet?instanceId=x", "`instanceId`"),
            ("DELETE", "instances/completed?force=", "`force`"),
            // The request would purge more than its caller intends.
            (
                "DELETE",
                "instances/?createdTimeFrom=2020-01-01&instanceIdPrefx=none",
                "did you mean `instanceIdPrefix`?",
            ),
            ("DELETE", "instances/?createdTimeFrom=2020-01-01&top=1", "`top`"),
        ] {
            let answer = app.send(stage::request(method, path, "1")).await;
            assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text);
            assert!(answer.json()["ExceptionMessage"].as_str().unwrap().contains(says), "{path}: {}", answer.text);
        }
        // No part of the request was carried out. Additional parameters of the family's clients are ignored.
        for path in [
            "instances/running?taskHub=persevere&connection=Storage&code=&reason=none&restartWithNewInstanceId=true",
            "instances/completed?top=5&op=&fetchState=false&version=1&timeout=1&pollingInterval=1",
        ] {
            assert!(app.get(path).await.status.is_success(), "{path}");
        }
        assert_eq!(app.get("instances/").await.json().as_array().unwrap().len(), 6);
    })
    .await;
}

/// Waits for the puppet that it starts.
#[orchestrator]
async fn puppeteer(ctx: OrchestrationContext, child: String) -> Result<serde_json::Value, OrchestrationError> {
    Ok(puppet::call(&ctx, json!(1)).instance_id(InstanceId::new(child)?).await?)
}

#[tokio::test]
async fn termination_reaches_sub_orchestrations() {
    in_time(async {
        let app = App::new().await;
        for (parent, child, query) in
            [("a", "a-child", "?recursive=true&reason=x"), ("b", "b-child", "?RECURSIVE=True+"), ("c", "c-child", "")]
        {
            app.client().start_by_name("puppeteer", child).instance_id(parent).await.unwrap();
            // A child that has not been created yet is not found, so this repeats the request until the child exists.
            while app.client().get_instance(child).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            assert_eq!(app.post(&format!("instances/{parent}/terminate{query}"), "").await.status, 202);
            let ended = app.client().wait_for_completion(child).await.unwrap();
            assert_eq!(ended.runtime_status(), RuntimeStatus::Terminated, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_parked_instance_is_tried_again() {
    in_time(async {
        let store = MemoryStore::new();
        let first = App::on(stage::runtime(store.clone()).await, stage::options());
        first.puppet("p", json!(1)).await;
        first.puppet("q", json!(1)).await;
        first.runtime.shutdown().await.unwrap();

        // The next program does not have the orchestrator.
        let builder = Runtime::builder().store(store.clone()).register(registry![stage::versioned_1]);
        let app = App::on(builder.start().await.unwrap(), stage::options());
        app.client().raise_event("p", "Next", &2).await.unwrap();
        assert!(app.client().wait_for_completion("p").await.is_err(), "it cannot end");
        assert!(app.get("instances/p").await.json()["parked"]["code"].is_string());
        let listed = async |query: &str| app.get(&format!("instances/?{query}")).await.json();
        let parked = listed("parked=true+").await;
        assert_eq!(parked.as_array().unwrap().len(), 1);
        assert_eq!((&parked[0]["instanceId"], parked[0]["parked"].is_null()), (&json!("p"), false));
        assert_eq!(listed("parked=FALSE").await[0]["instanceId"], "q");
        assert_eq!(listed("parked=").await.as_array().unwrap().len(), 2);
        assert_eq!(app.get("instances/?parked=perhaps").await.status, 400);
        assert_eq!(app.post("instances/p/retry?reason=ignored", "").await.status, 202);
        // The code is still missing.
        assert!(app.client().wait_for_completion("p").await.is_err());
        assert_eq!(app.post("instances/nobody/retry", "").await.status, 404);
        app.runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn times_and_states_are_read_as_the_family_writes_them() {
    in_time(async {
        let app = App::new().await;
        app.one_of_each().await;
        let count = async |query: &str| {
            let answer = app.get(&format!("instances/?{query}")).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.text);
            answer.json().as_array().unwrap().len()
        };
        for time in ["3/10/2018+10:01:00+AM", "3%2F10%2F2018%2010%3A01%3A00%20AM", "2018-03-10T10:10:10.0000000Z"] {
            assert_eq!(count(&format!("createdTimeFrom={time}")).await, 6, "{time}");
            assert_eq!(count(&format!("createdTimeTo={time}")).await, 0, "{time}");
        }
        for (query, expected) in [
            ("runtimeStatus=1", 1),
            ("runtimeStatus=0,+1&runtimeStatus=3", 3),
            ("runtimeStatus=Suspended,6", 2),
            ("runtimeStatus=2", 0),
            ("runtimeStatus=4", 0),
            ("runtimeStatus=99", 6),
        ] {
            assert_eq!(count(query).await, expected, "{query}");
        }
        assert_eq!(
            app.delete("instances/?createdTimeFrom=1/1/2018&runtimeStatus=1").await.text,
            r#"{"instancesDeleted":1}"#
        );
    })
    .await;
}

#[tokio::test]
async fn an_id_that_the_api_makes_cannot_be_guessed() {
    in_time(async {
        let app = App::new().await;
        app.puppet("p", json!({ "input": 1 })).await;
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..20 {
            for path in ["orchestrators/puppet", "instances/p/restart"] {
                let id = app.post(path, "1").await.json()["id"].as_str().unwrap().to_owned();
                assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
                // Nothing in it matters.
                assert!(ids.insert(id[..8].to_owned()) && !ids.contains(&id[8..16]), "{id}");
            }
        }
        let restarted = app.post("instances/p/restart", "").await.json()["id"].as_str().unwrap().to_owned();
        let restarted = app.get(&format!("instances/{restarted}")).await.json();
        assert_eq!((&restarted["name"], &restarted["input"]), (&json!("puppet"), &json!({ "input": 1 })));
    })
    .await;
}

#[tokio::test]
async fn a_start_that_waits_follows_the_life_that_it_started() {
    in_time(async {
        let app = App::new().await;
        let client = app.client();
        let first = client.start_by_name("puppet", &1).instance_id("p").await.unwrap();
        client.terminate("p", "replaced").await.unwrap();
        let again = client.start_by_name("puppet", &2).instance_id("p");
        again.on_existing(IdReusePolicy::ReplaceEnded).await.unwrap();
        let ended = first.wait_for_completion().await.unwrap();
        assert_eq!((ended.runtime_status(), ended.serialized_input()), (RuntimeStatus::Terminated, "1"));

        // Over HTTP, the first caller is told about the first life, whenever the second one begins.
        for round in 0..50 {
            let id = format!("q{round}");
            let path = format!("orchestrators/puppet/{id}?timeout=60");
            let waiting = app.post(&path, "1");
            let replacing = async {
                while client.get_instance(&id).await.unwrap().is_none() {
                    tokio::task::yield_now().await;
                }
                client.terminate(&id, "replaced").await.unwrap();
                let again = client.start_by_name("puppet", &2).instance_id(&id);
                again.on_existing(IdReusePolicy::ReplaceEnded).await.unwrap();
            };
            let (answer, ()) = tokio::join!(waiting, replacing);
            assert_eq!((&answer.json()["runtimeStatus"], &answer.json()["input"]), (&json!("Terminated"), &json!(1)));
        }
    })
    .await;
}

/// An axum application that contains the router, as docs/http.md shows it.
#[tokio::test]
async fn a_graceful_shutdown_ends_although_clients_stay() {
    in_time(async {
        let app = App::new().await;
        app.puppet("p", json!(1)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let nested = axum::Router::new().nest("/durable", app.router.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let management = app.management.clone();
        let serving = tokio::spawn(
            axum::serve(listener, nested)
                .with_graceful_shutdown(async move {
                    drop(stopped.await);
                    management.close();
                })
                .into_future(),
        );

        let path = format!("/durable{BASE}/instances/p/customStatus/stream");
        let mut stream = EventSource::open(address, &path, None).await;
        assert_eq!(stream.next().await.unwrap().name, "customStatus");
        let poll = app.get("instances/p?waitForCustomStatusChange=1&timeout=3600");
        let start = app.post("orchestrators/puppet/waits?timeout=3600", "1");
        let close = async {
            app.client().wait_for_start("waits").await.ok();
            while app.client().get_instance("waits").await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            stop.send(()).unwrap();
        };
        let (poll, start, ()) = tokio::join!(poll, start, close);
        assert_eq!(stream.next().await, None);
        serving.await.unwrap().unwrap();
        assert_eq!((poll.status.as_u16(), start.status.as_u16()), (202, 202));
        assert!(start.json()["statusQueryGetUri"].is_string(), "{}", start.text);
        // Requests that end are still served.
        assert_eq!(app.get("instances/p").await.status, 202);
    })
    .await;
}

/// The options of all tests above have no keys. What a client of the family sends together with its key is accepted
/// too.
#[tokio::test]
async fn a_key_in_the_query_is_a_parameter_of_the_family() {
    in_time(async {
        let keys = "all all aKeyOfManyCharacters".parse().unwrap();
        let app = App::with(HttpOptions::new().public_base_url("http://localhost:7071").keys(keys)).await;
        let started = app.post("orchestrators/puppet?code=aKeyOfManyCharacters", "1").await;
        assert_eq!(started.status, 202);
        let url = started.json()["terminatePostUri"].as_str().unwrap().replace("{text}", "x");
        let path = url.strip_prefix("http://localhost:7071").unwrap();
        assert_eq!(app.post(&format!("{path}&recursive=true"), "").await.status, 202);
    })
    .await;
}
