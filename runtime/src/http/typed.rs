//! Routes of a program's own that know their orchestrator: the input arrives typed, and the status is returned typed.

use std::fmt;
use std::marker::PhantomData;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRef, FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::body::{is_json, respond};
use super::error::ApiError;
use super::management::Management;
use super::routes::start::random_id;
use super::status_body::StatusBody;
use crate::{ClientError, CustomStatus, OrchestrationHandle, OrchestrationMetadata, Orchestrator, StatusValue};

/// How many seconds a client waits before it requests a status again.
const RETRY_SECONDS: u32 = 5;

/// Starts the orchestrator `O` with the input in the body, under a new, random id, and answers with 202 and the URLs to
/// follow it. Its state is a [`Management`].
///
/// # Errors
/// See [`TypedInput`] for errors in the body, and [`StartOrchestration`](crate::StartOrchestration) for other errors.
///
/// # Examples
/// ```no_run
/// use axum::{Router, routing::{get, post}};
/// use persevere::http::{self, HttpOptions, Management};
/// use persevere::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Progress { done: usize }
///
/// #[orchestrator]
/// pub async fn hello_cities(ctx: OrchestrationContext<Progress>, cities: Vec<String>) -> Result<usize, OrchestrationError> {
///     ctx.set_custom_status(&Progress { done: cities.len() })?;
///     Ok(cities.len())
/// }
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let management = Management::new(client, HttpOptions::new().public_base_url("http://localhost:3000"))?;
/// let app = Router::new()
///     .route("/cities", post(http::start_handler::<hello_cities>)) // ["Tokyo", "London"]
///     .route("/cities/{id}", get(http::status_handler::<hello_cities>))
///     .with_state(management.clone())
///     .merge(management.router());
/// # let _: Router = app;
/// # Ok(())
/// # }
/// ```
pub async fn start_handler<O>(
    State(management): State<Management>,
    input: TypedInput<O>,
) -> Result<Started<O>, ApiError>
where
    O: Orchestrator,
    O::Input: Serialize + DeserializeOwned,
{
    let start = management.client().start_by_name(O::NAME, &input.0).version(O::VERSION);
    Ok(management.started(start.instance_id(random_id()).await?.handle()))
}

/// Reads the instance of the orchestrator `O` whose id is the only parameter of the route. Its state is a
/// [`Management`].
///
/// # Errors
/// 404: the instance does not exist, or it runs another orchestrator.
pub async fn status_handler<O: Orchestrator>(
    State(management): State<Management>,
    id: Result<Path<String>, PathRejection>,
) -> Result<TypedStatus<O>, ApiError> {
    let Path(id) = id.map_err(|error| ApiError::bad_argument(error.body_text()))?;
    let handle = management.client().handle::<O>(&id).map_err(|_| ApiError::no_instance(&id))?;
    Ok(TypedStatus::read(&handle).await?)
}

/// The input of the orchestrator `O`, from a JSON body: the value of its only parameter, an array for several
/// parameters, and nothing or `null` for none.
///
/// # Errors
/// 400: the body is not JSON. 413: it is too large. 415: its content type is not `application/json`. 422: it is not
/// what the orchestrator accepts; the answer says where in the body.
///
/// # Examples
/// ```no_run
/// use axum::extract::{Path, State};
/// use persevere::http::{ApiError, Management, Started, TypedInput};
/// use persevere::prelude::*;
///
/// #[orchestrator]
/// pub async fn ship(_ctx: OrchestrationContext, order: String) -> Result<String, OrchestrationError> {
///     Ok(order)
/// }
///
/// /// Sending the same order again returns the same orchestration.
/// async fn put_order(
///     State(management): State<Management>,
///     Path(id): Path<String>,
///     TypedInput(order): TypedInput<ship>,
/// ) -> Result<Started<ship>, ApiError> {
///     let order = ship::start(management.client(), order).instance_id(id).await?;
///     Ok(management.started(order))
/// }
/// # let _ = axum::Router::<Management>::new().route("/orders/{id}", axum::routing::put(put_order));
/// ```
pub struct TypedInput<O: Orchestrator>(
    /// The input.
    pub O::Input,
);

