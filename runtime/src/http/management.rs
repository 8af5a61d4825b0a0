//! What a program's own handlers need to answer in the same way as the API.

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

/// Hands out the URLs of instances, for the program's own handlers. It is cheap to clone, and it is the state of
/// [`start_handler`](super::start_handler) and [`status_handler`](super::status_handler).
///
/// The URLs are those of the [`router`](Self::router). They begin with
/// [`public_base_url`](HttpOptions::public_base_url) and, if there are keys, each contains a code for its instance. The
/// program decides who gets them. They survive a restart of the program only with a
/// [`signing_secret`](HttpOptions::signing_secret).
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
    /// Checks the options. They must contain the address of the program's own server:
    /// [`public_base_url`](HttpOptions::public_base_url).
    ///
    /// # Errors
    /// Returns [`HttpOptionsError`] if the options cannot work.
    pub fn new(client: Client, options: HttpOptions) -> Result<Self, HttpOptionsError> {
        Ok(Self::of(Service::new(client, Settings::of_router(options)?)))
    }

    pub(super) fn of(service: Arc<Service>) -> Self {
        Self { service, scopes: Scopes::ALL }
    }

    /// Returns the API as a router, which you can merge or nest. It has no fallback.
    pub fn router(&self) -> Router {
        Arc::clone(&self.service).router()
    }

    /// Ends every stream and every wait of the [`router`](Self::router), now and from now on. Other requests are still
    /// served. Call it when the shutdown of your server begins: a graceful shutdown waits for open requests, and a stream
    /// stays open for as long as its instance runs. A browser that watches a stream reconnects by itself and continues
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

    /// Returns the client that the API uses.
    pub fn client(&self) -> &Client {
        &self.service.client
    }

    /// Limits the rights of the URLs that this value hands out, if there are keys.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Creates the answer to a start: 202 with the URLs for following and managing the instance, `Location` and
    /// `Retry-After`.
    pub fn create_check_status_response(&self, id: &InstanceId) -> Response {
        self.with_urls(|urls| check_status::response(urls, id.as_str(), false))
    }

    /// Returns only the URLs, so that they can be passed on in another way.
    pub fn create_http_management_payload(&self, id: &InstanceId) -> HttpManagementPayload {
        self.with_urls(|urls| HttpManagementPayload::new(urls, id.as_str()))
    }

    /// Waits for the end of the instance. Answers with the output alone if the instance completed in time, with its
    /// status if it ended in another way, and as [`create_check_status_response`](Self::create_check_status_response)
    /// if it has not ended.
    ///
    /// # Errors
    /// Returns an error if the instance does not exist, if the store is not available, or if the runtime has stopped.
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
