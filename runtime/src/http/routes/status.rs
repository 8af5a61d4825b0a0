//! `GET /instances/{id}`

use axum::response::Response;

use crate::RuntimeStatus;
use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::history_body::HistoryView;
use crate::http::limits::held;
use crate::http::long_poll;

/// The parameter that makes a request wait until the custom status differs from what the caller knows.
pub(in crate::http) const WAIT: &str = "waitForCustomStatusChange";

/// Reads an instance, immediately or when its custom status changes.
pub(in crate::http) async fn status(call: &Call<'_>, id: &str) -> Result<Response, ApiError> {
    let view = HistoryView {
        show_input: call.query.flag("showInput", true)?,
        show_output: call.query.flag("showHistoryOutput", false)?,
    };
    let place = match call.query.flag("showHistory", false)? {
        true => Some(call.service.places.history()?),
        false => None,
    };
    let metadata = match call.query.value(WAIT) {
        Some(known) => long_poll::changed(call, id, known).await?,
        None => call.read(id).await?,
    };
    // As in Durable Functions, the history is not loaded before the code has run.
    let Some(place) = place.filter(|_| metadata.runtime_status() != RuntimeStatus::Pending) else {
        return call.status(&metadata, None);
    };
    let _turn = call.service.budget.turn().await?;
    let history = call.client().history(metadata.instance_id()).await?;
    let answer = held(call.status(&metadata, Some((&view.events(&history.events), &history.pending_retries)))?, place);
    call.service.budget.count_in_turn(answer).await
}
