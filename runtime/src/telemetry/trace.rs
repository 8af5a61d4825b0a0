//! The trace to which spans belong. Without the feature `opentelemetry`, they belong to none.

use tracing::Span;

use crate::model::TraceContext;

/// Returns the trace to which a span belongs, with the span as the parent.
///
/// Use it to pass a trace on in a message or in a header. It returns `None` without the feature `opentelemetry`, and if
/// no layer of `tracing-opentelemetry` sees the span. The state of a trace is left out if it has more than 512 bytes.
///
/// # Examples
/// ```
/// let header = persevere::telemetry::trace_of(&tracing::Span::current());
/// assert!(header.is_none(), "this program has no subscriber");
/// ```
pub fn trace_of(span: &Span) -> Option<TraceContext> {
    linked::trace_of(span)
}

/// Makes a span part of a trace that began elsewhere. This must happen before the span is entered.
///
/// It does nothing without the feature `opentelemetry`, and if no layer of `tracing-opentelemetry` sees the span.
///
/// # Examples
/// ```
/// use persevere::{TraceContext, telemetry};
///
/// let span = tracing::info_span!("consume");
/// let context = TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None)?;
/// telemetry::continue_trace(&span, &context);
/// let _entered = span.enter();
/// # Ok::<(), persevere::InvalidTraceContext>(())
/// ```
pub fn continue_trace(span: &Span, context: &TraceContext) {
    linked::continue_trace(span, context);
}

#[cfg(feature = "opentelemetry")]
mod linked {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
    use tracing::Span;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use crate::model::TraceContext;

    pub(super) fn trace_of(span: &Span) -> Option<TraceContext> {
        let context = span.context();
        let span = context.span();
        let context = span.span_context();
        if !context.is_valid() {
            return None;
        }
        let (trace, parent, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        let parent = format!("00-{trace:032x}-{parent:016x}-{flags:02x}");
        let state = context.trace_state().header();
        TraceContext::new(&parent, Some(&state)).or_else(|_| TraceContext::new(&parent, None)).ok()
    }

    pub(super) fn continue_trace(span: &Span, context: &TraceContext) {
        let (Ok(trace), Ok(parent)) = (TraceId::from_hex(context.trace_id()), SpanId::from_hex(context.parent_id()))
        else {
            return;
        };
        let state = context.tracestate().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
        let remote = SpanContext::new(trace, parent, TraceFlags::new(context.flags()), true, state);
        // It fails for a span that no layer of OpenTelemetry sees.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(remote));
    }
}

#[cfg(not(feature = "opentelemetry"))]
mod linked {
    use tracing::Span;

    use crate::model::TraceContext;

    pub(super) fn trace_of(_: &Span) -> Option<TraceContext> {
        None
    }

    pub(super) fn continue_trace(_: &Span, _: &TraceContext) {}
}
