//! `#[external_event]`: generates the serde implementations of the type, its name, `wait` and `stream`.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, DeriveInput};

use crate::attr::{Kind, Options, plain_name};
use crate::errors::Errors;

pub(crate) fn external_event(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let options = Options::parse(Kind::Event, options, &mut errors);
    let expanded = match syn::parse2::<DeriveInput>(item.clone()) {
        Err(_) => {
            let first: TokenStream = item.clone().into_iter().take(1).collect();
            errors.push(first, "`#[external_event]` goes on a struct or an enum");
            item
        }
        Ok(event) => expand(&event, &options, &mut errors),
    };
    let errors = errors.into_tokens();
    super::print_if_asked(Kind::Event, quote!(#expanded #errors))
}

fn expand(event: &DeriveInput, options: &Options, errors: &mut Errors) -> TokenStream {
    if matches!(event.data, syn::Data::Union(_)) {
        errors.push(&event.ident, "`#[external_event]` goes on a struct or an enum");
        return quote!(#event);
    }
    if !event.generics.params.is_empty() {
        errors.push(
            &event.generics.params,
            "an event has one payload type: write one event per type, each with its own name",
        );
        return quote!(#event);
    }
    let (rt, ident, vis) = (options.rt(), &event.ident, &event.vis);
    let name = options.name.as_ref().map_or_else(|| plain_name(ident), syn::LitStr::value);
    let derives = derives(&event.attrs, &rt);
    let cfgs = event.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let ctx = syn::Ident::new("ctx", crate::attr::hidden());
    let link = super::link(&quote!(#rt::link_event::<#ident>));
    quote! {
        #derives
        #event
        #(#cfgs)*
        #[allow(clippy::all, clippy::pedantic, dead_code)]
        const _: () = {
            #link
            impl #rt::ExternalEvent for #ident {
                const NAME: &'static #rt::core::primitive::str = #name;
                const __LOCATION: #rt::Option<#rt::SourceLocation> = #rt::Some(#rt::SourceLocation::here());
            }
            impl #ident {
                /// Waits for the next event of this type.
                #[track_caller]
                #vis fn wait(#ctx: &#rt::Context) -> #rt::EventWait<#ident> {
                    #rt::wait_event::<#ident>(#ctx)
                }

                /// Returns the events of this type, one after the other.
                #vis fn stream(#ctx: &#rt::Context) -> #rt::EventStream<#ident> {
                    #rt::stream_events::<#ident>(#ctx)
                }
            }
        };
    }
}

/// Returns the serde derives that the user has not written below the attribute.
fn derives(attrs: &[Attribute], rt: &TokenStream) -> TokenStream {
    let derived: Vec<String> =
        attrs.iter().filter(|attr| attr.path().is_ident("derive")).flat_map(derived_names).collect();
    let missing = |name: &str| !derived.iter().any(|derived| derived == name);
    let serialize = missing("Serialize").then(|| quote!(#[derive(#rt::serde::Serialize)]));
    let deserialize = missing("Deserialize").then(|| quote!(#[derive(#rt::serde::Deserialize)]));
    // The user's own derive reaches serde through the user's own dependency.
    let path = format!("{rt}::serde").replace(' ', "");
    let krate = (serialize.is_some() && deserialize.is_some()).then(|| quote!(#[serde(crate = #path)]));
    quote!(#serialize #deserialize #krate)
}

/// Returns the last words of the paths in a `#[derive(..)]`.
fn derived_names(attr: &Attribute) -> Vec<String> {
    let mut names = Vec::new();
    let syn::Meta::List(list) = &attr.meta else { return names };
    let mut last = None;
    for token in list.tokens.clone() {
        match token {
            TokenTree::Ident(word) => last = Some(word.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == ',' => names.extend(last.take()),
            _ => {}
        }
    }
    names.extend(last);
    names
}
