//! The headers `traceparent` and `tracestate` of the W3C recommendation "Trace Context".

use axum::http::HeaderMap;
use tracing::Span;

use crate::{TraceContext, telemetry};

/// Returns the trace that a request names. Headers that are not valid are ignored, as the recommendation says.
pub(super) fn named(headers: &HeaderMap) -> Option<TraceContext> {
    let one = |name| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    };
    let parent = one("traceparent")?;
    TraceContext::new(parent, one("tracestate")).or_else(|_| TraceContext::new(parent, None)).ok()
}

/// Returns the trace to which an instance belongs that this request starts: that of the span of the request, or else the
/// one that the request names.
pub(super) fn of_start(headers: &HeaderMap) -> Option<TraceContext> {
    telemetry::trace_of(&Span::current()).or_else(|| named(headers))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_request_names_one_trace_or_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(named(&headers), None);
        headers.insert("traceparent", HeaderValue::from_static(PARENT));
        headers.insert("tracestate", HeaderValue::from_bytes(b"vendor=\xff").unwrap());
        assert_eq!(named(&headers), TraceContext::new(PARENT, None).ok(), "a state that cannot be read is left out");
        headers.insert("tracestate", HeaderValue::from_static("vendor=1"));
        assert_eq!(named(&headers), TraceContext::new(PARENT, Some("vendor=1")).ok());
        headers.append("traceparent", HeaderValue::from_static(PARENT));
        assert_eq!(named(&headers), None, "it is not clear which of two is meant");
        headers.insert("traceparent", HeaderValue::from_static("00-nothing"));
        assert_eq!(named(&headers), None);
    }
}
