//! What the body of an orchestrator may not hold, found in its tokens: the catalogue is data, and everything is matched
//! so that a user's own function of a common name is left alone. A miss is better than a false alarm.
//!
//! The pass that rewrites a body asks [`Linter::look`] at every place. Errors go to the errors of the macro; warnings
//! become uses of a deprecated function at the user's own place.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::attr::Kind;
use crate::errors::Errors;
use crate::input::Function;
use crate::tokens::{Token, Word, is_group, is_punct, is_word, originals, word};

mod catalogue;
mod flow;
mod matching;
mod path;
mod scope;
mod shapes;

use catalogue::{CATALOGUE, Level, Lint};
use path::Path;
use scope::Scope;

/// The macros that mean ours when they stand bare in a body.
pub(crate) const OURS: &[&str] = &["select", "join", "try_join"];

/// The check of awaits, which is not in the catalogue: types decide it.
const FOREIGN_AWAIT: &str = "foreign_await";

/// Macros whose argument the user vouches for.
const VOUCHED: [&str; 2] = ["nondeterministic", "assume_durable"];

/// The names that `allow(..)` takes.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    std::iter::once(FOREIGN_AWAIT).chain(CATALOGUE.iter().map(|lint| lint.id))
}

/// The checks that an attribute turns off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed(BTreeSet<&'static str>);

impl Allowed {
    /// Turns the check of that name off; `false` if there is none.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        let id = ids().find(|known| *known == id);
        self.0.extend(id);
        id.is_some()
    }

    /// Whether awaits are checked.
    pub(crate) fn checks_awaits(&self) -> bool {
        !self.0.contains(FOREIGN_AWAIT)
    }

    /// What stays of it in the expansion, so that it can be seen there.
    pub(crate) fn visible(&self, rt: &TokenStream) -> Option<TokenStream> {
        let ids = &self.0;
        (!ids.is_empty()).then(|| quote!(const _: #rt::AllowedChecks = #rt::AllowedChecks(&[#(#ids),*]);))
    }
}

/// Looks through one body.
pub(crate) struct Linter<'a> {
    kind: Kind,
    allowed: &'a Allowed,
    scope: Scope,
    /// Errors found so far.
    pub(crate) hits: usize,
    warnings: TokenStream,
    place: Place,
}

/// Where in the body it looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// In the argument of something that records the value, or that the user vouches for.
    vouched: bool,
    /// In a branch that is taken in a live run only, or in a replay only.
    replay_known: bool,
    /// In an async block, which may be dropped before it ends.
    block: bool,
}

impl<'a> Linter<'a> {
    pub(crate) fn new(kind: Kind, function: &Function, body: &[Token], allowed: &'a Allowed) -> Self {
        let scope = Scope::of(function, body);
        Self { kind, allowed, scope, hits: 0, warnings: TokenStream::new(), place: Place::default() }
    }

    /// Steps into the group at `at`. Give what it returns to [`Linter::leave`].
    pub(crate) fn enter(&mut self, tokens: &[Token], at: usize) -> Place {
        let before = self.place;
        let back = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let vouched = word(back(1)).is_some_and(|method| method == "side_effect")
            || is_punct(back(1), '!') && word(back(2)).is_some_and(|name| name.is_any(&VOUCHED));
        self.place.vouched |= vouched;
        if is_group(tokens.get(at), Delimiter::Brace) {
            self.place.replay_known |= flow::depends_on_replay(&tokens[..at]);
            self.place.block |= is_word(back(1), "async") || is_word(back(1), "move") && is_word(back(2), "async");
        }
        before
    }

    /// Steps out again.
    pub(crate) fn leave(&mut self, before: Place) {
        self.place = before;
    }

    /// Looks at one place.
    pub(crate) fn look(&mut self, tokens: &[Token], at: usize, errors: &mut Errors) {
        if self.place.vouched {
            return;
        }
        if let Some(path) = Path::at(tokens, at)
            && let Some(lint) = self.scope.resolve(&path).and_then(|words| matching::path(&words, &path))
        {
            let bang = if path.follows == path::Follows::Macro { "!" } else { "" };
            let written = originals(&tokens[at..at + path.tokens]);
            self.found(lint, &format!("{}{bang}", path.text()), written, errors);
        }
        if let Some(lint) = matching::method(tokens, at) {
            let name = tokens[at + 1].original();
            self.found(lint, &name.to_string(), name.into(), errors);
        }
        // What races with something else ends when that is done.
        let in_race = self.place.block || self.kind == Kind::OrchestratorFn;
        for found in [shapes::find(tokens, at, &self.scope), flow::find(tokens, at, &self.scope)] {
            let found = found.filter(|found| found.id != "unbounded_loop" || !in_race);
            if let Some(Found { id, what, at }) = found
                && let Some(lint) = catalogue::lint(id)
            {
                let what = what.map_or_else(|| tokens[at].to_string(), ToOwned::to_owned);
                self.found(lint, &what, tokens[at].original().into(), errors);
            }
        }
    }

    /// A `select!`, `join!` or `try_join!` of somebody else.
    pub(crate) fn foreign_combinator(&mut self, path: &[String], name: &Word, errors: &mut Errors) {
        let id = if name == "select" { "select" } else { "join" };
        if self.place.vouched || self.allowed.0.contains(id) {
            return;
        }
        self.hits += 1;
        let path = path.concat();
        errors.push_at(
            name.span(),
            format!(
                "`{path}{name}!` polls in an order that replay cannot repeat: write `{name}!`, which is durable in an orchestrator (check `{id}`)"
            ),
        );
    }

    /// The warnings, as code for the beginning of the body.
    pub(crate) fn into_warnings(self) -> TokenStream {
        self.warnings
    }

    fn found(&mut self, lint: &'static Lint, what: &str, tokens: TokenStream, errors: &mut Errors) {
        let Lint { id, level, why, instead, .. } = lint;
        if self.allowed.0.contains(id) || *id == "stdio" && self.place.replay_known {
            return;
        }
        let text = format!("`{what}` {why}: {instead} (check `{id}`)");
        if *level == Level::Error {
            self.hits += 1;
            errors.push(tokens, text);
            return;
        }
        // A deprecated function is the only way to warn at a place of the user's.
        let span = tokens.into_iter().last().map_or_else(Span::call_site, |last| TokenTree::span(&last));
        let id = Ident::new(id, span);
        let used = quote_spanned!(span=> #id());
        self.warnings.extend(quote! {
            const _: () = {
                #[deprecated(note = #text)]
                const fn #id() {}
                #used
            };
        });
    }
}

/// Something that is no path.
#[derive(Debug)]
pub(crate) struct Found {
    id: &'static str,
    /// How a message names it, if not by the token.
    what: Option<&'static str>,
    /// The token that it points at.
    at: usize,
}

/// One expression per pattern and spelling of the catalogue, with the check that must find it.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, String)> {
    CATALOGUE
        .iter()
        .flat_map(|lint| lint.patterns.iter().flat_map(catalogue::spellings).map(|text| (lint.id, text)))
        .collect()
}
