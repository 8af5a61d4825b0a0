//! Checks inputs and events against the types of the registered code.
//!
//! The Python client of Durable Functions encodes every value twice: it sends `"[\"Tokyo\"]"` for `["Tokyo"]`. If the
//! code does not accept a string but accepts its contents, the contents are used.

use serde_json::value::RawValue;

use super::body::json_text;
use super::call::Call;
use super::error::ApiError;
use super::suggestion;
use crate::{DecodeError, EventRegistration, JsonText, OrchestratorRegistration, PayloadCheck};

/// Returns the value that the caller means. Returns an error if neither the value nor its contents have the expected
/// type.
pub(super) fn meant(value: &JsonText, lenient: bool, check: PayloadCheck) -> Result<JsonText, DecodeError> {
    let Err(error) = check(value) else { return Ok(value.clone()) };
    content(value).filter(|content| lenient && check(content).is_ok()).ok_or(error)
}

/// Returns the JSON in a JSON string.
fn content(value: &JsonText) -> Option<JsonText> {
    let text = value.decode::<String>().ok()?;
    json_text(text.as_bytes()).ok()?.map(|content| JsonText::from_string(content.get().to_owned()))
}

impl Call<'_> {
    fn lenient(&self) -> bool {
        self.service.settings.options.lenient_json_strings
    }

    /// Returns the input that the caller of a start means. If no type is known for it, the input is passed on
    /// unchanged, and the code decides. A start without any input is refused if the code is known and needs one.
    pub(super) fn input(
        &self,
        function: &str,
        version: Option<&str>,
        body: Option<Box<RawValue>>,
    ) -> Result<JsonText, ApiError> {
        let is_missing = body.is_none();
        let input = body.map_or_else(JsonText::null, text);
        let Some(registry) = self.client().registry() else { return Ok(input) };
        let version = version.or_else(|| registry.default_version(function));
        let Some(code) = version.and_then(|version| registry.orchestrator(function, version)) else {
            return Ok(input);
        };
        match meant(&input, self.lenient(), code.check_input) {
            Ok(meant) => Ok(meant),
            Err(error) if is_missing => Err(ApiError::bad_argument(format!(
                "the orchestrator `{function}` needs an input, and the request has no body: send the input as JSON ({error})"
            ))),
            Err(_) => Ok(input),
        }
    }

    /// Returns the payload that the caller of an event means, if the code of the instance accepts it.
    pub(super) async fn event(&self, id: &str, name: &str, body: Box<RawValue>) -> Result<JsonText, ApiError> {
        let payload = text(body);
        let Some(registry) = self.client().registry() else { return Ok(payload) };
        // The instance is read only if its code may restrict the events.
        if registry.orchestrators().any(|code| code.events.is_some()) {
            let metadata = self.read(id).await?;
            let code = registry.orchestrator(metadata.name(), metadata.version().unwrap_or_default());
            if let Some((code, events)) = code.and_then(|code| Some((code, code.events?))) {
                let event = accepted(code, events, name)?;
                return meant(&payload, self.lenient(), event.check).map_err(|error| wrong_payload(event, &error));
            }
        }
        // Code that does not list its events may wait for this one by name, with another type.
        let event = registry.event(name);
        Ok(event.and_then(|event| meant(&payload, self.lenient(), event.check).ok()).unwrap_or(payload))
    }
}

fn accepted(
    code: &OrchestratorRegistration,
    events: &'static [EventRegistration],
    name: &str,
) -> Result<&'static EventRegistration, ApiError> {
    if let Some(event) = events.iter().find(|event| event.name.eq_ignore_ascii_case(name)) {
        return Ok(event);
    }
    let known = || events.iter().map(|event| event.name);
    let advice = match (suggestion::nearest(name, known()), events) {
        (Some(nearest), _) => format!("did you mean `{nearest}`?"),
        (None, []) => "it accepts none".to_owned(),
        (None, _) => format!("its events are {}", suggestion::list(known())),
    };
    Err(ApiError::bad_argument(format!(
        "the orchestrator `{}` does not accept the event `{name}`: {advice}",
        code.name
    )))
}

fn wrong_payload(event: &EventRegistration, error: &DecodeError) -> ApiError {
    ApiError::bad_argument(format!("this is not the payload of the event `{}`: {error}", event.name))
}

fn text(value: Box<RawValue>) -> JsonText {
    JsonText::from_string(String::from(Box::<str>::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;

    fn read<T: Payload>(value: &str, lenient: bool) -> Result<String, String> {
        let value = JsonText::from_string(value.to_owned());
        meant(&value, lenient, T::__check).map(|text| text.as_str().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_in_a_string_is_read_where_the_string_itself_is_wrong() {
        assert_eq!(read::<Vec<String>>(r#"["Tokyo"]"#, true).as_deref(), Ok(r#"["Tokyo"]"#));
        assert_eq!(read::<Vec<String>>(r#""[\"Tokyo\"]""#, true).as_deref(), Ok(r#"["Tokyo"]"#));
        assert_eq!(read::<u8>(r#"" 3 ""#, true).as_deref(), Ok("3"));
        assert_eq!(read::<Option<u8>>(r#""null""#, true).as_deref(), Ok("null"));
        // A string stays a string, whatever it contains.
        for text in [r#""\"Tokyo\"""#, r#""3""#, r#""null""#] {
            assert_eq!(read::<String>(text, true).as_deref(), Ok(text));
            assert_eq!(read::<serde_json::Value>(text, true).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        for (value, lenient) in [
            (r#""3""#, false),
            (r#""three""#, true),
            (r#""300""#, true),
            (r#""\"3\"""#, true),
            (r#""3 4""#, true),
            (r#""""#, true),
            ("[3]", true),
        ] {
            assert!(read::<u8>(value, lenient).is_err(), "{value}");
        }
        let error = read::<Vec<(u8, bool)>>("[[1,true],[2,3]]", true).unwrap_err();
        assert!(error.starts_with("at `[1][1]`: invalid type: integer `3`, expected a boolean"), "{error}");
    }
}
