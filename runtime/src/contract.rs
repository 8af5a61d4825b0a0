//! Stand-in for the traits that the macros implement; goes at the merge.
#![allow(missing_docs)]

use serde::{Serialize, de::DeserializeOwned};

use crate::model::{DecodeError, EncodeError, FailureDetails, JsonText};

pub trait Orchestrator: Sized + Send + Sync + 'static {
    type Input: 'static;
    type Output: Payload;
    type Error: Failure;
    type Status: StatusType;
    const NAME: &'static str;
    const VERSION: &'static str;
}
pub trait ExternalEvent: Payload {
    const NAME: &'static str;
}
pub trait Payload: Sized + Send + 'static {
    fn __encode(&self) -> Result<JsonText, EncodeError>;
    fn __decode(text: &JsonText) -> Result<Self, DecodeError>;
}
impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for T {
    fn __encode(&self) -> Result<JsonText, EncodeError> {
        JsonText::encode(self)
    }
    fn __decode(text: &JsonText) -> Result<Self, DecodeError> {
        text.decode()
    }
}
pub trait CustomStatus: Sized + Send + Sync + 'static {
    fn __encode(&self) -> Result<JsonText, EncodeError>;
    fn __decode(text: &JsonText) -> Result<Self, DecodeError>;
}
impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> CustomStatus for S {
    fn __encode(&self) -> Result<JsonText, EncodeError> {
        JsonText::encode(self)
    }
    fn __decode(text: &JsonText) -> Result<Self, DecodeError> {
        text.decode()
    }
}
#[derive(Debug)]
pub enum NoStatus {}
pub trait StatusType: Send + Sync + 'static {}
impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> StatusType for S {}
impl StatusType for NoStatus {}
pub trait Failure: Sized + Send + Sync + 'static {
    fn __to_details(&self) -> FailureDetails;
    fn __from_details(details: &FailureDetails) -> Option<Self>;
}
impl<E: std::error::Error + Serialize + DeserializeOwned + Send + Sync + 'static> Failure for E {
    fn __to_details(&self) -> FailureDetails {
        FailureDetails::new(std::any::type_name::<E>(), serde_json::to_string(self).unwrap_or_default())
    }
    fn __from_details(details: &FailureDetails) -> Option<Self> {
        serde_json::from_str(details.message()).ok()
    }
}
#[derive(Debug)]
pub enum CallError<E> {
    App { error: E, details: FailureDetails },
    Failed(FailureDetails),
}
impl<E: Failure> CallError<E> {
    pub(crate) fn from_details(details: FailureDetails) -> Self {
        match E::__from_details(&details) {
            Some(error) => Self::App { error, details },
            None => Self::Failed(details),
        }
    }
    pub fn details(&self) -> &FailureDetails {
        match self {
            Self::App { details, .. } | Self::Failed(details) => details,
        }
    }
}
