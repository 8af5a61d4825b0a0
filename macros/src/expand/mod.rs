//! Generates code from valid input. Little code is generated: whatever can be a generic helper of the library is one.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::attr::{Kind, Options};
use crate::check;
use crate::errors::Errors;
use crate::input::{self, Function};
use crate::model::Callable;
use crate::rewrite::respan;

mod activity;
mod accepts;
pub(crate) mod declare;
pub(crate) mod event;
mod fallback;
mod helper;
mod orchestrator;
pub(crate) mod service;

/// Expands the attribute of a function.
pub(crate) fn function(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let options = Options::parse(kind, options, &mut errors);
    let expanded = match input::function(item.clone()) {
        Err(_) => {
            let attribute = kind.attribute();
            let message = if is_declaration(&item) {
                format!(
                    "`{attribute}` goes on a function with a body, and a method of a trait has none: write a function with `{attribute}` that calls the method"
                )
            } else {
                format!("`{attribute}` goes on an async function")
            };
            errors.push(first_token(&item), message);
            item
        }
        Ok(function) if kind == Kind::OrchestratorFn => helper::expand(&function, &options, &mut errors),
        Ok(function) => callable(kind, function, &options, &mut errors),
    };
    let errors = errors.into_tokens();
    print_if_asked(kind, quote!(#expanded #errors))
}

fn callable(kind: Kind, function: Function, options: &Options, errors: &mut Errors) -> TokenStream {
    // If only the options have mistakes, the item is complete.
    let mut form = Errors::new();
    let checked = check::callable(kind, function, options, &mut form);
    let expanded = match checked {
        Ok(callable) if kind == Kind::Activity => activity::expand(&callable),
        Ok(callable) => orchestrator::expand(&callable, errors),
        Err(sketch) => fallback::expand(&sketch, errors),
    };
    errors.append(form);
    expanded
}

/// Whether the function ends in a semicolon, as in a trait.
fn is_declaration(item: &TokenStream) -> bool {
    syn::parse::Parser::parse2(input::declaration, item.clone()).is_ok()
}

fn first_token(item: &TokenStream) -> TokenStream {
    item.clone().into_iter().take(1).collect()
}

/// Prints the expansion if `PERSEVERE_MACROS_DEBUG=1` is set.
#[allow(clippy::print_stderr, reason = "asked for, by the environment of the build")]
pub(crate) fn print_if_asked(kind: Kind, expanded: TokenStream) -> TokenStream {
    if std::env::var_os("PERSEVERE_MACROS_DEBUG").is_some_and(|value| value == "1") {
        eprintln!("{} expands to:\n{expanded}\n", kind.attribute());
    }
    expanded
}

/// Returns the type that carries what the compiler checks. It has the name of the function and cannot be constructed.
fn marker(function: &Function, marker: &Ident) -> TokenStream {
    let (vis, docs, cfgs) = (&function.vis, function.docs(), function.cfgs());
    // If the name is already taken, the error points at this name.
    let item = quote_spanned!(marker.span()=> enum #marker {});
    quote! {
        #(#cfgs)*
        #(#docs)*
        #[allow(non_camel_case_types, dead_code, missing_docs, missing_debug_implementations)]
        #vis #item
    }
}

/// Returns the attributes above each implementation. Its types and names are the user's own, and lints have already
/// reported them for the function.
fn above(function: &Function) -> TokenStream {
    let cfgs = function.cfgs();
    quote!(#(#cfgs)* #[allow(deprecated, dead_code, missing_docs, clippy::all, clippy::pedantic)])
}

/// Returns the inputs as a tuple of types.
fn inputs_type(callable: &Callable) -> TokenStream {
    let types = callable.inputs.iter().map(|input| &input.ty);
    quote!((#(#types,)*))
}

/// Returns the types that an implementation names. An error in the inputs is reported at the first one.
fn stated_types(callable: &Callable) -> TokenStream {
    let (inputs, output) = (inputs_type(callable), &callable.output);
    let inputs = match callable.inputs.first() {
        Some(first) => quote_spanned!(first.ty.span()=> type Inputs = #inputs;),
        None => quote!(
            type Inputs = #inputs;
        ),
    };
    let output = quote_spanned!(output.span()=> type Return = #output;);
    quote!(#inputs #output)
}

/// Returns the parameters of `call` and `start`, as the user wrote them.
fn parameters(callable: &Callable) -> TokenStream {
    let parameters = callable.inputs.iter().map(|input| {
        let (ident, ty) = (&input.ident, &input.ty);
        quote!(#ident: #ty)
    });
    quote!(#(#parameters),*)
}

/// Returns the inputs as a tuple of values.
fn inputs(callable: &Callable) -> TokenStream {
    let names = callable.inputs.iter().map(|input| &input.ident);
    quote!((#(#names,)*))
}

/// Returns the description of how the inputs are stored, as a tuple. For an input that cannot be stored, the error
/// covers the whole parameter.
fn stored(callable: &Callable) -> TokenStream {
    let parameters = callable.inputs.iter().map(|input| {
        let (ty, name) = (&input.ty, crate::attr::plain_name(&input.ident));
        let rt = respan(callable.rt.clone(), input.ident.span());
        let of = quote_spanned!(input.ident.span()=> #rt::PhantomData::<);
        let last = ty.to_token_stream().into_iter().last().map_or(input.ident.span(), |last| last.span());
        let end = quote_spanned!(last=> >);
        quote!(#rt::parameter(#name, #of #ty #end))
    });
    quote!((#(#parameters,)*))
}

/// Returns the return type as associated types.
fn outcome_types(rt: &TokenStream, output: &Type) -> TokenStream {
    let rt = respan(rt.clone(), output.span());
    quote_spanned! {output.span()=>
        type Output = <#output as #rt::Outcome>::Ok;
        type Error = <#output as #rt::Outcome>::Err;
    }
}

/// Makes the loader add the item to what `auto_register` finds.
fn link(function: &TokenStream) -> TokenStream {
    let [windows, apple, others] = [".CRT$XCU", "__DATA,__mod_init_func,mod_init_funcs", ".init_array"].map(text);
    let (vendor, c) = (text("apple"), text("C"));
    quote! {
        #[used]
        #[cfg_attr(windows, unsafe(link_section = #windows))]
        #[cfg_attr(target_vendor = #vendor, unsafe(link_section = #apple))]
        #[cfg_attr(not(any(windows, target_vendor = #vendor)), unsafe(link_section = #others))]
        static __LINK: extern #c fn() = #function;
    }
}

/// A string. Inside `quote!` it would be parsed again each time.
fn text(text: &str) -> Literal {
    Literal::string(text)
}
