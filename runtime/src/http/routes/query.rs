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
use crate::model::RuntimeStatus;
use crate::store::{InstanceFilter, PageCursor};

/// Where the next page begins, in both directions; empty in an answer means that it is the last.
const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation-token");

/// How many instances a page has unless asked otherwise. The family's number.
const PAGE: usize = 100;

/// Lists instances, a page at a time. The custom status is always in it, the history never.
pub(in crate::http) async fn list(call: &Call<'_>) -> Result<Response, ApiError> {
    let query = &call.query;
    let show_input = query.flag("showInput", true)?;
    let token = call.headers.get(&CONTINUATION).map(|token| token.to_str().unwrap_or("?")).unwrap_or_default();
    let wrong = |_| ApiError::bad_argument("the continuation token is not one that a page before gave");
    let after = Some(token).filter(|token| !token.is_empty()).map(PageCursor::from_str).transpose().map_err(wrong)?;
    let size = match query.get("top") {
        None => PAGE,
        Some(text) => text
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            // What is no number of this machine is larger than any page.
            .then(|| text.parse::<usize>().unwrap_or(usize::MAX))
            .filter(|size| *size > 0)
            .ok_or_else(|| ApiError::bad_argument("`top` is not a number of instances from 1"))?,
    };
    let states = States::parse(query);
    if states.is_impossible() {
        return Ok(page(&[], None));
    }
    let mut filter = created(query)?.runtime_status(states.known);
    filter = filter.instance_id_prefix(query.get("instanceIdPrefix").unwrap_or_default());
    for condition in query.all("customStatus") {
        let (pointer, value) = condition.split_once(':').ok_or_else(|| {
            ApiError::bad_argument("`customStatus` is not a JSON pointer, a colon and a value, such as `/city:London`")
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        filter = filter.custom_status(pointer, value);
    }
    let size = size.min(call.service.settings.options.limits.page);
    let list = call.client().list(filter).page_size(size).after(after).await?;
    let bodies: Vec<_> = list.instances.iter().map(|instance| StatusBody::new(instance, show_input)).collect();
    Ok(page(&bodies, list.next.as_ref()))
}

fn page(instances: &[StatusBody<'_>], next: Option<&PageCursor>) -> Response {
    let mut response = respond(StatusCode::OK, instances);
    let token = next.map(ToString::to_string).and_then(|token| HeaderValue::from_str(&token).ok());
    response.headers_mut().insert(CONTINUATION, token.unwrap_or(HeaderValue::from_static("")));
    response
}

/// The times between which an instance was created.
pub(super) fn created(query: &Query) -> Result<InstanceFilter, ApiError> {
    let (from, to) = (query.time("createdTimeFrom")?, query.time("createdTimeTo")?);
    let filter = from.into_iter().fold(InstanceFilter::new(), InstanceFilter::created_from);
    Ok(to.into_iter().fold(filter, InstanceFilter::created_to))
}

/// The states that a query names: several parameters, each with several names.
pub(super) struct States {
    pub(super) known: Vec<RuntimeStatus>,
    /// States of the family that no instance here is ever in.
    foreign: bool,
    /// Whether there are names that are none.
    pub(super) unreadable: bool,
}

impl States {
    pub(super) fn parse(query: &Query) -> Self {
        use RuntimeStatus as Status;
        let mut states = Self { known: Vec::new(), foreign: false, unreadable: false };
        let all = [
            Status::Pending,
            Status::Running,
            Status::Suspended,
            Status::Completed,
            Status::Failed,
            Status::Terminated,
        ];
        for name in query.all("runtimeStatus").flat_map(|names| names.split(',')).map(str::trim) {
            if let Some(status) = all.iter().find(|status| status.to_string().eq_ignore_ascii_case(name)) {
                states.known.push(*status);
            } else if ["Canceled", "ContinuedAsNew"].iter().any(|foreign| foreign.eq_ignore_ascii_case(name)) {
                states.foreign = true;
            } else {
                states.unreadable = true;
            }
        }
        states
    }

    /// Whether only states are named that no instance is in.
    pub(super) fn is_impossible(&self) -> bool {
        self.foreign && self.known.is_empty()
    }
}
