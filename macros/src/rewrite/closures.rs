//! Rewrites async closures: `async |item| { .. }` becomes a plain closure that returns a durable block.
//!
//! ```text
//! async |a, (b, c): (u8, u8)| -> R { body }
//! |__0, __1: (u8, u8)| { let __inputs = (__0, __1,); let __body = closure(&__inputs, async |(a, (b, c),): (_, _,)| -> R { body }); block(__body(__inputs)) }
//! ```
//!
//! The closure borrows what it uses and owns its parameters. The type of its future has a name that combinators can
//! refer to.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{ExprClosure, Pat, ReturnType, Type};

use super::{Branches, Pass, respan};
use crate::attr::Kind;
use crate::tokens::{Token, Word, group, inside, is_group, is_punct, is_word, originals, word};

impl Pass<'_> {
    /// Rewrites `async |item| ..`. A closure that does not parse is left alone, and the compiler reports what is wrong
    /// with it.
    pub(super) fn closure(
        &mut self,
        tokens: &[Token],
        at: usize,
        keyword: &Word,
        out: &mut Vec<TokenTree>,
    ) -> Option<usize> {
        let (closure, taken) = parse(&tokens[at..])?;
        if let Some(moved) = &closure.capture {
            self.errors.push(
                moved,
                "an async closure of an orchestrator borrows what it uses, and owns its parameters: remove `move`",
            );
        }
        let body = closure.body.to_token_stream().into_iter().count();
        let body = &tokens[at + taken.checked_sub(body)?..at + taken];
        let error = self.error_of_closures().filter(|_| returns_a_result(body));
        let output = match &closure.output {
            ReturnType::Type(_, ty) => Some(quote!(-> #ty)),
            ReturnType::Default => error.map(|error| quote!(-> #error)),
        };
        let rewritten = self.tokens(body, Branches::None).unwrap_or_else(|| originals(body));
        let rewritten = if matches!(body, [one] if is_group(Some(one), Delimiter::Brace)) {
            rewritten
        } else {
            quote!({ #rewritten })
        };

        let span = keyword.span();
        let [mut names, mut patterns, mut types] = [(); 3].map(|()| TokenStream::new());
        let mut outer = Vec::new();
        for (place, input) in closure.inputs.iter().enumerate() {
            let name = format_ident!("__{place}", span = crate::attr::hidden());
            let (pattern, ty) = match input {
                Pat::Type(typed) => (typed.pat.to_token_stream(), Some(&typed.ty)),
                pattern => (pattern.to_token_stream(), None),
            };
            // A reference in the parameter stands for one lifetime, that of the calls, so the type of the outer
            // parameter determines it.
            let (ty, inner) = match ty.map(ToTokens::to_token_stream) {
                Some(ty) if ty.to_string().contains('&') => (None, ty),
                ty => (ty.map(|ty| quote!(: #ty)), quote!(_)),
            };
            outer.push(quote!(#name #ty));
            types.extend(quote!(#inner,));
            names.extend(quote!(#name,));
            patterns.extend(quote!(#pattern,));
        }
        let (rt, keyword) = (self.rt, keyword.ident());
        let [tie, block] = [quote!(#rt::closure), quote!(#rt::block)].map(|path| respan(path, span));
        let [inputs, function] = ["__inputs", "__body"].map(|name| syn::Ident::new(name, crate::attr::hidden()));
        out.extend(quote_spanned!(span=> |#(#outer),*| {
            let #inputs = (#names);
            let #function = #tie(&#inputs, #keyword |(#patterns): (#types)| #output #rewritten);
            #block(#function(#inputs))
        }));
        Some(taken)
    }

    /// Returns the return type of a closure that uses `?` without a declared return type: a `Result` with the error
    /// type of the surrounding function.
    fn error_of_closures(&self) -> Option<TokenStream> {
        let ReturnType::Type(_, ty) = self.output else { return None };
        let names_a_result = match &**ty {
            Type::Path(path) => {
                path.path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("Result"))
            }
            _ => false,
        };
        let rt = self.rt;
        (self.kind == Kind::Orchestrator || names_a_result)
            .then(|| quote!(#rt::core::result::Result<_, <#ty as #rt::Outcome>::Err>))
    }
}

/// Returns the closure at the beginning of the tokens, and its number of tokens.
fn parse(tokens: &[Token]) -> Option<(ExprClosure, usize)> {
    let parser = |input: ParseStream<'_>| {
        let closure: ExprClosure = input.parse()?;
        Ok((closure, input.parse::<TokenStream>()?))
    };
    let (closure, rest) = parser.parse2(originals(tokens)).ok()?;
    let taken = tokens.len().checked_sub(rest.into_iter().count())?;
    Some((closure, taken))
}

/// Whether a body needs a `Result`, because it contains `?` or `return Ok(..)`, or because of its last expression.
/// Async blocks and async closures inside it have results of their own.
fn returns_a_result(body: &[Token]) -> bool {
    let is_result = |at: usize, tokens: &[Token]| {
        word(tokens.get(at)).is_some_and(|word| word.is_any(&["Ok", "Err"]))
            && group(tokens.get(at + 1), Delimiter::Parenthesis).is_some()
    };
    let last = match body {
        [only] => inside(Some(only), Delimiter::Brace).unwrap_or(body),
        body => body,
    };
    let start = last.len().saturating_sub(2);
    let ends = is_result(start, last) && (start == 0 || !is_punct(last.get(start - 1), ':'));
    ends || asks(body, &|tokens, at| {
        is_punct(tokens.get(at), '?') || is_word(tokens.get(at), "return") && is_result(at + 1, tokens)
    })
}

fn asks(tokens: &[Token], holds: &impl Fn(&[Token], usize) -> bool) -> bool {
    let mut at = 0;
    while at < tokens.len() {
        if is_word(tokens.get(at), "async") {
            at += own_result(&tokens[at..]);
            continue;
        }
        if holds(tokens, at) || matches!(&tokens[at], Token::Group(group) if asks(group.tokens(), holds)) {
            return true;
        }
        at += 1;
    }
    false
}

/// Returns the number of tokens in an async block or closure.
fn own_result(tokens: &[Token]) -> usize {
    let block = if is_word(tokens.get(1), "move") { 2 } else { 1 };
    if is_group(tokens.get(block), Delimiter::Brace) {
        return block + 1;
    }
    parse(tokens).map_or(1, |(_, taken)| taken)
}
