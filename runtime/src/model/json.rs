//! JSON text, the form of every payload. It is UTF-8 by construction, and a clone copies no text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::Utf8Error;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::finite;

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
    /// Returns an error if the value cannot be written as JSON. A number that is not finite (NaN or an infinity) cannot: it
    /// would be read back as a missing value. The message is serde's, preceded by the type.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let problem = |error: &dyn fmt::Display| {
            EncodeError(format!("`{}` cannot be written as JSON: {error}", type_name::<T>()))
        };
        let text = serde_json::to_vec(value).map_err(|error| problem(&error))?;
        // Numbers that are not finite become `null`, so most texts cannot contain one.
        if text.windows(4).any(|part| part == b"null") {
            finite::check(value).map_err(|error| problem(&error))?;
        }
        Ok(Self(text.into()))
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

    /// Returns whether both texts are the same JSON value. The order of the fields of an object has no meaning; numbers and
    /// strings are compared as they are written.
    pub(crate) fn is_same_value(&self, other: &Self) -> bool {
        self.0 == other.0 || same_value(&self.0, &other.0)
    }

    /// Returns whether the text is the value `null`.
    pub fn is_null(&self) -> bool {
        self.0.trim_ascii() == b"null"
    }
}

fn same_value(first: &[u8], second: &[u8]) -> bool {
    let (first, second) = (first.trim_ascii(), second.trim_ascii());
    match (first.first(), second.first()) {
        (Some(b'{'), Some(b'{')) => {
            let fields = |text| serde_json::from_slice::<BTreeMap<String, &RawValue>>(text).ok();
            let (Some(first), Some(second)) = (fields(first), fields(second)) else { return false };
            first.len() == second.len()
                && first.keys().eq(second.keys())
                && first.values().zip(second.values()).all(same)
        }
        (Some(b'['), Some(b'[')) => {
            let items = |text| serde_json::from_slice::<Vec<&RawValue>>(text).ok();
            let (Some(first), Some(second)) = (items(first), items(second)) else { return false };
            first.len() == second.len() && first.iter().zip(&second).all(same)
        }
        _ => first == second,
    }
}

fn same((first, second): (&&RawValue, &&RawValue)) -> bool {
    first.get() == second.get() || same_value(first.get().as_bytes(), second.get().as_bytes())
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
    fn a_number_that_is_not_finite_has_no_json_form_wherever_it_stands() {
        #[derive(Serialize)]
        enum Kind {
            One(f64),
            Two(f32, f32),
            Named { value: Option<f64> },
        }
        let not_finite = |value: &dyn erased::Value| {
            let error = value.encode().unwrap_err();
            assert!(error.0.contains("JSON has no number"), "{error}");
        };
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            not_finite(&number);
            not_finite(&(number as f32));
            not_finite(&Some(number));
            not_finite(&vec![Some(1.0), Some(number)]);
            not_finite(&(1, number));
            not_finite(&std::collections::BTreeMap::from([("a", number)]));
            not_finite(&Kind::One(number));
            not_finite(&Kind::Two(0.0, number as f32));
            not_finite(&Kind::Named { value: Some(number) });
        }
        assert_eq!(JsonText::encode(&Kind::Named { value: None }).unwrap().as_str(), r#"{"Named":{"value":null}}"#);
        assert_eq!(JsonText::encode(&vec![None, Some(1.5)]).unwrap().as_str(), "[null,1.5]");
        assert_eq!(JsonText::encode(&("null", JsonText::null())).unwrap().as_str(), r#"["null",null]"#);
        assert!(JsonText::encode(&std::collections::BTreeMap::from([((1, 2), 3)])).is_err(), "keys are texts");
    }

    mod erased {
        use super::super::*;

        /// A value of any type.
        pub(super) trait Value {
            fn encode(&self) -> Result<JsonText, EncodeError>;
        }

        impl<T: Serialize> Value for T {
            fn encode(&self) -> Result<JsonText, EncodeError> {
                JsonText::encode(self)
            }
        }
    }

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
    fn the_order_of_fields_has_no_meaning_and_the_order_of_a_list_has() {
        let same =
            |a: &str, b: &str| JsonText::from_string(a.to_owned()).is_same_value(&JsonText::from_string(b.to_owned()));
        assert!(same(r#"{"a":[1,{"x":1,"y":"2"}],"b":null}"#, r#"{ "b": null, "a": [1, {"y":"2", "x":1}] }"#));
        assert!(!same(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":2}"#) && !same(r#"{"a":1}"#, r#"{"b":1}"#));
        assert!(!same("[1]", "[1,1]") && !same("[1]", "{}") && !same("", "{}") && !same("{", "{}"));
        // Beyond what a float can tell apart.
        assert!(!same("[340282366920938463463374607431768211455]", "[340282366920938463463374607431768211454]"));
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
