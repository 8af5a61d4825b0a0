//! Finds paths in a list of tokens, such as `std::time::Instant::now`, together with what follows them.

use proc_macro2::{Delimiter, Literal};

use crate::tokens::{Token, Word, group, inside, is_punct, word};

/// A path as the user wrote it.
#[derive(Debug)]
pub(crate) struct Path {
    /// The words of the path, without generic arguments.
    pub(crate) words: Vec<String>,
    /// Whether the path begins with `::`, so that its first word is a crate.
    pub(crate) from_root: bool,
    /// The number of tokens in the path.
    pub(crate) tokens: usize,
    pub(crate) follows: Follows,
    /// The first argument of a call, if it is a plain name or a reference to one.
    pub(crate) given: Option<String>,
}

/// What follows a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// A call: `path(..)`, with the tokens in the parentheses.
    Call(Arguments),
    /// A macro call: `path!(..)`.
    Macro,
    /// Anything else: the path is a value, a type or a pattern.
    Nothing,
}

/// Whether a call has arguments. This distinguishes some functions of the user's own from known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arguments {
    None,
    Some,
}

impl Path {
    /// Returns the path that begins at `at`, if there is one.
    pub(crate) fn at(tokens: &[Token], at: usize) -> Option<Self> {
        let first = word(tokens.get(at))?;
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        let continues = is_punct(before(1), ':') && is_punct(before(2), ':') && word(before(3)).is_some_and(is_segment);
        // In `a.b`, `fn b`, `let b` and `struct b`, the name is the user's own.
        if continues || is_punct(before(1), '.') && !is_punct(before(2), '.') || declares(before(1)) {
            return None;
        }
        let mut words = vec![first.to_string()];
        let mut end = at + 1;
        while is_punct(tokens.get(end), ':') && is_punct(tokens.get(end + 1), ':') {
            if is_punct(tokens.get(end + 2), '<') {
                end = after_generics(tokens, end + 2);
                continue;
            }
            let Some(next) = word(tokens.get(end + 2)) else { break };
            words.push(next.to_string());
            end += 3;
        }
        let from_root = is_punct(before(1), ':') && is_punct(before(2), ':');
        Some(Self { words, from_root, tokens: end - at, follows: follows(tokens, end), given: given(tokens.get(end)) })
    }

    /// Returns the path as messages show it.
    pub(crate) fn text(&self) -> String {
        self.words.join("::")
    }
}

/// Whether a word before `::` is part of the path. In `return ::std::..` it is not: a new path begins there.
fn is_segment(word: &Word) -> bool {
    const KEYWORDS: [&str; 8] = ["return", "in", "match", "if", "while", "else", "break", "move"];
    !word.is_any(&KEYWORDS)
}

fn declares(token: Option<&Token>) -> bool {
    const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "mod", "const", "macro_rules"];
    word(token).is_some_and(|word| word.is_any(&KEYWORDS))
}

fn follows(tokens: &[Token], end: usize) -> Follows {
    if is_punct(tokens.get(end), '!') && matches!(tokens.get(end + 1), Some(Token::Group(_))) {
        return Follows::Macro;
    }
    match group(tokens.get(end), Delimiter::Parenthesis) {
        Some(arguments) => Follows::Call(match arguments.tokens() {
            [] => Arguments::None,
            _ => Arguments::Some,
        }),
        None => Follows::Nothing,
    }
}

fn given(arguments: Option<&Token>) -> Option<String> {
    let arguments = inside(arguments, Delimiter::Parenthesis)?;
    let name = arguments.iter().position(|token| !is_punct(Some(token), '&'))?;
    let alone = arguments.get(name + 1).is_none_or(|next| is_punct(Some(next), ','));
    word(arguments.get(name)).filter(|_| alone).map(ToString::to_string)
}

/// Whether a literal is a string.
pub(crate) fn is_text(literal: &Literal) -> bool {
    let text = literal.to_string();
    text.starts_with('"') || text.starts_with("r\"") || text.starts_with("r#")
}

/// Returns the index after the generic arguments that begin at `at`.
pub(crate) fn after_generics(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_i32;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        if is_punct(Some(token), '<') {
            depth += 1;
        } else if is_punct(Some(token), '>') && !is_punct(tokens.get(place - 1), '-') {
            depth -= 1;
        }
        if depth == 0 {
            return place + 1;
        }
    }
    tokens.len()
}

/// Returns the index after the `::<..>` of a method, if it has one.
pub(crate) fn after_generics_of_call(tokens: &[Token], at: usize) -> usize {
    let generic = is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 2), '<');
    if generic { after_generics(tokens, at + 2) } else { at }
}
