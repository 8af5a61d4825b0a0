//! Which mistakes are found: every one, each with a text that says what to write.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::{Kind, Options};
use crate::check;
use crate::errors::Errors;

fn messages(kind: Kind, options: TokenStream, item: TokenStream) -> Vec<String> {
    let mut errors = Errors::new();
    let options = Options::parse(kind, options, &mut errors);
    let function = crate::input::function(item).expect("a function");
    let _ = check::callable(kind, function, &options, &mut errors);
    errors.into_messages()
}

/// The messages hold these words, one for one.
fn check(kind: Kind, options: TokenStream, item: TokenStream, words: &[&str]) {
    let messages = messages(kind, options, item);
    assert_eq!(messages.len(), words.len(), "{messages:#?}");
    for (message, words) in messages.iter().zip(words) {
        assert!(message.contains(words), "{message:?} says nothing of {words:?}");
    }
}

fn activity(item: TokenStream, words: &[&str]) {
    check(Kind::Activity, quote!(), item, words);
}

fn orchestrator(item: TokenStream, words: &[&str]) {
    check(Kind::Orchestrator, quote!(), item, words);
}

fn option(kind: Kind, options: TokenStream, words: &[&str]) {
    let item = if kind == Kind::Orchestrator {
        quote!(
            async fn f(c: C) -> R {}
        )
    } else {
        quote!(
            async fn f() -> R {}
        )
    };
    check(kind, options, item, words);
}

