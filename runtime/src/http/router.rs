//! The path of a request: limits, route, permission, parameters, body and handler. Also adds the headers that every
//! answer has.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::any;
use tokio::sync::watch;
use tracing::Instrument;

use super::body;
use super::budget::Budget;
use super::call::{Call, Wait};
use super::error::ApiError;
use super::guard;
use super::health;
use super::limits::Places;
use super::openapi;
use super::options::Settings;
use super::route::Route;
use super::routes::{control, purge, query, raise, restart, rewind, start, status};
use super::table::{ENTRIES, Operation};
use super::trace;
use super::uri::{Query, redacted};
use crate::{Client, telemetry};

/// Serves requests.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) places: Places,
    pub(super) budget: Budget,
    /// Whether the API is closing. Streams and waits then end.
    closing: watch::Sender<bool>,
}

impl Service {
    pub(super) fn new(client: Client, settings: Settings) -> Arc<Self> {
        let places = Places::new(&settings.options.limits);
        let budget = Budget::new(&settings.options.limits);
        Arc::new(Self { client, settings, places, budget, closing: watch::Sender::new(false) })
    }

    /// Ends streams and waits, now and from now on.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until the API closes. The future may outlive the service; then it never completes.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut closing = self.closing.subscribe();
        async move {
            if closing.wait_for(|closing| *closing).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the routes without a fallback, so that they can be merged with any other router.
    pub(super) fn router(self: Arc<Self>) -> Router {
        let base = self.settings.options.base_path.clone();
        let serve = any(move |request: Request| {
            let service = Arc::clone(&self);
            async move { service.serve(request).await }
        });
        let public = ENTRIES.iter().filter(|entry| entry.is_public()).map(|entry| entry.path.to_owned());
        public
            .chain([format!("{base}/"), format!("{base}/{{*path}}")])
            .fold(Router::new(), |router, path| router.route(&path, serve.clone()))
    }

    /// Answers any request.
    pub(super) async fn serve(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let span = tracing::info_span!(
            target: "persevere::http",
            "http_request",
            method = %parts.method,
            path = parts.uri.path(),
            query = redacted(parts.uri.query()),
            otel.kind = "server",
        );
        if let Some(trace) = trace::named(&parts.headers) {
            telemetry::continue_trace(&span, &trace);
        }
        let answer = async {
            let answer = self.answer(&parts, body).await.and_then(|answer| self.budget.count(answer));
            let mut response = match answer {
                Ok(response) => response,
                Err(error) => {
                    error.log();
                    error.respond(self.settings.options.development)
                }
            };
            // Answers contain codes and states, so nothing in between may store or reinterpret them.
            let headers = response.headers_mut();
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            tracing::debug!(target: "persevere::http", status = response.status().as_u16(), "answered");
            response
        };
        answer.instrument(span).await
    }

    async fn answer(&self, parts: &Parts, body: axum::body::Body) -> Result<Response, ApiError> {
        let options = &self.settings.options;
        let limits = &options.limits;
        let (path, query) = (parts.uri.path(), parts.uri.query());
        if path.len() + query.map_or(0, str::len) > limits.url_bytes {
            let text = format!("The URL has more than {} bytes.", limits.url_bytes);
            return Err(ApiError::new(StatusCode::URI_TOO_LONG, "UriTooLong", text));
        }
        let head: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head > limits.header_bytes {
            let text = format!("The headers have more than {} bytes.", limits.header_bytes);
            return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "HeadersTooLarge", text));
        }
        let query = Query::parse(query);
        let none = Query::default();
        // An error in the path is reported before an error in the query.
        let route = Route::parse(&parts.method, path, &options.base_path, query.as_ref().unwrap_or(&none))?;
        let query = query?;
        let access = guard::admit(&self.settings, &route, parts, &query)?;
        route.check_query(&query)?;
        self.check_names(&query)?;
        let wait = self.wait(&route, &query)?;
        let more = match (&wait, route.operation()) {
            (Some(wait), _) => wait.time,
            // This removes all matching instances, batch by batch.
            (None, Operation::PurgeMany) => limits.wait_time,
            (None, _) => Duration::ZERO,
        };
        let time = limits.request_time.saturating_add(more);
        let base = self.settings.base.of_request(options, &parts.headers);
        let call = Call { service: self, access, base, query, headers: &parts.headers, wait };
        let late = || {
            let text = "This took longer than a request may: whether it was done is unknown.";
            ApiError::new(StatusCode::GATEWAY_TIMEOUT, "System.TimeoutException", text)
        };
        let work = async {
            let body = body::read(body, limits.body_bytes, limits.request_time).await?;
            handle(&call, &route, &body).await
        };
        tokio::time::timeout(time, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// There is one task hub and one connection. A request that names another is meant for another service.
    fn check_names(&self, query: &Query) -> Result<(), ApiError> {
        let options = &self.settings.options;
        for (name, known) in [("taskHub", &options.task_hub), ("connection", &options.connection)] {
            if query.get(name).is_some_and(|value| !value.eq_ignore_ascii_case(known)) {
                return Err(ApiError::bad_argument(format!("`{name}` names what this service does not have")));
            }
        }
        Ok(())
    }

    /// Returns how long a request waits, if it asks to. The wait then has its place.
    fn wait(&self, route: &Route, query: &Query) -> Result<Option<Wait>, ApiError> {
        let longest = self.settings.options.limits.wait_time;
        let time = match route.operation() {
            Operation::Start | Operation::Restart => {
                let (timeout, interval) = (query.seconds("timeout")?, query.seconds("pollingInterval")?);
                if timeout.zip(interval).is_some_and(|(timeout, interval)| interval > timeout) {
                    return Err(ApiError::bad_argument("`pollingInterval` is longer than `timeout`"));
                }
                timeout
            }
            Operation::Status => {
                let timeout = query.seconds("timeout")?;
                query.value(status::WAIT).map(|_| timeout.unwrap_or(longest))
            }
            _ => None,
        };
        let wait = |time: Duration| Ok(Wait { time: time.min(longest), _place: self.places.wait()? });
        time.map(wait).transpose()
    }
}

async fn handle(call: &Call<'_>, route: &Route, body: &[u8]) -> Result<Response, ApiError> {
    let id = route.instance.as_deref().unwrap_or_default();
    match route.operation() {
        Operation::Health => Ok(health::alive()),
        Operation::Ready => health::ready(call.client()).await,
        Operation::OpenApi => Ok(openapi::document(&call.service.settings)),
        Operation::Start => start::start(call, &route.function, route.instance.as_deref(), body).await,
        Operation::List => query::list(call).await,
        Operation::PurgeMany => purge::purge_where(call).await,
        Operation::Status => status::status(call, id).await,
        Operation::Stream => super::stream::open(call, id).await,
        Operation::StreamMany => super::stream::open_many(call, &route.ids),
        Operation::Raise => raise::raise(call, id, &route.event, body).await,
        Operation::Terminate => control::terminate(call, id).await,
        Operation::Suspend => control::suspend(call, id).await,
        Operation::Resume => control::resume(call, id).await,
        Operation::Retry => control::retry(call, id).await,
        Operation::Rewind => rewind::rewind(call, id).await,
        Operation::Restart => restart::restart(call, id).await,
        Operation::Purge => purge::purge(call, id).await,
    }
}
