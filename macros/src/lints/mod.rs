//! Finds hazards in the tokens of an orchestrator's body. The catalogue is data. Matching leaves alone a function of
//! the user's own that happens to have a common name: a hazard that is missed is better than a false alarm.
//!
//! The pass that rewrites a body calls [`Linter::look`] at every place. Errors become errors of the macro. Warnings
//! become uses of a deprecated macro at the user's own place.

use std::borrow::Cow;
use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::attr::Kind;
use crate::errors::Errors;
use crate::input::Function;
use crate::tokens::{Token, Word, is_group, is_punct, is_word, originals, word};

mod catalogue;
mod discarded;
mod flow;
mod matching;
mod path;
mod pattern;
mod probe;
mod scope;
mod shapes;

use catalogue::{CATALOGUE, Level, Lint};
use matching::Meaning;
use path::Path;
pub(crate) use probe::Probe;
use scope::Scope;

/// The macros that mean the macros of this library when a body uses them without a path.
pub(crate) const OURS: &[&str] = &["select", "join", "try_join"];

/// The check of awaits. It is not in the catalogue, because types decide it.
const FOREIGN_AWAIT: &str = "foreign_await";

/// Macros for whose argument the user takes responsibility.
const VOUCHED: [&str; 2] = ["nondeterministic", "assume_durable"];

/// The names that `allow(..)` takes.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    std::iter::once(FOREIGN_AWAIT).chain(CATALOGUE.iter().map(|lint| lint.id))
}

/// The checks that an attribute turns off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed(BTreeSet<&'static str>);

impl Allowed {
    /// Turns off the check with that name. Returns `false` if there is no such check.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        let id = ids().find(|known| *known == id);
        self.0.extend(id);
        id.is_some()
    }

    /// Whether awaits are checked.
    pub(crate) fn checks_awaits(&self) -> bool {
        !self.0.contains(FOREIGN_AWAIT)
    }

    /// Returns the code that keeps the exceptions visible in the expansion.
    pub(crate) fn visible(&self, rt: &TokenStream) -> Option<TokenStream> {
        let ids = &self.0;
        (!ids.is_empty()).then(|| quote!(const _: #rt::AllowedChecks = #rt::AllowedChecks(&[#(#ids),*]);))
    }
}

/// Searches one body for hazards.
pub(crate) struct Linter<'a> {
    kind: Kind,
    allowed: &'a Allowed,
    scope: Scope,
    /// The number of errors so far.
    pub(crate) hits: usize,
    /// Names for which the compiler decides whether they are the hazards that they look like.
    pub(crate) probes: Vec<Probe>,
    warnings: TokenStream,
    place: Place,
}

/// The kind of place in the body at which the linter is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// In the argument of something that records the value, or for which the user takes responsibility.
    vouched: bool,
    /// In a branch that only a live run takes, or that only a replay takes.
    replay_known: bool,
    /// Among the arguments of a call that is recorded.
    recorded_call: bool,
    /// In an async block, which may be dropped before it ends.
    block: bool,
}

impl<'a> Linter<'a> {
    pub(crate) fn new(kind: Kind, function: &Function, body: &[Token], allowed: &'a Allowed) -> Self {
        let scope = Scope::of(function, body);
        Self {
            kind,
            allowed,
            scope,
            hits: 0,
            probes: Vec::new(),
            warnings: TokenStream::new(),
            place: Place::default(),
        }
    }

    /// Enters the group at `at`. Pass the returned value to [`Linter::leave`].
    pub(crate) fn enter(&mut self, tokens: &[Token], at: usize) -> Place {
        let before = self.place;
        let back = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let vouched = word(back(1)).is_some_and(|method| method == "side_effect")
            || is_punct(back(1), '!') && word(back(2)).is_some_and(|name| name.is_any(&VOUCHED));
        self.place.vouched |= vouched;
        self.place.recorded_call = flow::is_recorded_call(tokens, at);
        if is_group(tokens.get(at), Delimiter::Brace) {
            self.place.replay_known |= flow::depends_on_replay(&tokens[..at], &self.scope);
            self.place.block |= is_word(back(1), "async") || is_word(back(1), "move") && is_word(back(2), "async");
        }
        before
    }

    /// Leaves a group.
    pub(crate) fn leave(&mut self, before: Place) {
        self.place = before;
    }

