//! The custom status as a stream, and the long poll.

use std::net::SocketAddr;

use persevere::http::{HttpLimits, HttpOptions, Server};
use persevere::prelude::*;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::stage::{App, BASE, in_time, options, request, runtime};
use crate::http::wire::{Event, EventSource};

/// A runtime with its API, served at a real address.
struct Served {
    app: App,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Served {
    async fn on(runtime: Runtime, limits: HttpLimits) -> Self {
        let options = HttpOptions::new().bind(([127, 0, 0, 1], 0)).limits(limits);
        let server = Server::bind(runtime.client().clone(), options).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run_until(async { drop(stopped.await) }));
        Self { app: App::on(runtime, self::options()), address, stop, serving }
    }

    async fn new() -> Self {
        Self::on(runtime(MemoryStore::new()).await, HttpLimits::default()).await
    }

    async fn open(&self, id: &str, last: Option<&str>) -> EventSource {
        EventSource::open(self.address, &format!("{BASE}/instances/{id}/customStatus/stream"), last).await
    }
}

fn value(event: &Event) -> &Value {
    assert_eq!(event.name, "customStatus");
    &event.data["customStatus"]
}

#[tokio::test]
async fn a_stream_gives_the_current_value_each_later_one_and_the_end() {
    in_time(async {
        let served = Served::new().await;
        served.app.puppet("p", json!({ "city": "Tokyo" })).await;
        let mut stream = served.open("p", None).await;
        let first = stream.next().await.unwrap();
        let expected =
            json!({ "customStatus": { "city": "Tokyo" }, "customStatusVersion": 1, "runtimeStatus": "Running" });
        assert_eq!((first.name.as_str(), &first.data), ("customStatus", &expected));
        let status = served.app.get("instances/p").await;
        assert_eq!(status.header("x-custom-status-token"), Some(&*first.id));
        for next in ["London", "Seattle", "a\nb\r\nc"] {
            served.app.tell("p", json!(next)).await;
            assert_eq!(value(&stream.next().await.unwrap()), next);
        }
        served.app.tell("p", json!("end")).await;
        let end = stream.next().await.unwrap();
        assert_eq!((end.name.as_str(), &end.data["output"]), ("end", &json!({ "said": "a\nb\r\nc" })));
        assert_eq!(end.data["runtimeStatus"], "Completed");
        assert_eq!(stream.next().await, None);
        // A browser connects again with the last id that it has seen, and is told about the end at once.
        let mut again = served.open("p", Some(&end.id)).await;
        assert_eq!(again.next().await, Some(end));
        assert_eq!(again.next().await, None);
        // A client that has never seen the value gets it too.
        let mut late = served.open("p", None).await;
        assert_eq!(value(&late.next().await.unwrap()), "a\nb\r\nc");
        assert_eq!(late.next().await.unwrap().name, "end");
        assert_eq!(late.next().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_stream_resumes_without_repeating() {
    in_time(async {
        let served = Served::new().await;
        served.app.puppet("p", json!(1)).await;
        let first = served.open("p", None).await.next().await.unwrap();
        let mut resumed = served.open("p", Some(&first.id)).await;
        served.app.tell("p", json!(2)).await;
        assert_eq!(value(&resumed.next().await.unwrap()), 2);
        // Changes that were missed arrive as the newest value.
        served.app.tell("p", json!(3)).await;
        served.app.tell("p", json!(4)).await;
        assert_eq!(value(&served.open("p", Some(&first.id)).await.next().await.unwrap()), 4);
        // Something that is not a token, or a token of another life, makes the stream begin with the current value.
        for token in ["nonsense", "1.1", "", "99999999999999999999.1"] {
            assert_eq!(value(&served.open("p", Some(token)).await.next().await.unwrap()), 4, "{token}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_restart_ends_the_stream_and_the_next_stream_starts_from_the_current_value() {
    in_time(async {
        let served = Served::new().await;
        served.app.puppet("p", json!("first life")).await;
        let mut stream = served.open("p", None).await;
        let seen = stream.next().await.unwrap();
        served.app.tell("p", json!("end")).await;
        served.app.client().restart("p").await.unwrap();
        assert_eq!(stream.next().await.unwrap().name, "end");
        assert_eq!(stream.next().await, None);
        // The version is the same in both lives, but the token is not.
        served.app.client().wait_for_start("p").await.unwrap();
        let mut next = served.open("p", Some(&seen.id)).await;
        let event = next.next().await.unwrap();
        assert_eq!((value(&event), &event.data["customStatusVersion"]), (&json!("first life"), &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_skips_values_and_delays_nobody() {
    in_time(async {
        let served = Served::new().await;
        let long = "x".repeat(4_000);
        served.app.puppet("p", json!([0, long])).await;
        let (mut slow, mut prompt) = (served.open("p", None).await, served.open("p", None).await);
        prompt.next().await.unwrap();
        // The values exceed the buffers of a connection, so a client that does not read misses some of them.
        for count in 1..=3_000 {
            served.app.client().raise_event("p", "Next", &json!([count, long])).await.unwrap();
        }
        served.app.tell("p", json!("end")).await;
        let mut last = -1;
        let mut seen = 0;
        let end = loop {
            let event = slow.next().await.unwrap();
            if event.name == "end" {
                break event;
            }
            let count = value(&event)[0].as_i64().unwrap();
            assert!(count > last, "{count} after {last}");
            (last, seen) = (count, seen + 1);
        };
        assert_eq!((last, end.data["runtimeStatus"].as_str()), (3_000, Some("Completed")));
        assert!(seen < 3_000, "nothing was skipped");
    })
    .await;
}

#[tokio::test]
async fn streams_end_when_the_server_closes_and_say_so_by_closing() {
    in_time(async {
        let served = Served::new().await;
        served.app.puppet("p", json!(1)).await;
        let mut stream = served.open("p", None).await;
        stream.next().await.unwrap();
        served.stop.send(()).unwrap();
        assert_eq!(stream.next().await, None);
        served.serving.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_stream_without_changes_sends_keep_alive_comments() {
    in_time(async {
        let mut limits = HttpLimits::default();
        limits.keep_alive = std::time::Duration::from_millis(20);
        let served = Served::on(runtime(MemoryStore::new()).await, limits).await;
        served.app.puppet("p", json!(1)).await;
        let mut stream = served.open("p", None).await;
        stream.next().await.unwrap();
        assert_eq!(stream.block().await.as_deref(), Some(":"));
    })
    .await;
}

#[tokio::test]
async fn a_long_poll_answers_when_there_is_something_new() {
    in_time(async {
        let app = App::new().await;
        app.puppet("p", json!("Tokyo")).await;
        let token = app.get("instances/p").await.header("x-custom-status-token").unwrap().to_owned();
        for known in [token.as_str(), "1"] {
            let path = format!("instances/p?waitForCustomStatusChange={known}&timeout=60");
            let mut poll = Box::pin(app.get(&path));
            // The request waits, because nothing has changed.
            let nothing = tokio::time::timeout(std::time::Duration::from_millis(50), &mut poll).await;
            assert!(nothing.is_err(), "{known}");
            app.tell("p", json!(format!("behind {known}"))).await;
            let answer = poll.await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["customStatus"]),
                (202, &json!(format!("behind {known}")))
            );
            // The instance is restarted for the next case: a new life begins with version 1 again.
            app.tell("p", json!("end")).await;
            app.client().restart("p").await.unwrap();
            app.client().wait_for_start("p").await.unwrap();
        }
        // A token of another life differs, although the version is the same.
        let answer = app.get(&format!("instances/p?waitForCustomStatusChange={token}&timeout=60")).await;
        assert_eq!(answer.json()["customStatusVersion"], 1);
        let poll = app.get("instances/p?waitForCustomStatusChange=1");
        let (answer, ()) = tokio::join!(poll, app.tell("p", json!("end")));
        assert_eq!((answer.status.as_u16(), &answer.json()["runtimeStatus"]), (200, &json!("Completed")));
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_an_unknown_instance_is_answered_with_an_error() {
    in_time(async {
        let app = App::new().await;
        for id in ["nobody", "@x", "%20"] {
            let answer = app.send(request("GET", &format!("instances/{id}/customStatus/stream"), "")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("content-type")),
                (404, Some("application/json; charset=utf-8")),
                "{id}"
            );
        }
    })
    .await;
}
