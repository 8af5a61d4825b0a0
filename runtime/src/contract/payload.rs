//! The values that can be stored: inputs, outputs and event payloads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::json::{DecodeError, EncodeError, JsonText};

/// A value that is stored as JSON: an input, an output or the payload of an event.
///
/// Every owned type that implements `Serialize`, `Deserialize` and `Send` is a payload. The methods are hidden and
/// serde is not a supertrait, so that a type without serde gives one error, at the place where it is used.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored: it is not `Serialize + Deserialize + Send`",
    label = "inputs, outputs and events are stored as JSON",
    note = "`#[derive(Serialize, Deserialize)]` belongs on each type of your own that `{Self}` is made of; a stored value owns its data"
)]
pub trait Payload: Sized + Send + 'static {
    #[doc(hidden)]
    fn __encode(&self) -> Result<JsonText, EncodeError>;
    #[doc(hidden)]
    fn __decode(text: &JsonText) -> Result<Self, DecodeError>;
    /// Returns whether the text is a value of this type. The error names the place rather than the type.
    #[doc(hidden)]
    fn __check(text: &JsonText) -> Result<(), DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {
    fn __encode(&self) -> Result<JsonText, EncodeError> {
        JsonText::encode(self)
    }

    fn __decode(text: &JsonText) -> Result<Self, DecodeError> {
        text.decode()
    }

    fn __check(text: &JsonText) -> Result<(), DecodeError> {
        check::<T>(text.as_bytes()).map_err(DecodeError)
    }
}

/// Only the HTTP API tells callers which part of their payload is wrong.
#[cfg(feature = "http")]
fn check<T: DeserializeOwned>(text: &[u8]) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize::<_, T>(&mut reader).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        place => format!("at `{place}`: {}", error.inner()),
    })?;
    reader.end().map_err(|error| error.to_string())
}

#[cfg(not(feature = "http"))]
fn check<T: DeserializeOwned>(text: &[u8]) -> Result<(), String> {
    serde_json::from_slice::<T>(text).map(drop).map_err(|error| error.to_string())
}
