//! `GET /instances/`

use std::str::FromStr;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::http::body::respond;
use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::status_body::StatusBody;
use crate::http::uri::Query;
use crate::{InstanceFilter, PageCursor, RuntimeStatus};

/// The header with the token of the next page, in both directions. In an answer it is empty if the page is the last
/// one.
const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation-token");

/// The default number of instances on a page, as in Durable Functions.
const PAGE: usize = 100;

/// Lists instances, one page at a time. The custom status is always included, and the history never.
pub(in crate::http) async fn list(call: &Call<'_>) -> Result<Response, ApiError> {
    let query = &call.query;
    let show_input = query.flag("showInput", true)?;
    let token = call.headers.get(&CONTINUATION).map(|token| token.to_str().unwrap_or("?")).unwrap_or_default();
    let wrong = |_| ApiError::bad_argument("the continuation token is not one that a page before gave");
    let after = Some(token).filter(|token| !token.is_empty()).map(PageCursor::from_str).transpose().map_err(wrong)?;
    let size = match query.value("top") {
        None => PAGE,
        Some(text) => text
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            // A number that does not fit into a machine word is larger than any page.
            .then(|| text.parse::<usize>().unwrap_or(usize::MAX))
            .filter(|size| *size > 0)
            .ok_or_else(|| ApiError::bad_argument("`top` is not a number of instances from 1"))?,
    };
    let states = States::parse(query);
    if states.is_impossible() {
        return Ok(page(&[], None));
    }
    let mut filter = filter(query)?.runtime_status(states.known);
    if query.value("parked").is_some() {
        filter = filter.parked(query.flag("parked", true)?);
    }
    for condition in query.all("customStatus") {
        let (pointer, value) = condition.split_once(':').ok_or_else(|| {
            ApiError::bad_argument("`customStatus` is not a JSON pointer, a colon and a value, such as `/city:London`")
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        filter = filter.custom_status(pointer, value);
    }
    let size = size.min(call.service.settings.options.limits.page);
    let _turn = call.service.budget.turn().await?;
    let list = call.client().list(filter).page_size(size).after(after).await?;
    let bodies: Vec<_> = list.instances.iter().map(|instance| StatusBody::new(instance, show_input)).collect();
    call.service.budget.count_in_turn(page(&bodies, list.next.as_ref())).await
}

fn page(instances: &[StatusBody<'_>], next: Option<&PageCursor>) -> Response {
    let mut response = respond(StatusCode::OK, instances);
    let token = next.map(ToString::to_string).and_then(|token| HeaderValue::from_str(&token).ok());
    response.headers_mut().insert(CONTINUATION, token.unwrap_or(HeaderValue::from_static("")));
    response
}

/// The conditions on the time of creation and on the beginning of the id.
pub(super) fn filter(query: &Query) -> Result<InstanceFilter, ApiError> {
    let (from, to) = (query.time("createdTimeFrom")?, query.time("createdTimeTo")?);
    let filter = from.into_iter().fold(InstanceFilter::new(), InstanceFilter::created_from);
    let filter = to.into_iter().fold(filter, InstanceFilter::created_to);
    Ok(filter.instance_id_prefix(query.get("instanceIdPrefix").unwrap_or_default()))
}

/// The states of Durable Functions, by name and by number. Some of them do not exist here, so no instance is ever in
/// them.
const STATES: [(&str, &str, Option<RuntimeStatus>); 8] = [
    ("Running", "0", Some(RuntimeStatus::Running)),
    ("Completed", "1", Some(RuntimeStatus::Completed)),
    ("ContinuedAsNew", "2", None),
    ("Failed", "3", Some(RuntimeStatus::Failed)),
    ("Canceled", "4", None),
    ("Terminated", "5", Some(RuntimeStatus::Terminated)),
    ("Pending", "6", Some(RuntimeStatus::Pending)),
    ("Suspended", "7", Some(RuntimeStatus::Suspended)),
];

/// The states that a query names. The parameter can be repeated, and each value can contain several names.
pub(super) struct States {
    pub(super) known: Vec<RuntimeStatus>,
    /// States of Durable Functions in which no instance here ever is.
    foreign: bool,
    /// Whether the query contains unknown names.
    pub(super) unreadable: bool,
}

impl States {
    pub(super) fn parse(query: &Query) -> Self {
        let mut states = Self { known: Vec::new(), foreign: false, unreadable: false };
        for name in query.all("runtimeStatus").flat_map(|names| names.split(',')).map(str::trim) {
            let is = |known: &(&str, &str, _)| known.0.eq_ignore_ascii_case(name) || known.1 == name;
            match STATES.iter().find(|known| is(known)) {
                Some((.., Some(status))) => states.known.push(*status),
                Some((.., None)) => states.foreign = true,
                None => states.unreadable = true,
            }
        }
        states
    }

    /// Returns whether the query names only states in which no instance ever is.
    pub(super) fn is_impossible(&self) -> bool {
        self.foreign && self.known.is_empty()
    }
}
