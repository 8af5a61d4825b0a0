//! What the body of an orchestrator may not hold. So far: other people's `select!`, `join!` and `try_join!`, whose
//! awaits no type check sees; further synchronous hazards belong here.

use proc_macro2::Ident;

use crate::errors::Errors;

/// The macros that mean ours when they stand bare in a body.
pub(crate) const OURS: &[&str] = &["select", "join", "try_join"];

/// Refuses the one that is reached by another path.
pub(crate) fn foreign_combinator(path: &[String], name: &Ident, errors: &mut Errors) {
    let path = path.join("");
    errors.push_at(
        name.span(),
        format!(
            "`{path}{name}!` polls in an order that replay cannot repeat: write `{name}!`, which is durable in an orchestrator"
        ),
    );
}
