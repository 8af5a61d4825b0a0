//! The errors with which an orchestrator or an activity may fail.

use std::error::Error;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::{ActivityError, OrchestrationError};
use super::undecodable::decoded;
use crate::model::failure::FailureDetails;
use crate::model::json::{DecodeError, JsonText};

/// A declared error: the `E` of the `Result` that an orchestrator or an activity returns.
///
/// Your own error type qualifies if it implements `Error`, `Serialize` and `Deserialize`: it is stored, and callers get
/// the same value back. If no caller needs to distinguish errors, use [`ActivityError`] or [`OrchestrationError`], to
/// which `?` converts every error.
///
/// `Send` and `Sync` are required only where they are needed (by `?`, and by values that are held across an await),
/// because an error is recorded immediately. `Box<dyn Error>` therefore gives one message and not three.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the declared error of an orchestrator or an activity",
    label = "must be `std::error::Error + Serialize + Deserialize`",
    note = "for an error that only has a message, declare `ActivityError` (in an activity) or `OrchestrationError` (in an orchestrator): `?` turns every error into them",
    note = "for an error that callers tell apart, derive `Debug, Serialize, Deserialize` on your own type and implement `std::error::Error`"
)]
pub trait Failure: Sized + 'static {
    #[doc(hidden)]
    fn __to_details(&self) -> FailureDetails;
    /// Returns the error that was recorded, or `None` if it is one of another type.
    #[doc(hidden)]
    fn __from_details(details: &FailureDetails) -> Result<Option<Self>, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<E: Error + Serialize + DeserializeOwned + 'static> Failure for E {
    fn __to_details(&self) -> FailureDetails {
        let details = FailureDetails::from_error(std::any::type_name::<E>(), self);
        match JsonText::encode(self) {
            Ok(value) => details.with_value(&value),
            // The failure matters more than its type: if it cannot be decoded, it is returned as data.
            Err(_) => details,
        }
    }

    fn __from_details(details: &FailureDetails) -> Result<Option<Self>, DecodeError> {
        let Some(value) = details.value() else { return Ok(None) };
        match decoded(|| value.decode()) {
            Ok(error) => Ok(Some(error)),
            // It was written as this type, which has changed since. The type may have moved to another module, too.
            Err(error) if own_name(details.error_type()) == own_name(std::any::type_name::<E>()) => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// Returns the name of a type without its path and its parameters.
fn own_name(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or(type_name);
    path.rsplit("::").next().unwrap_or(path)
}

#[diagnostic::do_not_recommend]
impl Failure for ActivityError {
    fn __to_details(&self) -> FailureDetails {
        self.details().clone()
    }

    fn __from_details(details: &FailureDetails) -> Result<Option<Self>, DecodeError> {
        Ok(Some(Self::from_details(details.clone())))
    }
}

#[diagnostic::do_not_recommend]
impl Failure for OrchestrationError {
    fn __to_details(&self) -> FailureDetails {
        self.details().clone()
    }

    fn __from_details(details: &FailureDetails) -> Result<Option<Self>, DecodeError> {
        Ok(Some(Self::from_details(details.clone())))
    }
}
