//! The router under a prefix of the program's own server.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use persevere::http::{HttpOptions, Management};
use persevere::prelude::*;
use serde_json::Value;
use tower::ServiceExt;

use crate::http_edges::connection::BASE;
use crate::http_edges::scenarios::Pace;
use crate::logged::logged;

const ORIGIN: &str = "https://orders.example";
const KEYS: &str = "operator all aKeyForTheseTestsAlone";
const KEY: &str = "aKeyForTheseTestsAlone";

/// Sends a request by URL, as a proxy would pass it on. Only what the URL contains authorises it.
async fn call(app: &Router, method: &str, url: &str, body: &str, key: Option<&str>) -> (StatusCode, String, Value) {
    let target = url.strip_prefix(ORIGIN).unwrap_or(url);
    let mut request = Request::builder().method(method).uri(target).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("x-functions-key", key);
    }
    let response = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let status = response.status();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, location.unwrap_or_default(), serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn every_url_that_is_handed_out_leads_back_through_the_prefix() {
    let (runtime, app) = nested().await;

    let start = format!("/durable{BASE}/orchestrators/recommend_city/trip%201");
    let (status, location, payload) = call(&app, "POST", &start, "2", Some(KEY)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let url = |name: &str| payload[name].as_str().unwrap().to_owned();
    assert_eq!(location, url("statusQueryGetUri"));
    assert!(location.starts_with(&format!("{ORIGIN}/durable{BASE}/instances/trip%201?")), "{location}");

    // The URL is followed twice, because the Location of a status is the URL that was requested.
    let (status, again, _) = call(&app, "GET", &location, "", None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(again.starts_with(&format!("{ORIGIN}/durable{BASE}/instances/trip%201?")), "{again}");
    assert_eq!(call(&app, "GET", &again, "", None).await.0, StatusCode::ACCEPTED);

    let suspend = url("suspendPostUri").replace("{text}", "lunch");
    assert_eq!(call(&app, "POST", &suspend, "", None).await.0, StatusCode::ACCEPTED);
    let resume = url("resumePostUri").replace("{text}", "back");
    assert_eq!(call(&app, "POST", &resume, "", None).await.0, StatusCode::ACCEPTED);
    let chosen = url("sendEventPostUri").replace("{eventName}", "CityChosen");
    assert_eq!(call(&app, "POST", &chosen, "\"Lisbon\"", None).await.0, StatusCode::ACCEPTED);
    let ended = runtime.client().wait_for_completion("trip 1").await.unwrap();
    assert_eq!(ended.serialized_output(), Some("\"Go to Lisbon in summer.\""));
    let (status, _, restarted) = call(&app, "POST", &url("restartPostUri"), "", None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let other = restarted["statusQueryGetUri"].as_str().unwrap();
    assert_eq!(call(&app, "GET", other, "", None).await.0, StatusCode::ACCEPTED);
    assert_eq!(call(&app, "DELETE", &url("purgeHistoryDeleteUri"), "", None).await.0, StatusCode::OK);
    assert_eq!(call(&app, "GET", &location, "", None).await.0, StatusCode::NOT_FOUND);

    // Neither the key nor any code is in the log.
    let log = logged();
    let code = location.split("code=").nth(1).unwrap();
    assert!(log.contains("trip%201") && log.contains("code=REDACTED"), "{log}");
    assert!(!log.contains(KEY) && !log.contains(code), "{log}");
    runtime.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_rest_of_the_program_keeps_its_paths() {
    let (runtime, app) = nested().await;
    for (url, expected) in [
        ("/", StatusCode::OK),
        ("/healthz", StatusCode::NOT_FOUND),
        ("/durable/healthz", StatusCode::OK),
        ("/durable/readyz", StatusCode::OK),
        ("/durable/openapi.json", StatusCode::OK),
        (&format!("{BASE}/instances/"), StatusCode::NOT_FOUND),
        (&format!("/durable{BASE}/instances/"), StatusCode::OK),
        (&format!("/durable{BASE}/instances"), StatusCode::OK),
        (&format!("/durable/durable{BASE}/instances/"), StatusCode::NOT_FOUND),
        (&format!("/durable{BASE}/nothing"), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(call(&app, "GET", url, "", Some(KEY)).await.0, expected, "{url}");
    }
    runtime.shutdown().await.unwrap();
}

async fn nested() -> (Runtime, Router) {
    logged();
    let builder = Runtime::builder().store(MemoryStore::new()).state(Pace::free()).auto_register();
    let runtime = builder.start().await.unwrap();
    let options = HttpOptions::new().public_base_url(format!("{ORIGIN}/durable")).keys(KEYS.parse().unwrap());
    let durable = Management::new(runtime.client().clone(), options).unwrap().router();
    let app = Router::new().route("/", axum::routing::get(|| async { "Hello" })).nest("/durable", durable);
    (runtime, app)
}
