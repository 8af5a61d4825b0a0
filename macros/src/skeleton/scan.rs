//! Reads tokens in source order and records the durable operations in them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proc_macro2::Delimiter;

use super::node::Node;
use super::tokens;
use crate::tokens::{Group, Token, Word, group, is_punct, is_word, nested_item, word};

/// Returns the nodes of a body.
pub(super) fn read(body: &[Token]) -> Vec<Node> {
    let mut scan = Scan::default();
    scan.run(body);
    scan.out
}

pub(super) type Text = Cow<'static, str>;

/// The value just before the current token, which an `.await` here would await.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing that is known.
    #[default]
    Other,
    /// The last two words of a path.
    Path { owner: Option<String>, name: String },
    /// An operation that is already in the skeleton.
    Operation(Text),
    /// An operation that is already in the skeleton and was stored in a local variable.
    Kept(Text),
    /// The call of a function that may be a helper.
    Call(String),
}

#[derive(Default)]
pub(super) struct Scan {
    pub(super) out: Vec<Node>,
    pub(super) value: Value,
    /// What each local variable holds, by name.
    pub(super) locals: BTreeMap<String, Text>,
    /// The local variable that the current statement binds.
    binding: Option<String>,
    /// A `return` or `break`, which is recorded after its expression.
    leaving: Option<&'static str>,
}

