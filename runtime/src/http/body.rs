//! Reading and writing bodies.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::error::{ApiError, too_large};

/// The content type of an answer, as Durable Functions writes it.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Reads a body, limited in size and time.
pub(super) async fn read(body: Body, limit: usize, time: Duration) -> Result<Vec<u8>, ApiError> {
    let over = || too_large(format!("the body has more than {limit} bytes"));
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(over());
    }
    let reading = async {
        let (mut body, mut bytes) = (body, Vec::new());
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|_| ApiError::bad_argument("the body ends before it is complete"))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > limit - bytes.len() {
                return Err(over());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    };
    let late = || ApiError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The body took too long to arrive.");
    tokio::time::timeout(time, reading).await.unwrap_or_else(|_| Err(late()))
}

/// Reads a body as JSON text. Returns `None` if the body is empty.
///
/// The body is parsed once, which detects what a simple scan would let pass: nesting deeper than 128, broken
/// surrogates, and invalid numbers. The text itself is passed on unchanged.
pub(super) fn json_text(body: &[u8]) -> Result<Option<Box<RawValue>>, ApiError> {
    // A byte order mark is not JSON, but some clients send one (RFC 8259, section 8.1 allows ignoring it).
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.is_empty() {
        return Ok(None);
    }
    let wrong = |error: serde_json::Error| ApiError::invalid_json(error.to_string());
    serde_json::from_slice::<serde_json::Value>(body).map_err(wrong)?;
    serde_json::from_slice(body).map(Some).map_err(wrong)
}

/// Returns whether a request declares its body as JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Creates an answer with a JSON body.
pub(super) fn respond<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(text) => {
            let mut response = (status, text).into_response();
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        Err(error) => ApiError::internal(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_taken_as_it_came_if_it_is_json() {
        let text = |body: &[u8]| json_text(body).unwrap().map(|raw| raw.get().to_owned());
        assert_eq!(text(b""), None);
        assert_eq!(text(b" \r\n"), None);
        assert_eq!(text(b"\xef\xbb\xbf{ \"a\" : 1.10 }\n").as_deref(), Some("{ \"a\" : 1.10 }"));
        let nested = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(json_text(&nested(127)).is_ok());
        for bad in [
            &b"{"[..],
            b"1 2",
            b"nul",
            b"\"\\ud800\"",
            b"\xff",
            b"1e999",
            b"[1,]",
            b"NaN",
            &nested(200),
            &nested(100_000),
        ] {
            assert_eq!(json_text(bad).unwrap_err().message(), "Invalid JSON content", "{bad:.40?}");
        }
    }
}
