//! From valid input to code. Little is generated: what can be a generic helper of the library is one.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::attr::{Kind, Options};
use crate::check;
use crate::errors::Errors;
use crate::input::Function;
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
    let expanded = match syn::parse2::<Function>(item.clone()) {
        Err(_) => {
            let attribute = kind.attribute();
            errors.push(first_token(&item), format!("`{attribute}` goes on an async function"));
            item
        }
        Ok(function) if kind == Kind::OrchestratorFn => helper::expand(&function, &options, &mut errors),
        Ok(function) => callable(kind, function, &options, &mut errors),
    };
    let errors = errors.into_tokens();
    print_if_asked(kind, quote!(#expanded #errors))
}

fn callable(kind: Kind, function: Function, options: &Options, errors: &mut Errors) -> TokenStream {
    // Mistakes in the options alone leave a complete item.
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

fn first_token(item: &TokenStream) -> TokenStream {
    item.clone().into_iter().take(1).collect()
}

/// With `PERSEVERE_MACROS_DEBUG=1` the expansion is printed.
#[allow(clippy::print_stderr, reason = "asked for, by the environment of the build")]
pub(crate) fn print_if_asked(kind: Kind, expanded: TokenStream) -> TokenStream {
    if std::env::var_os("PERSEVERE_MACROS_DEBUG").is_some_and(|value| value == "1") {
        eprintln!("{} expands to:\n{expanded}\n", kind.attribute());
    }
    expanded
}

/// The type that carries what the compiler checks: it has the name of the function and cannot be constructed.
fn marker(function: &Function, marker: &Ident) -> TokenStream {
    let (vis, docs, cfgs) = (&function.vis, function.docs(), function.cfgs());
    // Where the name is taken already, the error points at it.
    let item = quote_spanned!(marker.span()=> enum #marker {});
    quote! {
        #(#cfgs)*
        #(#docs)*
        #[allow(non_camel_case_types, dead_code, missing_docs, missing_debug_implementations)]
        #vis #item
    }
}

/// Puts implementations where no name of theirs can be seen.
fn hidden(function: &Function, items: &TokenStream) -> TokenStream {
    let cfgs = function.cfgs();
    quote! {
        #(#cfgs)*
        #[allow(clippy::all, clippy::pedantic, dead_code, deprecated, missing_docs)]
        const _: () = { #items };
    }
}

/// The `Input` type: nothing, the type of the only parameter, or a tuple. What is wrong with it is wrong at the first.
fn input_type(callable: &Callable) -> TokenStream {
    match &callable.inputs[..] {
        [] => quote!(
            type Input = ();
        ),
        [only] => {
            let ty = &only.ty;
            quote_spanned!(ty.span()=> type Input = #ty;)
        }
        [first, ..] => {
            let types = callable.inputs.iter().map(|input| &input.ty);
            quote_spanned!(first.ty.span()=> type Input = (#(#types),*);)
        }
    }
}

/// What is returned, as associated types.
fn outcome_types(rt: &TokenStream, output: &Type) -> TokenStream {
    let rt = respan(rt.clone(), output.span());
    quote_spanned! {output.span()=>
        type Output = <#output as #rt::Outcome>::Ok;
        type Error = <#output as #rt::Outcome>::Err;
    }
}

/// The function that turns what is returned into what is recorded. What must be a `Result` fails at the return type.
fn recorded(rt: &TokenStream, output: &Type, helper: &TokenStream) -> TokenStream {
    let (rt, helper) = (respan(rt.clone(), output.span()), respan(helper.clone(), output.span()));
    quote_spanned! {output.span()=>
        |output| { #rt::#helper(<#output as #rt::Outcome>::__into_result(output)) }
    }
}

/// The parameters of `call` and `start`, in the user's own words.
fn parameters(callable: &Callable) -> TokenStream {
    let parameters = callable.inputs.iter().map(|input| {
        let (ident, ty) = (&input.ident, &input.ty);
        quote!(#ident: #ty)
    });
    quote!(#(#parameters),*)
}

/// The expression that encodes the parameters. The bound fails at the type, as the user wrote it.
fn encoded(callable: &Callable) -> TokenStream {
    let rt = &callable.rt;
    let encode = |input: &crate::model::Input| {
        let (ident, ty) = (&input.ident, &input.ty);
        let rt = respan(rt.clone(), ty.span());
        quote_spanned!(ty.span()=> #rt::codec::<#ty>().encode(#ident))
    };
    match &callable.inputs[..] {
        [] => quote!(#rt::encode_none()),
        [only] => encode(only),
        inputs => {
            let inputs = inputs.iter().map(encode);
            quote!(#rt::encode_many([#(#inputs),*]))
        }
    }
}

/// The expressions that read the parameters, in order, from a reader.
fn decoded<'a>(callable: &'a Callable, reader: &'a Ident) -> impl Iterator<Item = TokenStream> + 'a {
    callable.inputs.iter().map(move |input| {
        let (ty, name, rt) = (&input.ty, crate::attr::plain_name(&input.ident), &callable.rt);
        let rt = respan(rt.clone(), ty.span());
        quote_spanned!(ty.span()=> #reader.next(#rt::codec::<#ty>(), #name)?)
    })
}

/// Where the item stands: the attribute's own place.
fn location(rt: &TokenStream) -> TokenStream {
    quote!(#rt::SourceLocation::here())
}

/// `impl Registered`, and the entry that `auto_register` finds.
fn registration(rt: &TokenStream, marker: &Ident, entry: &TokenStream) -> TokenStream {
    quote! {
        impl #rt::Registered for #marker {
            const REGISTRATION: #rt::Registration = #entry;
        }
        #rt::inventory::submit! { <#marker as #rt::Registered>::REGISTRATION }
    }
}
