//! Resolves the names of a body as far as its tokens allow: imports and items in the body, and local variables whose
//! type is written in it.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Delimiter;
use quote::ToTokens;

use super::path::Path;
use crate::input::Function;
use crate::tokens::{Token, inside, is_punct, is_word, list, nested_item, word};

/// The names of one body.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// The context parameter. A function that takes it is written for orchestrators.
    context: Option<String>,
    /// The names that a `use` in the body introduces.
    imports: BTreeMap<String, Vec<String>>,
    /// Items that the body declares itself.
    declared: BTreeSet<String>,
    /// Local variables and parameters, with what they hold if it matters.
    locals: BTreeMap<String, Option<Holds>>,
    /// How often each word that begins with `_` is mentioned.
    unused: BTreeMap<String, usize>,
    /// What the body sorts somewhere: `list.sort()`.
    sorted: BTreeSet<String>,
}

/// What a local variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A value read from the machine's clock.
    ClockTime,
    /// A map or a set without a fixed order.
    Hashed,
    /// A list in the order of such a map or set.
    HashOrder,
    /// Whether the code is being replayed.
    Replaying,
}

impl Scope {
    pub(crate) fn of(function: &Function, body: &[Token]) -> Self {
        let mut scope = Self::default();
        scope.items(body);
        for input in &function.sig.inputs {
            if let syn::FnArg::Typed(input) = input
                && let syn::Pat::Ident(name) = &*input.pat
            {
                scope.context.get_or_insert_with(|| name.ident.to_string());
                let holds = scope.type_holds(&list(input.ty.to_token_stream()));
                scope.bind(name.ident.to_string(), holds);
            }
        }
        scope.locals(body);
        scope
    }

    /// Returns the words of a path with imports resolved, or `None` if the path leads to something of the user's own.
    pub(crate) fn resolve(&self, path: &Path) -> Option<Vec<String>> {
        let first = path.words.first()?;
        let takes_the_context = path.given.is_some() && path.given == self.context;
        if self.declared.contains(first) || takes_the_context {
            return None;
        }
        let mut words = self.imports.get(first).cloned().unwrap_or_else(|| vec![first.clone()]);
        words.extend(path.words[1..].iter().cloned());
        if let Some(root) = words.first_mut()
            && (root == "core" || root == "alloc")
        {
            "std".clone_into(root);
        }
        Some(words)
    }

    pub(crate) fn holds(&self, local: &str) -> Option<Holds> {
        let holds = self.locals.get(local).copied().flatten();
        holds.filter(|holds| *holds != Holds::HashOrder || !self.sorted.contains(local))
    }

    /// Whether a local variable is declared and never mentioned again.
    pub(crate) fn is_mentioned_once(&self, local: &str) -> bool {
        self.unused.get(local) == Some(&1)
    }

    /// Whether a word is the context.
    pub(crate) fn is_context(&self, name: &str) -> bool {
        self.context.as_deref() == Some(name)
    }

    /// Binds a name. If a name holds different things in different places, nothing is known about it.
    fn bind(&mut self, name: String, holds: Option<Holds>) {
        self.locals
            .entry(name)
            .and_modify(|known| *known = known.filter(|known| Some(*known) == holds))
            .or_insert(holds);
    }

    /// Collects the imports and items of a body.
    fn items(&mut self, tokens: &[Token]) {
        let mut at = 0;
        while at < tokens.len() {
            let item = nested_item(tokens, at);
            if item > 0 {
                if is_word(tokens.get(at), "use") {
                    self.import(&[], &tokens[at + 1..at + item]);
                } else if let Some(name) = word(tokens.get(at + 1)) {
                    self.declared.insert(name.to_string());
                }
                at += item;
                continue;
            }
            match &tokens[at] {
                Token::Group(group) => self.items(group.tokens()),
                Token::Word(keyword) => self.item(keyword.text(), &tokens[at + 1..]),
                _ => {}
            }
            at += 1;
        }
    }

    /// Collects the local variables of a body, in order.
    fn locals(&mut self, tokens: &[Token]) {
        let mut at = 0;
        while at < tokens.len() {
            let item = nested_item(tokens, at);
            match &tokens[at] {
                _ if item > 0 => {}
                Token::Group(group) => self.locals(group.tokens()),
                Token::Word(keyword) if keyword == "let" => self.local(&tokens[at + 1..]),
                Token::Word(name) if name.text().starts_with('_') => {
                    *self.unused.entry(name.to_string()).or_default() += 1;
                }
                Token::Word(name) => {
                    let sorts = word(tokens.get(at + 2)).is_some_and(|method| method.text().starts_with("sort"));
                    if sorts && is_punct(tokens.get(at + 1), '.') {
                        self.sorted.insert(name.to_string());
                    }
                }
                _ => {}
            }
            at += item.max(1);
        }
    }

    fn item(&mut self, keyword: &str, rest: &[Token]) {
        let name = match keyword {
            "struct" | "enum" | "union" | "trait" | "type" | "mod" => word(rest.first()),
            "macro_rules" if is_punct(rest.first(), '!') => word(rest.get(1)),
            _ => None,
        };
        self.declared.extend(name.map(ToString::to_string));
    }

