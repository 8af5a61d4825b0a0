//! The inputs of an orchestrator or an activity as a tuple, and how each value is encoded and decoded.

use std::marker::PhantomData;

use super::Payload;
use crate::model::json::{DecodeError, EncodeError, JsonText};

/// An encoded input, or the reason why it could not be encoded. The operation that takes it reports the error.
pub type EncodedInput = Result<JsonText, EncodeError>;

/// How one parameter is encoded and decoded. The generated code creates one for each parameter, at the place of its
/// type, so that a type that cannot be stored gives one error at that place.
#[derive(Debug)]
pub struct Parameter<T> {
    name: &'static str,
    encode: fn(&T) -> EncodedInput,
    decode: fn(&JsonText) -> Result<T, DecodeError>,
}

/// Creates a parameter with this name and type. If the type cannot be stored, the compiler points to the second
/// argument, which the generated code puts at the place of the whole parameter.
pub const fn parameter<T: Payload>(name: &'static str, _: PhantomData<T>) -> Parameter<T> {
    Parameter { name, encode: T::__encode, decode: T::__decode }
}

impl<T> Copy for Parameter<T> {}

impl<T> Clone for Parameter<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Parameter<T> {
    /// Decodes the next value. A value that was left out is decoded from `null`.
    fn read(&self, values: &mut std::vec::IntoIter<JsonText>) -> Result<T, DecodeError> {
        let text = values.next().unwrap_or_else(JsonText::null);
        let name = self.name;
        (self.decode)(&text).map_err(|error| DecodeError(format!("parameter `{name}`: {error}")))
    }
}

/// The inputs as a tuple. No input is stored as `null`, one input as its JSON value, and several inputs as an array.
pub trait Inputs: Sized + 'static {
    /// `()`, the type of the only input, or the tuple.
    type Value: 'static;
    /// How each input is encoded and decoded.
    type Parameters: Copy + 'static;
    /// Encodes the inputs.
    fn encode(self, parameters: &Self::Parameters) -> EncodedInput;
    /// Decodes the inputs. A caller in another language may leave out the last ones.
    fn decode(text: &JsonText, parameters: &Self::Parameters) -> Result<Self, DecodeError>;
    /// Converts the tuple to what a reader expects: one input is not a tuple.
    fn into_value(self) -> Self::Value;
}

/// Encodes the inputs of code that runs elsewhere.
#[allow(clippy::needless_pass_by_value, reason = "the value is created for this one call")]
pub fn encode<I: Inputs>(inputs: I, parameters: I::Parameters) -> EncodedInput {
    inputs.encode(&parameters)
}

impl Inputs for () {
    type Value = ();
    type Parameters = ();

    fn encode(self, (): &()) -> EncodedInput {
        Ok(JsonText::null())
    }

    fn decode(_: &JsonText, (): &()) -> Result<Self, DecodeError> {
        Ok(())
    }

    fn into_value(self) {}
}

impl<A: 'static> Inputs for (A,) {
    type Value = A;
    type Parameters = (Parameter<A>,);

    fn encode(self, (parameter,): &(Parameter<A>,)) -> EncodedInput {
        (parameter.encode)(&self.0)
    }

    fn decode(text: &JsonText, (parameter,): &(Parameter<A>,)) -> Result<Self, DecodeError> {
        Ok((parameter.read(&mut vec![text.clone()].into_iter())?,))
    }

    fn into_value(self) -> A {
        self.0
    }
}

/// Encodes several values as a JSON array.
fn array<const N: usize>(values: [EncodedInput; N]) -> EncodedInput {
    let mut text = String::from("[");
    for (place, value) in values.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(value?.as_str());
    }
    text.push(']');
    Ok(JsonText::from_string(text))
}

/// Splits a JSON array into its values, of which there may be at most `parameters`.
fn values(text: &JsonText, parameters: usize) -> Result<std::vec::IntoIter<JsonText>, DecodeError> {
    let no_array = |why| DecodeError(format!("the input is not an array of {parameters} values: {why}"));
    let values = serde_json::from_slice::<Vec<JsonText>>(text.as_bytes()).map_err(no_array)?;
    if values.len() > parameters {
        let found = values.len();
        return Err(DecodeError(format!("the input has {found} values, but the code takes {parameters}")));
    }
    Ok(values.into_iter())
}