    /// Checks one place.
    pub(crate) fn look(&mut self, tokens: &[Token], at: usize, errors: &mut Errors) {
        if self.place.vouched {
            return;
        }
        if let Some(path) = Path::at(tokens, at) {
            self.look_at_path(&path, &tokens[at..at + path.tokens], errors);
        }
        // Something that is awaited at once is already refused by the check of awaits.
        let awaited = is_punct(tokens.get(at + 3), '.') && is_word(tokens.get(at + 4), "await");
        if let Some(lint) = matching::method(tokens, at).filter(|lint| lint.level == Level::Error || !awaited) {
            let name = tokens[at + 1].original();
            self.found(lint, &name.to_string(), name.into(), errors);
        }
        // A future that races with another one may be dropped when the other one completes.
        let in_race = self.place.block || self.kind == Kind::OrchestratorFn;
        let dropped = discarded::find(tokens, at, &self.scope)
            .and_then(|discarded| Some(Found { id: "drop_effects", what: Some(discarded.operation?.into()), at }));
        let argument = self.place.recorded_call.then(|| flow::argument(tokens, at, &self.scope)).flatten();
        let found = [shapes::find(tokens, at, &self.scope), flow::find(tokens, at, &self.scope), argument, dropped];
        for found in found {
            let found = found.filter(|found| found.id != "unbounded_loop" || !in_race);
            if let Some(Found { id, what, at }) = found
                && let Some(lint) = catalogue::lint(id)
            {
                let what = what.map_or_else(|| tokens[at].to_string(), Into::into);
                self.found(lint, &what, tokens[at].original().into(), errors);
            }
        }
    }

    /// Returns a value that the statement at `at` drops, if only its type can tell whether it should have been awaited.
    pub(crate) fn perhaps_dropped(&self, tokens: &[Token], at: usize) -> Option<std::ops::Range<usize>> {
        if self.place.vouched || self.allowed.0.contains("drop_effects") {
            return None;
        }
        let discarded = discarded::find(tokens, at, &self.scope)?;
        discarded.operation.is_none().then_some(discarded.value)
    }

    fn look_at_path(&mut self, path: &Path, written: &[Token], errors: &mut Errors) {
        let Some(words) = self.scope.resolve(path) else { return };
        let Some((lint, meaning)) = matching::path(&words, path) else { return };
        let written = originals(written);
        let bang = if path.follows == path::Follows::Macro { "!" } else { "" };
        let what = format!("{}{bang}", path.text());
        let known_crate = path.from_root && path.words == words;
        match meaning {
            Meaning::IfType | Meaning::IfModule(_) if !known_crate => {
                if !self.allowed.0.contains(lint.id) {
                    self.probes.push(Probe::new(lint, &what, &words, meaning, &written));
                }
            }
            _ => self.found(lint, &what, written, errors),
        }
    }

    /// Reports a `select!`, `join!` or `try_join!` of another crate.
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

    /// Returns the warnings, and the questions to the compiler, as code for the beginning of the body.
    pub(crate) fn into_code(self, rt: &TokenStream) -> TokenStream {
        let mut code = self.warnings;
        code.extend(self.probes.iter().map(|probe| probe.refusal(rt)));
        code
    }

    fn found(&mut self, lint: &'static Lint, what: &str, tokens: TokenStream, errors: &mut Errors) {
        let Lint { id, level, .. } = lint;
        if self.allowed.0.contains(id) || *id == "stdio" && self.place.replay_known {
            return;
        }
        let text = lint.text(what);
        if *level == Level::Error {
            self.hits += 1;
            errors.push(tokens, text);
            return;
        }
        // Only a use of something deprecated can warn at the user's place. For a macro, the compiler's message contains
        // no path.
        let span = tokens.into_iter().last().map_or_else(Span::call_site, |last| TokenTree::span(&last));
        let id = Ident::new(id, span);
        let used = quote_spanned!(span=> #id!());
        self.warnings.extend(quote! {
            const _: () = {
                #[deprecated(note = #text)]
                macro_rules! #id { () => { () }; }
                #used
            };
        });
    }
}

/// A hazard that is not a path.
#[derive(Debug)]
pub(crate) struct Found {
    id: &'static str,
    /// How a message names the hazard, if not by its token.
    what: Option<Cow<'static, str>>,
    /// The token at which the message points.
    at: usize,
}

/// Returns one expression for each spelling of each pattern in the catalogue, with the check that must find it, and
/// whether the compiler is asked.
#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, String, bool)> {
    let of = |lint: &'static Lint| {
        lint.patterns.iter().flat_map(pattern::spellings).map(|(text, asked)| (lint.id, text, asked))
    };
    CATALOGUE.iter().flat_map(of).collect()
}
