//! A failure as data: one boxed pointer, in the JSON form of the Durable Task family.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bounds::{FAILURE_CAUSES, FAILURE_TEXT_BYTES, NAME_BYTES, cut};
use super::json::JsonText;

/// The property that contains the application's own error value as a JSON text. It is a string, so that every
/// serialiser on the way keeps it unchanged.
const VALUE_PROPERTY: &str = "persevere.error";

/// The type name of a cause of which only the message is known.
const UNNAMED_CAUSE: &str = "Error";

/// A description of a failure: type, message, cause, and whether it is permanent.
///
/// Histories, other processes and other languages see an error in this form. The typed error value is available in
/// [`CallError::App`](crate::CallError::App).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FailureDetails(Box<Fields>);

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
    #[serde(default)]
    stack_trace: Option<String>,
    #[serde(default)]
    inner_failure: Option<FailureDetails>,
    #[serde(default)]
    is_non_retriable: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<String, serde_json::Value>,
}

impl FailureDetails {
    /// Creates a failure from a type and a message.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            error_type: error_type.into(),
            error_message: message.into(),
            stack_trace: None,
            inner_failure: None,
            is_non_retriable: false,
            properties: BTreeMap::new(),
        }))
    }

    /// Creates a failure from an error: its message, and its causes as inner failures.
    ///
    /// If the error or one of its causes is a `FailureDetails`, it is kept unchanged.
    pub fn from_error(error_type: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        if let Some(details) = error.downcast_ref::<Self>() {
            return details.clone();
        }
        let details = Self::new(error_type, error.to_string());
        match error.source() {
            Some(cause) => details.with_inner(Self::from_error(UNNAMED_CAUSE, cause)),
            None => details,
        }
    }

    /// Sets the failure that caused this one.
    #[must_use]
    pub fn with_inner(mut self, inner: Self) -> Self {
        self.0.inner_failure = Some(inner);
        self
    }

    /// Sets where the failure happened.
    #[must_use]
    pub fn with_stack_trace(mut self, stack_trace: impl Into<String>) -> Self {
        self.0.stack_trace = Some(stack_trace.into());
        self
    }

    /// Marks the failure as permanent: retry policies do not try again.
    #[must_use]
    pub fn non_retriable(mut self) -> Self {
        self.0.is_non_retriable = true;
        self
    }

    /// Adds the application's own error value, from which the caller decodes the typed error.
    #[doc(hidden)]
    #[must_use]
    pub fn with_value(mut self, value: &JsonText) -> Self {
        self.0.properties.insert(VALUE_PROPERTY.to_owned(), serde_json::Value::String(value.as_str().to_owned()));
        self
    }

    /// Cuts the failure to a size that can be recorded: each text, the number of causes, and properties above `limit` bytes,
    /// which are left out. The typed error value is such a property.
    pub(crate) fn bounded(mut self, limit: usize) -> Self {
        let mut part = Some(&mut self);
        for depth in 0.. {
            let Some(FailureDetails(fields)) = part else { break };
            cut(&mut fields.error_type, NAME_BYTES);
            cut(&mut fields.error_message, FAILURE_TEXT_BYTES);
            if let Some(stack_trace) = &mut fields.stack_trace {
                cut(stack_trace, FAILURE_TEXT_BYTES);
            }
            if properties_bytes(&fields.properties) > limit {
                fields.properties.clear();
            }
            if depth == FAILURE_CAUSES {
                fields.inner_failure = None;
            }
            part = fields.inner_failure.as_mut();
        }
        self
    }

    /// Returns roughly how many bytes the failure takes where it is stored.
    pub(crate) fn size(&self) -> usize {
        let size = |Fields { error_type, error_message, stack_trace, properties, .. }: &Fields| {
            let texts = error_type.len() + error_message.len() + stack_trace.as_ref().map_or(0, String::len);
            texts + properties_bytes(properties)
        };
        std::iter::successors(Some(self), |failure| failure.inner()).map(|failure| size(&failure.0)).sum()
    }

    /// Returns the type of the error, as named by the code that failed.
    pub fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.0.error_message
    }

    /// Returns where the failure happened, if that is known.
    pub fn stack_trace(&self) -> Option<&str> {
        self.0.stack_trace.as_deref()
    }

    /// Returns the failure that caused this one.
    pub fn inner(&self) -> Option<&Self> {
        self.0.inner_failure.as_ref()
    }

    /// Returns whether the failure is permanent, so that trying again cannot help.
    pub fn is_non_retriable(&self) -> bool {
        self.0.is_non_retriable
    }

    /// Returns the application's own error value.
    #[doc(hidden)]
    pub fn value(&self) -> Option<JsonText> {
        match self.0.properties.get(VALUE_PROPERTY) {
            Some(serde_json::Value::String(text)) => Some(JsonText::from_string(text.clone())),
            _ => None,
        }
    }

    /// Returns whether this failure, or one that caused it, has the given type. The type can be the whole name, or the
    /// part after its last `::` or `.`.
    pub fn is_caused_by(&self, error_type: &str) -> bool {
        let name = self.error_type();
        let short = name.rsplit(['.', ':']).next().unwrap_or(name);
        name == error_type || short == error_type || self.inner().is_some_and(|inner| inner.is_caused_by(error_type))
    }
}

