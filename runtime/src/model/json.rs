//! JSON text: the form of every payload.
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// JSON text, UTF-8 by construction, cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Bytes);

/// A value could not be written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);
/// A JSON text is not the value that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

impl JsonText {
    /// Takes JSON text as it is.
    pub fn from_string(text: String) -> Self {
        Self(text.into())
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
    /// Bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The JSON null.
    pub fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }
    /// Encode.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        serde_json::to_vec(value).map(|v| Self(v.into())).map_err(|e| EncodeError(e.to_string()))
    }
    /// Decode.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_slice(&self.0).map_err(|e| DecodeError(e.to_string()))
    }
    pub(crate) fn from_bytes(bytes: Bytes) -> Result<Self, std::str::Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }
    pub(crate) fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl std::fmt::Debug for JsonText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
