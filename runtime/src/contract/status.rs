//! The type of an orchestrator's custom status.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::json::{DecodeError, EncodeError, JsonText};

/// A type that an orchestrator publishes as its custom status.
///
/// Every owned type that is `Serialize + Deserialize + Send + Sync` is one.
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

/// The status type of an orchestrator that declares none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoStatus {}

/// What stands in `OrchestrationContext<..>`: a [`CustomStatus`], or [`NoStatus`].
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

/// Implemented by nothing: its error is what `set_custom_status` says where no status is declared.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this orchestrator declares no custom status",
    label = "there is no status type to set",
    note = "declare one: `ctx: OrchestrationContext<Progress>`, where `Progress` is your type; `serde_json::Value` is the loose form"
)]
pub trait DeclaresStatus<T: ?Sized> {}

/// A status that can be read from outside: every [`CustomStatus`], and so not [`NoStatus`]. The error of the bound is
/// what a handle says of an orchestrator without a status.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this orchestrator declares no custom status",
    label = "there is no status to read",
    note = "declare one in the orchestrator: `ctx: OrchestrationContext<Progress>`, where `Progress` is your type; `handle.metadata()` reads everything else"
)]
pub trait DeclaredStatus: CustomStatus {}

#[diagnostic::do_not_recommend]
impl<S: CustomStatus> DeclaredStatus for S {}