impl<S, O> FromRequest<S> for TypedInput<O>
where
    S: Send + Sync,
    Management: FromRef<S>,
    O: Orchestrator,
    O::Input: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let management = Management::from_ref(state);
        let typed = is_json(request.headers());
        let body = management.read_body(request.into_body()).await?;
        let text = match body.trim_ascii() {
            b"" => b"null",
            _ if !typed => {
                let text = "The body of this request is JSON: send `Content-Type: application/json`.";
                return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", text));
            }
            text => text,
        };
        let read = read_input(text);
        let lenient = read.is_err() && management.reads_json_strings();
        // See `HttpOptions::lenient_json_strings`.
        let content = serde_json::from_slice::<String>(text).ok().filter(|_| lenient);
        let content = content.and_then(|content| read_input(content.as_bytes()).ok());
        content.map_or(read, Ok).map(Self)
    }
}

fn read_input<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.inner());
        if !cause.is_data() {
            return ApiError::invalid_json(cause.to_string());
        }
        ApiError::unprocessable(format!("at `{path}`: {cause}"))
    })?;
    reader.end().map_err(|error| ApiError::invalid_json(error.to_string()))?;
    Ok(value)
}

/// An orchestration that was started. As an answer, it is 202 with the URLs for following and managing the instance.
/// [`Management::started`] creates it.
#[derive(Debug)]
pub struct Started<O: Orchestrator> {
    handle: OrchestrationHandle<O>,
    management: Management,
}

impl<O: Orchestrator> Started<O> {
    /// Returns the handle of the instance.
    pub fn handle(&self) -> &OrchestrationHandle<O> {
        &self.handle
    }
}

impl<O: Orchestrator> IntoResponse for Started<O> {
    fn into_response(self) -> Response {
        self.management.create_check_status_response(self.handle.id())
    }
}

impl Management {
    /// Creates the answer to the start of an orchestration: 202 with its URLs.
    pub fn started<O: Orchestrator>(&self, handle: OrchestrationHandle<O>) -> Started<O> {
        Started { handle, management: self.clone() }
    }
}

/// The state of an instance of the orchestrator `O`. As an answer, it is the status document of Durable Functions, with
/// 202 while the instance has not ended and 200 after that.
///
/// # Examples
/// ```no_run
/// use persevere::http::TypedStatus;
/// use persevere::prelude::*;
/// # #[derive(Serialize, Deserialize)]
/// # pub struct Progress { done: usize }
/// # #[orchestrator]
/// # pub async fn hello_cities(_ctx: OrchestrationContext<Progress>) -> Result<usize, OrchestrationError> { Ok(0) }
///
/// async fn percent(hello: &OrchestrationHandle<hello_cities>) -> Result<String, ClientError> {
///     let status = TypedStatus::read(hello).await?;
///     Ok(match status.custom_status() {
///         StatusValue::Typed(progress) => format!("{} done", progress.done),
///         _ => "not begun".to_owned(),
///     })
/// }
/// ```
pub struct TypedStatus<O> {
    metadata: OrchestrationMetadata,
    orchestrator: PhantomData<fn() -> O>,
}

impl<O: Orchestrator> TypedStatus<O> {
    /// Reads the instance of a handle.
    ///
    /// # Errors
    /// The errors of [`OrchestrationHandle::metadata`].
    pub async fn read(handle: &OrchestrationHandle<O>) -> Result<Self, ClientError> {
        Ok(Self { metadata: handle.metadata().await?, orchestrator: PhantomData })
    }

    /// Returns the untyped state of the instance.
    pub fn metadata(&self) -> &OrchestrationMetadata {
        &self.metadata
    }

    /// Returns the output, or `None` if the instance has not completed.
    ///
    /// # Errors
    /// Returns [`ClientError::Decode`] if another version of the orchestrator returned a value of another type.
    pub fn output(&self) -> Result<Option<O::Output>, ClientError> {
        self.metadata.output_of::<O>()
    }
}

impl<O: Orchestrator> TypedStatus<O>
where
    O::Status: CustomStatus,
{
    /// Returns the custom status. A value of another type is returned as [`StatusValue::Unknown`].
    pub fn custom_status(&self) -> StatusValue<O::Status> {
        self.metadata.custom_status_of::<O>()
    }
}

impl<O> IntoResponse for TypedStatus<O> {
    fn into_response(self) -> Response {
        let ended = self.metadata.is_ended();
        let status = if ended { StatusCode::OK } else { StatusCode::ACCEPTED };
        let mut response = respond(status, &StatusBody::new(&self.metadata, true));
        if !ended {
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS.into());
        }
        response
    }
}

impl<O: Orchestrator> fmt::Debug for TypedStatus<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedStatus").field("orchestrator", &O::NAME).field("metadata", &self.metadata).finish()
    }
}

impl<O: Orchestrator> fmt::Debug for TypedInput<O>
where
    O::Input: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedInput").field(&self.0).finish()
    }
}