impl Scan {
    /// Reads tokens as part of the surrounding nodes.
    pub(super) fn run(&mut self, tokens: &[Token]) {
        let (binding, leaving) = (self.binding.take(), self.leaving.take());
        self.value = Value::Other;
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(tokens, at);
        }
        self.leave();
        (self.binding, self.leaving) = (binding, leaving);
    }

    /// Reads tokens into nodes of their own.
    pub(super) fn nested(&mut self, tokens: &[Token]) -> Vec<Node> {
        self.collect(|scan| scan.run(tokens))
    }

    /// Returns the nodes that `read` records.
    pub(super) fn collect(&mut self, read: impl FnOnce(&mut Self)) -> Vec<Node> {
        let before = std::mem::take(&mut self.out);
        read(self);
        std::mem::replace(&mut self.out, before)
    }

    pub(super) fn note(&mut self, text: impl Into<Text>) {
        self.out.push(Node::leaf(text));
    }

    /// Reads from `at`, and returns the index at which to continue.
    fn step(&mut self, tokens: &[Token], at: usize) -> usize {
        match &tokens[at] {
            Token::Group(group) => {
                self.group(group);
                at + 1
            }
            Token::Literal(_) => {
                self.value = Value::Other;
                at + 1
            }
            Token::Word(ident) => self.ident(tokens, at, ident),
            Token::Punct(punct) => self.punct(tokens, at, punct.as_char()),
        }
    }

    fn punct(&mut self, tokens: &[Token], at: usize, char: char) -> usize {
        match char {
            '?' => return at + 1,
            '.' if is_word(tokens.get(at + 1), "await") => {
                self.awaited();
                return at + 2;
            }
            '.' if word(tokens.get(at + 1)).is_some() => return self.member(tokens, at + 1),
            ':' if is_punct(tokens.get(at + 1), ':') => return self.path(tokens, at + 2),
            '!' if matches!(self.value, Value::Path { .. }) => {
                if let Some(Token::Group(group)) = tokens.get(at + 1) {
                    self.macro_call(group);
                    return at + 2;
                }
            }
            // This skips attributes.
            '#' => {
                let bracket = at + 1 + usize::from(is_punct(tokens.get(at + 1), '!'));
                if group(tokens.get(bracket), Delimiter::Bracket).is_some() {
                    return bracket + 1;
                }
            }
            // This skips labels and lifetimes.
            '\'' if word(tokens.get(at + 1)).is_some() => return at + 2,
            ';' => self.end_statement(),
            ',' => self.leave(),
            _ => {}
        }
        self.value = Value::Other;
        at + 1
    }

    fn ident(&mut self, tokens: &[Token], at: usize, ident: &Word) -> usize {
        let name = ident.text();
        match name {
            "let" => {
                self.binding = bound(tokens, at + 1);
                self.value = Value::Other;
                at + 1 + usize::from(is_word(tokens.get(at + 1), "mut")) + usize::from(self.binding.is_some())
            }
            "fn" if word(tokens.get(at + 1)).is_some() => at + nested_item(tokens, at),
            "return" | "break" => {
                self.leaving = Some(if name == "return" { "return" } else { "break" });
                self.value = Value::Other;
                at + 1
            }
            "continue" => {
                self.note("continue");
                at + 1
            }
            "if" | "match" | "while" | "for" | "loop" | "async" | "else" => {
                self.value = Value::Other;
                self.control(tokens, at, name).unwrap_or(at + 1)
            }
            "mut" | "ref" | "move" | "in" | "as" | "dyn" | "unsafe" | "const" | "static" | "where" => {
                self.value = Value::Other;
                at + 1
            }
            _ => {
                self.value = Value::Path { owner: None, name: name.to_owned() };
                at + 1
            }
        }
    }

    /// Reads what follows a `::`.
    fn path(&mut self, tokens: &[Token], at: usize) -> usize {
        if is_punct(tokens.get(at), '<') {
            return at + tokens::generics(tokens, at);
        }
        let Some(name) = word(tokens.get(at)) else { return at };
        let owner = match std::mem::take(&mut self.value) {
            Value::Path { name, .. } => Some(name),
            _ => None,
        };
        self.value = Value::Path { owner, name: name.to_string() };
        at + 1
    }

    /// Reads what follows a `.`: a field, or a method with its arguments.
    fn member(&mut self, tokens: &[Token], at: usize) -> usize {
        let name = tokens[at].to_string();
        let mut next = at + 1;
        if is_punct(tokens.get(next), ':') && is_punct(tokens.get(next + 1), ':') && is_punct(tokens.get(next + 2), '<')
        {
            next += 2 + tokens::generics(tokens, next + 2);
        }
        match group(tokens.get(next), Delimiter::Parenthesis) {
            Some(arguments) => {
                let receiver = std::mem::take(&mut self.value);
                self.method(receiver, &name, arguments);
                next + 1
            }
            None => {
                self.value = Value::Other;
                at + 1
            }
        }
    }

    fn group(&mut self, group: &Group) {
        let before = std::mem::take(&mut self.value);
        match (group.delimiter(), before) {
            (Delimiter::Parenthesis, Value::Path { owner, name }) => self.function(owner.as_deref(), &name, group),
            // Parentheses do not change what is inside them.
            (Delimiter::Parenthesis | Delimiter::None, _) => self.run(group.tokens()),
            _ => {
                self.run(group.tokens());
                self.value = Value::Other;
            }
        }
    }

    /// Records an `.await`. An operation that is already in the skeleton gets no line of its own.
    pub(super) fn awaited(&mut self) {
        match self.resolved() {
            Value::Operation(_) => {}
            Value::Kept(text) => self.note(format!("await {text}")),
            Value::Call(name) => self.note(format!("await {name}")),
            Value::Path { .. } | Value::Other => self.note("await"),
        }
    }

    /// Returns the current value. If it is a local variable, returns what the variable holds.
    pub(super) fn resolved(&mut self) -> Value {
        match std::mem::take(&mut self.value) {
            Value::Path { owner: None, name } => match self.locals.get(&name) {
                Some(text) => Value::Kept(text.clone()),
                None => Value::Path { owner: None, name },
            },
            value => value,
        }
    }

    fn end_statement(&mut self) {
        self.leave();
        let Some(name) = self.binding.take() else { return };
        match self.resolved() {
            Value::Operation(text) | Value::Kept(text) => {
                self.locals.insert(name, text);
            }
            Value::Call(function) => {
                self.locals.insert(name, function.into());
            }
            Value::Path { .. } | Value::Other => {
                self.locals.remove(&name);
            }
        }
    }

    fn leave(&mut self) {
        if let Some(text) = self.leaving.take() {
            let leaves_already = self.out.last().is_some_and(|node| node.text.starts_with("continue as new"));
            if !leaves_already {
                self.note(text);
            }
        }
    }
}

/// Returns the name in `let name =` or `let mut name: Type =`.
fn bound(tokens: &[Token], at: usize) -> Option<String> {
    let at = at + usize::from(is_word(tokens.get(at), "mut"));
    let name = word(tokens.get(at))?;
    let typed = is_punct(tokens.get(at + 1), ':') && !is_punct(tokens.get(at + 2), ':');
    (typed || is_punct(tokens.get(at + 1), '=')).then(|| name.to_string())
}
