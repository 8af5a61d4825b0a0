//! `#[orchestrator]`: generates the function with its awaits checked, and the type that starts and calls it.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::attr::{Kind, hidden};
use crate::errors::Errors;
use crate::model::Callable;
use crate::rewrite::{self, respan};
use crate::tokens::{self, Token};

pub(crate) fn expand(callable: &Callable, errors: &mut Errors) -> TokenStream {
    let Callable { function, marker, context, rt, .. } = callable;
    let tokens = tokens::list(function.body.stream());
    let checked = super::accepts::check_waits(callable).map(|body| tokens::list(body.stream()));
    let body = checked.as_ref().unwrap_or(&tokens);
    let rewritten = rewrite::body(Kind::Orchestrator, function, Some(marker), body, rt, &callable.allowed, errors);
    let rewritten_function = function.with_body(&rewritten.body);
    let type_item = super::marker(function, marker);
    let above = super::above(function);
    let types = super::stated_types(callable);
    let (events, accepts) = super::accepts::accepts(callable);
    let context = quote_spanned!(context.span()=> type Context = #context;);
    let definition = definition(callable, &rewritten.calls);
    let methods = methods(callable, &DEFINED, &super::inputs(callable));
    let structure = structure(callable, &tokens);
    quote! {
        #rewritten_function
        #type_item
        #above
        impl #rt::DefinedOrchestrator for #marker {
            #context
            #types
            type Events = #events;
            const DEFINITION: #rt::OrchestratorDefinition<Self> = { #definition };
        }
        #accepts
        #above
        impl #marker { #methods #structure }
    }
}

/// Returns the type alone, for code that runs elsewhere.
pub(crate) fn declare(callable: &Callable) -> TokenStream {
    let Callable { function, marker, name, version, context, output, rt, .. } = callable;
    let type_item = super::marker(function, marker);
    let above = super::above(function);
    let inputs_type = super::inputs_type(callable);
    let (inputs, stored) = (super::inputs(callable), super::stored(callable));
    let types = super::outcome_types(rt, output);
    let rt_here = respan(rt.clone(), context.span());
    let status = quote_spanned!(context.span()=> type Status = <#context as #rt_here::ContextType>::Status;);
    let methods = methods(callable, &DECLARED, &quote!(#rt::encode(#inputs, #stored)));
    let cfgs = function.cfgs();
    quote! {
        #type_item
        #above
        impl #rt::Orchestrator for #marker {
            type Input = <#inputs_type as #rt::Inputs>::Value;
            #types
            #status
            const NAME: &'static #rt::core::primitive::str = #name;
            const VERSION: &'static #rt::core::primitive::str = #version;
        }
        #(#cfgs)*
        impl<__E: #rt::ExternalEvent> #rt::Accepts<__E> for #marker {}
        #above
        impl #marker { #methods }
    }
}

/// Returns the functions `start`, `call`, `start_detached` and `continue_as_new`.
type Through = [&'static str; 4];
const DEFINED: Through = ["start", "call_orchestrator", "start_detached", "continue_as_new"];
const DECLARED: Through =
    ["start_declared", "call_declared_orchestrator", "start_declared_detached", "continue_as_declared"];

fn methods(callable: &Callable, through: &Through, inputs: &TokenStream) -> TokenStream {
    let Callable { function, marker, rt, .. } = callable;
    let (vis, docs) = (&function.vis, function.docs().collect::<Vec<_>>());
    let parameters = super::parameters(callable);
    let [ctx, client] = ["ctx", "client"].map(|name| Ident::new(name, hidden()));
    let [start, call, start_detached, continue_as_new] = through.map(|name| Ident::new(name, hidden()));
    let [nothing, called, detached, anew] = [
        "",
        " Calls it as a sub-orchestration.",
        " Starts it from an orchestrator, which does not wait for it.",
        " Ends this execution and starts a new one with that input and an empty history.",
    ]
    .map(super::text);
    quote! {
        #(#docs)*
        #vis fn start(#client: &#rt::Client, #parameters) -> #rt::StartOrchestration<#marker> {
            #rt::#start(#client, #inputs)
        }
        #(#docs)*
        #[doc = #nothing]
        #[doc = #called]
        #[track_caller]
        #vis fn call(#ctx: &#rt::Context, #parameters) -> #rt::SubOrchestrationCall<#marker> {
            #rt::#call(#ctx, #inputs)
        }
        #[doc = #detached]
        #[track_caller]
        #vis fn start_detached(#ctx: &#rt::Context, #parameters) -> #rt::DetachedStart {
            #rt::#start_detached::<#marker>(#ctx, #inputs)
        }
        #[doc = #anew]
        #[track_caller]
        #vis fn continue_as_new(#ctx: &#rt::Context, #parameters) -> #rt::ContinueAsNew<#marker> {
            #rt::#continue_as_new(#ctx, #inputs)
        }
    }
}

/// Returns what the macro sees in the body, for readers and for tests.
fn structure(callable: &Callable, body: &[Token]) -> TokenStream {
    let Callable { function, name, version, rt, .. } = callable;
    let vis = &function.vis;
    let skeleton = crate::skeleton::skeleton(name, version, body);
    let [lines, chart] = [
        " The durable operations in its body, in order and nested, one for each line.",
        " The same as a Mermaid flowchart.",
    ]
    .map(super::text);
    quote! {
        #[doc = #lines]
        #vis const SKELETON: &'static #rt::core::primitive::str = #skeleton;
        #[doc = #chart]
        #vis fn diagram() -> #rt::String {
            #rt::diagram(Self::SKELETON)
        }
    }
}

fn definition(callable: &Callable, calls: &[String]) -> TokenStream {
    let Callable { function, marker, name, version, rt, .. } = callable;
    let ident = &function.sig.ident;
    let stored = super::stored(callable);
    let marker_name = crate::attr::plain_name(marker);
    let link = super::link(&quote!(#rt::link::<#marker, _>));
    let events = super::accepts::listed(callable);
    // If a value is not `Send`, the error points at the name of the function.
    let rt_here = respan(rt.clone(), ident.span());
    let body = quote_spanned!(ident.span()=> #rt_here::orchestration::<Self, _>(#ident));
    quote! {
        #link
        #rt::orchestrator(#name, #version, #marker_name, &[#(#calls),*], #stored, &#body) #events
    }
}
