//! `#[activities]`: what becomes of the block, what stands beside it, and what is refused.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::service::activities;

fn holds(expansion: &str, tokens: TokenStream) -> bool {
    // Generic arguments that end together are spaced by where they come from.
    let close = |text: &str| text.replace(' ', "");
    close(expansion).contains(&close(&tokens.to_string()))
}

/// The messages hold these words, one for one.
fn check(item: TokenStream, words: &[&str]) {
    let text = activities(quote!(), item).to_string();
    let messages: Vec<_> = text.split("compile_error").skip(1).collect();
    assert_eq!(messages.len(), words.len(), "{messages:#?}");
    for (message, words) in messages.iter().zip(words) {
        assert!(message.contains(words), "{message:?} says nothing of {words:?}");
    }
}

#[test]
fn the_impl_block_is_kept_and_each_activity_gets_a_type_next_to_it() {
    let item = quote! {
        #[cfg(unix)]
        impl a::Payments<Live> {
            const LIMIT: Foo<{ 1 }> = Foo {};
            /// Charges.
            #[persevere::activity(name = "Charge")]
            #[inline]
            pub(crate) async fn charge(&self, cx: &Cx, order: Vec<Self>) -> Result<Self, E> { self.work() }
            fn new() -> Self { Self }
        }
    };
    let expansion = activities(quote!(crate = durable), item).to_string();
    let block = quote! {
        #[cfg(unix)]
        impl a::Payments<Live> {
            const LIMIT: Foo<{ 1 }> = Foo {};
            #[doc = r" Charges."]
            #[inline]
            pub(crate) async fn charge(&self, cx: &Cx, order: Vec<Self>) -> Result<Self, E> { self.work() }
            fn new() -> Self { Self }
        }
    };
    assert!(expansion.starts_with(&block.to_string()), "{expansion}");
    assert!(
        holds(
            &expansion,
            quote!(
                pub(crate) enum charge {}
            )
        ),
        "{expansion}"
    );
    assert!(
        holds(
            &expansion,
            quote!(
                type Inputs = (Vec<a::Payments<Live>>,);
            )
        ),
        "{expansion}"
    );
    let body = quote!(of_service_in_context::<Self, a::Payments<Live>, Cx, _>(<a::Payments<Live>>::charge));
    assert!(holds(&expansion, body), "{expansion}");
    assert!(holds(&expansion, quote!(.of::<a::Payments<Live>>())), "{expansion}");
    assert!(holds(&expansion, quote!(#[doc = r" Charges."] #[track_caller] pub(crate) fn call)), "{expansion}");
    assert_eq!(expansion.matches("cfg (unix)").count(), 4, "{expansion}");
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn only_a_block_of_a_type_itself_has_activities() {
    check(
        quote!(
            struct Payments;
        ),
        &["goes on an `impl` block"],
    );
    check(quote!(impl Pay for Payments { #[activity] async fn a(&self) -> R {} }), &["not of a trait"]);
    check(
        quote!(
            impl<T> Payments<T> {
                #[activity]
                async fn a(&self) -> R {}
            }
        ),
        &["without generics"],
    );
    check(quote!(impl Payments { fn a() {} #[inline] fn b(self); }), &[]);
}

#[test]
fn every_method_is_checked_as_a_function_is() {
    check(
        quote!(
            impl Payments {
                #[activity] async fn a() -> R {}
                #[activity] async fn b(&mut self) -> R {}
                #[activity] async fn c(self: Arc<Self>, x: u8, y: &str) -> R {}
                #[activity(nam = "x")] fn d(&self) -> R {}
                #[activity] async fn e(&self, x: u8);
            }
        ),
        &[
            "write `&self` first",
            "lock",
            "shared by all",
            "own their data",
            "no option `nam`",
            "`async fn`",
            "async method",
        ],
    );
}
