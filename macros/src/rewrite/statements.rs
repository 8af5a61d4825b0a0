//! Answers what the surrounding tokens tell about a place: where a statement ends, what it binds, and which path or
//! chain of methods leads to the place.

use proc_macro2::Delimiter;

use crate::tokens::{Token, Word, is_punct, is_word, word};

/// Whether a statement, or an element of a list, ends with the token at `at`.
pub(super) fn ends_statement(tokens: &[Token], at: usize) -> bool {
    match &tokens[at] {
        Token::Punct(punct) => {
            matches!(punct.as_char(), ';' | ',')
                || punct.as_char() == '>' && is_punct(tokens.get(at.wrapping_sub(1)), '=')
        }
        Token::Group(group) => {
            group.delimiter() == Delimiter::Brace
                && !is_punct(tokens.get(at + 1), '.')
                && !is_punct(tokens.get(at + 1), '?')
        }
        _ => false,
    }
}

/// Whether a member is missing at the end: `ctx.`. The compiler read the item before the macro did, and has already
/// reported this at the closing bracket. A rewritten group has no span of its own for this error, so the compiler would
/// report it a second time.
pub(super) fn is_half_typed(tokens: &[Token], at: usize) -> bool {
    at + 1 == tokens.len() && is_punct(tokens.get(at), '.') && at > 0 && !is_punct(tokens.get(at - 1), '.')
}

/// Returns the local variables at the beginning of a chain of methods that ends here: `receiver.recv()`, `(&mut
/// receiver)`.
pub(super) fn receivers(before: &[Token]) -> impl Iterator<Item = &str> {
    let continues = |token: &Token| match token {
        Token::Word(word) => !word.is_any(&["let", "in", "return", "match", "if", "while", "else"]),
        Token::Punct(punct) => ".:?".contains(punct.as_char()),
        Token::Group(_) => true,
        Token::Literal(_) => false,
    };
    let start = before.iter().rposition(|token| !continues(token)).map_or(0, |end| end + 1);
    let first = before.get(start);
    let inside = match first {
        Some(Token::Group(group)) => group.tokens(),
        _ => &[],
    };
    word(first).into_iter().chain(inside.iter().filter_map(|token| word(Some(token)))).map(Word::text)
}

/// Returns the names that a `let` statement gives to its value.
pub(super) fn bound_names(statement: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    if is_word(statement.first(), "let") {
        let pattern = statement.iter().take_while(|token| !is_punct(Some(token), '='));
        for token in pattern {
            match token {
                Token::Word(name) => names.push(name.to_string()),
                Token::Group(group) => {
                    names.extend(group.tokens().iter().filter_map(|token| Some(word(Some(token))?.to_string())));
                }
                _ => {}
            }
        }
    }
    names
}

/// Returns the path that ends just before `at`: words and `::`.
pub(super) fn path_before(tokens: &[Token], at: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut end = at;
    while end >= 2 && is_punct(tokens.get(end - 1), ':') && is_punct(tokens.get(end - 2), ':') {
        path.push("::".to_owned());
        end -= 2;
        let Some(word) = end.checked_sub(1).and_then(|before| word(tokens.get(before))) else { break };
        path.push(word.to_string());
        end -= 1;
    }
    path.reverse();
    path
}

/// Returns the index at which the path that ends just before `at` begins.
pub(super) fn path_start(tokens: &[Token], at: usize) -> usize {
    let mut start = at;
    while start >= 2 && is_punct(tokens.get(start - 1), ':') && is_punct(tokens.get(start - 2), ':') {
        start -= 2;
        match start.checked_sub(1).and_then(|before| word(tokens.get(before))) {
            Some(word) if !word.is_any(&["return", "in", "match", "else", "break"]) => start -= 1,
            _ => break,
        }
    }
    start
}
