//! Which code this process has: (name, version) -> handler. (Stand-in.)
#![allow(missing_docs)]

use crate::context::ActivityContext;
use crate::model::{FailureDetails, JsonText};
use std::pin::Pin;

/// The orchestrators and activities of a runtime.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    activities: Vec<Registration>,
}

pub type ActivityHandler =
    fn(ActivityContext, JsonText) -> Pin<Box<dyn Future<Output = Result<JsonText, FailureDetails>> + Send + 'static>>;

#[derive(Debug, Clone, Copy)]
pub struct Registration {
    pub name: &'static str,
    pub handler: ActivityHandler,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    #[error("nothing registered")]
    Empty,
}

impl Registry {
    pub fn auto() -> Result<Self, RegistryError> {
        Err(RegistryError::Empty)
    }
    pub fn new(entries: impl IntoIterator<Item = Registration>) -> Result<Self, RegistryError> {
        Ok(Self { activities: entries.into_iter().collect() })
    }
    pub fn activity(&self, name: &str) -> Option<&Registration> {
        self.activities.iter().find(|a| a.name == name)
    }
}
