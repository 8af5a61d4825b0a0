//! What a program's own handlers need to answer as the API does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

use super::body::respond;
use super::check_status::{self, HttpManagementPayload};
use super::error::ApiError;
use super::guard::Access;
use super::options::{HttpOptions, HttpOptionsError, Settings};
use super::router::Service;
use super::scopes::Scopes;
use super::status_body::{Embedded, StatusBody};
use super::urls::Urls;
use crate::{Client, ClientError, InstanceId, RuntimeStatus, WaitError};

/// Hands out the URLs of instances, for handlers of the program's own. Cheap to clone; it is the state of
/// [`start_handler`](super::start_handler) and [`status_handler`](super::status_handler).
///
/// The URLs are those of the [`router`](Self::router): below [`public_base_url`](HttpOptions::public_base_url), and where
/// there are keys, each with a code for its instance. The program decides who gets them. They survive a restart of the
/// program only with a [`signing_secret`](HttpOptions::signing_secret).
///
/// # Examples
/// ```no_run
/// use axum::{Router, extract::State, response::Response, routing::post};
/// use persevere::http::{ApiError, HttpOptions, Management};
///
/// async fn order(State(management): State<Management>) -> Result<Response, ApiError> {
///     let started = management.client().start_by_name("ship", "books").await?;
///     Ok(management.create_check_status_response(started.id()))
/// }
///
/// # async fn example(client: persevere::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let options = HttpOptions::new().public_base_url("http://localhost:3000");
/// let management = Management::new(client, options)?;
/// let app = Router::new().route("/orders", post(order)).with_state(management.clone()).merge(management.router());
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Management {
    service: Arc<Service>,
    scopes: Scopes,
}

impl Management {
    /// Checks the options. The address of a program's own server has to be said:
    /// [`public_base_url`](HttpOptions::public_base_url).
    ///
    /// # Errors
    /// [`HttpOptionsError`] says what cannot work.
    pub fn new(client: Client, options: HttpOptions) -> Result<Self, HttpOptionsError> {
        Ok(Self::of(Service::new(client, Settings::of_router(options)?)))
    }

    pub(super) fn of(service: Arc<Service>) -> Self {
        Self { service, scopes: Scopes::ALL }
    }

    /// The API as a router, to be merged or nested. It has no fallback of its own.
    pub fn router(&self) -> Router {
        Arc::clone(&self.service).router()
    }

    /// Ends every stream and every wait of the [`router`](Self::router), now and from now on; other requests are still
    /// served. Call it when the shutdown of your server begins: a graceful shutdown waits for open requests, and a stream
    /// stays open for as long as its instance runs. A browser that watches a stream connects again by itself, and goes on
    /// where it was.
    ///
    /// A [`Server`](super::Server) does this itself.
    ///
    /// # Examples
    /// ```no_run
    /// use persevere::http::{HttpOptions, Management};
    ///
    /// # async fn example(client: persevere::Client, stopped: tokio::sync::oneshot::Receiver<()>) -> Result<(), Box<dyn std::error::Error>> {
    /// let management = Management::new(client, HttpOptions::new().public_base_url("http://localhost:3000"))?;
    /// let app = axum::Router::new().nest("/durable", management.router());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// let shutdown = async move {
    ///     drop(stopped.await); // or Ctrl-C, or SIGTERM
    ///     management.close();
    /// };
    /// axum::serve(listener, app).with_graceful_shutdown(shutdown).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        self.service.close();
    }

    /// The client that everything goes through.
    pub fn client(&self) -> &Client {
        &self.service.client
    }

    /// The same, but the URLs that it hands out let their holder do no more than this, where there are keys.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// The answer to a start: 202 with the URLs with which the caller follows and manages the instance, `Location` and
    /// `Retry-After`.
    pub fn create_check_status_response(&self, id: &InstanceId) -> Response {
        self.with_urls(|urls| check_status::response(urls, id.as_str(), false))
    }

    /// The URLs alone, to be sent on in another way.
    pub fn create_http_management_payload(&self, id: &InstanceId) -> HttpManagementPayload {
        self.with_urls(|urls| HttpManagementPayload::new(urls, id.as_str()))
    }

    /// Waits for the end, and answers with the output alone if the instance completed in time, with its status if it
    /// ended otherwise, and as [`create_check_status_response`](Self::create_check_status_response) if it goes on.
    ///
    /// # Errors
    /// The instance cannot be read: there is none, the store is not available, the runtime has stopped.
    pub async fn wait_for_completion_or_create_check_status_response(
        &self,
        id: &InstanceId,
        timeout: Duration,
    ) -> Result<Response, ClientError> {
        match self.client().wait_for_completion(id).timeout(timeout).await {
            Ok(ended) if ended.runtime_status() == RuntimeStatus::Completed => {
                Ok(respond(StatusCode::OK, &Embedded(ended.serialized_output().unwrap_or("null"))))
            }
            Ok(ended) => Ok(respond(StatusCode::OK, &StatusBody::new(&ended, true))),
            Err(WaitError::Client(error)) => Err(error),
            Err(_) => Ok(self.create_check_status_response(id)),
        }
    }

    pub(super) fn reads_json_strings(&self) -> bool {
        self.service.settings.options.lenient_json_strings
    }

    pub(super) async fn read_body(&self, body: axum::body::Body) -> Result<Vec<u8>, ApiError> {
        let limits = &self.service.settings.options.limits;
        super::body::read(body, limits.body_bytes, limits.request_time).await
    }

    fn with_urls<T>(&self, build: impl FnOnce(&Urls<'_>) -> T) -> T {
        let settings = &self.service.settings;
        let access = Access::of_program(settings, self.scopes);
        build(&Urls { settings, base: settings.base.clone(), access: &access })
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management").field("options", &self.service.settings.options).finish_non_exhaustive()
    }
}