#[test]
fn valid_forms_have_no_mistakes() {
    activity(
        quote!(
            async fn f() -> R {}
        ),
        &[],
    );
    activity(
        quote!(
            pub(crate) async fn f(_: &Cx, mut a: Vec<A>, r#type: [u8; 3], f: fn(u8) -> u8) -> R {}
        ),
        &[],
    );
    activity(
        quote!(
            async fn f(a: A<'static>) -> R {}
        ),
        &[],
    );
    orchestrator(
        quote!(
            async fn f(mut ctx: Cx, a: (A, B)) -> a::b::R<C> {}
        ),
        &[],
    );
    orchestrator(
        quote!(
            async fn f(_: Cx) -> R {}
        ),
        &[],
    );
}

#[test]
fn every_mistake_is_found() {
    activity(
        quote!(
            const unsafe fn f<T>(a: u8, b: &str, (c, d): (u8, u8), e: impl X) {}
        ),
        &[
            "write `async fn`",
            "remove `const`",
            "remove `unsafe`",
            "without generics",
            "write `String`",
            "plain parameter",
            "`impl Trait`",
            "-> Result<(), ActivityError>",
        ]
        .as_slice(),
    );
}

#[test]
fn owned_forms_are_suggested() {
    for (ty, owned) in [
        (quote!(&str), "write `String`"),
        (quote!(&[u8]), "write `Vec<u8>`"),
        (quote!(&'static a::B<C>), "write `a::B<C>`"),
        (quote!(Option<&str>), "use a type without references"),
        (quote!(Cow<'a, str>), "use a type without lifetimes"),
        (quote!(Cow<'_, str>), "use a type without lifetimes"),
    ] {
        activity(quote!(async fn f(a: u8, b: #ty) -> R {}), &[owned]);
        orchestrator(quote!(async fn f(ctx: Cx, b: #ty) -> R {}), &[owned]);
    }
}

#[test]
fn contexts_have_their_form() {
    activity(
        quote!(
            async fn f(a: &mut Cx) -> R {}
        ),
        &["write `&ActivityContext`"],
    );
    activity(
        quote!(
            async fn f(a: &'a Cx) -> R {}
        ),
        &["needs no lifetime"],
    );
    orchestrator(
        quote!(
            async fn f() -> R {}
        ),
        &["takes its context first"],
    );
    orchestrator(
        quote!(
            async fn f(ctx: &Cx) -> R {}
        ),
        &["without the `&`"],
    );
    orchestrator(
        quote!(
            async fn f(Cx(a): Cx) -> R {}
        ),
        &["plain parameter"],
    );
    orchestrator(
        quote!(
            async fn f(&self, ctx: Cx) -> R {}
        ),
        &["not on a method"],
    );
    orchestrator(
        quote!(
            async fn f(self) -> R {}
        ),
        &["not on a method"],
    );
}

#[test]
fn outputs_have_their_form() {
    activity(
        quote!(
            async fn f() {}
        ),
        &["ActivityError"],
    );
    orchestrator(
        quote!(
            async fn f(c: Cx) {}
        ),
        &["OrchestrationError"],
    );
    activity(
        quote!(
            async fn f() -> Result<impl X, E> {}
        ),
        &["`impl Trait`"],
    );
    activity(
        quote!(
            async fn f() -> Result<&'static str, E> {}
        ),
        &["return no reference"],
    );
}

#[test]
fn there_is_a_limit_to_inputs() {
    let inputs = |n: usize| (0..n).map(|i| quote::format_ident!("a{i}")).map(|a| quote!(#a: u8));
    let (at, over) = (inputs(16), inputs(17));
    activity(quote!(async fn f(cx: &Cx, #(#at),*) -> R {}), &[]);
    activity(quote!(async fn f(cx: &Cx, #(#over),*) -> R {}), &["17 inputs"]);
}

#[test]
fn options_are_known_once_and_well_formed() {
    option(
        Kind::Orchestrator,
        quote!(name = "a b", version = "2", marker = M, crate = a::b, allow(foreign_await),),
        &[],
    );
    option(Kind::Activity, quote!(version = "2"), &["no option `version`"]);
    option(Kind::Activity, quote!(name = "a", nme = 1, name = "b"), &["no option `nme`", "given twice"]);
    option(Kind::Activity, quote!(name, marker, crate), &["name = \"", "marker = ", "crate = "]);
    option(Kind::Activity, quote!(name =, marker = "M", crate = 1), &["name = \"", "marker = ", "crate = "]);
    option(Kind::Activity, quote!("a" 1, = 2), &["expected an option", "expected an option"]);
    option(Kind::Orchestrator, quote!(events(A, b::C<D>, a::A), version = "1"), &[]);
    option(Kind::Orchestrator, quote!(events()), &[]);
    option(Kind::Orchestrator, quote!(events, version = ""), &["write `events(", "empty"]);
    option(Kind::Orchestrator, quote!(events("A", B)), &["write `events("]);
    option(Kind::Orchestrator, quote!(events(A, b::C, A, b::C)), &["`A` is given twice", "`b::C` is given twice"]);
    option(Kind::Activity, quote!(events(A)), &["no option `events`"]);
    option(Kind::Orchestrator, quote!(allow), &["write `allow(wall_clock)`"]);
    option(Kind::Orchestrator, quote!(allow()), &["write `allow(wall_clock)`"]);
    option(Kind::Orchestrator, quote!(allow(a, foreign_await, b)), &["`a`", "`b`"]);
}

#[test]
fn names_have_limits() {
    let (longest, too_long) = ("é".repeat(256), "é".repeat(257));
    option(Kind::Activity, quote!(name = #longest), &[]);
    option(Kind::Activity, quote!(name = #too_long), &["has 257"]);
    option(Kind::Orchestrator, quote!(version = #too_long), &["has 257"]);
    for (name, words) in [
        ("", "empty"),
        (" \t", "empty"),
        ("@a", "`@`"),
        ("a ", "white space"),
        ("a/b", "'/'"),
        ("a\\b", "'\\\\'"),
        ("a#b", "'#'"),
        ("a?b", "'?'"),
        ("a\nb", "'\\n'"),
    ] {
        option(Kind::Activity, quote!(name = #name), &[words]);
    }
    for (version, words) in [("", "empty"), (" 1", "white space"), ("1\u{7f}", "control")] {
        option(Kind::Orchestrator, quote!(version = #version), &[words]);
    }
}

#[test]
#[should_panic(expected = "never reported")]
fn mistakes_that_are_never_read_are_detected() {
    let mut errors = Errors::new();
    errors.push_at(proc_macro2::Span::call_site(), "lost");
}

#[test]
fn a_retry_policy_in_the_attribute_says_what_is_wrong_with_it() {
    let refused = |options: TokenStream, words: &str| option(Kind::Activity, options, &[words]);
    option(
        Kind::Activity,
        quote!(retry(attempts = 5, first = "250ms", coefficient = 2, max = "1m", total = "1d", jitter = 0.5)),
        &[],
    );
    refused(quote!(retry), "write `retry(attempts = 5, first = \"1s\", coefficient = 2.0)`");
    refused(quote!(retry()), "needs the number of attempts");
    refused(quote!(retry(first = "1s")), "needs the number of attempts");
    refused(quote!(retry(times = 5)), "`retry(..)` has no `times`: it knows `attempts`, `first`");
    refused(quote!(retry(attempts = 5, attempts = 6)), "`attempts` is given twice");
    refused(quote!(retry(attempts)), "write `attempts = 5`");
    refused(quote!(retry(attempts = "5")), "write `attempts = 5`");
    refused(quote!(retry(attempts = 0)), "at least 1");
    refused(quote!(retry(attempts = 5, coefficient = 0.5)), "a coefficient is at least 1");
    refused(quote!(retry(attempts = 5, jitter = 2)), "a jitter lies between 0 and 1");
    for duration in ["1", "s", "1 s", "1.5s", "-1s", "1w", "99999999999999999999s", "999999999999999d"] {
        refused(quote!(retry(attempts = 5, first = #duration)), "a whole number and a unit");
    }
    refused(quote!(retry(attempts = 5, first = 1)), "write `first = \"1s\"`");
    option(Kind::Orchestrator, quote!(retry(attempts = 5)), &["has no option `retry`"]);
    option(Kind::Activity, quote!(concurrency = 4), &[]);
    for wrong in [quote!(concurrency), quote!(concurrency = 0), quote!(concurrency = "4"), quote!(concurrency = -1)] {
        refused(wrong, "write `concurrency = 4`");
    }
}
