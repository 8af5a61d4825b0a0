//! The patterns of the catalogue, and how certain a match of each one is.

/// What to look for.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// Functions, by the path that begins at their crate. `short` says what a shorter path means. A shorter path
    /// consists of the last words of the path, at least two of them.
    Paths { of: &'static [&'static str], names: &'static [&'static str], short: Short, call: Call },
    /// A function whose name alone identifies it.
    Function(&'static str),
    /// A method whose name alone identifies it.
    Method(&'static str),
    /// Macros, by the last words of their path. At least `least` words must be given.
    Macros { least: usize, paths: &'static [&'static str] },
    /// A hazard that code in `shapes` or `flow` looks for.
    Shape,
}

/// What a path without its crate means. A macro cannot see the imports of the file, so the path may also name something
/// of the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// Nothing, because the name is too common.
    Own,
    /// The same as the whole path, because nobody else uses the last two words.
    Meant,
    /// The path is `Type::function`, and the compiler decides whether the type is the known one. `__rt::Known` lists
    /// these types.
    Type,
    /// The path is `module::function`, and the compiler decides whether the module has an item of this name, as the
    /// known module does. `__rt::absent` lists these items. The same question is asked of a crate whose name is a
    /// common word.
    Module(&'static str),
}

/// How a function must be called to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// With any arguments, or named without a call.
    Any,
    /// Without arguments, or named without a call. A function that takes arguments is the user's own.
    Empty,
}

/// Matches only a path that begins at the crate.
pub(super) const fn whole(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Own, call: Call::Any }
}

/// Matches the last two words.
pub(super) const fn short(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Meant, call: Call::Any }
}

/// Matches the last two words of a call without arguments.
pub(super) const fn empty(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Meant, call: Call::Empty }
}

/// Matches functions of a type that the library knows.
pub(super) const fn of_type(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Type, call: Call::Any }
}

/// Matches functions without arguments of a type that the library knows.
pub(super) const fn new_of_type(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, short: Short::Type, call: Call::Empty }
}

/// Matches functions of a module that has this item.
pub(super) const fn of_module(
    witness: &'static str,
    of: &'static [&'static str],
    names: &'static [&'static str],
) -> Pattern {
    Pattern::Paths { of, names, short: Short::Module(witness), call: Call::Any }
}

/// Macros whose name alone identifies them.
pub(super) const fn macros(paths: &'static [&'static str]) -> Pattern {
    Pattern::Macros { least: 1, paths }
}

/// Returns every spelling of a pattern, and whether the compiler is asked about that spelling.
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