    /// Reads one tree of a `use`, and the trees that follow after a comma.
    fn import(&mut self, before: &[String], tokens: &[Token]) {
        for tree in tokens.split(|token| is_punct(Some(token), ',')) {
            let mut path = before.to_owned();
            let mut at = 0;
            let mut name = None;
            while let Some(token) = tree.get(at) {
                match token {
                    Token::Word(keyword) if keyword == "as" => {
                        name = word(tree.get(at + 1)).map(ToString::to_string);
                        break;
                    }
                    Token::Word(word) if word == "self" && !path.is_empty() => {}
                    Token::Word(word) => path.push(word.to_string()),
                    Token::Group(_) => {
                        let inner = inside(Some(token), Delimiter::Brace).unwrap_or_default();
                        self.import(&path, inner);
                        path.clear();
                    }
                    _ => {}
                }
                at += 1;
            }
            if let Some(name) = name.or_else(|| path.last().cloned())
                && !path.is_empty()
            {
                self.imports.insert(name, path);
            }
        }
    }

    /// Reads `let [mut] name [: type] [= value]`, beginning after the `let`.
    fn local(&mut self, rest: &[Token]) {
        let rest = if is_word(rest.first(), "mut") { &rest[1..] } else { rest };
        let Some(name) = word(rest.first()) else { return };
        let end = rest.iter().position(|token| is_punct(Some(token), ';')).unwrap_or(rest.len());
        let rest = &rest[1..end];
        let value = rest.iter().position(|token| is_punct(Some(token), '=')).unwrap_or(rest.len());
        let ty = is_punct(rest.first(), ':').then(|| &rest[1..value.max(1)]);
        let value = rest.get(value + 1..).unwrap_or_default();
        let holds = ty.map_or_else(|| self.value_holds(value), |ty| self.type_holds(ty));
        let holds = holds.or_else(|| self.value_shows(ty.unwrap_or_default(), value));
        self.bind(name.to_string(), holds);
    }

    /// Returns what a value of this type holds, ignoring references.
    fn type_holds(&self, ty: &[Token]) -> Option<Holds> {
        let reference = |token: &Token| is_punct(Some(token), '&') || is_word(Some(token), "mut");
        let start = ty.iter().position(|token| !reference(token))?;
        let path = Path::at(ty, start)?;
        let holds = self.path_holds(&self.resolve(&path)?)?;
        // With a hasher of the user's own, the order may be fixed.
        let generics = generic_arguments(&ty[start + path.tokens..]);
        let hasher = holds == Holds::Hashed && generics > if path.words.last()?.ends_with("Map") { 2 } else { 1 };
        (!hasher).then_some(holds)
    }

    /// Returns what a value holds, as its expression says: `HashMap::new()`, `x.collect::<HashSet<_>>()`.
    fn value_holds(&self, value: &[Token]) -> Option<Holds> {
        if let Some(path) = Path::at(value, 0)
            && let [before @ .., constructor] = &self.resolve(&path)?[..]
            && matches!(constructor.as_str(), "new" | "from" | "with_capacity" | "from_iter" | "default")
            && value.len() == path.tokens + 1
        {
            return self.path_holds(before);
        }
        let collect = value.iter().rposition(|token| is_word(Some(token), "collect"))?;
        let last = is_punct(value.last().and(value.get(collect + 1)), ':') && is_punct(value.get(collect + 3), '<');
        let ty = value.get(collect + 4..).filter(|_| last)?;
        // The value must be the collection itself, so the expression must end with the arguments of `collect`.
        (super::path::after_generics(value, collect + 3) + 1 == value.len()).then(|| self.type_holds(ty)).flatten()
    }

    /// Returns what a value reveals: `!ctx.is_replaying()`, `set.iter().collect::<Vec<_>>()`.
    fn value_shows(&self, ty: &[Token], value: &[Token]) -> Option<Holds> {
        if value.iter().any(|token| is_word(Some(token), "is_replaying")) {
            return Some(Holds::Replaying);
        }
        let start = value.iter().position(|token| !is_punct(Some(token), '&'))?;
        let first = word(value.get(start)).and_then(|first| self.holds(first.text()));
        let from_hash = matches!(first, Some(Holds::Hashed | Holds::HashOrder));
        let collect = value.iter().rposition(|token| is_word(Some(token), "collect"))?;
        let list = [ty, &value[collect..]].iter().any(|part| part.iter().any(is_list));
        let ends = super::path::after_generics_of_call(value, collect + 1) + 1 == value.len();
        (from_hash && list && ends && !super::flow::sorts(value)).then_some(Holds::HashOrder)
    }

    fn path_holds(&self, words: &[String]) -> Option<Holds> {
        let known =
            |full: &[&str]| full.len() >= words.len() && full[full.len() - words.len()..].iter().eq(words.iter());
        let std_or_hashbrown = [["std", "collections", "HashMap"], ["std", "collections", "HashSet"]];
        if words.is_empty() {
            None
        } else if std_or_hashbrown.iter().any(|full| known(full)) {
            Some(Holds::Hashed)
        } else if known(&["std", "time", "SystemTime"]) || known(&["std", "time", "Instant"]) {
            Some(Holds::ClockTime)
        } else {
            None
        }
    }
}

/// Whether a word is a type of list that keeps the order in which it was filled.
fn is_list(token: &Token) -> bool {
    word(Some(token)).is_some_and(|word| word.is_any(&["Vec", "VecDeque"]))
}

/// Returns the number of generic arguments at the beginning.
fn generic_arguments(tokens: &[Token]) -> usize {
    let mut depth = 0_i32;
    let mut arguments = 1;
    let mut comma_last = false;
    for token in tokens {
        match token {
            Token::Punct(punct) if punct.as_char() == '<' => depth += 1,
            Token::Punct(punct) if punct.as_char() == '>' => depth -= 1,
            Token::Punct(punct) if punct.as_char() == ',' && depth == 1 => {
                arguments += 1;
                comma_last = true;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        comma_last = false;
    }
    arguments - usize::from(comma_last)
}
