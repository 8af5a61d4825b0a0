//! Whether what the user wrote is meant by a pattern of the catalogue.

use proc_macro2::Delimiter;

use super::catalogue::{CATALOGUE, Call, Lint, Pattern};
use super::path::{Arguments, Follows, Path};
use crate::tokens::{Token, is_group, is_punct, word};

/// The check that means that path. `words` are its words with imports of the body resolved.
pub(crate) fn path(words: &[String], path: &Path) -> Option<&'static Lint> {
    CATALOGUE.iter().find(|lint| lint.patterns.iter().any(|pattern| means(pattern, words, path.follows)))
}

/// The check that means the method called at that `.`.
pub(crate) fn method(tokens: &[Token], at: usize) -> Option<&'static Lint> {
    let name = word(tokens.get(at + 1)).filter(|_| is_punct(tokens.get(at), '.'))?;
    if !is_group(tokens.get(at + 2), Delimiter::Parenthesis) {
        return None;
    }
    let means = |pattern: &Pattern| matches!(pattern, Pattern::Method(method) if name == method);
    CATALOGUE.iter().find(|lint| lint.patterns.iter().any(means))
}

fn means(pattern: &Pattern, words: &[String], follows: Follows) -> bool {
    match pattern {
        Pattern::Paths { of, names, least, call } => {
            words.len() >= *least && is_called(*call, follows) && any_path(of, names, words)
        }
        Pattern::Function(name) => matches!(follows, Follows::Call(_)) && words.last().is_some_and(|last| last == name),
        Pattern::Macros(paths) => follows == Follows::Macro && paths.iter().any(|path| ends(path.rsplit("::"), words)),
        Pattern::Method(_) | Pattern::Shape => false,
    }
}

fn is_called(call: Call, follows: Follows) -> bool {
    match (call, follows) {
        (_, Follows::Macro) => false,
        (Call::Any, _) | (Call::Empty, Follows::Nothing | Follows::Call(Arguments::None)) => true,
        (Call::OneText, follows) => follows == Follows::Call(Arguments::OneText),
        (Call::Empty, _) => false,
    }
}

fn any_path(of: &[&str], names: &[&str], words: &[String]) -> bool {
    names.iter().any(|name| of.iter().any(|of| ends(name.rsplit("::").chain(of.rsplit("::")), words)))
}

/// Whether a path of the catalogue, from its end on, ends with those words.
fn ends<'a>(mut path: impl Iterator<Item = &'a str>, words: &[String]) -> bool {
    words.iter().rev().all(|word| path.next().is_some_and(|known| known == word))
}
