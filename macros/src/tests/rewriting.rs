//! What the rewriting of a body changes, and what it leaves alone.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::Kind;
use crate::errors::Errors;
use crate::input::Function;
use crate::lints::Allowed;
use crate::rewrite;
use crate::tokens::list;

/// Rewrites the inside of a body, without the import, and gives the messages.
fn rewritten(body: TokenStream, check_awaits: bool) -> (String, Vec<String>, Vec<String>) {
    let mut allowed = Allowed::default();
    assert!(check_awaits || allowed.insert("foreign_await"));
    let mut errors = Errors::new();
    let function = function(quote!({ #body }));
    let rewritten = rewrite::body(
        Kind::Orchestrator,
        &function,
        Some(&quote::format_ident!("me")),
        &list(function.body.stream()),
        &quote!(::p::__rt),
        &allowed,
        &mut errors,
    );
    let import = quote!(
        #[allow(unused_imports)]
        use ::p::__rt::AwaitCheck as _;
    )
    .to_string();
    let text = rewritten.body.stream().to_string();
    let text = text.replacen(&import, "", 1).trim().to_owned();
    (text, rewritten.calls, errors.into_messages())
}

fn function(body: TokenStream) -> Function {
    crate::input::function(quote!(async fn f(ctx: Cx) #body)).expect("a function")
}

fn check(body: TokenStream, expected: TokenStream) {
    let (text, _, messages) = rewritten(body, true);
    assert_eq!(text, expected.to_string());
    assert_eq!(messages, Vec::<String>::new());
}

fn check_same(body: TokenStream) {
    check(body.clone(), body);
}

#[test]
fn every_await_is_checked_wherever_it_stands() {
    check(quote!(x.await), quote!(x.__durable().await));
    check(quote!(x.await?.y.await), quote!(x.__durable().await?.y.__durable().await));
    check(quote!(assert!("{}", x.await)), quote!(assert!("{}", x.__durable().await)));
    check(quote!(vec![(|| { [x.await] })]), quote!(vec![(|| { [x.__durable().await] })]));
    check(
        quote!(match x.await {
            1 if y.await => z.await,
        }),
        quote!(match x.__durable().await {
            1 if y.__durable().await => z.__durable().await,
        }),
    );
    check(quote!((&mut x).await), quote!((&mut x).__durable().await));
}

#[test]
fn a_body_that_does_not_parse_is_also_rewritten() {
    check(quote!(let x = = y.await; foo(;) z. w), quote!(let x = = y.__durable().await; foo(;) z. w));
    // Of a range without an end the dots stay.
    check_same(quote!(let x = list[1..]; 1..));
}

#[test]
fn blocks_become_durable() {
    check(quote!(async { 1 }), quote!(::p::__rt::block(async { 1 })));
    check(
        quote!(async move { x.await }.await),
        quote!(::p::__rt::block(async move { x.__durable().await }).__durable().await),
    );
    check(quote!(async { async {} }), quote!(::p::__rt::block(async { ::p::__rt::block(async {}) })));
    check(quote!(|x| async move { x }), quote!(|x| ::p::__rt::block(async move { x })));
}

#[test]
fn nested_functions_are_left_alone() {
    check_same(quote!(
        async fn inner() -> u32 {
            async { x.await }.await
        }
    ));
    check_same(quote!(
        fn inner<const N: usize>() -> Foo<{ N + 1 }>
        where
            [u8; { N }]: Sized,
        {
            x.await
        }
    ));
    check_same(quote!(impl Foo { async fn a(&self) -> u32 { self.0.await } }));
    check_same(quote!(
        trait Foo {
            fn a();
            fn b() {
                x.await
            }
        }
    ));
    check(quote!(let f: fn(u32) -> u32 = g; x.await), quote!(let f: fn(u32) -> u32 = g; x.__durable().await));
    check(
        quote!(
            fn inner() {
                x.await
            },
            y.await
        ),
        quote!(
            fn inner() {
                x.await
            },
            y.__durable().await
        ),
    );
    check(
        quote!(
            #[cfg(test)]
            fn r#fn() {},
            y.await
        ),
        quote!(
            #[cfg(test)]
            fn r#fn() {},
            y.__durable().await
        ),
    );
}

#[test]
fn combinators_without_a_path_become_those_of_the_library() {
    check(quote!(select! { x = y => z }), quote!(::p::__rt::select! { x = y => z }));
    check(quote!(join!(a.await, try_join!(b))), quote!(::p::__rt::join!(a.__durable().await, ::p::__rt::try_join!(b))));
    check_same(quote!(p::select! { x = y => z }));
    check_same(quote!(::p::select! { x = y => z }));
    check_same(quote!(let select = join; select(join) != try_join));
    check_same(quote!(
        macro_rules! select {
            () => {};
        }
    ));
    check_same(quote!(names.join(", ")));
}

#[test]
fn other_crates_combinators_are_refused() {
    for body in [
        quote!(tokio::select! {}),
        quote!(::futures::join!(a)),
        quote!(futures::future::try_join!(a)),
        quote!(p::other::join!()),
    ] {
        let (text, _, messages) = rewritten(body.clone(), true);
        assert_eq!(text, body.to_string());
        assert_eq!(messages.len(), 1, "{body}");
        assert!(
            messages[0].starts_with(&format!("`{}!`", text.split('!').next().unwrap().replace(' ', ""))),
            "{messages:?}"
        );
    }
}

#[test]
fn async_closures_become_closures_that_return_a_durable_block() {
    check(
        quote!(let f = async |a, (b, c): (u8, u8)| x.await; f),
        quote!(let f = |__0, __1: (u8, u8)| {
            let __inputs = (__0, __1,);
            let __body = ::p::__rt::closure(&__inputs, async |(a, (b, c),): (_, _,)| { x.__durable().await });
            ::p::__rt::block(__body(__inputs))
        }; f),
    );
    // A reference stands for the lifetime of the calls, so its type is said inside.
    check(
        quote!(g(async |a: &str| {}, 1)),
        quote!(g(
            |__0| {
                let __inputs = (__0,);
                let __body = ::p::__rt::closure(&__inputs, async |(a,): (&str,)| {});
                ::p::__rt::block(__body(__inputs))
            },
            1
        )),
    );
    // What does not parse is the compiler's to refuse.
    check_same(quote!(async |x: | y));
    let (_, _, messages) = rewritten(quote!(async move || x), true);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("remove `move`"), "{messages:?}");
}

#[test]
fn closures_that_need_a_result_get_the_error_type_of_the_function() {
    let rewritten = |body: TokenStream| {
        let function = crate::input::function(quote!(async fn f(ctx: Cx) -> Returned { #body })).expect("a function");
        let (tokens, allowed, mut errors) = (list(function.body.stream()), Allowed::default(), Errors::new());
        let rt = quote!(::p::__rt);
        let rewritten = rewrite::body(Kind::Orchestrator, &function, None, &tokens, &rt, &allowed, &mut errors);
        assert_eq!(errors.into_messages(), [""; 0]);
        rewritten.body.stream().to_string()
    };
    let error = quote!(<Returned as ::p::__rt::Outcome>::Err).to_string();
    for body in [
        quote!(async || {
            x.await?;
            y
        }),
        quote!(async || Ok(1)),
        quote!(async || {
            if x {
                return Err(y);
            }
            z
        }),
        quote!(async || {
            let f = async { a? };
            Ok(f)
        }),
    ] {
        assert_eq!(rewritten(body.clone()).matches(&error).count(), 1, "{body}");
    }
    for body in [
        quote!(async || x.await),
        quote!(async || -> Result<u8, Other> { Ok(x.await?) }),
        quote!(async || {
            async { x? };
            async move { Ok(y) }
        }),
        quote!(async || E::Ok(1)),
    ] {
        assert_eq!(rewritten(body.clone()).matches(&error).count(), 0, "{body}");
    }
}

#[test]
fn calls_are_noted_by_their_last_word() {
    let (_, calls, _) = rewritten(
        quote!(a::call(&ctx); b::c::r#type::call(x, y::call()); call(); x.call(); d::call; e::call::<u8>(); fn f() { g::call() }),
        true,
    );
    assert_eq!(calls, ["a:0:0", "type:0:0", "y:0:0"]);
}

#[test]
fn without_checks_only_combinators_change_and_the_exceptions_stay_visible() {
    let (text, ..) = rewritten(quote!(async { x.await }; join!(y)), false);
    assert_eq!(
        text,
        quote!(
            const _: ::p::__rt::AllowedChecks = ::p::__rt::AllowedChecks(&["foreign_await"]);
            async { x.await };
            ::p::__rt::join!(y)
        )
        .to_string()
    );
}

#[test]
fn awaiting_a_value_that_a_lint_refused_is_not_a_second_mistake() {
    let (text, _, messages) = rewritten(
        quote!(tokio::time::sleep(d).await; x.await; let s = tokio::time::sleep(d); y.await; s.await; (&mut s).await),
        true,
    );
    assert_eq!(messages.len(), 2);
    assert_eq!(text.matches("__durable").count(), 2, "{text}");
    // All that is done with a refused channel is one mistake.
    let (text, _, messages) =
        rewritten(quote!(let (tx, mut rx) = mpsc::channel(1); tx.send(1).await?; rx.recv().await; q.await), true);
    assert_eq!((messages.len(), text.matches("__durable").count()), (1, 1), "{text}");
    // Where the compiler is asked what a name is, the check of the await hangs on the answer.
    let (text, _, messages) = rewritten(quote!(time::sleep(d).await; let s = time::sleep(d); s.await; x.await), true);
    assert_eq!(
        (messages.len(), text.matches("__durable_unless").count(), text.matches("__durable ()").count()),
        (0, 2, 1)
    );
    let (text, _, messages) = rewritten(quote!(let (s, mut r) = oneshot::channel(); r.await; q.await), true);
    assert_eq!((messages.len(), text.matches("__durable").count()), (1, 1), "{text}");
    for (body, excused) in [
        (quote!(join!(a, tokio::time::sleep(d), b)), "join ! (a , :: p :: __rt :: assume_durable_future"),
        (quote!(p::join!(tokio::time::sleep(d))), "join ! (:: p :: __rt :: assume_durable_future"),
        (quote!(select! { _ = tokio::time::sleep(d) => 1 }), "select ! { _ = :: p :: __rt :: assume_durable_future"),
    ] {
        let (text, _, messages) = rewritten(body, true);
        assert_eq!(messages.len(), 1);
        assert!(text.contains(excused), "{text}");
    }
    let (text, ..) = rewritten(quote!(select! { _ = a => tokio::time::sleep(d), _ = b => 1 }), true);
    assert!(!text.contains("assume_durable_future"), "{text}");
    let (text, _, messages) = rewritten(quote!(async { reqwest::get(u).await?.text().await }.await), true);
    assert_eq!((messages.len(), text.matches("__durable").count()), (1, 0), "{text}");
}

#[test]
fn the_import_follows_inner_attributes_and_is_left_out_where_nothing_needs_it() {
    let rewrite = |body: TokenStream| {
        let (function, allowed, mut errors) = (function(body), Allowed::default(), Errors::new());
        let rewritten = rewrite::body(
            Kind::Orchestrator,
            &function,
            None,
            &list(function.body.stream()),
            &quote!(::p::__rt),
            &allowed,
            &mut errors,
        );
        let text = rewritten.body.stream().to_string();
        assert!(errors.into_messages().is_empty());
        text
    };
    assert_eq!(
        rewrite(quote!(
            {
                #![allow(a)]
                #![allow(b)]
                x.await
            }
        )),
        quote!(#![allow(a)] #![allow(b)] #[allow(unused_imports)] use ::p::__rt::AwaitCheck as _; x.__durable().await)
            .to_string()
    );
    assert_eq!(rewrite(quote!({ async { 1 } })), quote!(::p::__rt::block(async { 1 })).to_string());
}

#[test]
fn continue_as_new_is_compared_by_name() {
    let compared = |path: TokenStream| quote!(.__continues({ const _: () = ::p::__rt::continues::<me, #path>(); }));
    let (plain, spelled) = (compared(quote!(other)), compared(quote!(crate::jobs::other)));
    check(
        quote!(return other::continue_as_new(&ctx, x.await).version("2").await;),
        quote!(return other::continue_as_new(&ctx, x.__durable().await) #plain.version("2").__durable().await;),
    );
    check(
        quote!(return crate::jobs::other::continue_as_new(&ctx)),
        quote!(return crate::jobs::other::continue_as_new(&ctx) #spelled),
    );
    check_same(
        quote!(continue_as_new(&ctx); self::continue_as_new(&ctx); x.continue_as_new(1); other::continue_as_new),
    );
}
