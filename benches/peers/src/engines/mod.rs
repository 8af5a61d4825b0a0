//! The engines, each in its best documented configuration.

pub(crate) mod dbos;
pub(crate) mod durare;
pub(crate) mod duroxide;

/// The inputs of the hello.
pub(crate) const CITIES: [&str; 3] = ["Tokyo", "Seattle", "London"];

/// Fails when an engine did not do what was asked.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> crate::Outcome {
    if found == expected { Ok(()) } else { Err(format!("{found:?} in place of {expected:?}").into()) }
}
