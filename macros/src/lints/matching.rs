//! Decides whether something that the user wrote matches a pattern of the catalogue.

use std::collections::HashSet;
use std::sync::LazyLock;

use proc_macro2::Delimiter;

use super::catalogue::{CATALOGUE, Lint};
use super::path::{Arguments, Follows, Path};
use super::pattern::{Call, Pattern, Short};
use crate::tokens::{Token, is_group, is_punct, word};

/// How certain it is that a path is the one in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It certainly is.
    Sure,
    /// It is, if all words but the last name the type that the library knows.
    IfType,
    /// It is, if all words but the last name a module that has this item.
    IfModule(&'static str),
}

/// The last words of all paths in the catalogue. Most words of a body are not among them, so this test avoids most
/// searches of the long catalogue, which would be slow because macros run without optimisation.
static LAST_WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    fn last_word(path: &'static str) -> &'static str {
        path.rsplit("::").next().unwrap_or(path)
    }
    let mut words = HashSet::new();
    for pattern in CATALOGUE.iter().flat_map(|lint| lint.patterns) {
        match pattern {
            Pattern::Paths { names, .. } => words.extend(names.iter().copied().map(last_word)),
            Pattern::Macros { paths, .. } => words.extend(paths.iter().copied().map(last_word)),
            Pattern::Function(name) => words.extend([*name]),
            Pattern::Method(_) | Pattern::Shape => {}
        }
    }
    words
});

/// Returns the check that this path breaks. `words` are the words of the path, with the imports of the body resolved.
pub(crate) fn path(words: &[String], path: &Path) -> Option<(&'static Lint, Meaning)> {
    if !LAST_WORDS.contains(words.last()?.as_str()) {
        return None;
    }
    let matches = CATALOGUE.iter().flat_map(|lint| {
        lint.patterns.iter().filter_map(move |pattern| Some((lint, meaning(pattern, words, path.follows)?)))
    });
    // No question is needed for a path that is in the catalogue in full.
    matches.min_by_key(|(_, meaning)| *meaning != Meaning::Sure)
}

/// Returns the check that is broken by the method called at that `.`.
pub(crate) fn method(tokens: &[Token], at: usize) -> Option<&'static Lint> {
    let name = word(tokens.get(at + 1)).filter(|_| is_punct(tokens.get(at), '.'))?;
    if !is_group(tokens.get(at + 2), Delimiter::Parenthesis) {
        return None;
    }
    let means = |pattern: &Pattern| matches!(pattern, Pattern::Method(method) if name == method);
    CATALOGUE.iter().find(|lint| lint.patterns.iter().any(means))
}

fn meaning(pattern: &Pattern, words: &[String], follows: Follows) -> Option<Meaning> {
    let sure = |meant: bool| meant.then_some(Meaning::Sure);
    match pattern {
        Pattern::Paths { of, names, short, call } => {
            if !is_called(*call, follows) {
                return None;
            }
            let is_whole = |of: &str, name: &str| {
                words.len() == length(of) + length(name) && ends(name.rsplit("::").chain(of.rsplit("::")), words)
            };
            // A type can be reached by any path, such as `clock::Instant::now` through a module that exports it.
            let any_path = *short == Short::Type && words.len() > 2;
            let last = if any_path { &words[words.len() - 2..] } else { words };
            let (of, whole) = of
                .iter()
                .flat_map(|of| names.iter().map(move |name| (of, name)))
                .filter(|(of, name)| ends(name.rsplit("::").chain(of.rsplit("::")), last))
                .map(|(of, name)| (of, is_whole(of, name)))
                .max_by_key(|(_, whole)| *whole)?;
            match short {
                Short::Own => sure(whole),
                Short::Meant => sure(whole || words.len() >= 2),
                Short::Type if whole => Some(Meaning::Sure),
                Short::Type => (words.len() >= 2).then_some(Meaning::IfType),
                // A crate whose name is a single common word may also be one of the user's modules.
                Short::Module(_) if whole && length(of) > 1 => Some(Meaning::Sure),
                Short::Module(item) => (words.len() >= 2).then_some(Meaning::IfModule(item)),
            }
        }
        Pattern::Function(name) => {
            sure(matches!(follows, Follows::Call(_)) && words.last().is_some_and(|last| last == name))
        }
        Pattern::Macros { least, paths } => sure(
            follows == Follows::Macro
                && words.len() >= *least
                && paths.iter().any(|path| ends(path.rsplit("::"), words)),
        ),
        Pattern::Method(_) | Pattern::Shape => None,
    }
}

fn length(path: &str) -> usize {
    path.split("::").count()
}

fn is_called(call: Call, follows: Follows) -> bool {
    match (call, follows) {
        (_, Follows::Macro) => false,
        (Call::Any, _) | (Call::Empty, Follows::Nothing | Follows::Call(Arguments::None)) => true,
        (Call::Empty, _) => false,
    }
}

/// Whether these words are the last words of a path in the catalogue.
fn ends<'a>(mut path: impl Iterator<Item = &'a str>, words: &[String]) -> bool {
    words.iter().rev().all(|word| path.next().is_some_and(|known| known == word))
}
