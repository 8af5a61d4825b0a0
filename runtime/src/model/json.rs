//! JSON text, the form of every payload. It is UTF-8 by construction, and a clone copies no text.

use std::fmt;
use std::str::Utf8Error;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON text.
///
/// Two values are equal if their texts are equal, character by character. The meaning of the text is not considered.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Bytes);

/// A value could not be written as JSON.
///
/// Change the type or the way in which it is serialised. For example, a map whose keys are not strings cannot be
/// written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

/// A JSON text could not be decoded as the expected type.
///
/// The text comes from code with another type or from another program. Compare the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

impl JsonText {
    /// Creates a value from a text that is already JSON. The text is not parsed here; if it is not JSON, decoding it
    /// fails.
    pub fn from_string(text: String) -> Self {
        Self(text.into())
    }

    /// Creates a value from stored bytes.
    pub(crate) fn from_bytes(bytes: Bytes) -> Result<Self, Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// Returns the JSON text `null`, which stands for no input, no output or no status.
    pub const fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// Returns an error if the value cannot be written as JSON. The message is serde's, preceded by the type.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        match serde_json::to_vec(value) {
            Ok(text) => Ok(Self(text.into())),
            Err(error) => Err(EncodeError(format!("`{}` cannot be written as JSON: {error}", type_name::<T>()))),
        }
    }

    /// Decodes the text as a `T`.
    ///
    /// # Errors
    /// Returns an error if the text is not JSON, or not the JSON of a `T`. The message is serde's, preceded by the
    /// type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_slice(&self.0)
            .map_err(|error| DecodeError(format!("the text is not a `{}`: {error}", type_name::<T>())))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        // Every constructor has checked the text, so the fallback is never used.
        std::str::from_utf8(&self.0).unwrap_or("null")
    }

    /// Returns the text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text as bytes, without copying it.
    pub(crate) fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Returns the number of bytes in the text.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the text has no bytes at all. Such a text is not JSON.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the text is the value `null`.
    pub fn is_null(&self) -> bool {
        self.0.trim_ascii() == b"null"
    }
}

fn type_name<T: ?Sized>() -> &'static str {
    std::any::type_name::<T>()
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Embeds the value itself, character by character, and not a string that contains it.
impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Takes an embedded value as its text. This works only with serde_json, which keeps the text unchanged.
impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::from_string(String::from(Box::<str>::from(raw))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_from_its_text() {
        let text = JsonText::encode(&("Tokyo", 3, [1.5, 0.1])).unwrap();
        assert_eq!(text.as_str(), r#"["Tokyo",3,[1.5,0.1]]"#);
        assert_eq!(text.decode::<(String, u8, Vec<f64>)>(), Ok(("Tokyo".to_owned(), 3, vec![1.5, 0.1])));
    }

    #[test]
    fn embedding_keeps_every_letter() {
        let document = r#"{"a":{ "z" : 1.10, "b": 123456789012345678901234567890 }}"#;
        let map: std::collections::BTreeMap<String, JsonText> = serde_json::from_str(document).unwrap();
        assert_eq!(map["a"].as_str(), r#"{ "z" : 1.10, "b": 123456789012345678901234567890 }"#);
        assert_eq!(serde_json::to_string(&map).unwrap(), document);
    }

    #[test]
    fn a_text_that_is_no_json_is_not_embedded() {
        assert!(serde_json::to_string(&JsonText::from_string("{".to_owned())).is_err());
        assert!(serde_json::to_string(&JsonText::from_string("1 2".to_owned())).is_err());
    }

    #[test]
    fn errors_name_the_type() {
        let keys = std::collections::BTreeMap::from([(vec![1_u8], 1_u8)]);
        assert!(JsonText::encode(&keys).unwrap_err().0.contains("BTreeMap"));
        let error = JsonText::from_string("\"x\"".to_owned()).decode::<u32>().unwrap_err();
        assert!(error.0.starts_with("the text is not a `u32`: invalid type: string"), "{error}");
    }

    #[test]
    fn stored_bytes_are_checked() {
        assert!(JsonText::from_bytes(Bytes::from_static(b"\"\xff\"")).is_err());
        assert_eq!(JsonText::from_bytes(Bytes::from_static(b"null")), Ok(JsonText::null()));
        assert!(JsonText::from_string(" null\n".to_owned()).is_null());
        assert!(!JsonText::from_string("\"null\"".to_owned()).is_null());
    }
}
