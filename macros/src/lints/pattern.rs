//! What the catalogue looks for, and how sure a match is.

/// What to look for.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// Functions, by the path from their crate on. `short` says what a shorter path counts for: its words must be the
    /// last ones of the path, and at least two.
    Paths { of: &'static [&'static str], names: &'static [&'static str], short: Short, call: Call },
    /// A function whose name alone says what it is.
    Function(&'static str),
    /// A method whose name alone says what it is.
    Method(&'static str),
    /// Macros, by the last words of their path, at least `least` of them.
    Macros { least: usize, paths: &'static [&'static str] },
    /// Looked for by code of its own, in `shapes` or `flow`.
    Shape,
}

/// What a path without its crate counts for. Imports of the file are not visible to a macro, so it may be a name of the
/// user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// Nothing: the name is too common.
    Own,
    /// The same as the whole path: nobody else uses the last two words.
    Meant,
    /// `Type::function`: the compiler tells whether that type is the known one. `__rt::Known` lists these types.
    Type,
    /// `module::function`: the compiler tells whether there is an item of that name in the module, which the known one
    /// has. `__rt::absent` lists these items. A crate whose name is a common word is asked for it too.
    Module(&'static str),
}

/// How it must be called to be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// With any arguments, or named without being called.
    Any,
    /// Without arguments, or named without being called: with arguments it is a function of the user's own.
    Empty,
}

/// Only from the crate on.
pub(super) const fn whole(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Own, call: Call::Any }
}

/// The last two words are enough.
pub(super) const fn short(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Meant, call: Call::Any }
}

/// The last two words are enough where nothing is given.
pub(super) const fn empty(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Meant, call: Call::Empty }
}

/// Functions of a type that the library knows.
pub(super) const fn of_type(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Type, call: Call::Any }
}

/// Functions of a type that the library knows, which take nothing.
pub(super) const fn new_of_type(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Type, call: Call::Empty }
}

/// Functions of a module that holds such an item.
pub(super) const fn of_module(
    witness: &'static str,
    of: &'static [&'static str],
    names: &'static [&'static str],
) -> Pattern {
    Pattern::Paths { of, names, short: Short::Module(witness), call: Call::Any }
}

/// Macros whose name alone says what they are.
pub(super) const fn macros(paths: &'static [&'static str]) -> Pattern {
    Pattern::Macros { least: 1, paths }
}

/// Every way to write what a pattern means, and whether the compiler is asked about it.
#[cfg(test)]
pub(crate) fn spellings(pattern: &Pattern) -> Vec<(String, bool)> {
    let suffixes = |path: &str, least: usize| {
        let words: Vec<_> = path.split("::").map(ToOwned::to_owned).collect();
        (least..=words.len()).map(|length| words[words.len() - length..].join("::")).collect::<Vec<_>>()
    };
    match pattern {
        Pattern::Paths { of, names, short, call } => {
            let arguments = match call {
                Call::Any => "(a, b)",
                Call::Empty => "()",
            };
            let mut spellings = Vec::new();
            for of in *of {
                for name in *names {
                    let path = format!("{of}::{name}");
                    let length = path.split("::").count();
                    for short_path in suffixes(&path, if *short == Short::Own { length } else { 2 }) {
                        let words = short_path.split("::").count();
                        let asked = match short {
                            Short::Own | Short::Meant => false,
                            Short::Type => words < length,
                            Short::Module(_) => words < length || !of.contains("::"),
                        };
                        spellings.push((format!("{short_path}{arguments}"), asked));
                    }
                }
            }
            spellings
        }
        Pattern::Function(name) => vec![(format!("{name}(a)"), false), (format!("a::b::{name}()"), false)],
        Pattern::Method(name) => vec![(format!("a.{name}(b)"), false), (format!("a::b().{name}()"), false)],
        Pattern::Macros { least, paths } => {
            let paths = paths.iter().flat_map(|path| suffixes(path, *least));
            paths.map(|path| (format!("{path}!(a)"), false)).collect()
        }
        Pattern::Shape => Vec::new(),
    }
}
