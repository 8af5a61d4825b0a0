//! `POST /orchestrators/{functionName}/{instanceId?}`

use axum::response::Response;
use uuid::Uuid;

use crate::http::body::json_text;
use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::trace;
use crate::{IdReusePolicy, InstanceId};

/// The longest id that a caller of this API may choose, in characters, as in Durable Functions.
pub(in crate::http) const MAX_ID_CHARS: usize = 100;

/// Starts an orchestration. An ended instance with the same id is replaced. A running one is a conflict, even if it was
/// started in the same way.
pub(in crate::http) async fn start(
    call: &Call<'_>,
    function: &str,
    id: Option<&str>,
    body: &[u8],
) -> Result<Response, ApiError> {
    let version = call.query.get("version");
    let input = call.input(function, version, json_text(body)?)?;
    let id = match id {
        Some(id) => checked_id(id)?.as_str().to_owned(),
        None => random_id(),
    };
    let mut start = call.client().start_by_name(function, &input);
    if let Some(version) = version {
        start = start.version(version);
    }
    if let Some(trace) = trace::of_start(call.headers) {
        start = start.trace_context(trace);
    }
    let started = start.instance_id(&id).on_existing(IdReusePolicy::ReplaceEnded).await?;
    if !started.was_created() {
        return Err(ApiError::already_exists(started.id().as_str()));
    }
    call.started(&started).await
}

/// Creates an id for an instance whose caller gives none. Callers over HTTP may be strangers to each other, so nobody
/// may be able to guess the id of another caller's instance. The id has 122 random bits, and the form that Durable
/// Functions uses.
pub(in crate::http) fn random_id() -> String {
    Uuid::new_v4().simple().to_string()
}

fn checked_id(id: &str) -> Result<InstanceId, ApiError> {
    let wrong = |what: String| Err(ApiError::bad_argument(what));
    let chars = id.chars().count();
    if chars > MAX_ID_CHARS {
        return wrong(format!("an instance id has at most {MAX_ID_CHARS} characters, this one has {chars}"));
    }
    // Clients resolve these as parts of a path, encoded or not (WHATWG URL, 4.4), so no URL would reach the instance.
    if matches!(id, "." | "..") {
        return wrong("an instance id cannot be `.` or `..`: no URL names it".to_owned());
    }
    InstanceId::new(id).map_err(|error| ApiError::bad_argument(error.to_string()))
}
