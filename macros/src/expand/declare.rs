//! `declare_activity!` and `declare_orchestrator!`: the type of code that runs elsewhere, from its signature.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Meta, Token};

use crate::attr::{Kind, Options};
use crate::check;
use crate::combine::library;
use crate::errors::Errors;
use crate::expand::{activity, fallback, orchestrator};
use crate::input::Function;

pub(crate) fn declare(kind: Kind, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let parser = |input: ParseStream<'_>| {
        let library = library(input)?;
        let mut expanded = TokenStream::new();
        while !input.is_empty() {
            expanded.extend(one(kind, &library, parse(input)?, &mut errors));
        }
        Ok(expanded)
    };
    let expanded = match parser.parse2(tokens) {
        Ok(expanded) => expanded,
        Err(error) => {
            errors.push_error(error);
            TokenStream::new()
        }
    };
    let errors = errors.into_tokens();
    super::print_if_asked(kind, quote!(#expanded #errors))
}

/// A signature that ends in a semicolon. It may leave out `async`, since there is no body to be so.
fn parse(input: ParseStream<'_>) -> syn::Result<Function> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let mut sig: syn::Signature = input.parse()?;
    if !input.peek(Token![;]) {
        return Err(input.error("a declaration has no body: end it with `;`"));
    }
    input.parse::<Token![;]>()?;
    sig.asyncness.get_or_insert(Token![async](sig.fn_token.span));
    Ok(Function { attrs, vis, sig, body: Group::new(Delimiter::Brace, TokenStream::new()) })
}

fn one(kind: Kind, library: &TokenStream, mut function: Function, errors: &mut Errors) -> TokenStream {
    let word = if kind == Kind::Activity { "activity" } else { "orchestrator" };
    let is_options = |attr: &Attribute| attr.path().is_ident(word);
    let mut options = TokenStream::new();
    for attr in function.attrs.iter().filter(|attr| is_options(attr)) {
        match &attr.meta {
            Meta::List(list) if options.is_empty() => options = list.tokens.clone(),
            Meta::Path(_) => {}
            _ => errors.push(attr, format!("write the options once: `#[{word}(name = \"..\")]`")),
        }
    }
    function.attrs.retain(|attr| !is_options(attr));
    let mut options = Options::parse(kind, options, errors);
    options.library = Some(library.clone());

    let mut form = Errors::new();
    let expanded = match check::callable(kind, function, &options, &mut form) {
        Ok(callable) if kind == Kind::Activity => activity::declare(&callable),
        Ok(callable) => orchestrator::declare(&callable),
        Err(sketch) => fallback::declare(&sketch),
    };
    errors.append(form);
    expanded
}