macro_rules! several {
    ($number:literal $($ty:ident $place:tt)*) => {
        impl<$($ty: 'static),*> Inputs for ($($ty,)*) {
            type Value = Self;
            type Parameters = ($(Parameter<$ty>,)*);

            fn encode(self, parameters: &Self::Parameters) -> EncodedInput {
                array([$((parameters.$place.encode)(&self.$place)),*])
            }

            fn decode(text: &JsonText, parameters: &Self::Parameters) -> Result<Self, DecodeError> {
                let mut values = values(text, $number)?;
                Ok(($(parameters.$place.read(&mut values)?,)*))
            }

            fn into_value(self) -> Self {
                self
            }
        }
    };
}
several!(2 A 0 B 1);
several!(3 A 0 B 1 C 2);
several!(4 A 0 B 1 C 2 D 3);
several!(5 A 0 B 1 C 2 D 3 E 4);
several!(6 A 0 B 1 C 2 D 3 E 4 F 5);
several!(7 A 0 B 1 C 2 D 3 E 4 F 5 G 6);
several!(8 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
several!(9 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
several!(10 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
several!(11 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
several!(12 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);
several!(13 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12);
several!(14 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13);
several!(15 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14);
several!(16 A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn text(json: &str) -> JsonText {
        JsonText::from_string(json.to_owned())
    }

    #[test]
    fn one_input_is_its_value_several_are_an_array_none_is_null() {
        assert_eq!(encode((), ()).unwrap().as_str(), "null");
        assert_eq!(encode((vec![1, 2],), (parameter("a", PhantomData),)).unwrap().as_str(), "[1,2]");
        let parameters = || (parameter("a", PhantomData), parameter("b", PhantomData));
        let several = encode(("a\"b".to_owned(), None::<u8>), parameters()).unwrap();
        assert_eq!(several.as_str(), r#"["a\"b",null]"#);
        assert_eq!(Inputs::decode(&several, &parameters()), Ok(("a\"b".to_owned(), None::<u8>)));
    }

    #[test]
    fn an_input_that_cannot_be_encoded_is_the_error_of_the_whole() {
        let bad = || BTreeMap::from([((1, 2), 3)]);
        assert!(encode((bad(),), (parameter("a", PhantomData),)).is_err());
        assert!(encode((1, bad()), (parameter("a", PhantomData), parameter("b", PhantomData))).is_err());
    }

    #[test]
    fn foreign_callers_may_leave_out_optional_inputs_at_the_end() {
        let optional = (parameter::<u8>("a", PhantomData), parameter::<Option<u8>>("b", PhantomData));
        assert_eq!(Inputs::decode(&text("[1]"), &optional), Ok((1_u8, None::<u8>)));
        let all = (parameter::<u8>("a", PhantomData), parameter::<u8>("b", PhantomData));
        let error = <(u8, u8)>::decode(&text("[1]"), &all).unwrap_err();
        assert!(error.0.starts_with("parameter `b`: "), "{error}");
        assert_eq!(Inputs::decode(&text("null"), &(parameter("a", PhantomData),)), Ok((None::<u8>,)));
        assert_eq!(<()>::decode(&text("\"whatever\""), &()), Ok(()));
    }

    #[test]
    fn inputs_of_another_shape_are_refused() {
        let two = (parameter::<u8>("a", PhantomData), parameter::<u8>("b", PhantomData));
        let error = <(u8, u8)>::decode(&text("{\"a\":1}"), &two).unwrap_err();
        assert!(error.0.starts_with("the input is not an array of 2 values: invalid type: map"), "{error}");
        let error = <(u8, u8)>::decode(&text("[1,2,3]"), &two).unwrap_err();
        assert_eq!(error.0, "the input has 3 values, but the code takes 2");
    }
}
