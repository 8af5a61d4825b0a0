//! The setting of a test: a runtime on the memory store, the API in front of it, and orchestrators that do what they
//! are told.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use persevere::http::{HttpOptions, Management};
use persevere::prelude::*;
use persevere::store::Store;
use persevere::{RuntimeStatus, StartedInstance};
pub(crate) use persevere_tests::in_time;
use serde_json::{Value, json};
use tower::ServiceExt;

/// The base path of the API.
pub(crate) const BASE: &str = "/runtime/webhooks/durabletask";

/// A runtime and its API.
pub(crate) struct App {
    pub(crate) runtime: Runtime,
    pub(crate) management: Management,
    pub(crate) router: Router,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Options of a router that is served on this machine only.
pub(crate) fn options() -> HttpOptions {
    HttpOptions::new().public_base_url("http://localhost:7071")
}

/// A request that can be changed and then sent.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Request<Body> {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("{BASE}/{path}") };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = Request::new(Body::from(body.to_owned()));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    if !body.is_empty() {
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    }
    request
}

pub(crate) async fn send_to(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

impl App {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: HttpOptions) -> Self {
        Self::on(runtime(MemoryStore::new()).await, options)
    }

    pub(crate) fn on(runtime: Runtime, options: HttpOptions) -> Self {
        let management = Management::new(runtime.client().clone(), options).unwrap();
        let router = management.router();
        Self { runtime, management, router }
    }

    pub(crate) fn client(&self) -> &Client {
        self.runtime.client()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send_to(&self.router, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(request("POST", path, body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request("DELETE", path, "")).await
    }

    /// Starts a puppet with this id and waits until it has run.
    pub(crate) async fn puppet(&self, id: &str, first: Value) -> StartedInstance {
        let started = self.client().start_by_name("puppet", &first).instance_id(id).await.unwrap();
        self.client().wait_for_start(id).await.unwrap();
        started
    }

    /// Tells a puppet what to show next; "end" and "fail" end it.
    pub(crate) async fn tell(&self, id: &str, next: Value) {
        let ends = [json!("end"), json!("fail")].contains(&next);
        self.client().raise_event(id, "Next", &next).await.unwrap();
        if ends {
            self.client().wait_for_completion(id).await.unwrap();
        }
    }

    /// Creates an instance in each state, and names it after the state.
    pub(crate) async fn one_of_each(&self) {
        for id in ["running", "suspended", "completed", "failed", "terminated"] {
            self.puppet(id, json!(id)).await;
        }
        let later = self.client().start_by_name("puppet", &json!("pending")).instance_id("pending");
        later.start_after(Duration::from_secs(3600)).await.unwrap();
        self.client().suspend("suspended", "to see it").await.unwrap();
        self.client().terminate("terminated", "no longer wanted").await.unwrap();
        self.tell("completed", json!("end")).await;
        self.tell("failed", json!("fail")).await;
        for (id, status) in [("completed", RuntimeStatus::Completed), ("failed", RuntimeStatus::Failed)] {
            assert_eq!(self.client().get_instance(id).await.unwrap().unwrap().runtime_status(), status);
        }
    }
}

pub(crate) async fn runtime(store: impl Store) -> Runtime {
    runtime_on(Arc::new(store)).await
}

pub(crate) async fn runtime_on(store: Arc<dyn Store>) -> Runtime {
    Runtime::builder().shared_store(store).auto_register().shutdown_grace(Duration::ZERO).start().await.unwrap()
}

/// What a puppet shows next.
#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Next(pub(crate) Value);

/// Shows what it is told: first its input, then each event. It ends when it is told to.
#[orchestrator]
pub(crate) async fn puppet(ctx: OrchestrationContext<Value>, first: Value) -> Result<Value, OrchestrationError> {
    ctx.set_custom_status(&first)?;
    loop {
        let Next(next) = Next::wait(&ctx).await?;
        if next == "end" {
            return Ok(json!({ "said": ctx.custom_status() }));
        }
        if next == "fail" {
            return Err(OrchestrationError::new("told to fail"));
        }
        ctx.set_custom_status(&next)?;
    }
}

/// Greets one city.
#[activity]
pub(crate) async fn welcome(city: String) -> Result<String, ActivityError> {
    Ok(format!("Hello {city}!"))
}

/// Lets a greeter continue after London.
#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Onwards(pub(crate) bool);

/// Greets cities and shows where it is. It stays in London until it is told to continue.
#[orchestrator]
pub(crate) async fn tour_cities(
    ctx: OrchestrationContext<String>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for city in &cities {
        greetings.push(welcome::call(&ctx, city.clone()).await?);
        ctx.set_custom_status(city)?;
        if city == "London" {
            Onwards::wait(&ctx).await?;
        }
    }
    Ok(greetings)
}

/// The choices.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recommendation {
    pub(crate) recommended_cities: Vec<String>,
    pub(crate) recommended_seasons: Vec<String>,
}

/// Recommends cities and seasons for the season that the user chose.
#[orchestrator]
pub(crate) async fn city_recommender(
    ctx: OrchestrationContext<Recommendation>,
    choice: u32,
) -> Result<u32, OrchestrationError> {
    let named = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let recommendation = match choice {
        1 => {
            Recommendation { recommended_cities: named(&["Tokyo", "Seattle"]), recommended_seasons: named(&["Spring"]) }
        }
        _ => Recommendation { recommended_cities: named(&["Cape Town"]), recommended_seasons: named(&["Autumn"]) },
    };
    ctx.set_custom_status(&recommendation)?;
    Ok(choice)
}

/// Whether the user accepts the offer.
#[external_event(name = "SeatConfirmed")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BookingConfirmed(pub(crate) bool);

/// Offers a ticket at a discount, and waits for the user.
#[orchestrator]
pub(crate) async fn book_ticket(ctx: OrchestrationContext<Value>, user: String) -> Result<bool, OrchestrationError> {
    let url = format!("https://tickets.example/{user}");
    ctx.set_custom_status(&json!({ "discount": 25, "discountTimeout": 60, "bookingUrl": url }))?;
    let BookingConfirmed(confirmed) = BookingConfirmed::wait(&ctx).await?;
    let text = if confirmed { "Thank you for booking" } else { "Another time" };
    ctx.set_custom_status(&json!(text))?;
    Ok(confirmed)
}

/// An orchestrator with two inputs and no status.
#[orchestrator]
pub(crate) async fn divide(_ctx: OrchestrationContext, a: i64, b: i64) -> Result<i64, OrchestrationError> {
    match a.checked_div(b) {
        Some(quotient) => Ok(quotient),
        None => Err(OrchestrationError::new("division by zero")),
    }
}

/// The older of two versions.
#[orchestrator(name = "versioned", version = "1.0")]
pub(crate) async fn versioned_1(_ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok("one".to_owned())
}

/// The newer version.
#[orchestrator(name = "versioned", version = "2.0")]
pub(crate) async fn versioned_2(_ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok("two".to_owned())
}
