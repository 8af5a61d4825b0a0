//! `events(..)`: which waits in a body are checked, and what the type says of events.

use quote::quote;

use crate::attr::Kind;
use crate::expand;

fn expansion(options: proc_macro2::TokenStream, body: proc_macro2::TokenStream) -> String {
    let item = quote!(async fn book(ctx: Cx) -> R { #body });
    expand::function(Kind::Orchestrator, options, item).to_string()
}

fn holds(expansion: &str, tokens: proc_macro2::TokenStream) -> bool {
    expansion.contains(&tokens.to_string())
}

#[test]
fn without_events_everything_is_accepted_and_no_wait_is_checked() {
    let expansion = expansion(quote!(), quote!(let x = A::wait(&ctx);));
    assert!(
        holds(
            &expansion,
            quote!(
                type Events = ::persevere::__rt::AnyEvent;
            )
        ),
        "{expansion}"
    );
    assert!(!expansion.contains("__accepted_by"), "{expansion}");
}

#[test]
fn with_events_each_is_accepted_and_every_wait_is_checked() {
    let body = quote!(
        #![allow(x)]
        let waiting = a::A::wait(&ctx);
        select! { _ = B::wait(&ctx).timeout(d) => {} }
        other.wait(1);
        wait(2)
    );
    let expansion = expansion(quote!(events(a::A, B)), body);
    for event in [quote!(a::A), quote!(B)] {
        let accepts = quote!(impl ::persevere::__rt::Accepts<#event> for book {});
        assert!(holds(&expansion, accepts), "{expansion}");
        assert!(holds(&expansion, quote!(::persevere::__rt::accepted_event::<#event>())), "{expansion}");
    }
    assert!(holds(&expansion, quote!(let waiting = a::A::wait(&ctx).__accepted_by::<book>();)), "{expansion}");
    assert!(holds(&expansion, quote!(B::wait(&ctx).__accepted_by::<book>().timeout(d))), "{expansion}");
    assert_eq!(expansion.matches("__accepted_by").count(), 2, "{expansion}");
    let import = quote!(
        #![allow(x)]
        #[allow(unused_imports)]
        use ::persevere::__rt::WaitCheck as _;
    );
    assert!(holds(&expansion, import), "{expansion}");
}

#[test]
fn with_an_empty_list_nothing_is_accepted() {
    let expansion = expansion(quote!(events()), quote!());
    assert!(
        holds(
            &expansion,
            quote!(
                type Events = ::persevere::__rt::ListedEvents;
            )
        ),
        "{expansion}"
    );
    assert!(!expansion.contains("Accepts"), "{expansion}");
}
