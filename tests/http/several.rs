//! The custom status of several instances over one connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use persevere::http::{HttpOptions, Server};
use persevere::prelude::*;
use serde_json::{Value, json};

use crate::http::stage::{App, BASE, in_time, options, request, runtime};
use crate::http::wire::EventSource;

/// A runtime with its API, and the address at which the API is served.
async fn served() -> (App, SocketAddr) {
    let runtime = runtime(MemoryStore::new()).await;
    let server = Server::bind(runtime.client().clone(), HttpOptions::new().bind(([127, 0, 0, 1], 0))).await.unwrap();
    let address = server.local_addr();
    tokio::spawn(server.run());
    (App::on(runtime, options()), address)
}

async fn open(address: SocketAddr, ids: &str, last: Option<&str>) -> EventSource {
    EventSource::open(address, &format!("{BASE}/instances/stream?{ids}"), last).await
}

/// Returns the next events as names, instances and custom statuses.
async fn next(stream: &mut EventSource, count: usize) -> BTreeSet<(String, String, String)> {
    let mut events = BTreeSet::new();
    for _ in 0..count {
        let event = stream.next().await.unwrap();
        let id = event.data["instanceId"].as_str().unwrap().to_owned();
        events.insert((event.name, id, event.data["customStatus"].to_string()));
    }
    events
}

fn set(events: &[(&str, &str, &str)]) -> BTreeSet<(String, String, String)> {
    let text = |text: &&str| (*text).to_owned();
    events.iter().map(|(name, id, status)| (text(name), text(id), text(status))).collect()
}

#[tokio::test]
async fn one_stream_tells_of_every_instance_and_closes_behind_the_last_end() {
    in_time(async {
        let (app, address) = served().await;
        for id in ["a", "b"] {
            app.puppet(id, json!(id)).await;
        }
        let mut stream = open(address, "ids=a,nobody&ids=b&ids=a&ids=@x", None).await;
        let expected = [
            ("customStatus", "a", "\"a\""),
            ("customStatus", "b", "\"b\""),
            ("gone", "nobody", "null"),
            ("gone", "@x", "null"),
        ];
        assert_eq!(next(&mut stream, 4).await, set(&expected));
        app.tell("b", json!(2)).await;
        assert_eq!(next(&mut stream, 1).await, set(&[("customStatus", "b", "2")]));
        app.tell("b", json!("end")).await;
        assert_eq!(next(&mut stream, 1).await, set(&[("end", "b", "2")]));
        // The other instance continues, and so does the stream.
        app.tell("a", json!("fail")).await;
        let end = stream.next().await.unwrap();
        assert_eq!((end.name.as_str(), &end.data["runtimeStatus"]), ("end", &json!("Failed")));
        assert_eq!(end.data["output"], "told to fail");
        assert_eq!(stream.next().await, None);
    })
    .await;
}

#[tokio::test]
async fn it_resumes_without_repeating_what_any_instance_said() {
    in_time(async {
        let (app, address) = served().await;
        for id in ["a", "b"] {
            app.puppet(id, json!(id)).await;
        }
        let mut stream = open(address, "ids=a,b", None).await;
        stream.next().await.unwrap();
        let seen = stream.next().await.unwrap().id;
        app.tell("b", json!(2)).await;
        let mut again = open(address, "ids=a,b", Some(&seen)).await;
        assert_eq!(next(&mut again, 1).await, set(&[("customStatus", "b", "2")]));
        app.tell("a", json!(3)).await;
        assert_eq!(next(&mut again, 1).await, set(&[("customStatus", "a", "3")]));
        // A token of another list, or something that is not a token, makes the stream begin with the current values.
        for last in ["nonsense", "-,-", "1.1,1.1", &format!("{seen},-"), ""] {
            let mut fresh = open(address, "ids=a,b", Some(last)).await;
            let both = set(&[("customStatus", "a", "3"), ("customStatus", "b", "2")]);
            assert_eq!(next(&mut fresh, 2).await, both, "{last}");
        }
    })
    .await;
}

#[tokio::test]
async fn it_says_what_cannot_be_streamed() {
    in_time(async {
        let app = App::new().await;
        let many = (0..101).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        for (query, says) in [
            ("ids=,%20,", "names no instance"),
            (&format!("ids={many}"), "100 is the limit"),
            ("ids=a&showInput=perhaps", "`showInput`"),
            ("ids=a&showInputs=true", "did you mean `showInput`?"),
        ] {
            let answer = app.get(&format!("instances/stream?{query}")).await;
            assert_eq!(answer.status, 400, "{query}: {}", answer.text);
            assert!(answer.text.contains(says), "{query}: {}", answer.text);
        }
        // Without `ids`, the path refers to an instance with that name.
        assert_eq!(app.get("instances/stream").await.status, 404);
        app.puppet("stream", json!(1)).await;
        assert_eq!(app.get("instances/stream?showInput=false").await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_code_opens_the_stream_of_its_own_instance_only() {
    in_time(async {
        let key = "aKeyThatNobodyGuesses";
        let app = App::with(options().keys(format!("all all {key}").parse().unwrap())).await;
        let mut start = request("POST", "orchestrators/puppet/a", "1");
        start.headers_mut().insert("x-functions-key", key.parse().unwrap());
        let started: Value = app.send(start).await.json();
        let code = started["statusQueryGetUri"].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
        app.client().terminate("a", "so that the stream ends").await.unwrap();
        for (ids, status) in [("a", 200), ("a,b", 403), ("b", 403), ("b&ids=a", 403)] {
            let answer = app.get(&format!("instances/stream?ids={ids}&code={code}")).await;
            assert_eq!(answer.status, status, "{ids}: {}", answer.text);
        }
        assert_eq!(app.get("instances/stream?ids=a").await.status, 401);
    })
    .await;
}