fn properties_bytes(properties: &BTreeMap<String, serde_json::Value>) -> usize {
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.len(),
        other => other.to_string().len(),
    };
    properties.iter().map(|(key, of)| key.len() + value(of)).sum()
}

/// The message; with `{:#}` also the messages of its causes.
impl fmt::Display for FailureDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        match self.inner() {
            Some(inner) if f.alternate() => write!(f, ": {inner:#}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for FailureDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("FailureDetails");
        out.field("error_type", &self.error_type()).field("message", &self.message());
        if let Some(stack_trace) = self.stack_trace() {
            out.field("stack_trace", &stack_trace);
        }
        if let Some(inner) = self.inner() {
            out.field("inner", inner);
        }
        if self.is_non_retriable() {
            out.field("non_retriable", &true);
        }
        if !self.0.properties.is_empty() {
            out.field("properties", &self.0.properties);
        }
        out.finish()
    }
}

impl Error for FailureDetails {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner().map(|inner| inner as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the shop is closed")]
    struct Closed {
        #[source]
        cause: FailureDetails,
    }

    #[test]
    fn failure_details_are_one_pointer_in_size() {
        assert_eq!(size_of::<FailureDetails>(), size_of::<usize>());
        assert_eq!(size_of::<Option<FailureDetails>>(), size_of::<usize>());
    }

    #[test]
    fn the_json_is_that_of_the_family() {
        let details = FailureDetails::new("shop::Closed", "closed")
            .with_inner(FailureDetails::new("Io", "no network").with_stack_trace("at line 1"))
            .non_retriable();
        let text = serde_json::to_string(&details).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"errorType":"shop::Closed","errorMessage":"closed","stackTrace":null,"#,
                r#""innerFailure":{"errorType":"Io","errorMessage":"no network","stackTrace":"at line 1","#,
                r#""innerFailure":null,"isNonRetriable":false},"isNonRetriable":true}"#
            )
        );
        assert_eq!(serde_json::from_str::<FailureDetails>(&text).unwrap(), details);
    }

    #[test]
    fn properties_of_others_are_kept() {
        let text = r#"{"errorType":"E","errorMessage":"m","properties":{"code":7,"persevere.error":"[1.10]"}}"#;
        let details: FailureDetails = serde_json::from_str(text).unwrap();
        assert_eq!(details.value().unwrap().as_str(), "[1.10]");
        let again = serde_json::to_value(&details).unwrap();
        assert_eq!(again["properties"]["code"], 7);
    }

    #[test]
    fn causes_become_inner_failures_and_details_among_them_are_kept() {
        let io = FailureDetails::new("Io", "no network").non_retriable();
        let details = FailureDetails::from_error("shop::Closed", &Closed { cause: io.clone() });
        assert_eq!((details.error_type(), details.message()), ("shop::Closed", "the shop is closed"));
        assert_eq!(details.inner(), Some(&io));
        assert_eq!(FailureDetails::from_error("other", &io), io);
    }

    #[test]
    fn a_bounded_failure_keeps_what_fits_and_cuts_the_rest() {
        let long = "é".repeat(FAILURE_TEXT_BYTES);
        let value = JsonText::encode(&"v".repeat(100)).unwrap();
        let innermost = FailureDetails::new(long.clone(), long.clone()).with_stack_trace(long.clone());
        let chain = |length: usize| (0..length).fold(innermost.clone(), |inner, _| innermost.clone().with_inner(inner));
        let count = |failure: &FailureDetails| std::iter::successors(Some(failure), |failure| failure.inner()).count();
        let bounded = chain(40).with_value(&value).bounded(1_000);
        assert_eq!(count(&bounded), 1 + FAILURE_CAUSES);
        assert!(bounded.message().len() <= FAILURE_TEXT_BYTES && bounded.error_type().len() <= NAME_BYTES);
        assert!(bounded.stack_trace().is_some_and(|text| text.len() <= FAILURE_TEXT_BYTES));
        assert_eq!(bounded.value(), Some(value.clone()));
        assert!(bounded.size() < (1 + FAILURE_CAUSES) * (2 * FAILURE_TEXT_BYTES + NAME_BYTES) + 1_000);
        assert_eq!(bounded.clone().bounded(1_000), bounded, "cutting twice changes nothing");
        assert_eq!(FailureDetails::new("a", "b").with_value(&value).bounded(10).value(), None);
        let small = FailureDetails::new("a", "b").with_inner(FailureDetails::new("c", "d")).non_retriable();
        assert_eq!(small.clone().bounded(0), small);
    }

    #[test]
    fn a_cause_is_found_by_its_full_or_short_name() {
        let details = FailureDetails::new("a::B", "").with_inner(FailureDetails::new("System.IO.IOException", ""));
        for name in ["a::B", "B", "IOException", "System.IO.IOException"] {
            assert!(details.is_caused_by(name), "{name}");
        }
        assert!(!details.is_caused_by("IO"));
    }
}
