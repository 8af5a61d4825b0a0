//! Generates the code for `events(..)`, the events that an orchestrator accepts. Raising another event, or waiting for
//! one in the body, is a compile error.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::Callable;
use crate::rewrite::{respan, split_inner_attributes};
use crate::tokens::regroup;

/// Returns the type that says what is accepted, and an implementation for each event.
pub(super) fn accepts(callable: &Callable) -> (TokenStream, TokenStream) {
    let Callable { function, marker, events, rt, .. } = callable;
    let Some(events) = events else { return (quote!(#rt::AnyEvent), TokenStream::new()) };
    let above = super::above(function);
    let accepted = events.iter().map(|event| {
        let rt = respan(rt.clone(), event.span());
        quote_spanned!(event.span()=> #above impl #rt::Accepts<#event> for #marker {})
    });
    (quote!(#rt::ListedEvents), quote!(#(#accepted)*))
}

/// Returns the code that follows the definition: the accepted events. A type that is not an event is refused at its own
/// place.
pub(super) fn listed(callable: &Callable) -> Option<TokenStream> {
    let rt = &callable.rt;
    let events = callable.events.as_ref()?.iter().map(|event| {
        let rt = respan(rt.clone(), event.span());
        quote_spanned!(event.span()=> #rt::accepted_event::<#event>())
    });
    Some(quote!(.accepting(&[#(#events),*])))
}

/// Returns the body with a check after each `path::wait(..)` and `path::stream(..)`, or `None` if there is nothing to check. The check is by
/// type, so a `wait` that does not wait for an event is accepted.
pub(super) fn check_waits(callable: &Callable) -> Option<Group> {
    callable.events.as_ref()?;
    let body = &callable.function.body;
    let (inner_attributes, rest) = split_inner_attributes(body);
    let rest = checked(callable, rest)?;
    let rt = &callable.rt;
    Some(regroup(body, quote!(#inner_attributes #[allow(unused_imports)] use #rt::WaitCheck as _; #rest)))
}

/// Returns the tokens with their waits checked, or `None` if they contain no wait.
fn checked(callable: &Callable, tokens: TokenStream) -> Option<TokenStream> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut changed = false;
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            out.extend([token.clone()]);
            continue;
        };
        match checked(callable, group.stream()) {
            Some(stream) => {
                changed = true;
                out.extend([TokenTree::Group(regroup(group, stream))]);
            }
            None => out.extend([token.clone()]),
        }
        if let Some(span) = wait_before(&tokens[..at]).filter(|_| group.delimiter() == Delimiter::Parenthesis) {
            changed = true;
            let marker = respan(TokenTree::from(callable.marker.clone()).into(), span);
            out.extend(quote_spanned!(span=> .__accepted_by::<#marker>()));
        }
    }
    changed.then_some(out)
}

/// Returns the place of a `wait` or a `stream` that ends a path just before its arguments.
fn wait_before(tokens: &[TokenTree]) -> Option<Span> {
    let [.., TokenTree::Punct(first), TokenTree::Punct(second), TokenTree::Ident(word)] = tokens else { return None };
    (first.as_char() == ':' && second.as_char() == ':' && (word == "wait" || word == "stream")).then(|| word.span())
}
