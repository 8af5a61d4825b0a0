//! Finds durable operations that nobody awaits: `let _ = x::call(..);`, `let _kept = ..`, `drop(..)`. The compiler does
//! not warn about them, because the value counts as used.

use std::ops::Range;

use proc_macro2::Delimiter;

use super::scope::Scope;
use crate::tokens::{Token, inside, is_group, is_punct, is_word, word};

/// Functions of a generated type that return a durable operation.
const OPERATIONS: [&str; 4] = ["call", "wait", "stream", "continue_as_new"];

/// Methods of the context that return one.
const OF_THE_CONTEXT: [&str; 6] =
    ["create_timer", "create_timer_at", "wait_for_external_event", "join_all", "try_join_all", "call_http"];

/// Methods that turn one operation into another.
const ADAPTERS: [&str; 7] = ["timeout", "boxed", "schedule", "version", "keep_events", "retry", "retry_if"];

/// A value that is dropped.
#[derive(Debug)]
pub(crate) struct Discarded {
    /// The tokens of the value. For `drop(..)`, this is the group in parentheses.
    pub(crate) value: Range<usize>,
    /// What the value is, if its words tell: `x::call(..)`. Otherwise it may be the future of a helper.
    pub(crate) operation: Option<String>,
}

/// Returns what is dropped by the statement whose `_`, `_name` or `drop` stands at `at`.
pub(crate) fn find(tokens: &[Token], at: usize, scope: &Scope) -> Option<Discarded> {
    let name = word(tokens.get(at))?;
    if name == "drop" {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let arguments = inside(tokens.get(at + 1), Delimiter::Parenthesis).filter(|_| !is_punct(before, '.'))?;
        return Some(Discarded { value: at + 1..at + 2, operation: operation(arguments, scope)? });
    }
    if !name.text().starts_with('_') || !is_punct(tokens.get(at + 1), '=') || is_punct(tokens.get(at + 2), '>') {
        return None;
    }
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let declared = is_word(before, "let");
    let dropped = name == "_" && (declared || before.is_none() || is_punct(before, ';'));
    let unused = declared && scope.is_mentioned_once(name.text());
    if !dropped && !unused {
        return None;
    }
    let end = at + tokens[at..].iter().position(|token| is_punct(Some(token), ';'))?;
    Some(Discarded { value: at + 2..end, operation: operation(&tokens[at + 2..end], scope)? })
}

/// Whether a value is a call that returns something durable. `Some(None)` means that only its type can tell.
fn operation(mut value: &[Token], scope: &Scope) -> Option<Option<String>> {
    while let [rest @ .., dot, adapter, arguments] = value
        && is_punct(Some(dot), '.')
        && is_group(Some(arguments), Delimiter::Parenthesis)
        && word(Some(adapter)).is_some_and(|adapter| adapter.is_any(&ADAPTERS))
    {
        value = rest;
    }
    let [callee @ .., name, arguments] = value else { return None };
    let (name, arguments) = (word(Some(name))?, inside(Some(arguments), Delimiter::Parenthesis)?);
    let plain = |token: &Token| word(Some(token)).is_some() || is_punct(Some(token), ':') || is_punct(Some(token), '.');
    if !callee.iter().all(plain) {
        return None;
    }
    if let [context, dot] = callee
        && is_punct(Some(dot), '.')
        && word(Some(context)).is_some_and(|context| scope.is_context(context.text()))
    {
        return name.is_any(&OF_THE_CONTEXT).then(|| Some(format!("{context}.{name}(..)")));
    }
    if is_punct(callee.last(), ':') && name.is_any(&OPERATIONS) {
        let path: String = callee.iter().map(ToString::to_string).collect();
        return Some(Some(format!("{path}{name}(..)")));
    }
    let given = |token: &Token| word(Some(token)).is_some_and(|name| scope.is_context(name.text()));
    let keyword = name.is_any(&["if", "match", "while", "return", "drop"]);
    (arguments.iter().any(given) && !keyword && !is_word(Some(&value[callee.len()]), "start_detached")).then_some(None)
}
