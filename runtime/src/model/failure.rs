//! What went wrong, as data.
use serde::{Deserialize, Serialize};

/// Stand-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureDetails {
    error_type: String,
    message: String,
}
impl FailureDetails {
    /// New.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), message: message.into() }
    }
    /// Type.
    pub fn error_type(&self) -> &str {
        &self.error_type
    }
    /// Message.
    pub fn message(&self) -> &str {
        &self.message
    }
}
impl std::fmt::Display for FailureDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for FailureDetails {}
