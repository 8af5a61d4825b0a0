//! What can be stored: inputs, outputs and event payloads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::json::{DecodeError, EncodeError, JsonText};

/// A value that is stored as JSON: an input, an output, the payload of an event.
///
/// Every owned type that is `Serialize + Deserialize + Send` is one. The methods are hidden and serde is no supertrait,
/// so that a type that lacks serde gives one error, at the place where it is used.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored: it is not `Serialize + Deserialize + Send`",
    label = "inputs, outputs and events are stored as JSON",
    note = "write `#[derive(Serialize, Deserialize)]` on `{Self}`, and let it own its data"
)]
pub trait Payload: Sized + Send + 'static {
    #[doc(hidden)]
    fn __encode(&self) -> Result<JsonText, EncodeError>;
    #[doc(hidden)]
    fn __decode(text: &JsonText) -> Result<Self, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {
    fn __encode(&self) -> Result<JsonText, EncodeError> {
        JsonText::encode(self)
    }

    fn __decode(text: &JsonText) -> Result<Self, DecodeError> {
        text.decode()
    }
}
