//! `declare_activity!` and `declare_orchestrator!`: generate the type of code that runs elsewhere, from its signature.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Meta};

use crate::attr::{Kind, Options};
use crate::check;
use crate::combine::library;
use crate::errors::Errors;
use crate::expand::{activity, fallback, orchestrator};
use crate::input::{Function, declaration};

pub(crate) fn declare(kind: Kind, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let parser = |input: ParseStream<'_>| {
        let library = library(input)?;
        let mut expanded = TokenStream::new();
        while !input.is_empty() {
            expanded.extend(one(kind, &library, declaration(input)?, &mut errors));
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
