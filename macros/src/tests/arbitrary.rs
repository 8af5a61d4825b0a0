//! Whatever the tokens: no macro panics, and the rewriting only adds.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;

use crate::attr::Kind;
use crate::errors::Errors;
use crate::lints::Allowed;
use crate::tokens::list;
use crate::{combine, expand, rewrite, skeleton};

const WORDS: &[&str] = &[
    "async",
    "move",
    "await",
    "fn",
    "call",
    "select",
    "join",
    "try_join",
    "x",
    "name",
    "version",
    "crate",
    "allow",
    "self",
    "impl",
    "struct",
    "pub",
    "mut",
    "const",
    "unsafe",
    "else",
    "biased",
    "if",
    "T",
    "use",
    "as",
    "let",
    "_",
    "loop",
    "for",
    "in",
    "is_replaying",
    "HashMap",
    "std",
    "collect",
    "static",
    "elapsed",
];
const PUNCTS: &[char] = &['.', ':', '!', '<', '>', ';', ',', '=', '&', '|', '#', '-', '\'', '?'];

fn token() -> impl Strategy<Value = TokenTree> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(WORDS).prop_map(|word| Ident::new(word, Span::call_site()).into()),
        4 => (proptest::sample::select(PUNCTS), any::<bool>()).prop_map(|(char, joint)| {
            // A quote is the start of a lifetime, and stands joint always.
            let spacing = if joint || char == '\'' { Spacing::Joint } else { Spacing::Alone };
            Punct::new(char, spacing).into()
        }),
        1 => any::<u8>().prop_map(|number| Literal::u8_unsuffixed(number).into()),
        1 => "[a-z/@ ]{0,3}".prop_map(|text| Literal::string(&text).into()),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let delimiter = proptest::sample::select(
            [Delimiter::Brace, Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::None].as_slice(),
        );
        (delimiter, proptest::collection::vec(inner, 0..6))
            .prop_map(|(delimiter, tokens)| Group::new(delimiter, tokens.into_iter().collect()).into())
    })
}

fn tokens() -> impl Strategy<Value = TokenStream> {
    proptest::collection::vec(token(), 0..12).prop_map(|tokens| tokens.into_iter().collect())
}

/// A function whose parts are arbitrary, so that the later stages are reached.
fn function() -> impl Strategy<Value = TokenStream> {
    (tokens(), tokens(), tokens(), any::<[bool; 2]>()).prop_map(|(parameters, output, body, [is_async, returns])| {
        let keyword = is_async.then(|| quote::quote!(async));
        let output = returns.then(|| quote::quote!(-> #output));
        quote::quote!(#keyword fn f(#parameters) #output { #body })
    })
}

/// The tokens one by one, groups as their two ends.
fn flat(tokens: TokenStream, out: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                out.push(format!("open {:?}", group.delimiter()));
                flat(group.stream(), out);
                out.push("close".to_owned());
            }
            other => out.push(other.to_string()),
        }
    }
}

fn is_subsequence(part: &[String], whole: &[String]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|token| whole.any(|other| other == token))
}

proptest! {
    #[test]
    fn no_macro_panics(options in tokens(), item in prop_oneof![tokens(), function()]) {
        for kind in [Kind::Orchestrator, Kind::Activity, Kind::OrchestratorFn] {
            expand::function(kind, options.clone(), item.clone());
        }
        expand::event::external_event(options.clone(), item.clone());
        let library = Group::new(Delimiter::Parenthesis, quote::quote!(::p));
        for macro_ in [combine::join, combine::try_join, combine::select] {
            macro_(item.clone());
            macro_(quote::quote!(#library #item));
        }
    }

    #[test]
    fn every_body_has_a_skeleton(body in tokens()) {
        let text = skeleton::skeleton("o", "", &list(body));
        prop_assert!(text.starts_with("orchestrator \"o\"\n") && text.ends_with('\n'));
        // Each line is at most one level deeper than the one before.
        let depths: Vec<_> = text.lines().map(|line| line.len() - line.trim_start().len()).collect();
        prop_assert!(depths.windows(2).all(|pair| pair[1] <= pair[0] + 2), "{text}");
    }

    #[test]
    fn the_rewriting_keeps_every_token(body in tokens()) {
        let (mut errors, allowed) = (Errors::new(), Allowed::default());
        let function = crate::input::function(quote::quote!(async fn f(ctx: Cx) { #body })).expect("a function");
        let rt = quote::quote!(::p::__rt);
        let rewritten = rewrite::body(Kind::Orchestrator, &function, None, &list(function.body.stream()), &rt, &allowed, &mut errors);
        let _ = errors.into_messages();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        flat(body, &mut before);
        // What is half typed at an end has been reported already, and is left out.
        let ends = |at: usize| before.get(at + 1).is_none_or(|next| next == "close");
        let before: Vec<_> =
            before.iter().enumerate().filter(|(at, token)| *token != "." || !ends(*at)).map(|(_, token)| token.clone()).collect();
        flat(rewritten.body.stream(), &mut after);
        prop_assert!(is_subsequence(&before, &after), "{before:?} is not kept in {after:?}");
        prop_assert!(after.len() >= before.len());
    }
}
