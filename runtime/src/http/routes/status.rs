//! `GET /instances/{id}`

use axum::response::Response;

use crate::http::call::Call;
use crate::http::error::ApiError;

/// The parameter that makes it wait until the custom status differs from what the caller knows.
pub(in crate::http) const WAIT: &str = "waitForCustomStatusChange";

/// Reads an instance.
pub(in crate::http) async fn status(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let metadata = call.read(id).await?;
    call.status(&metadata, None)
}
