//! How large a request may be, how much it may occupy, and what is answered above these limits.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use persevere::MemoryStore;
use persevere::http::HttpLimits;
use serde_json::json;

use crate::http::stage::{App, BASE, in_time, options, request, runtime_on};
use crate::reads::ReadsStore;

async fn limited(change: impl FnOnce(&mut HttpLimits)) -> App {
    let mut limits = HttpLimits::default();
    change(&mut limits);
    App::with(options().limits(limits)).await
}

#[tokio::test]
async fn sizes_are_limited() {
    in_time(async {
        let app = limited(|limits| {
            limits.body_bytes = 100;
            limits.url_bytes = 200;
            limits.event_name_chars = 5;
            limits.page = 2;
        })
        .await;
        let text = |length: usize| json!("x".repeat(length - 2)).to_string();
        assert_eq!(app.post("orchestrators/puppet", &text(100)).await.status, 202);
        let answer = app.post("orchestrators/puppet", &text(101)).await;
        assert_eq!((answer.status.as_u16(), answer.json()["ExceptionType"].as_str()), (413, Some("PayloadTooLarge")));
        // Without a length in the head, the size is noticed while the body is read.
        let chunks = ["\"".to_owned(), "x".repeat(60), "x".repeat(60), "\"".to_owned()];
        let chunks = Body::new(Chunks(chunks.map(Some).to_vec()));
        let mut chunked = request("POST", "orchestrators/puppet", "").map(|_| chunks);
        chunked.headers_mut().insert("content-type", "application/json".parse().unwrap());
        assert_eq!(app.send(chunked).await.status, 413);

        let long = app.get(&format!("instances/p?x={}", "y".repeat(200))).await;
        assert_eq!((long.status.as_u16(), long.json()["ExceptionType"].as_str()), (414, Some("UriTooLong")));
        app.puppet("p", json!(1)).await;
        assert_eq!(app.post("instances/p/raiseEvent/%C3%BCbers", "1").await.status, 202);
        assert_eq!(app.post("instances/p/raiseEvent/longer", "1").await.status, 400);
        app.puppet("q", json!(1)).await;
        let listed = app.get("instances/?top=100").await;
        assert_eq!(listed.json().as_array().unwrap().len(), 2);
        assert_ne!(listed.header("x-ms-continuation-token"), Some(""));
        assert_eq!(app.post("orchestrators/puppet", &"[".repeat(99)).await.status, 400);
        let hundred = "x".repeat(100);
        assert_eq!(app.post(&format!("orchestrators/puppet/{hundred}"), "1").await.status, 202);
        assert_eq!(app.post(&format!("orchestrators/puppet/{hundred}x"), "1").await.status, 400);
    })
    .await;
}

/// Sends a body in chunks, without saying how many there are.
struct Chunks(Vec<Option<String>>);

impl axum::body::HttpBody for Chunks {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        let next = self.0.iter_mut().find_map(Option::take);
        std::task::Poll::Ready(next.map(|text| Ok(hyper::body::Frame::data(text.into()))))
    }
}

