//! Rewrites the body of an orchestrator token by token. The body does not have to parse.
//!
//! - `expr.await` becomes `expr.__durable().await`, which compiles only for durable operations;
//! - `async {}` and `async |x| {}` become durable blocks, because this pass also checks the awaits inside them;
//! - `select!`, `join!` and `try_join!` without a path become the macros of this library;
//! - each `path::call(`, `path::wait(` and `path::stream(` is recorded as text;
//! - the lints look for nondeterminism at every place.
//!
//! Nested functions are left alone. A group without changes keeps its own tokens and therefore its spans.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use syn::ReturnType;

use crate::attr::Kind;
use crate::errors::Errors;
use crate::input::Function;
use crate::lints::{Allowed, Linter, OURS, Probe};
pub(crate) use crate::tokens::respan;
use crate::tokens::{self, Token, Word, is_group, is_punct, nested_item, originals, regroup, word};

mod closures;
mod statements;

use statements::{bound_names, ends_statement, is_half_typed, path_before, path_start, receivers};

/// A rewritten body.
pub(crate) struct Rewritten {
    pub(crate) body: Group,
    /// Each `path::call(` and `path::wait(`: the last word before `::`, with its line and column.
    pub(crate) calls: Vec<String>,
}

/// Rewrites the body of a function, given as tokens. `marker` is the type of an orchestrator.
pub(crate) fn body(
    kind: Kind,
    function: &Function,
    marker: Option<&Ident>,
    tokens: &[Token],
    rt: &TokenStream,
    allowed: &Allowed,
    errors: &mut Errors,
) -> Rewritten {
    let mut pass = Pass {
        kind,
        output: &function.sig.output,
        rt,
        marker,
        check_awaits: allowed.checks_awaits(),
        checked: false,
        asks_type: false,
        calls: Vec::new(),
        parsed: true,
        refused: BTreeSet::new(),
        doubtful: BTreeMap::new(),
        linter: Linter::new(kind, function, tokens, allowed),
        errors,
    };
    let (inner_attributes, rest) = tokens.split_at(inner_attributes(tokens));
    let rest = pass.tokens(rest, Branches::None).unwrap_or_else(|| originals(rest));
    let Pass { checked, asks_type, calls, linter, .. } = pass;
    let inner_attributes = originals(inner_attributes);
    let import = checked.then(|| quote!(#[allow(unused_imports)] use #rt::AwaitCheck as _;));
    let asks_type = asks_type.then(|| quote!(#[allow(unused_imports)] use #rt::MayBeDropped as _;));
    let (allowed, warnings) = (allowed.visible(rt), linter.into_code(rt));
    let stream = quote!(#inner_attributes #import #asks_type #allowed #warnings #rest);
    Rewritten { body: regroup(&function.body, stream), calls }
}

/// Returns the inner attributes of a body, and what follows them.
pub(crate) fn split_inner_attributes(body: &Group) -> (TokenStream, TokenStream) {
    let tokens = tokens::list(body.stream());
    let (attributes, rest) = tokens.split_at(inner_attributes(&tokens));
    (originals(attributes), originals(rest))
}

/// Returns the number of tokens in the inner attributes.
fn inner_attributes(tokens: &[Token]) -> usize {
    let mut at = 0;
    while is_punct(tokens.get(at), '#')
        && is_punct(tokens.get(at + 1), '!')
        && is_group(tokens.get(at + 2), Delimiter::Bracket)
    {
        at += 3;
    }
    at
}

struct Pass<'a> {
    kind: Kind,
    /// The return type of the function.
    output: &'a ReturnType,
    rt: &'a TokenStream,
    /// The type of the orchestrator to which the body belongs.
    marker: Option<&'a Ident>,
    check_awaits: bool,
    /// Whether an await was checked, so that the trait has to be in scope.
    checked: bool,
    /// Whether the type of a dropped value was asked for, so that a second trait has to be in scope.
    asks_type: bool,
    calls: Vec<String>,
    /// Whether the compiler has already parsed these tokens. It has not parsed the arguments of macros and attributes.
    parsed: bool,
    /// Local variables whose value a lint has refused. Awaiting them is not a second mistake.
    refused: BTreeSet<String>,
    /// Local variables whose value a lint refuses if the compiler finds that the name behind it is a known one.
    doubtful: BTreeMap<String, Probe>,
    linter: Linter<'a>,
    errors: &'a mut Errors,
}

impl Pass<'_> {
    /// Returns the rewritten tokens, or `None` if nothing changes.
    fn tokens(&mut self, tokens: &[Token], branches: Branches) -> Option<TokenStream> {
        let mut out = Vec::new();
        let mut changed = false;
        let mut statement = self.statement(0);
        let mut written = 0;
        let mut at = 0;
        while at < tokens.len() {
            let item = nested_item(tokens, at);
            if item > 0 {
                out.extend(tokens[at..at + item].iter().map(Token::original));
                at += item;
                continue;
            }
            if self.parsed && is_half_typed(tokens, at) {
                changed = true;
                break;
            }
            self.linter.look(tokens, at, self.errors);
            if let Some(taken) = self.replacement(tokens, at, &statement, &mut out) {
                changed = true;
                at += taken;
            } else {
                out.push(tokens[at].original());
                at += 1;
            }
            if at == tokens.len() || ends_statement(tokens, at - 1) {
                if self.linter.hits > statement.hits {
                    self.refused.extend(bound_names(&tokens[statement.start..at]));
                    changed |= branches.excuse(self.rt, &mut out, written);
                } else if let Some(probe) = self.linter.probes.get(statement.probes..).and_then(<[_]>::first) {
                    let names = bound_names(&tokens[statement.start..at]);
                    self.doubtful.extend(names.into_iter().map(|name| (name, probe.clone())));
                }
                statement = self.statement(at);
                written = out.len();
            }
        }
        changed.then(|| out.into_iter().collect())
    }

    /// Returns the rewritten group at `at`, or `None` if nothing in it changes.
    fn group(&mut self, tokens: &[Token], at: usize, group: &tokens::Group) -> Option<Group> {
        let place = self.linter.enter(tokens, at);
        let parsed = self.parsed;
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        self.parsed &= !is_punct(before, '!') && !is_punct(before, '#');
        let stream = self.tokens(group.tokens(), Branches::of(&tokens[..at]));
        self.parsed = parsed;
        self.linter.leave(place);
        Some(regroup(group.original(), stream?))
    }

    /// Writes the replacement for the tokens that begin at `at`, if there is one, and returns the number of tokens that
    /// it replaces.
    fn replacement(
        &mut self,
        tokens: &[Token],
        at: usize,
        statement: &Statement,
        out: &mut Vec<TokenTree>,
    ) -> Option<usize> {
        match &tokens[at] {
            Token::Group(group) => {
                let group = self.group(tokens, at, group)?;
                out.push(TokenTree::Group(group));
                Some(1)
            }
            Token::Punct(dot) if dot.as_char() == '.' && self.check_awaits => {
                let keyword = word(tokens.get(at + 1)).filter(|word| *word == "await")?;
                let before = &tokens[statement.start..at];
                if self.is_refused(before, statement) {
                    return None;
                }
                self.checked = true;
                let span = keyword.span();
                out.push(TokenTree::Punct(dot.clone()));
                match self.doubt(before, statement) {
                    None => out.extend(quote_spanned!(span=> __durable())),
                    Some(probe) => {
                        let is_meant = probe.is_meant(self.rt);
                        out.extend(quote_spanned!(span=> __durable_unless::<#is_meant>()));
                    }
                }
                out.extend([TokenTree::Punct(Punct::new('.', Spacing::Alone)), keyword.ident().clone().into()]);
                Some(2)
            }
            Token::Word(word) if word == "async" && self.check_awaits => self.block(tokens, at, word, out),
            Token::Word(word) if word.text().starts_with('_') || word == "drop" => self.dropped(tokens, at, word, out),
            Token::Word(word) if word.is_any(OURS) => self.combinator(tokens, at, word, out),
            Token::Word(word) if word == "continue_as_new" => self.continued(tokens, at, out),
            Token::Word(word) if word.is_any(&["call", "wait", "stream"]) => {
                self.note_call(tokens, at);
                None
            }
            _ => None,
        }
    }

    /// Rewrites `path::continue_as_new(..)`: a check follows that the path has the name of this orchestrator.
    fn continued(&mut self, tokens: &[Token], at: usize, out: &mut Vec<TokenTree>) -> Option<usize> {
        let marker = self.marker?;
        let arguments = tokens::group(tokens.get(at + 1), Delimiter::Parenthesis)?;
        let path = tokens.get(path_start(tokens, at)..at.checked_sub(2)?)?;
        let last = word(path.last()).filter(|last| !last.is_any(&["self", "super", "crate", "Self"]))?;
        let arguments = self.group(tokens, at + 1, arguments).unwrap_or_else(|| arguments.original().clone());
        let (rt, path, span) = (self.rt, originals(path), last.span());
        let marker = respan(quote!(#marker), span);
        let compare = respan(quote!(#rt::continues), span);
        out.extend([tokens[at].original(), TokenTree::Group(arguments)]);
        out.extend(quote_spanned!(span=> .__continues({ const _: () = #compare::<#marker, #path>(); })));
        Some(2)
    }

    /// Rewrites `let _ = helper(&ctx);` and `drop(helper(&ctx))`: the type tells whether the value should have been
    /// awaited.
    fn dropped(&mut self, tokens: &[Token], at: usize, name: &Word, out: &mut Vec<TokenTree>) -> Option<usize> {
        let value = self.linter.perhaps_dropped(tokens, at)?;
        self.asks_type = true;
        let rt = respan(self.rt.clone(), name.span());
        let dropped = |inner: TokenStream| quote_spanned!(name.span()=> #rt::Dropped(#inner).dropped());
        out.push(tokens[at].original());
        if let Token::Group(group) = &tokens[value.start]
            && value.len() == 1
            && name == "drop"
        {
            let inner = self.tokens(group.tokens(), Branches::None).unwrap_or_else(|| originals(group.tokens()));
            out.push(TokenTree::Group(regroup(group.original(), dropped(inner))));
        } else {
            let inner = &tokens[value.clone()];
            let inner = self.tokens(inner, Branches::None).unwrap_or_else(|| originals(inner));
            out.extend(tokens[at + 1..value.start].iter().map(Token::original));
            out.extend(dropped(inner));
        }
        Some(value.end - at)
    }

    /// Whether a lint has refused the value that is awaited after these tokens of a statement.
    fn is_refused(&self, before: &[Token], statement: &Statement) -> bool {
        self.linter.hits > statement.hits || receivers(before).any(|local| self.refused.contains(local))
    }

    /// Returns the question whether a lint refuses the value that is awaited after these tokens of a statement.
    fn doubt(&self, before: &[Token], statement: &Statement) -> Option<&Probe> {
        let here = self.linter.probes.get(statement.probes..).and_then(<[_]>::first);
        here.or_else(|| receivers(before).find_map(|local| self.doubtful.get(local)))
    }

    fn statement(&self, start: usize) -> Statement {
        Statement { start, hits: self.linter.hits, probes: self.linter.probes.len() }
    }

    /// Rewrites `async {}`, `async move {}` and `async |x| ..`.
    fn block(&mut self, tokens: &[Token], at: usize, keyword: &Word, out: &mut Vec<TokenTree>) -> Option<usize> {
        let moved = word(tokens.get(at + 1)).filter(|word| *word == "move");
        let next = at + 1 + usize::from(moved.is_some());
        match tokens.get(next)? {
            Token::Group(group) if group.delimiter() == Delimiter::Brace => {
                let block = self.group(tokens, next, group).unwrap_or_else(|| group.original().clone());
                let (rt, span) = (self.rt, keyword.span());
                let (keyword, moved) = (keyword.ident(), moved.map(Word::ident));
                let path = respan(quote!(#rt::block), span);
                out.extend(quote_spanned!(span=> #path(#keyword #moved #block)));
                Some(next - at + 1)
            }
            Token::Punct(bar) if bar.as_char() == '|' => self.closure(tokens, at, keyword, out),
            _ => None,
        }
    }

    /// Rewrites `select! {}`, `join!()` and `try_join!()`.
    fn combinator(&mut self, tokens: &[Token], at: usize, name: &Word, out: &mut Vec<TokenTree>) -> Option<usize> {
        let called = is_punct(tokens.get(at + 1), '!') && matches!(tokens.get(at + 2), Some(Token::Group(_)));
        if !called {
            return None;
        }
        let path = path_before(tokens, at);
        if path.is_empty() {
            let (rt, ident) = (self.rt, name.ident());
            out.extend(respan(quote!(#rt::#ident), name.span()));
            return Some(1);
        }
        if !self.is_ours(&path) {
            self.linter.foreign_combinator(&path, name, self.errors);
        }
        None
    }

    /// Whether the path before a macro is this library, under the name that the options give it.
    fn is_ours(&self, path: &[String]) -> bool {
        let path: String = path.concat();
        let rt = self.rt.to_string().replace(' ', "");
        let ours = rt.strip_suffix("__rt").unwrap_or(&rt);
        path.trim_start_matches("::") == ours.trim_start_matches("::")
    }

    fn note_call(&mut self, tokens: &[Token], at: usize) {
        let calls = is_group(tokens.get(at + 1), Delimiter::Parenthesis);
        if !calls || at < 3 || !is_punct(tokens.get(at - 1), ':') || !is_punct(tokens.get(at - 2), ':') {
            return;
        }
        if let Some(marker) = word(tokens.get(at - 3)) {
            let (line, column) = position(marker.span());
            self.calls.push(format!("{}:{line}:{column}", crate::attr::plain_name(marker.ident())));
        }
    }
}

/// One statement, or one element of a list.
struct Statement {
    /// The index at which it begins.
    start: usize,
    /// The number of hazards that the lints had refused before it.
    hits: usize,
    /// The number of questions to the compiler before it.
    probes: usize,
}

/// Whether a group contains the branches of `join!` or `select!`. If a lint has refused a branch, the fact that the
/// branch is not durable is not a second mistake.
#[derive(Clone, Copy)]
enum Branches {
    None,
    Join,
    Select,
}

impl Branches {
    fn of(before: &[Token]) -> Self {
        let Some(name) = before.len().checked_sub(2).and_then(|name| word(before.get(name))) else { return Self::None };
        match is_punct(before.last(), '!') {
            true if name == "join" || name == "try_join" => Self::Join,
            true if name == "select" => Self::Select,
            _ => Self::None,
        }
    }

    /// Rewrites a refused branch that begins at `start` and has just ended. Returns whether there was one.
    fn excuse(self, rt: &TokenStream, out: &mut Vec<TokenTree>, start: usize) -> bool {
        let end = match (self, &out[..]) {
            (Self::None, _) => return false,
            (Self::Join, [.., last]) if is_sign(last, ',') => out.len() - 1,
            (Self::Join, _) => out.len(),
            (Self::Select, [.., equals, arrow]) if is_sign(equals, '=') && is_sign(arrow, '>') => out.len() - 2,
            (Self::Select, _) => return false,
        };
        let equals = out[start..end].iter().position(|token| is_sign(token, '='));
        let start = match self {
            Self::Select => equals.map_or(start, |equals| start + equals + 1),
            _ => start,
        };
        let branch: TokenStream = out.drain(start..end).collect();
        out.splice(start..start, quote!(#rt::assume_durable_future("", #branch)));
        true
    }
}

fn is_sign(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// Returns line and column, counted from 1. Outside of a compiler there are none.
fn position(span: Span) -> (u32, u32) {
    if !proc_macro::is_available() {
        return (0, 0);
    }
    let span = span.unwrap();
    (u32::try_from(span.line()).unwrap_or(u32::MAX), u32::try_from(span.column()).unwrap_or(u32::MAX))
}
