//! Handles a function with mistakes. The function is still emitted, with a stub of its type, so that code that uses it
//! compiles and one mistake gives one message.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::FnArg;

use crate::attr::{Kind, hidden as hidden_span};
use crate::check::numbered;
use crate::errors::Errors;
use crate::model::Sketch;
use crate::rewrite;

pub(crate) fn expand(sketch: &Sketch, errors: &mut Errors) -> TokenStream {
    let mut function = sketch.function.clone();
    if sketch.kind == Kind::Orchestrator {
        let tokens = crate::tokens::list(function.body.stream());
        function.body = rewrite::body(sketch.kind, &function, None, &tokens, &sketch.rt, &sketch.allowed, errors).body;
    }
    // Awaits in a function that is not async would give a second message.
    function.sig.asyncness.get_or_insert(syn::Token![async](Span::mixed_site()));
    // A method stands in an `impl`, where a type cannot stand.
    if function.sig.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_))) {
        return quote!(#[allow(dead_code, unused_variables)] #function);
    }
    let stub = declare(sketch);
    quote!(#[allow(dead_code, unused_variables)] #function #stub)
}

/// Returns the stub alone.
pub(crate) fn declare(sketch: &Sketch) -> TokenStream {
    let type_item = super::marker(&sketch.function, &sketch.marker);
    let (above, stub) = (super::above(&sketch.function), stub(sketch));
    quote!(#type_item #above const _: () = { #stub };)
}

fn stub(sketch: &Sketch) -> TokenStream {
    let Sketch { function, marker, name, rt, .. } = sketch;
    let (vis, ctx) = (&function.vis, Ident::new("ctx", hidden_span()));
    let parameters: Vec<_> = sketch.inputs.iter().enumerate().map(|(place, ty)| parameter(rt, place, ty)).collect();
    let types = types(sketch);
    if sketch.kind == Kind::Activity {
        return quote! {
            impl #rt::Activity for #marker {
                type Input = ();
                #types
                const NAME: &'static #rt::core::primitive::str = #name;
            }
            #[allow(unused_variables)]
            impl #marker {
                #vis fn call(#ctx: &#rt::Context, #(#parameters),*) -> #rt::ActivityCall<#marker> {
                    #rt::call_declared_activity::<#marker>(#ctx, #rt::encode((), ()))
                }
            }
        };
    }
    let status = match &sketch.context {
        Some(context) => quote!(<#context as #rt::ContextType>::Status),
        None => quote!(#rt::NoStatus),
    };
    quote! {
        impl #rt::Orchestrator for #marker {
            type Input = ();
            #types
            type Status = #status;
            const NAME: &'static #rt::core::primitive::str = #name;
            const VERSION: &'static #rt::core::primitive::str = "";
        }
        impl<__E: #rt::ExternalEvent> #rt::Accepts<__E> for #marker {}
        #[allow(unused_variables)]
        impl #marker {
            #vis const SKELETON: &'static #rt::core::primitive::str = "";
            #vis fn diagram() -> #rt::String {
                #rt::diagram(Self::SKELETON)
            }
            #vis fn start(client: &#rt::Client, #(#parameters),*) -> #rt::StartOrchestration<#marker> {
                #rt::start_declared::<#marker>(client, #rt::encode((), ()))
            }
            #vis fn call(#ctx: &#rt::Context, #(#parameters),*) -> #rt::SubOrchestrationCall<#marker> {
                #rt::call_declared_orchestrator::<#marker>(#ctx, #rt::encode((), ()))
            }
            #vis fn start_detached(#ctx: &#rt::Context, #(#parameters),*) -> #rt::DetachedStart {
                #rt::start_declared_detached::<#marker>(#ctx, #rt::encode((), ()))
            }
            #vis fn continue_as_new(#ctx: &#rt::Context, #(#parameters),*) -> #rt::ContinueAsNew<#marker> {
                #rt::continue_as_declared::<#marker>(#ctx, #rt::encode((), ()))
            }
        }
    }
}

/// Returns a parameter of the stub. It has the user's type if that can be written, and otherwise accepts any type.
fn parameter(rt: &TokenStream, place: usize, ty: &Option<syn::Type>) -> TokenStream {
    let ident = numbered(place);
    match ty {
        Some(ty) => quote!(#ident: #ty),
        None => quote!(#ident: impl #rt::core::marker::Sized),
    }
}

fn types(sketch: &Sketch) -> TokenStream {
    let rt = &sketch.rt;
    match &sketch.output {
        Some(output) => quote! {
            type Output = <#output as #rt::Outcome>::Ok;
            type Error = <#output as #rt::Outcome>::Err;
        },
        None if sketch.kind == Kind::Activity => quote! {
            type Output = ();
            type Error = #rt::ActivityError;
        },
        None => quote! {
            type Output = ();
            type Error = #rt::OrchestrationError;
        },
    }
}
