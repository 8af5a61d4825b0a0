//! The result of parsing and checking: names and types in a form that is always valid.

use proc_macro2::TokenStream;
use syn::{Ident, Type};

use crate::attr::Kind;
use crate::input::Function;
use crate::lints::Allowed;
use crate::retry::Retry;

/// One stored input.
#[derive(Clone)]
pub(crate) struct StoredInput {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

/// An orchestrator or an activity.
pub(crate) struct Callable {
    pub(crate) function: Function,
    /// The name of the generated type.
    pub(crate) marker: Ident,
    /// The name under which it is recorded.
    pub(crate) name: String,
    /// The version. It is empty if there is none.
    pub(crate) version: String,
    /// The type of the context parameter. An orchestrator always has one. For an activity, it is the type without the
    /// `&`.
    pub(crate) context: Option<Type>,
    pub(crate) inputs: Vec<StoredInput>,
    pub(crate) output: Type,
    /// The type of which the activity is a method.
    pub(crate) service: Option<Type>,
    /// The events that an orchestrator accepts. `None` means all events.
    pub(crate) events: Option<Vec<Type>>,
    /// How calls of an activity are tried again.
    pub(crate) retry: Option<Retry>,
    /// How many runs of an activity there may be at a time.
    pub(crate) concurrency: Option<usize>,
    pub(crate) rt: TokenStream,
    pub(crate) allowed: Allowed,
}

/// What is known about an orchestrator or activity with mistakes. It is enough for a stub that keeps other code free of
/// errors.
pub(crate) struct Sketch {
    pub(crate) kind: Kind,
    pub(crate) function: Function,
    pub(crate) marker: Ident,
    pub(crate) name: String,
    /// `None` if the context parameter is missing or wrong.
    pub(crate) context: Option<Type>,
    /// One entry for each input; `None` if the parameter is wrong.
    pub(crate) inputs: Vec<Option<Type>>,
    /// `None` if the return type is missing or wrong.
    pub(crate) output: Option<Type>,
    pub(crate) rt: TokenStream,
    pub(crate) allowed: Allowed,
}
