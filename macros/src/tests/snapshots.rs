//! Whole expansions, laid out line by line, compared with the files in `snapshots/`. `UPDATE_SNAPSHOTS=1` writes them.

use std::fmt::Write as _;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::quote;

use crate::attr::Kind;
use crate::expand;

/// One statement or item a line, indented by braces: enough to read a difference.
fn layout(tokens: TokenStream) -> String {
    let mut out = String::new();
    write_block(tokens, 0, &mut out);
    out
}

fn write_block(tokens: TokenStream, depth: usize, out: &mut String) {
    let mut line = TokenStream::new();
    let end = |line: &mut TokenStream, after: &str, out: &mut String| {
        let text = format!("{}{after}", std::mem::take(line));
        if !text.trim().is_empty() {
            let _ = writeln!(out, "{}{}", "    ".repeat(depth), text.trim());
        }
    };
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !group.stream().is_empty() => {
                end(&mut line, " {", out);
                write_block(group.stream(), depth + 1, out);
                let _ = writeln!(out, "{}}}", "    ".repeat(depth));
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => end(&mut line, " {}", out),
            TokenTree::Punct(punct) if punct.as_char() == ';' => end(&mut line, ";", out),
            other => line.extend([other]),
        }
    }
    end(&mut line, "", out);
}

fn check(name: &str, expansion: TokenStream) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/snapshots").join(format!("{name}.txt"));
    let text = layout(expansion);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).expect("the snapshot can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().zip(expected.lines()).find(|(new, old)| new != old);
    assert!(
        lines.is_none() && text.len() == expected.len(),
        "the expansion differs from {name}.txt, first in these lines (UPDATE_SNAPSHOTS=1 writes the new one): {lines:#?}"
    );
}

#[test]
fn activity() {
    let item = quote! {
        /// Greets.
        #[cfg(unix)]
        pub async fn say_hello(cx: &ActivityContext, city: String, r#type: Option<u8>) -> Result<String, ActivityError> {
            work(cx).await
        }
    };
    check("activity", expand::function(Kind::Activity, quote!(name = "E1_SayHello"), item));
}

#[test]
fn orchestrator() {
    let item = quote! {
        #[doc = " Greets all."]
        async fn hello(ctx: OrchestrationContext<Progress>, cities: Vec<String>) -> Result<(), OrchestrationError> {
            #![allow(x)]
            say_hello::call(&ctx, cities).await?;
            async { select! { _ = timer => other.await } };
        }
    };
    check(
        "orchestrator",
        expand::function(Kind::Orchestrator, quote!(version = "2", marker = Hello, crate = durable), item),
    );
}

#[test]
fn orchestrator_fn() {
    let item = quote! {
        /// Helps.
        pub(crate) async fn helper<'a, T: X>(&mut self, ctx: &Context, (a, b): (T, &'a str)) -> Result<&'a str, E> where T: Y {
            x.await
        }
    };
    check("orchestrator_fn", expand::function(Kind::OrchestratorFn, quote!(), item));
}

#[test]
fn external_event() {
    let item = quote! {
        #[derive(Debug)]
        pub struct BookingConfirmed(pub bool);
    };
    check("external_event", expand::event::external_event(quote!(), item));
}

#[test]
fn fallback() {
    let item = quote! {
        fn run(ctx: OrchestrationContext, (a, b): (u8, u8), c: String) -> Result<(), E> {
            x.await
        }
    };
    check("fallback", expand::function(Kind::Orchestrator, quote!(), item));
}

#[test]
fn fallback_of_a_method_has_no_type() {
    let item = quote!(
        async fn sell(&self) -> Result<(), E> {}
    );
    check("fallback_method", expand::function(Kind::Activity, quote!(), item));
}

#[test]
fn select() {
    let branches = quote!((::p) Some(x) | x = first => x?, _ = second => { done(); 1 } _ = third => 2);
    check("select", crate::combine::select(branches));
}

#[test]
fn try_join() {
    check("try_join", crate::combine::try_join(quote!((::p) first, second,)));
}
