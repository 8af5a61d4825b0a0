//! `#[activity]`: the function as it is, and the type that calls it durably.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::attr::hidden as hidden_span;
use crate::model::Callable;
use crate::rewrite::respan;

pub(crate) fn expand(callable: &Callable) -> TokenStream {
    let (function, beside) = (&callable.function, beside(callable));
    quote!(#function #beside)
}

/// What stands beside the function.
pub(super) fn beside(callable: &Callable) -> TokenStream {
    let Callable { function, marker, .. } = callable;
    let type_item = super::marker(function, marker);
    let contract = contract(callable);
    let call = call(callable);
    let registration = registration(callable);
    let items = super::hidden(function, &quote!(#contract #call #registration));
    quote!(#type_item #items)
}

/// The type alone, for code that runs elsewhere.
pub(crate) fn declare(callable: &Callable) -> TokenStream {
    let Callable { function, marker, .. } = callable;
    let type_item = super::marker(function, marker);
    let contract = contract(callable);
    let call = call(callable);
    let items = super::hidden(function, &quote!(#contract #call));
    quote!(#type_item #items)
}

fn contract(callable: &Callable) -> TokenStream {
    let Callable { marker, name, output, rt, .. } = callable;
    let input = super::input_type(callable);
    let types = super::outcome_types(rt, output);
    quote! {
        impl #rt::Activity for #marker {
            #input
            #types
            const NAME: &'static #rt::core::primitive::str = #name;
        }
    }
}

fn call(callable: &Callable) -> TokenStream {
    let Callable { function, marker, rt, .. } = callable;
    let (vis, docs) = (&function.vis, function.docs());
    let (parameters, encoded) = (super::parameters(callable), super::encoded(callable));
    let ctx = Ident::new("ctx", hidden_span());
    quote! {
        impl #marker {
            #(#docs)*
            #[track_caller]
            #vis fn call(#ctx: &#rt::Context, #parameters) -> #rt::ActivityCall<#marker> {
                #rt::call_activity::<#marker>(#ctx, #encoded)
            }
        }
    }
}

fn registration(callable: &Callable) -> TokenStream {
    let Callable { function, marker, name, output, rt, .. } = callable;
    let ident = &function.sig.ident;
    let [cx, input, reader] = ["cx", "input", "reader"].map(|name| Ident::new(name, hidden_span()));
    let context = callable.context.as_ref().map(|ty| {
        let rt = respan(rt.clone(), ty.span());
        quote_spanned!(ty.span()=> #rt::activity_context::<#ty>(&#cx),)
    });
    let decoded = super::decoded(callable, &reader);
    let number = callable.inputs.len();
    // Each at its own place: what must be `Send` at the name, what must be a `Result` at the return type.
    let record = super::recorded(rt, output, &quote!(activity_result::<#marker>));
    let (called, this, service) = match &callable.service {
        Some(ty) => {
            let rt = respan(rt.clone(), ty.span());
            let this = quote_spanned!(ty.span()=> #rt::service::<#ty>(&#cx)?,);
            let service = quote_spanned!(ty.span()=> #rt::Some(#rt::ServiceType::of::<#ty>()));
            (quote!(<#ty>::#ident), Some(this), service)
        }
        None => (quote!(#ident), None, quote!(#rt::None)),
    };
    let future = quote! {{
        let mut #reader = #rt::InputReader::open(&#input, #number)?;
        (#record)(#called(#this #context #(#decoded),*).await)
    }};
    let rt_here = respan(rt.clone(), ident.span());
    let erased = quote_spanned!(ident.span()=> #rt_here::erase_activity(async move #future));
    let marker_name = crate::attr::plain_name(marker);
    let location = super::location(rt);
    let entry = quote! {
        #rt::Registration::Activity(#rt::ActivityRegistration {
            name: #name,
            marker: #marker_name,
            location: #location,
            handler: __run,
            service: #service,
        })
    };
    let registration = super::registration(rt, marker, &entry);
    quote! {
        #[allow(unused_variables, unused_mut)]
        fn __run(#cx: #rt::ActivityContext, #input: #rt::JsonText) -> #rt::BoxedActivity {
            #erased
        }
        #registration
    }
}
