//! Rewrites the body of an orchestrator, token by token: it need not parse.
//!
//! - `expr.await` becomes `expr.__durable().await`, which compiles for durable operations only;
//! - `async {}` becomes a durable block, since its own awaits are checked by the same pass;
//! - bare `select!`, `join!` and `try_join!` become ours;
//! - `path::call(` is noted, by its text;
//! - at every place the lints look for what is not deterministic.
//!
//! Nested functions are left alone. A group in which nothing changes keeps its own tokens, and so its spans.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::attr::Kind;
use crate::errors::Errors;
use crate::input::Function;
use crate::lints::{Allowed, Linter, OURS};
pub(crate) use crate::tokens::respan;
use crate::tokens::{is_punct, is_word, list, nested_item, regroup, word};

/// A body, rewritten.
pub(crate) struct Rewritten {
    pub(crate) body: Group,
    /// Each `path::call(` in its text: the last word before `::call`, line and column.
    pub(crate) calls: Vec<String>,
}

/// Rewrites the body of a function.
pub(crate) fn body(
    kind: Kind,
    function: &Function,
    rt: &TokenStream,
    allowed: &Allowed,
    errors: &mut Errors,
) -> Rewritten {
    let mut pass = Pass {
        rt,
        check_awaits: allowed.checks_awaits(),
        checked: false,
        calls: Vec::new(),
        refused: BTreeSet::new(),
        linter: Linter::new(kind, function, allowed),
        errors,
    };
    let body = &function.body;
    let tokens = list(&body.stream());
    let (inner_attributes, rest) = tokens.split_at(inner_attributes(&tokens));
    let rest = pass.tokens(rest, Branches::None).unwrap_or_else(|| rest.iter().cloned().collect());
    let Pass { checked, calls, linter, .. } = pass;
    let inner_attributes: TokenStream = inner_attributes.iter().cloned().collect();
    let import = checked.then(|| quote!(#[allow(unused_imports)] use #rt::AwaitCheck as _;));
    let (allowed, warnings) = (allowed.visible(rt), linter.into_warnings());
    let stream = quote!(#inner_attributes #import #allowed #warnings #rest);
    Rewritten { body: regroup(body, stream), calls }
}

/// The inner attributes of a body, and what follows them.
pub(crate) fn split_inner_attributes(body: &Group) -> (TokenStream, TokenStream) {
    let tokens: Vec<_> = body.stream().into_iter().collect();
    let (attributes, rest) = tokens.split_at(inner_attributes(&tokens));
    (attributes.iter().cloned().collect(), rest.iter().cloned().collect())
}

/// How many tokens the inner attributes take.
fn inner_attributes(tokens: &[TokenTree]) -> usize {
    let mut at = 0;
    while is_punct(tokens.get(at), '#')
        && is_punct(tokens.get(at + 1), '!')
        && matches!(tokens.get(at + 2), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket)
    {
        at += 3;
    }
    at
}

struct Pass<'a> {
    rt: &'a TokenStream,
    check_awaits: bool,
    /// Whether an await has been checked, so that the trait must be in scope.
    checked: bool,
    calls: Vec<String>,
    /// Locals whose value a lint has refused: to await them is no second mistake.
    refused: BTreeSet<String>,
    linter: Linter<'a>,
    errors: &'a mut Errors,
}

impl Pass<'_> {
    /// The tokens rewritten, or `None` if nothing changes.
    fn tokens(&mut self, tokens: &[TokenTree], branches: Branches) -> Option<TokenStream> {
        let mut out = Vec::new();
        let mut changed = false;
        let mut statement = Statement { start: 0, hits: self.linter.hits };
        let mut written = 0;
        let mut at = 0;
        while at < tokens.len() {
            let item = nested_item(tokens, at);
            if item > 0 {
                out.extend(tokens[at..at + item].iter().cloned());
                at += item;
                continue;
            }
            self.linter.look(tokens, at, self.errors);
            if let Some(taken) = self.replacement(tokens, at, &statement, &mut out) {
                changed = true;
                at += taken;
            } else {
                out.push(tokens[at].clone());
                at += 1;
            }
            if at == tokens.len() || ends_statement(tokens, at - 1) {
                if self.linter.hits > statement.hits {
                    self.refused.extend(bound_names(&tokens[statement.start..at]));
                    changed |= branches.excuse(self.rt, &mut out, written);
                }
                statement = Statement { start: at, hits: self.linter.hits };
                written = out.len();
            }
        }
        changed.then(|| out.into_iter().collect())
    }

    /// The group at `at` rewritten, or `None` if nothing in it changes.
    fn group(&mut self, tokens: &[TokenTree], at: usize, group: &Group) -> Option<Group> {
        let place = self.linter.enter(tokens, at);
        let stream = self.tokens(&list(&group.stream()), Branches::of(&tokens[..at]));
        self.linter.leave(place);
        Some(regroup(group, stream?))
    }

    /// Writes what stands for the tokens from `at` on, if it is not they themselves. Gives how many they are.
    fn replacement(
        &mut self,
        tokens: &[TokenTree],
        at: usize,
        statement: &Statement,
        out: &mut Vec<TokenTree>,
    ) -> Option<usize> {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let group = self.group(tokens, at, group)?;
                out.push(TokenTree::Group(group));
                Some(1)
            }
            TokenTree::Punct(dot) if dot.as_char() == '.' && self.check_awaits => {
                let keyword = word(tokens.get(at + 1)).filter(|word| *word == "await")?;
                if self.is_refused(&tokens[statement.start..at], statement) {
                    return None;
                }
                self.checked = true;
                let span = keyword.span();
                out.push(TokenTree::Punct(dot.clone()));
                out.extend(quote_spanned!(span=> __durable()));
                out.extend([TokenTree::Punct(Punct::new('.', Spacing::Alone)), keyword.clone().into()]);
                Some(2)
            }
            TokenTree::Ident(word) if word == "async" && self.check_awaits => self.block(tokens, at, word, out),
            TokenTree::Ident(word) if OURS.iter().any(|ours| word == ours) => self.combinator(tokens, at, word, out),
            TokenTree::Ident(word) if word == "call" => {
                self.note_call(tokens, at);
                None
            }
            _ => None,
        }
    }

    /// Whether a lint has refused what is awaited behind those tokens of a statement.
    fn is_refused(&self, before: &[TokenTree], statement: &Statement) -> bool {
        self.linter.hits > statement.hits
            || word(before.last()).is_some_and(|local| self.refused.contains(&local.to_string()))
    }

    /// `async {}` and `async move {}`.
    fn block(&mut self, tokens: &[TokenTree], at: usize, keyword: &Ident, out: &mut Vec<TokenTree>) -> Option<usize> {
        let moved = word(tokens.get(at + 1)).filter(|word| *word == "move");
        let next = at + 1 + usize::from(moved.is_some());
        match tokens.get(next)? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let block = self.group(tokens, next, group).unwrap_or_else(|| group.clone());
                let (rt, span) = (self.rt, keyword.span());
                let path = respan(quote!(#rt::block), span);
                out.extend(quote_spanned!(span=> #path(#keyword #moved #block)));
                Some(next - at + 1)
            }
            TokenTree::Punct(bar) if bar.as_char() == '|' => {
                self.errors.push_at(
                    keyword.span(),
                    "an async closure cannot be checked for durable awaits: write `|x| async move { .. }`",
                );
                None
            }
            _ => None,
        }
    }

    /// `select! {}`, `join!()`, `try_join!()`.
    fn combinator(&mut self, tokens: &[TokenTree], at: usize, name: &Ident, out: &mut Vec<TokenTree>) -> Option<usize> {
        let called = is_punct(tokens.get(at + 1), '!') && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)));
        if !called {
            return None;
        }
        let path = path_before(tokens, at);
        if path.is_empty() {
            let rt = self.rt;
            out.extend(respan(quote!(#rt::#name), name.span()));
            return Some(1);
        }
        if !self.is_ours(&path) {
            self.linter.foreign_combinator(&path, name, self.errors);
        }
        None
    }

    /// Whether a path before a macro is the crate itself, under the name that the options give it.
    fn is_ours(&self, path: &[String]) -> bool {
        let path: String = path.concat();
        let rt = self.rt.to_string().replace(' ', "");
        let ours = rt.strip_suffix("__rt").unwrap_or(&rt);
        path.trim_start_matches("::") == ours.trim_start_matches("::")
    }

    fn note_call(&mut self, tokens: &[TokenTree], at: usize) {
        let calls =
            matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        if !calls || at < 3 || !is_punct(tokens.get(at - 1), ':') || !is_punct(tokens.get(at - 2), ':') {
            return;
        }
        if let Some(marker) = word(tokens.get(at - 3)) {
            let (line, column) = position(marker.span());
            self.calls.push(format!("{}:{line}:{column}", crate::attr::plain_name(marker)));
        }
    }
}

/// One statement, or one part of a list.
struct Statement {
    /// Where it begins.
    start: usize,
    /// What the lints had refused before it.
    hits: usize,
}

/// Whether a group is the branches of `join!` or `select!`. A branch that a lint has refused is no second mistake for
/// not being durable.
#[derive(Clone, Copy)]
enum Branches {
    None,
    Join,
    Select,
}

impl Branches {
    fn of(before: &[TokenTree]) -> Self {
        let Some(name) = before.len().checked_sub(2).and_then(|name| word(before.get(name))) else { return Self::None };
        match is_punct(before.last(), '!') {
            true if name == "join" || name == "try_join" => Self::Join,
            true if name == "select" => Self::Select,
            _ => Self::None,
        }
    }

    /// Rewrites a refused branch that begins at `start` and has just ended. Whether there was one.
    fn excuse(self, rt: &TokenStream, out: &mut Vec<TokenTree>, start: usize) -> bool {
        let end = match (self, &out[..]) {
            (Self::None, _) => return false,
            (Self::Join, [.., last]) if is_punct(Some(last), ',') => out.len() - 1,
            (Self::Join, _) => out.len(),
            (Self::Select, [.., equals, arrow]) if is_punct(Some(equals), '=') && is_punct(Some(arrow), '>') => {
                out.len() - 2
            }
            (Self::Select, _) => return false,
        };
        let equals = out[start..end].iter().position(|token| is_punct(Some(token), '='));
        let start = match self {
            Self::Select => equals.map_or(start, |equals| start + equals + 1),
            _ => start,
        };
        let branch: TokenStream = out.drain(start..end).collect();
        let excused = list(&quote!(#rt::assume_durable_future("", #branch)));
        out.splice(start..start, excused);
        true
    }
}

/// Whether a statement, or a part of a list, ends with the token at `at`.
fn ends_statement(tokens: &[TokenTree], at: usize) -> bool {
    match &tokens[at] {
        TokenTree::Punct(punct) => {
            matches!(punct.as_char(), ';' | ',')
                || punct.as_char() == '>' && is_punct(tokens.get(at.wrapping_sub(1)), '=')
        }
        TokenTree::Group(group) => {
            group.delimiter() == Delimiter::Brace
                && !is_punct(tokens.get(at + 1), '.')
                && !is_punct(tokens.get(at + 1), '?')
        }
        _ => false,
    }
}

/// The names that a `let` statement gives to its value.
fn bound_names(statement: &[TokenTree]) -> Vec<String> {
    let mut names = Vec::new();
    if is_word(statement.first(), "let") {
        let pattern = statement.iter().take_while(|token| !is_punct(Some(token), '='));
        for token in pattern {
            match token {
                TokenTree::Ident(name) => names.push(name.to_string()),
                TokenTree::Group(group) => {
                    names.extend(group.stream().into_iter().filter_map(|token| Some(word(Some(&token))?.to_string())));
                }
                _ => {}
            }
        }
    }
    names
}

/// The path that ends just before `at`: words and `::`.
fn path_before(tokens: &[TokenTree], at: usize) -> Vec<String> {
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

/// Line and column, from 1. Outside of a compiler there are none.
fn position(span: Span) -> (u32, u32) {
    if !proc_macro::is_available() {
        return (0, 0);
    }
    let span = span.unwrap();
    (u32::try_from(span.line()).unwrap_or(u32::MAX), u32::try_from(span.column()).unwrap_or(u32::MAX))
}
