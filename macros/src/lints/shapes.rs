//! Finds hazards that are expressions and not paths: `started.elapsed()`, `COUNTER.fetch_add(1)`, `x as *const T`.

use proc_macro2::Delimiter;

use super::Found;
use super::path::is_text;
use super::scope::{Holds, Scope};
use crate::tokens::{Token, Word, inside, is_group, is_punct, is_word, word};

/// Methods that change the value of a static, or that read what another thread changed.
const OF_STATICS: [&str; 12] = [
    "fetch_add",
    "fetch_sub",
    "fetch_max",
    "fetch_min",
    "fetch_update",
    "fetch_or",
    "fetch_and",
    "compare_exchange",
    "swap",
    "store",
    "lock",
    "write",
];

/// Returns the first hazard that begins at `at`.
pub(crate) fn find(tokens: &[Token], at: usize, scope: &Scope) -> Option<Found> {
    let found = |id, what: Option<&'static str>, at| Some(Found { id, what: what.map(Into::into), at });
    match &tokens[at] {
        Token::Word(keyword) if keyword == "unsafe" && is_group(tokens.get(at + 1), Delimiter::Brace) => {
            found("unsafe_block", None, at)
        }
        Token::Word(keyword) if keyword == "static" && is_word(tokens.get(at + 1), "mut") => {
            found("statics", Some("static mut"), at)
        }
        Token::Word(keyword) if keyword == "as" && is_pointer(tokens, at + 1) => found("ptr_addr", Some("as *"), at),
        Token::Literal(text) if is_text(text) && text.to_string().contains(":p}") => {
            found("ptr_addr", Some("{:p}"), at)
        }
        Token::Word(receiver) => {
            let (method, method_at) = method_of(tokens, at)?;
            let receiver = receiver.text();
            let no_arguments =
                inside(tokens.get(method_at + 1), Delimiter::Parenthesis).is_some_and(<[Token]>::is_empty);
            let clock = receiver == "UNIX_EPOCH" || scope.holds(receiver) == Some(Holds::ClockTime);
            if method == "elapsed" && no_arguments && clock {
                found("wall_clock", None, method_at)
            } else if is_static(receiver) && method.is_any(&OF_STATICS) {
                found("statics", None, at)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn is_pointer(tokens: &[Token], at: usize) -> bool {
    is_punct(tokens.get(at), '*') && (is_word(tokens.get(at + 1), "const") || is_word(tokens.get(at + 1), "mut"))
}

/// Returns the method that is called on the word at `at`, and the index of the method's name.
fn method_of(tokens: &[Token], at: usize) -> Option<(&Word, usize)> {
    let name = word(tokens.get(at + 2)).filter(|_| is_punct(tokens.get(at + 1), '.'))?;
    is_group(tokens.get(at + 3), Delimiter::Parenthesis).then_some((name, at + 2))
}

fn is_static(name: &str) -> bool {
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains(char::is_lowercase)
}
