//! Small helpers that answer questions about tokens.

use proc_macro2::Delimiter;

use crate::tokens::{Token, group, is_punct, is_word, word};

/// Whether `=>` stands at this place.
pub(super) fn is_arrow(tokens: &[Token], at: usize) -> bool {
    is_punct(tokens.get(at), '=') && is_punct(tokens.get(at + 1), '>')
}

/// Returns the number of tokens in the generic arguments that begin with `<` at `at`.
pub(super) fn generics(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (taken, token) in tokens[at..].iter().enumerate() {
        if is_punct(Some(token), '<') {
            depth += 1;
        } else if is_punct(Some(token), '>') && !(taken > 0 && is_punct(tokens.get(at + taken - 1), '-')) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return taken + 1;
            }
        }
    }
    tokens.len() - at
}

/// Returns the index of the brace that begins the body of an `if`, `match`, `while` or `for`, searching from `at`.
pub(super) fn body(tokens: &[Token], at: usize) -> Option<usize> {
    let mut others = 0_usize;
    for place in at..tokens.len() {
        if word(tokens.get(place)).is_some_and(|word| word.is_any(&["match", "if", "loop"])) {
            others += 1;
        }
        if group(tokens.get(place), Delimiter::Brace).is_none() {
            continue;
        }
        let before = place.checked_sub(1).filter(|before| *before >= at).and_then(|before| tokens.get(before));
        let belongs = is_punct(before, '!')
            || ["async", "move", "unsafe", "const", "else"].iter().any(|keyword| is_word(before, keyword));
        if !belongs && others == 0 {
            return Some(place);
        }
        if !belongs {
            others -= 1;
        }
    }
    None
}

/// Returns the expression of an arm or branch that begins at `at`, which is a block or ends at the comma, and the index
/// at which the next one begins.
pub(super) fn arm(tokens: &[Token], at: usize) -> (&[Token], usize) {
    let block = group(tokens.get(at), Delimiter::Brace).is_some()
        && !is_punct(tokens.get(at + 1), '.')
        && !is_punct(tokens.get(at + 1), '?');
    let comma = |from: usize| (from..tokens.len()).find(|place| is_punct(tokens.get(*place), ','));
    if block {
        let next = if is_punct(tokens.get(at + 1), ',') { at + 2 } else { at + 1 };
        return (&tokens[at..=at], next);
    }
    let end = comma(at).unwrap_or(tokens.len());
    (&tokens[at.min(end)..end], (end + 1).min(tokens.len()))
}
