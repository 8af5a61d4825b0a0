//! Requests as text, and what must be true of the answer to any of them. The fuzz target and a property test share this
//! file.
//!
//! ```text
//! POST /runtime/webhooks/durabletask/instances/a/terminate?reason=b
//! content-type: application/json
//!
//! body
//! ```

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use persevere::http::{HttpLimits, HttpOptions};
use persevere::prelude::*;
use serde_json::Value;
use tower::ServiceExt;

/// Waits for events, and publishes how many came.
#[orchestrator]
async fn wait(ctx: OrchestrationContext<u32>, events: u32) -> Result<u32, OrchestrationError> {
    for event in 1..=events.min(10) {
        ctx.wait_for_external_event::<serde_json::Value>("go").await?;
        ctx.set_custom_status(&event)?;
    }
    Ok(events)
}

/// Fails.
#[orchestrator]
async fn fail(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Err("as asked".into())
}

/// The API of one runtime twice: open to everybody, and with a key that no request has.
pub(crate) struct Target {
    runtime: Runtime,
    open: Router,
    keyed: Router,
}

/// Parses a request. Returns `None` if no server would pass it on.
pub(crate) fn parse(text: &[u8]) -> Option<Request<Vec<u8>>> {
    let (line, mut rest) = split(text)?;
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let target = Uri::try_from(words.next()?).ok()?;
    let mut request = Request::new(Vec::new());
    while let Some((line, after)) = split(rest) {
        rest = after;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    (*request.method_mut(), *request.uri_mut(), *request.body_mut()) = (method, target, rest.to_vec());
    Some(request)
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let line = text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]);
    Some((line, text.get(end + 1..).unwrap_or_default()))
}

impl Target {
    pub(crate) async fn new() -> Self {
        let runtime = Runtime::builder().store(MemoryStore::new()).auto_register().start().await.unwrap();
        for (name, id) in [("wait", "waiting"), ("fail", "failed")] {
            runtime.client().start_by_name(name, &3).instance_id(id).await.unwrap();
        }
        let mut limits = HttpLimits::default();
        // The test does not wait for what never comes.
        (limits.wait_time, limits.keep_alive) = (Duration::ZERO, Duration::from_millis(1));
        let options = HttpOptions::new().limits(limits).public_base_url("http://localhost");
        let router = |options| persevere::http::router(runtime.client().clone(), options).unwrap();
        let keyed = router(options.clone().keys("operator all aKeyThatNoRequestHolds".parse().unwrap()));
        let open = router(options);
        Self { runtime, open, keyed }
    }

    /// Sends the request, and panics if the answer breaks a rule for all answers.
    pub(crate) async fn check(&self, request: &Request<Vec<u8>>) {
        let response = self.keyed.clone().oneshot(with_body(request)).await.unwrap();
        let public = ["/healthz", "/readyz", "/openapi.json"].contains(&request.uri().path());
        assert!(public || !response.status().is_success(), "{} without a key", response.status());
        judge(request, response).await;
        judge(request, self.open.clone().oneshot(with_body(request)).await.unwrap()).await;
    }

    pub(crate) async fn close(self) {
        self.runtime.shutdown().await.unwrap();
    }
}

fn with_body(request: &Request<Vec<u8>>) -> Request<Body> {
    let (parts, body) = request.clone().into_parts();
    Request::from_parts(parts, Body::from(body))
}

async fn judge(request: &Request<Vec<u8>>, response: Response<Body>) {
    let (status, headers) = (response.status(), response.headers().clone());
    let kind = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap()).unwrap_or_default().to_owned();
    let body = body(response, kind == "text/event-stream").await;
    let said = format!("{status} {headers:?} {}", String::from_utf8_lossy(&body));
    // Axum answers paths outside of the router, with an empty body.
    if status == StatusCode::NOT_FOUND && body.is_empty() && kind.is_empty() {
        return;
    }
    for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
        let found = headers.get(name).map(HeaderValue::as_bytes);
        assert!(found == Some(value.as_bytes()) || kind == "text/event-stream", "{name}: {said}");
    }
    if let Some(location) = headers.get("location") {
        let location = location.to_str().expect("a location is ASCII");
        assert!(location.starts_with("http://localhost/runtime/"), "{said}");
        location.replace(['{', '}'], "").parse::<Uri>().expect("a location is a URL");
    }
    if request.method() == Method::HEAD || body.is_empty() {
        assert!(!status.is_client_error() || request.method() == Method::HEAD, "{said}");
        return;
    }
    if kind == "text/event-stream" {
        let begins = body.starts_with(b"id: ") || body.starts_with(b":");
        assert!(status == StatusCode::OK && begins, "{said}");
        return;
    }
    assert_eq!(kind, "application/json; charset=utf-8", "{said}");
    let value: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {said}"));
    if status.is_client_error() || status.is_server_error() {
        let texts = ["Message", "ExceptionMessage", "ExceptionType"].map(|name| value[name].is_string());
        assert!(texts == [true; 3] || is_failed(&headers, &value), "{said}");
        assert!(value.get("StackTrace").is_none(), "{said}");
    }
    // The family answers 500 in these cases, and it is no fault of the server: suspending twice, and a failure if the
    // reader asks for this code.
    let known = value["ExceptionType"] == "System.InvalidOperationException" || is_failed(&headers, &value);
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR || known, "{said}");
}

fn is_failed(headers: &HeaderMap, value: &Value) -> bool {
    headers.contains_key("x-custom-status-token") && value["runtimeStatus"] == "Failed"
}

/// Returns the body, or the first part of one that does not end.
async fn body(response: Response<Body>, endless: bool) -> Vec<u8> {
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame else { return bytes };
        bytes.extend(frame.unwrap().into_data().unwrap_or_default());
        if endless {
            return bytes;
        }
    }
}
