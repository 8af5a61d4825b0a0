//! Whatever is sent, there is an answer. An error is JSON, and the server never fails.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use persevere::http::HttpLimits;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::http::stage::{App, BASE, options};

const METHODS: [&str; 9] = ["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"];

fn segment() -> impl Strategy<Value = String> {
    let known = [
        "instances",
        "orchestrators",
        "entities",
        "puppet",
        "divide",
        "running",
        "completed",
        "failed",
        "suspended",
        "pending",
        "raiseEvent",
        "terminate",
        "suspend",
        "resume",
        "rewind",
        "restart",
        "customStatus",
        "stream",
        "Next",
        "",
        ".",
        "..",
        "@x",
        "%00",
        "%2F",
        "%ff",
        "%zz",
        "%",
        "%25",
        "%f0%9f%98%80",
        "a%0d%0ab",
        "%5C",
        "{*path}",
        "CON",
        "null",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(ToOwned::to_owned),
        1 => "[a-zA-Z0-9%._~!$&'()*+,;=:@-]{0,40}",
        1 => "[a-z]{250,300}",
    ]
}

fn pair() -> impl Strategy<Value = String> {
    let names = [
        "showInput",
        "showHistory",
        "showHistoryOutput",
        "top",
        "runtimeStatus",
        "createdTimeFrom",
        "createdTimeTo",
        "instanceIdPrefix",
        "customStatus",
        "timeout",
        "pollingInterval",
        "version",
        "reason",
        "code",
        "taskHub",
        "connection",
        "waitForCustomStatusChange",
        "restartWithNewInstanceId",
        "x",
        "%",
        "%C3",
    ];
    let values = [
        "",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "1e400",
        "NaN",
        "0.001",
        "18446744073709551616",
        "Running",
        "Completed,x",
        "2020-01-01",
        "2020-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-262143-01-01",
        "/a:1",
        ":",
        "/a:{",
        "%ff",
        "%00",
        "é",
        "1.1",
        "k1",
        "k18446744073709551615",
        "i",
        "i40",
        "persevere",
        "%f0%9f%98%80",
    ];
    (proptest::sample::select(names.to_vec()), proptest::sample::select(values.to_vec()), "[ -~]{0,20}", 0..4)
        .prop_map(|(name, value, other, kind)| format!("{name}={}", if kind == 0 { other } else { value.to_owned() }))
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let names = [
        "content-type",
        "x-ms-continuation-token",
        "last-event-id",
        "x-functions-key",
        "authorization",
        "host",
        "origin",
        "x-forwarded-host",
        "x-forwarded-proto",
        "traceparent",
        "content-length",
        "transfer-encoding",
    ];
    let values =
        ["application/json", "", "k1", "i40", "1.1", "Bearer x", "localhost", "http://[::1", "a@b", "\u{e9}", "null"];
    let value = prop_oneof![
        proptest::sample::select(values.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..30),
    ];
    (proptest::sample::select(names.to_vec()).prop_map(ToOwned::to_owned), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let known = ["", "null", "1", "{}", "[6,3]", "\"x\"", "{", "\u{feff}1", "1e999", "\"\\ud800\"", "[[[[", " "];
    prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..100),
    ]
}

type Input = (String, Vec<String>, Vec<String>, Vec<(String, Vec<u8>)>, Vec<u8>, bool);

fn input() -> impl Strategy<Value = Input> {
    (
        proptest::sample::select(METHODS.to_vec()).prop_map(ToOwned::to_owned),
        proptest::collection::vec(segment(), 0..5),
        proptest::collection::vec(pair(), 0..4),
        proptest::collection::vec(header(), 0..3),
        body(),
        proptest::bool::weighted(0.9),
    )
}

/// `None` means that no server receives this, because it is not HTTP.
fn build((method, segments, query, headers, body, below): &Input) -> Option<Request<Body>> {
    let base = if *below { BASE } else { "" };
    let uri = format!("{base}/{}?{}", segments.join("/"), query.join("&"));
    let mut request = Request::new(Body::from(body.clone()));
    *request.uri_mut() = uri.parse::<Uri>().ok()?;
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    for (name, value) in headers {
        let name = name.parse::<HeaderName>().ok()?;
        request.headers_mut().insert(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(request)
}

/// The cases in which the family answers 500 on purpose: suspending a suspended instance, and a failed instance whose
/// reader asks for this code.
fn is_meant(text: &str) -> bool {
    text.contains("System.InvalidOperationException")
}

fn run(app: &App, server: &tokio::runtime::Runtime, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let served = std::cell::Cell::new(0);
    let property = |input: Input| {
        let Some(request) = build(&input) else { return Ok(()) };
        served.set(served.get() + 1);
        let method = request.method().clone();
        let (status, json, text) = server.block_on(async {
            let response = tower::ServiceExt::oneshot(app.router.clone(), request).await.unwrap();
            let (parts, body) = response.into_parts();
            let json = parts.headers.get("content-type").is_some_and(|kind| kind == "application/json; charset=utf-8");
            let text = if parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
                String::new()
            } else {
                let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                String::from_utf8(bytes.to_vec()).unwrap()
            };
            (parts.status, json, text)
        });
        // Paths outside of the API belong to the program that serves it.
        if input.5 && !status.is_success() && method != Method::HEAD && !text.is_empty() {
            prop_assert!(json, "{status} {text}");
            prop_assert!(text.starts_with(r#"{"Message":""#), "{text}");
        }
        prop_assert!(status != 500 || is_meant(&text), "{text}");
        prop_assert!(status.as_u16() < 500 || matches!(status.as_u16(), 500 | 501), "{status} {text}");
        Ok(())
    };
    runner.run(&input(), property).unwrap_or_else(|error| panic!("{error}"));
    assert!(served.get() > cases / 2, "{} of {cases} were HTTP", served.get());
}

#[test]
fn every_request_has_an_answer() {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut limits = HttpLimits::default();
    limits.wait_time = std::time::Duration::from_millis(1);
    limits.body_bytes = 80;
    let open = server.block_on(async {
        let app = App::with(options().limits(limits)).await;
        app.one_of_each().await;
        app.puppet("\u{e9}", serde_json::json!("\u{e9}")).await;
        app
    });
    run(&open, &server, 4_000);
    let keys = "all all secret-of-all-0123456789".parse().unwrap();
    let client = open.client().clone();
    let management = persevere::http::Management::new(client, options().keys(keys).limits(limits)).unwrap();
    let closed = App { router: management.router(), management, ..open };
    run(&closed, &server, 1_000);
    server.block_on(async { drop(closed) });
}
