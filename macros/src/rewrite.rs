//! Rewrites the body of an orchestrator, token by token: it need not parse.
//!
//! - `expr.await` becomes `expr.__durable().await`, which compiles for durable operations only;
//! - `async {}` becomes a durable block, since its own awaits are checked by the same pass;
//! - bare `select!`, `join!` and `try_join!` become ours;
//! - `path::call(` is noted, by its text.
//!
//! Nested functions are left alone. A group in which nothing changes keeps its own tokens, and so its spans.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use crate::errors::Errors;
use crate::lints;

/// A `path::call(` in the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) marker: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A body, rewritten.
pub(crate) struct Rewritten {
    pub(crate) body: Group,
    pub(crate) calls: Vec<Call>,
}

/// Rewrites a body. Without `check_awaits`, awaits and blocks stay as they are.
pub(crate) fn body(body: &Group, rt: &TokenStream, check_awaits: bool, errors: &mut Errors) -> Rewritten {
    let mut pass = Pass { rt, check_awaits, checked: false, calls: Vec::new(), errors };
    let tokens: Vec<_> = body.stream().into_iter().collect();
    let (inner_attributes, rest) = tokens.split_at(inner_attributes(&tokens));
    let rest = pass.tokens(rest).unwrap_or_else(|| rest.iter().cloned().collect());
    let checked = pass.checked;
    let calls = std::mem::take(&mut pass.calls);
    let inner_attributes: TokenStream = inner_attributes.iter().cloned().collect();
    let import = checked.then(|| quote!(#[allow(unused_imports)] use #rt::AwaitCheck as _;));
    let stream = quote!(#inner_attributes #import #rest);
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
    calls: Vec<Call>,
    errors: &'a mut Errors,
}

impl Pass<'_> {
    /// The tokens rewritten, or `None` if nothing changes.
    fn tokens(&mut self, tokens: &[TokenTree]) -> Option<TokenStream> {
        let mut out = TokenStream::new();
        let mut changed = false;
        let mut at = 0;
        while at < tokens.len() {
            let taken = match self.replacement(tokens, at, &mut out) {
                Some(taken) => {
                    changed = true;
                    taken
                }
                None => untouched(tokens, at),
            };
            if taken.replaced {
                at += taken.tokens;
                continue;
            }
            for token in &tokens[at..at + taken.tokens] {
                out.extend([token.clone()]);
            }
            at += taken.tokens;
        }
        changed.then_some(out)
    }

    /// Writes what stands for the tokens from `at` on, if it is not they themselves.
    fn replacement(&mut self, tokens: &[TokenTree], at: usize, out: &mut TokenStream) -> Option<Taken> {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let stream: Vec<_> = group.stream().into_iter().collect();
                let stream = self.tokens(&stream)?;
                out.extend([TokenTree::Group(regroup(group, stream))]);
                Some(Taken::replaced(1))
            }
            TokenTree::Punct(dot) if dot.as_char() == '.' && self.check_awaits => {
                let keyword = word(tokens.get(at + 1)).filter(|word| *word == "await")?;
                self.checked = true;
                let span = keyword.span();
                out.extend([TokenTree::Punct(dot.clone())]);
                out.extend(quote_spanned!(span=> __durable()));
                out.extend([TokenTree::Punct(Punct::new('.', Spacing::Alone)), keyword.clone().into()]);
                Some(Taken::replaced(2))
            }
            TokenTree::Ident(word) if word == "async" && self.check_awaits => self.block(tokens, at, word, out),
            TokenTree::Ident(word) if lints::OURS.iter().any(|ours| word == ours) => {
                self.combinator(tokens, at, word, out)
            }
            TokenTree::Ident(word) if word == "call" => {
                self.note_call(tokens, at);
                None
            }
            _ => None,
        }
    }

    /// `async {}` and `async move {}`.
    fn block(&mut self, tokens: &[TokenTree], at: usize, keyword: &Ident, out: &mut TokenStream) -> Option<Taken> {
        let moved = word(tokens.get(at + 1)).filter(|word| *word == "move");
        let next = at + 1 + usize::from(moved.is_some());
        match tokens.get(next)? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let stream: Vec<_> = group.stream().into_iter().collect();
                let block = match self.tokens(&stream) {
                    Some(stream) => regroup(group, stream),
                    None => group.clone(),
                };
                let (rt, span) = (self.rt, keyword.span());
                let path = respan(quote!(#rt::block), span);
                out.extend(quote_spanned!(span=> #path(#keyword #moved #block)));
                Some(Taken::replaced(next - at + 1))
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
    fn combinator(&mut self, tokens: &[TokenTree], at: usize, name: &Ident, out: &mut TokenStream) -> Option<Taken> {
        let called = is_punct(tokens.get(at + 1), '!') && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)));
        if !called {
            return None;
        }
        let path = path_before(tokens, at);
        if path.is_empty() {
            let rt = self.rt;
            out.extend(respan(quote!(#rt::#name), name.span()));
            return Some(Taken::replaced(1));
        }
        if !self.is_ours(&path) {
            lints::foreign_combinator(&path, name, self.errors);
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
            self.calls.push(Call { marker: crate::attr::plain_name(marker), line, column });
        }
    }
}

/// How far the pass went, and whether it wrote something else instead.
struct Taken {
    tokens: usize,
    replaced: bool,
}

impl Taken {
    fn replaced(tokens: usize) -> Self {
        Self { tokens, replaced: true }
    }
}

/// The tokens from `at` on that stay as they are: one, or a whole nested function.
fn untouched(tokens: &[TokenTree], at: usize) -> Taken {
    let nested = word(tokens.get(at)).is_some_and(|word| word == "fn") && word(tokens.get(at + 1)).is_some();
    Taken { tokens: if nested { nested_function(&tokens[at..]) } else { 1 }, replaced: false }
}

/// The length of a nested function: up to its body, which is the first brace that is no generic argument.
fn nested_function(tokens: &[TokenTree]) -> usize {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !is_punct(tokens.get(at.wrapping_sub(1)), '-') => {
                depth -= 1;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => return at + 1,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && depth <= 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
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

fn regroup(group: &Group, stream: TokenStream) -> Group {
    let mut new = Group::new(group.delimiter(), stream);
    new.set_span(group.span());
    new
}

/// Generated tokens at a place of the user, so that an error points there.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            // What `$crate` means hangs on its place.
            if word(Some(&token)).is_none_or(|word| word != "$crate") {
                token.set_span(span);
            }
            token
        })
        .collect()
}

fn word(token: Option<&TokenTree>) -> Option<&Ident> {
    match token {
        Some(TokenTree::Ident(word)) => Some(word),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

/// Line and column, from 1. Outside of a compiler there are none.
fn position(span: Span) -> (u32, u32) {
    if !proc_macro::is_available() {
        return (0, 0);
    }
    let span = span.unwrap();
    (u32::try_from(span.line()).unwrap_or(u32::MAX), u32::try_from(span.column()).unwrap_or(u32::MAX))
}

impl ToTokens for Call {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { marker, line, column } = self;
        tokens.extend(quote!(marker: #marker, line: #line, column: #column));
    }
}
