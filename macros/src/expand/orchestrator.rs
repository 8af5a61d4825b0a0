//! `#[orchestrator]`: the function with its awaits checked, and the type that starts and calls it.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::attr::{Kind, hidden as hidden_span};
use crate::errors::Errors;
use crate::input::Function;
use crate::model::Callable;
use crate::rewrite::{self, Call, respan};

pub(crate) fn expand(callable: &Callable, errors: &mut Errors) -> TokenStream {
    let Callable { function, marker, .. } = callable;
    let checked = Function { body: super::accepts::check_waits(callable), ..function.clone() };
    let rewritten = rewrite::body(Kind::Orchestrator, &checked, &callable.rt, &callable.allowed, errors);
    let rewritten_function = function.with_body(&rewritten.body);
    let type_item = super::marker(function, marker);
    let contract = contract(callable);
    let methods = methods(callable);
    let structure = structure(callable);
    let registration = registration(callable, &rewritten.calls);
    let items = super::hidden(function, &quote!(#contract #methods #structure #registration));
    quote!(#rewritten_function #type_item #items)
}

/// The type alone, for code that runs elsewhere.
pub(crate) fn declare(callable: &Callable) -> TokenStream {
    let Callable { function, marker, .. } = callable;
    let type_item = super::marker(function, marker);
    let contract = contract(callable);
    let methods = methods(callable);
    let items = super::hidden(function, &quote!(#contract #methods));
    quote!(#type_item #items)
}

fn contract(callable: &Callable) -> TokenStream {
    let Callable { marker, name, version, context, output, rt, .. } = callable;
    let input = super::input_type(callable);
    let types = super::outcome_types(rt, output);
    let rt_here = respan(rt.clone(), context.span());
    let accepts = super::accepts::accepts(callable);
    let status = quote_spanned! {context.span()=>
        type Status = <#context as #rt_here::ContextType>::Status;
    };
    quote! {
        impl #rt::Orchestrator for #marker {
            #input
            #types
            #status
            const NAME: &'static #rt::core::primitive::str = #name;
            const VERSION: &'static #rt::core::primitive::str = #version;
        }
        #accepts
    }
}

/// What the macro sees in the body, for the reader and for tests.
fn structure(callable: &Callable) -> TokenStream {
    let Callable { function, marker, name, version, rt, .. } = callable;
    let vis = &function.vis;
    let skeleton = crate::skeleton::skeleton(name, version, &function.body);
    quote! {
        impl #marker {
            /// The durable operations in its body, in order and nested, one a line.
            #vis const SKELETON: &'static #rt::core::primitive::str = #skeleton;
            /// The same as a Mermaid flowchart.
            #vis fn diagram() -> #rt::String {
                #rt::diagram(Self::SKELETON)
            }
        }
    }
}

fn methods(callable: &Callable) -> TokenStream {
    let Callable { function, marker, rt, .. } = callable;
    let (vis, docs) = (&function.vis, function.docs().collect::<Vec<_>>());
    let (parameters, encoded) = (super::parameters(callable), super::encoded(callable));
    let [ctx, client] = ["ctx", "client"].map(|name| Ident::new(name, hidden_span()));
    quote! {
        impl #marker {
            #(#docs)*
            #vis fn start(#client: &#rt::Client, #parameters) -> #rt::StartOrchestration<#marker> {
                #rt::start::<#marker>(#client, #encoded)
            }
            #(#docs)*
            ///
            /// Calls it as a sub-orchestration.
            #[track_caller]
            #vis fn call(#ctx: &#rt::Context, #parameters) -> #rt::SubOrchestrationCall<#marker> {
                #rt::call_orchestrator::<#marker>(#ctx, #encoded)
            }
            /// Starts it from an orchestrator, which does not wait for it.
            #[track_caller]
            #vis fn start_detached(#ctx: &#rt::Context, #parameters) -> #rt::DetachedStart {
                #rt::start_detached::<#marker>(#ctx, #encoded)
            }
            /// Ends this execution and goes on with it from the start, with that input and a new history.
            #[track_caller]
            #vis fn continue_as_new(#ctx: &#rt::Context, #parameters) -> #rt::ContinueAsNew<#marker> {
                #rt::continue_as_new::<#marker>(#ctx, #encoded)
            }
        }
    }
}

fn registration(callable: &Callable, calls: &[Call]) -> TokenStream {
    let Callable { function, marker, name, version, context, output, rt, .. } = callable;
    let ident = &function.sig.ident;
    let [ctx, input, reader] = ["ctx", "input", "reader"].map(|name| Ident::new(name, hidden_span()));
    let rt_here = respan(rt.clone(), context.span());
    let context = quote_spanned!(context.span()=> <#context as #rt_here::ContextType>::__from_context(#ctx));
    let decoded = super::decoded(callable, &reader);
    let number = callable.inputs.len();
    // Each at its own place: what must be `Send` at the name, what must be a `Result` at the return type.
    let rt_here = respan(rt.clone(), ident.span());
    let record = super::recorded(rt, output, &quote!(orchestration_result::<#marker>));
    let erased = quote_spanned!(ident.span()=> #rt_here::erase_orchestration(#ident(#context, #(#decoded),*), #record));
    let marker_name = crate::attr::plain_name(marker);
    let location = super::location(rt);
    let entry = quote! {
        #rt::Registration::Orchestrator(#rt::OrchestratorRegistration {
            name: #name,
            version: #version,
            marker: #marker_name,
            location: #location,
            handler: __run,
            calls: &[#(#rt::CallSite { #calls }),*],
        })
    };
    let registration = super::registration(rt, marker, &entry);
    quote! {
        #[allow(unused_variables, unused_mut)]
        fn __run(
            #ctx: #rt::Context,
            #input: &#rt::JsonText,
        ) -> #rt::core::result::Result<#rt::BoxedOrchestration, #rt::FailureDetails> {
            let mut #reader = #rt::InputReader::open(#input, #number)?;
            #rt::Ok(#erased)
        }
        #registration
    }
}
