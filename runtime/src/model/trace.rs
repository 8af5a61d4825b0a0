//! The place of an instance in a distributed trace.

use std::fmt;
use std::sync::Arc;

/// The context of a distributed trace, as the headers `traceparent` and `tracestate` of the W3C recommendation "Trace
/// Context" (<https://www.w3.org/TR/trace-context/>) carry it.
///
/// A start stores it with the instance. The spans of the turns, of the activities and of the sub-orchestrations belong
/// to the same trace, also after a restart and in another process. With the feature `opentelemetry`, a start takes the
/// context of the current span by itself; see [`StartOrchestration::trace_context`](crate::StartOrchestration::trace_context).
/// It costs about 60 bytes in the first record of an instance, and in each record that schedules an activity.
///
/// # Examples
/// ```
/// use persevere::TraceContext;
///
/// let context = TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None)?;
/// assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// # Ok::<(), persevere::InvalidTraceContext>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceContext(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    parent: Box<str>,
    state: Option<Box<str>>,
}

/// The reason why two headers are no trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTraceContext {
    /// The first header is not a version, a trace id, a parent id and flags, as lower-case hexadecimal digits with
    /// hyphens between them, or an id consists of zeros.
    #[error(
        "`traceparent` must look like `00-<32 hexadecimal digits>-<16 hexadecimal digits>-<2 hexadecimal digits>`, with ids that are not zero"
    )]
    Parent,
    /// The second header is longer than 512 bytes, or is not printable ASCII.
    #[error("`tracestate` must be at most 512 characters of printable ASCII")]
    State,
}

impl TraceContext {
    /// Creates a context from the values of the headers.
    ///
    /// # Errors
    /// Returns [`InvalidTraceContext`] if a value does not have the form of its header.
    pub fn new(traceparent: &str, tracestate: Option<&str>) -> Result<Self, InvalidTraceContext> {
        if !is_traceparent(traceparent) {
            return Err(InvalidTraceContext::Parent);
        }
        let state = tracestate.filter(|state| !state.is_empty());
        if state.is_some_and(|state| state.len() > 512 || !state.bytes().all(|byte| (0x20..0x7f).contains(&byte))) {
            return Err(InvalidTraceContext::State);
        }
        Ok(Self(Arc::new(Parts { parent: traceparent.into(), state: state.map(Into::into) })))
    }

    /// Returns the value of the header `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.0.parent
    }

    /// Returns the value of the header `tracestate`, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.0.state.as_deref()
    }

    /// Returns the trace id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.0.parent[3..35]
    }

    /// Returns the id of the span that is the parent: 16 hexadecimal digits.
    pub fn parent_id(&self) -> &str {
        &self.0.parent[36..52]
    }

    /// Returns the flags. The lowest bit says that the trace is recorded.
    pub fn flags(&self) -> u8 {
        u8::from_str_radix(&self.0.parent[53..55], 16).unwrap_or_default()
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceContext")
            .field("traceparent", &self.traceparent())
            .field("tracestate", &self.tracestate())
            .finish()
    }
}

/// A later version may have more fields behind the four of version 00, each after a hyphen.
fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits =
        bytes.len() == 55 || (bytes.len() > 55 && bytes.len() <= 256 && bytes[55] == b'-' && &bytes[..2] != b"00");
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    fits && text.is_ascii()
        && [2, 35, 52].iter().all(|place| bytes[*place] == b'-')
        && [0..2, 3..35, 36..52, 53..55].into_iter().all(|range| bytes[range].iter().all(digit))
        && &bytes[..2] != b"ff"
        && [3..35, 36..52].into_iter().all(|range| bytes[range].iter().any(|byte| *byte != b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_parts_of_a_context_are_those_of_its_header() {
        let context = TraceContext::new(PARENT, Some("vendor=1")).unwrap();
        assert_eq!((context.traceparent(), context.tracestate()), (PARENT, Some("vendor=1")));
        assert_eq!((context.trace_id(), context.parent_id()), (&PARENT[3..35], "00f067aa0ba902b7"));
        assert_eq!(context.flags(), 1);
        assert_eq!(TraceContext::new(PARENT, Some("")).unwrap().tracestate(), None);
    }

    #[test]
    fn other_texts_are_refused() {
        let later = format!("01{}-more", &PARENT[2..]);
        assert!(TraceContext::new(&later, None).is_ok(), "a later version has more fields");
        for parent in [
            "",
            "00",
            &PARENT[1..],
            &PARENT.to_uppercase(),
            &format!("{PARENT}-more"),
            &format!("ff{}", &PARENT[2..]),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            &PARENT.replace("00f067aa0ba902b7", "0000000000000000"),
            &PARENT.replace("-01", "-0g"),
            &PARENT.replace("4bf9", "4bé"),
        ] {
            assert_eq!(TraceContext::new(parent, None), Err(InvalidTraceContext::Parent), "{parent}");
        }
        for state in [&"x".repeat(513), "a=\n"] {
            assert_eq!(TraceContext::new(PARENT, Some(state)), Err(InvalidTraceContext::State));
        }
    }
}
