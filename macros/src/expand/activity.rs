//! `#[activity]`: generates the unchanged function, and the type that calls it durably.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::attr::hidden;
use crate::model::Callable;
use crate::rewrite::respan;

pub(crate) fn expand(callable: &Callable) -> TokenStream {
    let (function, beside) = (callable.function.with_body(&callable.function.body), beside(callable));
    quote!(#function #beside)
}

/// Returns the code that is added next to the function.
pub(super) fn beside(callable: &Callable) -> TokenStream {
    let Callable { function, marker, name, retry, concurrency, rt, .. } = callable;
    let type_item = super::marker(function, marker);
    let above = super::above(function);
    let types = super::stated_types(callable);
    let stored = super::stored(callable);
    let marker_name = crate::attr::plain_name(marker);
    let (body, of) = body(callable);
    let retry = retry.as_ref().map(|retry| {
        let policy = retry.policy(rt);
        quote!(.retrying(#policy))
    });
    let concurrency = concurrency.map(|limit| quote!(.at_most(#limit)));
    let link = super::link(&quote!(#rt::link::<#marker, _>));
    let call = call(callable, &quote!(call_activity), &super::inputs(callable));
    quote! {
        #type_item
        #above
        impl #rt::DefinedActivity for #marker {
            #types
            const DEFINITION: #rt::ActivityDefinition<Self> = {
                #link
                #rt::activity(#name, #marker_name, #stored, &#body)#of #retry #concurrency
            };
        }
        #above
        #call
    }
}

/// Returns the type alone, for code that runs elsewhere.
pub(crate) fn declare(callable: &Callable) -> TokenStream {
    let Callable { function, marker, name, output, retry, rt, .. } = callable;
    let type_item = super::marker(function, marker);
    let above = super::above(function);
    let inputs_type = super::inputs_type(callable);
    let (inputs, stored) = (super::inputs(callable), super::stored(callable));
    let types = super::outcome_types(rt, output);
    let retry = retry.as_ref().map(|retry| {
        let policy = retry.policy(rt);
        quote!(const RETRY: #rt::Option<#rt::RetryPolicy> = #rt::Some(#policy);)
    });
    let call = call(callable, &quote!(call_declared_activity), &quote!(#rt::encode(#inputs, #stored)));
    quote! {
        #type_item
        #above
        impl #rt::Activity for #marker {
            type Input = <#inputs_type as #rt::Inputs>::Value;
            #types
            const NAME: &'static #rt::core::primitive::str = #name;
            #retry
        }
        #above
        #call
    }
}

fn call(callable: &Callable, through: &TokenStream, inputs: &TokenStream) -> TokenStream {
    let Callable { function, marker, rt, .. } = callable;
    let (vis, docs) = (&function.vis, function.docs());
    let parameters = super::parameters(callable);
    let ctx = Ident::new("ctx", hidden());
    quote! {
        impl #marker {
            #(#docs)*
            #[track_caller]
            #vis fn call(#ctx: &#rt::Context, #parameters) -> #rt::ActivityCall<#marker> {
                #rt::#through(#ctx, #inputs)
            }
        }
    }
}

/// Returns the function together with what it is called with, and what the definition says about a service. If a value
/// is not `Send`, the error points at the name of the function.
fn body(callable: &Callable) -> (TokenStream, Option<TokenStream>) {
    let Callable { function, context, service, rt, .. } = callable;
    let ident = &function.sig.ident;
    let rt = respan(rt.clone(), ident.span());
    let Some(service) = service else {
        let body = match context {
            None => quote_spanned!(ident.span()=> #rt::alone::<Self, _>(#ident)),
            Some(ty) => quote_spanned!(ident.span()=> #rt::in_context::<Self, #ty, _>(#ident)),
        };
        return (body, None);
    };
    // The span is needed here too: if the service cannot be shared, none of its methods returns a future that is
    // `Send`, and that is one mistake.
    let this = respan(service.to_token_stream(), ident.span());
    let path = match context {
        None => quote_spanned!(ident.span()=> #rt::of_service::<Self, #this, _>),
        Some(ty) => quote_spanned!(ident.span()=> #rt::of_service_in_context::<Self, #this, #ty, _>),
    };
    let body = quote_spanned!(ident.span()=> #path(<#service>::#ident));
    (body, Some(quote_spanned!(ident.span()=> .of::<#this>())))
}
