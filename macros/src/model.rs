//! What is left when all checks are passed: names, types, and nothing that can still be wrong in form.

use proc_macro2::TokenStream;
use syn::{Ident, Type};

use crate::attr::Kind;
use crate::input::Function;
use crate::lints::Allowed;

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
    /// Its version, empty for none.
    pub(crate) version: String,
    /// The type of the context parameter: of an orchestrator always, without the `&` of an activity.
    pub(crate) context: Option<Type>,
    pub(crate) inputs: Vec<StoredInput>,
    pub(crate) output: Type,
    /// The type of which an activity is a method.
    pub(crate) service: Option<Type>,
    /// The events that an orchestrator accepts; `None` for all.
    pub(crate) events: Option<Vec<Type>>,
    pub(crate) rt: TokenStream,
    pub(crate) allowed: Allowed,
}

/// What is known of an orchestrator or activity with mistakes: enough for a stub that keeps other code silent.
pub(crate) struct Sketch {
    pub(crate) kind: Kind,
    pub(crate) function: Function,
    pub(crate) marker: Ident,
    pub(crate) name: String,
    /// `None` where the context parameter is missing or wrong.
    pub(crate) context: Option<Type>,
    /// One per input; `None` where the parameter is wrong.
    pub(crate) inputs: Vec<Option<Type>>,
    /// `None` where the return type is missing or wrong.
    pub(crate) output: Option<Type>,
    pub(crate) rt: TokenStream,
    pub(crate) allowed: Allowed,
}
