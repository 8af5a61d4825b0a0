//! `#[orchestrator_fn]`: generates an async helper whose future is durable, because its own awaits are checked.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ReturnType;

use crate::attr::{Kind, Options};
use crate::check;
use crate::errors::Errors;
use crate::input::Function;
use crate::rewrite::{self, respan};

pub(crate) fn expand(function: &Function, options: &Options, errors: &mut Errors) -> TokenStream {
    let mut form = Errors::new();
    check::orchestrator_fn(function, &mut form);
    let rt = options.rt();
    let tokens = crate::tokens::list(function.body.stream());
    let rewritten = rewrite::body(Kind::OrchestratorFn, function, None, &tokens, &rt, &options.allowed, errors);
    let body = rewritten.body;

    let mut function = function.clone();
    function.sig.asyncness = None;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    // `impl Trait` cannot be named twice, so the type of the block has to be inferred here.
    let declared = (!names_impl(&output)).then(|| output.clone());
    let Function { attrs, vis, sig, .. } = &function;
    let (ident, generics, inputs) = (&sig.ident, &sig.generics, &sig.inputs);
    let (constness, safety, abi) = (&sig.constness, &sig.safety, &sig.abi);
    let where_clause = &generics.where_clause;
    let span = ident.span();
    let here = respan(rt.clone(), span);
    let declared = declared.map(
        |output| quote_spanned!(span=> if let #here::Some(output) = #here::output_of::<#output>() { return output; }),
    );
    let (inner_attributes, body) = rewrite::split_inner_attributes(&body);
    let block = quote_spanned!(span=> #here::block(async move { #inner_attributes #declared #body }));
    errors.append(form);
    quote! {
        #(#attrs)*
        #vis #constness #safety #abi fn #ident #generics (#inputs)
            -> #rt::Block<impl #rt::core::future::Future<Output = #output> + #rt::core::marker::Send>
        #where_clause
        {
            #block
        }
    }
}

fn names_impl(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(word) => word == "impl",
        proc_macro2::TokenTree::Group(group) => names_impl(&group.stream()),
        _ => false,
    })
}
