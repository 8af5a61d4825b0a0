//! `join!`, `try_join!` and `select!`: lists of branches for the combinators of the library, pinned in the stack frame
//! of the caller. Each macro takes the path of the library first, in parentheses, so that the dependency can be
//! renamed.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Pat, Token};

/// Expands `join!(first, second)` to a tuple of the outputs.
pub(crate) fn join(tokens: TokenStream) -> TokenStream {
    joined(tokens, "join", |rt, list, nested, flat| {
        quote! {{
            let #nested = #rt::join(#list).await;
            #flat
        }}
    })
}

/// Expands `try_join!(first, second)` to a `Result` of a tuple of the values.
pub(crate) fn try_join(tokens: TokenStream) -> TokenStream {
    joined(tokens, "try_join", |rt, list, nested, flat| {
        quote! {{
            let __joined = #rt::try_join(#list).await;
            match __joined {
                #rt::Ok(#nested) => #rt::Ok(#flat),
                #rt::Err(__error) => #rt::Err(__error),
            }
        }}
    })
}

type Emit = fn(&TokenStream, TokenStream, TokenStream, TokenStream) -> TokenStream;

fn joined(tokens: TokenStream, name: &str, emit: Emit) -> TokenStream {
    let parser = |input: ParseStream<'_>| {
        let library = library(input)?;
        let rt = quote!(#library::__rt);
        if input.is_empty() {
            return Err(input.error(format!("write `{name}!(first, second)`")));
        }
        Ok((rt, Punctuated::<Expr, Token![,]>::parse_terminated(input)?))
    };
    let (rt, branches) = match parser.parse2(tokens) {
        Ok(parsed) => parsed,
        Err(error) => return error.to_compile_error(),
    };
    let outputs: Vec<Ident> =
        (0..branches.len()).map(|place| format_ident!("__output{place}", span = Span::mixed_site())).collect();
    let mut list = quote!(#rt::join_end());
    let mut nested = quote!(());
    for (branch, output) in branches.iter().zip(&outputs).rev() {
        let future = pinned(&rt, branch);
        list = quote!(#rt::join_branch(#future, #list));
        nested = quote!((#output, #nested));
    }
    emit(&rt, list, nested, quote!((#(#outputs,)*)))
}

/// Expands `select! { pattern = future => expression, .. }`.
pub(crate) fn select(tokens: TokenStream) -> TokenStream {
    let parser = |input: ParseStream<'_>| {
        let library = library(input)?;
        let rt = quote!(#library::__rt);
        let mut branches = Vec::new();
        while !input.is_empty() {
            branches.push(input.parse::<Branch>()?);
        }
        if branches.is_empty() {
            return Err(input.error("write `select! { pattern = future => expression, .. }`"));
        }
        Ok((rt, branches))
    };
    let (rt, branches) = match parser.parse2(tokens) {
        Ok(parsed) => parsed,
        Err(error) => return error.to_compile_error(),
    };
    let mut list = quote!(#rt::select_end());
    for branch in branches.iter().rev() {
        let future = pinned(&rt, &branch.future);
        list = quote!(#rt::select_branch(#future, #list));
    }
    let mut arms = quote!(__never => match __never {},);
    for Branch { pattern, expression, .. } in branches.iter().rev() {
        let pattern = if matches!(pattern, Pat::Or(_)) { quote!((#pattern)) } else { quote!(#pattern) };
        // The statements are taken out of the block, because the compiler would warn the user about braces inside
        // braces.
        let expression = match expression {
            Expr::Block(block) if block.attrs.is_empty() && block.label.is_none() => {
                let statements = &block.block.stmts;
                quote!(#(#statements)*)
            }
            expression => quote!(#expression),
        };
        // The pattern stands in a `let`, so the compiler refuses a refutable pattern at its own place.
        arms = quote! {
            #rt::Either::This(__output) => {
                let #pattern = __output;
                #expression
            }
            #rt::Either::After(__after) => match __after { #arms },
        };
    }
    quote! {
        // The futures are dropped before the expression is evaluated.
        match { let __first = #rt::select(#list).await; __first } { #arms }
    }
}

/// One branch of a `select!`.
struct Branch {
    pattern: Pat,
    future: Expr,
    expression: Expr,
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        for (word, instead) in [
            ("biased", "branches are always polled in source order: remove `biased;`"),
            ("else", "no branch is ever disabled: there is no `else`"),
            ("complete", "no branch is ever disabled: there is no `complete`"),
            ("default", "an orchestrator never continues without a recorded result: there is no `default`"),
        ] {
            let fork = input.fork();
            let named = fork.call(<Ident as syn::ext::IdentExt>::parse_any).is_ok_and(|found| found == word);
            if named && (fork.peek(Token![;]) || fork.peek(Token![=>])) {
                return Err(input.error(instead));
            }
        }
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if is_refutable(&pattern) {
            return Err(syn::Error::new_spanned(
                pattern,
                "a branch of `select!` accepts every value of its future: write `result = future => match result { .. }`",
            ));
        }
        input.parse::<Token![=]>()?;
        let future = input.parse()?;
        if input.peek(Token![,]) && input.peek2(Token![if]) || input.peek(Token![if]) {
            return Err(
                input.error("a branch cannot have a condition: decide before the `select!` which futures it gets")
            );
        }
        input.parse::<Token![=>]>()?;
        let expression = Expr::parse_with_earlier_boundary_rule(input)?;
        if !input.is_empty() && (!matches!(expression, Expr::Block(_)) || input.peek(Token![,])) {
            input.parse::<Token![,]>()?;
        }
        Ok(Self { pattern, future, expression })
    }
}

/// Whether a pattern certainly matches only a part of its type: `Ok(..)`, `None`, a literal. For other patterns, the
/// compiler decides.
fn is_refutable(pattern: &Pat) -> bool {
    let one_of = |path: &syn::Path| {
        let name = path.get_ident().map(ToString::to_string);
        name.is_some_and(|name| ["Ok", "Err", "Some", "None"].contains(&name.as_str()))
    };
    match pattern {
        Pat::TupleStruct(pattern) => one_of(&pattern.path),
        Pat::Ident(pattern) => pattern.ident == "None" && pattern.subpat.is_none(),
        Pat::Path(pattern) => one_of(&pattern.path),
        Pat::Lit(_) | Pat::Range(_) => true,
        _ => false,
    }
}

/// Returns the path of the library, from the first group.
pub(crate) fn library(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let group: Group = input.parse()?;
    Ok(group.stream())
}

/// Pins a future, after a check at the user's place that the future is durable.
fn pinned(rt: &TokenStream, future: &Expr) -> TokenStream {
    let checked = quote_spanned!(future.span()=> #rt::durable(#future));
    quote!(#rt::pin!(#rt::Some(#checked)))
}
