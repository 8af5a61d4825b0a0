//! The types that an orchestrator can publish as its custom status.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::json::{DecodeError, EncodeError, JsonText};

/// A type that an orchestrator can publish as its custom status.
///
/// Every owned type that implements `Serialize`, `Deserialize`, `Send` and `Sync` qualifies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a custom status",
    label = "must be `Serialize + Deserialize + Send + Sync`",
    note = "`#[derive(Serialize, Deserialize)]` belongs on each type of your own that `{Self}` is made of; a stored value owns its data"
)]
pub trait CustomStatus: Sized + Send + Sync + 'static {
    #[doc(hidden)]
    fn __encode(&self) -> Result<JsonText, EncodeError>;
    #[doc(hidden)]
    fn __decode(text: &JsonText) -> Result<Self, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> CustomStatus for S {
    fn __encode(&self) -> Result<JsonText, EncodeError> {
        JsonText::encode(self)
    }

    fn __decode(text: &JsonText) -> Result<Self, DecodeError> {
        text.decode()
    }
}

/// The status type of an orchestrator that declares no custom status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoStatus {}

/// The parameter of `OrchestrationContext<..>`: a [`CustomStatus`] or [`NoStatus`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a custom status",
    label = "must be `Serialize + Deserialize + Send + Sync`",
    note = "`#[derive(Serialize, Deserialize)]` belongs on each type of your own that `{Self}` is made of; a stored value owns its data"
)]
pub trait StatusType: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> StatusType for S {}

#[diagnostic::do_not_recommend]
impl StatusType for NoStatus {}

/// A trait that no type implements. Its error message is what the compiler shows when `set_custom_status` is called and
/// no status type is declared.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this orchestrator declares no custom status",
    label = "no status type is declared",
    note = "declare one: `ctx: OrchestrationContext<Progress>`, where `Progress` is your own type; use `serde_json::Value` if the status has no fixed type"
)]
pub trait DeclaresStatus<T: ?Sized> {}

/// A status that can be read from outside: every [`CustomStatus`], and therefore not [`NoStatus`]. The compiler shows
/// the message of this trait if a handle of an orchestrator without a status is asked for it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this orchestrator declares no custom status",
    label = "there is no status to read",
    note = "declare one in the orchestrator: `ctx: OrchestrationContext<Progress>`, where `Progress` is your type; `handle.metadata()` reads everything else"
)]
pub trait DeclaredStatus: CustomStatus {}

#[diagnostic::do_not_recommend]
impl<S: CustomStatus> DeclaredStatus for S {}