#[tokio::test]
async fn json_is_limited_in_depth() {
    in_time(async {
        let app = App::new().await;
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(app.post("orchestrators/puppet", &nested(127)).await.status, 202);
        for depth in [128, 1_000, 100_000] {
            let answer = app.post("orchestrators/puppet", &nested(depth)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["Message"].as_str()),
                (400, Some("Invalid JSON content"))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn open_waits_and_streams_are_limited_in_number() {
    in_time(async {
        let app = limited(|limits| {
            limits.waits = 1;
            limits.streams = 1;
        })
        .await;
        app.puppet("p", json!(1)).await;
        let full =
            |answer: &crate::http::stage::Answer| (answer.status.as_u16(), answer.header("retry-after").is_some());

        let stream = request("GET", "instances/p/customStatus/stream", "");
        let open = tower::ServiceExt::oneshot(app.router.clone(), stream).await.unwrap();
        assert_eq!(open.status(), 200);
        assert_eq!(full(&app.get("instances/p/customStatus/stream").await), (503, true));
        drop(open);
        app.tell("p", json!("end")).await;
        assert_eq!(app.get("instances/p/customStatus/stream").await.status, 200);

        app.puppet("q", json!(1)).await;
        let mut poll = Box::pin(app.get("instances/q?waitForCustomStatusChange=1&timeout=60"));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut poll).await.is_err());
        for (method, path) in [
            ("GET", "instances/q?waitForCustomStatusChange=1"),
            ("POST", "orchestrators/puppet/never?timeout=1"),
            ("POST", "instances/p/restart?timeout=1"),
        ] {
            assert_eq!(full(&app.send(request(method, path, "1")).await), (503, true), "{path}");
        }
        // A refused request has no effect, and a request that does not wait is served.
        assert_eq!(app.get("instances/never").await.status, 404);
        assert_eq!(app.get("instances/q").await.status, 202);
        drop(poll);
        assert_eq!(app.get("instances/q?waitForCustomStatusChange=1&timeout=0").await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_history_takes_its_place_until_it_is_sent() {
    in_time(async {
        let app = limited(|limits| limits.histories = 1).await;
        app.puppet("p", json!(1)).await;
        let ask = || tower::ServiceExt::oneshot(app.router.clone(), request("GET", "instances/p?showHistory=true", ""));
        let unread = ask().await.unwrap();
        assert_eq!(unread.status(), 202);
        let refused = app.get("instances/p?showHistory=true").await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("5")));
        assert_eq!(app.get("instances/p").await.status, 202);
        drop(unread);
        for _ in 0..2 {
            let read = app.get("instances/p?showHistory=true").await;
            assert_eq!((read.status.as_u16(), read.json()["historyEvents"].is_array()), (202, true));
        }
    })
    .await;
}

#[tokio::test]
async fn time_is_limited() {
    let reads = Arc::new(ReadsStore::new(MemoryStore::new()));
    let mut limits = HttpLimits::default();
    limits.request_time = Duration::from_secs(10);
    limits.wait_time = Duration::from_secs(20);
    let app = App::on(runtime_on(Arc::clone(&reads) as _).await, options().limits(limits));
    // No read of an instance is answered.
    reads.hold_by_id(true);
    // Nothing below depends on another thread, so time may run as fast as possible.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let endless = Request::post(format!("{BASE}/orchestrators/puppet")).body(Body::new(Never)).unwrap();
    let answer = app.send(endless).await;
    assert_eq!((answer.status.as_u16(), answer.json()["ExceptionType"].as_str()), (408, Some("RequestTimeout")));
    assert_eq!(begun.elapsed().as_secs(), 10);
    for (path, seconds) in [
        ("instances/p", 10),
        ("instances/p?waitForCustomStatusChange=1", 30),
        ("instances/p?waitForCustomStatusChange=1&timeout=5", 15),
    ] {
        let begun = tokio::time::Instant::now();
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["ExceptionType"].as_str()),
            (504, Some("System.TimeoutException"))
        );
        assert_eq!(begun.elapsed().as_secs(), seconds, "{path}");
    }
}

/// Sends a request whose body never arrives.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_wait_is_no_longer_than_it_may_be() {
    in_time(async {
        let app = limited(|limits| limits.wait_time = Duration::from_millis(20)).await;
        app.puppet("p", json!(1)).await;
        for timeout in ["", "&timeout=1e9", "&timeout=1e300"] {
            let answer = app.get(&format!("instances/p?waitForCustomStatusChange=1{timeout}")).await;
            assert_eq!(answer.status, 202, "{timeout}");
        }
        assert_eq!(app.post("orchestrators/puppet?timeout=1e300", "1").await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_finds_no_room_is_told_so() {
    in_time(async {
        let mut limits = persevere::Limits::default();
        limits.buffered_events = 1;
        let runtime = persevere::Runtime::builder().store(persevere::MemoryStore::new()).auto_register().limits(limits);
        let app = App::on(runtime.start().await.unwrap(), options());
        app.puppet("p", json!(1)).await;
        assert_eq!(app.post("instances/p/raiseEvent/Unheard", "1").await.status, 202);
        let answer = app.post("instances/p/raiseEvent/Unheard", "1").await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("5")), "{}", answer.text);
        let mut limits = persevere::Limits::default();
        limits.buffered_event_bytes = 1_000;
        let runtime = persevere::Runtime::builder().store(persevere::MemoryStore::new()).auto_register().limits(limits);
        let app = App::on(runtime.start().await.unwrap(), options());
        app.puppet("p", json!(1)).await;
        let large = format!("\"{}\"", "e".repeat(600));
        assert_eq!(app.post("instances/p/raiseEvent/Unheard", &large).await.status, 202);
        let answer = app.post("instances/p/raiseEvent/Unheard", &large).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("5")), "{}", answer.text);
        assert!(answer.text.contains("1000 bytes"), "{}", answer.text);
    })
    .await;
}

/// The page of the API names every limit.
#[test]
fn the_table_of_limits_is_complete() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http.md")).unwrap();
    let limits = format!("{:?}", HttpLimits::default());
    let fields: Vec<_> =
        limits.split(['{', ',']).skip(1).map(|field| field.split(':').next().unwrap().trim()).collect();
    assert!(fields.len() > 10, "{fields:?}");
    for field in fields {
        assert!(page.contains(&format!("| `{field}` |")), "{field} is not in the table");
    }
}
