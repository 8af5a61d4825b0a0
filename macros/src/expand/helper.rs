//! `#[orchestrator_fn]`: an async helper whose future is durable, because its own awaits are checked.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ReturnType;

use crate::attr::Options;
use crate::check;
use crate::errors::Errors;
use crate::input::Function;
use crate::rewrite;

pub(crate) fn expand(function: &Function, options: &Options, errors: &mut Errors) -> TokenStream {
    let mut form = Errors::new();
    check::orchestrator_fn(function, &mut form);
    let rt = options.rt();
    let rewritten = rewrite::body(&function.body, &rt, !options.allow_foreign_await, errors);
    let body = rewritten.body;

    let mut function = function.clone();
    function.sig.asyncness = None;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    // `impl Trait` cannot be named twice; then the block's own type has to be found without help.
    let named = if names_impl(&output) { quote!(_) } else { output.clone() };
    let Function { attrs, vis, sig, .. } = &function;
    let (ident, generics, inputs) = (&sig.ident, &sig.generics, &sig.inputs);
    let (constness, safety, abi) = (&sig.constness, &sig.safety, &sig.abi);
    let where_clause = &generics.where_clause;
    let form = form.into_tokens();
    quote! {
        #(#attrs)*
        #vis #constness #safety #abi fn #ident #generics (#inputs)
            -> #rt::Block<impl #rt::core::future::Future<Output = #output> + #rt::core::marker::Send>
        #where_clause
        {
            #rt::block_of::<#named, _>(async move #body)
        }
        #form
    }
}

fn names_impl(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(word) => word == "impl",
        proc_macro2::TokenTree::Group(group) => names_impl(&group.stream()),
        _ => false,
    })
}
