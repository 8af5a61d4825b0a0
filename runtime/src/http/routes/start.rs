//! `POST /orchestrators/{functionName}/{instanceId?}`

use axum::response::Response;

use crate::engine::IdReusePolicy;
use crate::http::body::json_text;
use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::model::InstanceId;

/// How long an id may be that a caller of this edge gives. The family's number.
pub(in crate::http) const MAX_ID_CHARS: usize = 100;

/// Starts an orchestration. An ended instance of the id is replaced; a running one is a conflict, the same start or not.
pub(in crate::http) async fn start(
    call: &Call<'_>,
    function: &str,
    id: Option<&str>,
    body: &[u8],
) -> Result<Response, ApiError> {
    let input = json_text(body)?;
    let id = id.map(new_id).transpose()?;
    let mut start = match &input {
        Some(input) => call.client().start_by_name(function, input),
        None => call.client().start_by_name(function, &()),
    };
    if let Some(id) = &id {
        start = start.instance_id(id);
    }
    if let Some(version) = call.query.get("version") {
        start = start.version(version);
    }
    let started = start.on_existing(IdReusePolicy::ReplaceEnded).await?;
    if !started.was_created() {
        return Err(ApiError::already_exists(started.id().as_str()));
    }
    call.started(started.id()).await
}

fn new_id(id: &str) -> Result<InstanceId, ApiError> {
    let wrong = |what: String| Err(ApiError::bad_argument(what));
    let chars = id.chars().count();
    if chars > MAX_ID_CHARS {
        return wrong(format!("an instance id has at most {MAX_ID_CHARS} characters, this one has {chars}"));
    }
    // Clients resolve them as parts of a path, encoded or not (WHATWG URL, 4.4), so no URL would reach the instance.
    if matches!(id, "." | "..") {
        return wrong("an instance id cannot be `.` or `..`: no URL names it".to_owned());
    }
    InstanceId::new(id).map_err(|error| ApiError::bad_argument(error.to_string()))
}
