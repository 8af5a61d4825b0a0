//! What a body's skeleton says, and what does not change it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::skeleton::skeleton;
use crate::tokens::list;

fn of(body: TokenStream) -> String {
    let text = skeleton("o", "", &list(body));
    text.strip_prefix("orchestrator \"o\"\n").expect("the name comes first").to_owned()
}

/// The lines, without the indentation of the test.
fn check(body: TokenStream, expected: &str) {
    let expected: Vec<_> = expected.lines().skip(1).map(|line| line.strip_prefix("      ").unwrap_or(line)).collect();
    let found = of(body);
    assert_eq!(found.lines().collect::<Vec<_>>(), &expected[..expected.len() - 1], "\n{found}");
}

#[test]
fn the_name_and_the_version_come_first() {
    assert_eq!(skeleton("a \"b\"", "2", &[]), "orchestrator \"a \\\"b\\\"\" version \"2\"\n");
    assert_eq!(skeleton("a", "", &[]), "orchestrator \"a\"\n");
}

#[test]
fn operations_stand_in_their_order() {
    check(
        quote!(
            let greeting = shop::say_hello::call(&ctx, other::call(&ctx).await?).await?;
            ctx.create_timer(d).await;
            Approved::wait(&ctx).await?;
            ctx.wait_for_external_event::<Vec<u8>>("approved").await?;
            ctx.wait_for_external_event::<u8>(name).await?;
            let x = ctx.side_effect(|| now());
            ctx.set_custom_status(&x)?;
            ctx.clear_custom_status();
            if ctx.patched("new-price") { price::call(&ctx).await?; }
            let id = ctx.new_uuid();
            ctx.random();
            settle::start_detached(&ctx, id)?;
            ctx.send_event(instance, Approved(true))?;
            Confirmed::wait(&ctx).timeout(&ctx, d).await?;
            return again::continue_as_new(&ctx, 1).await;
        ),
        "
        call other
        call say_hello
        timer
        wait for Approved
        wait for \"approved\"
        wait for an event
        side effect
        set custom status
        clear custom status
        patched \"new-price\"
        if
          then
            call price
        new uuid
        random
        start settle detached
        send event
        wait for Confirmed
        timeout
        continue as new again
      ",
    );
}

#[test]
fn nested_blocks_are_nested_in_the_skeleton() {
    check(
        quote!(
            for city in cities(a::call(&ctx).await?) { b::call(&ctx, city).await?; }
            'outer: while c::call(&ctx).await? { if done { break 'outer; } else if d::call(&ctx).await? { continue } }
            loop { match e::call(&ctx).await? {
                Some(x) if f::call(&ctx).await? => { g::call(&ctx).await? }
                Some(_) => 1,
                None => return h::call(&ctx).await,
            } }
            let Some(x) = i::call(&ctx).await? else { return Err(j::call(&ctx).await?) };
            let block = async move { k::call(&ctx).await };
            Ok(if x { 1 } else { l::call(&ctx).await? })
        ),
        "
        call a
        loop
          call b
        loop
          call c
          if
            then
              break
            then
              call d
              continue
        loop
          call e
          match
            arm
              call f
              call g
            arm
              call h
              return
        call i
        if
          else
            call j
            return
        async block
          call k
        if
          else
            call l
      ",
    );
}

#[test]
fn macros_that_wait_for_several_have_branches() {
    check(
        quote!(
            let (a, b) = join!(a::call(&ctx), async { b::call(&ctx).await; c::call(&ctx).await });
            persevere::try_join!(helper(&ctx), d::call(&ctx).timeout(&ctx, d),)?;
            select! {
                Ok(x) | Err(x) = e::call(&ctx) => x == 1,
                _ = ctx.create_timer(d) => { f::call(&ctx).await? }
                _ = waiting => return Ok(1),
            }
            ctx.try_join_all(cities.iter().map(|city| g::call(&ctx, city.clone()))).await?;
            ctx.join_all_limit(2, calls).await;
        ),
        "
        join
          branch
            call a
          branch
            call b
            call c
        try join
          branch
            await helper
          branch
            call d
            timeout
        select
          branch
            call e
          branch
            timer
            then
              call f
          branch
            await
            then
              return
        try join all
          call g
        join all with a limit
      ",
    );
}

#[test]
fn an_operation_kept_in_a_local_is_named_where_it_is_awaited() {
    check(
        quote!(
            let a = x::call(&ctx).schedule();
            let mut b: ActivityCall<y> = y::call(&ctx);
            let help = helper(&ctx);
            let twice = |n| async move { z::call(&ctx, n).await };
            (&mut b).await?;
            a.boxed().await?;
            let a = 1;
            help.await;
            twice(1).await;
            self.other(&ctx).await;
            Box::pin(module::recursive(&ctx)).await;
            futures.next().await;
            a.await;
            std::future::ready(1).await;
        ),
        "
        call x
        schedule
        call y
        async block
          call z
        await call y
        await call x
        await helper
        await async block
        await other
        await recursive
        await next
        await
      ",
    );
}

#[test]
fn code_without_durable_operations_is_left_out() {
    check(
        quote!(
            #![allow(x)]
            fn nested(f: Vec<fn(u8) -> u8>) -> Foo<{ 1 }> { a::call(&ctx) }
            #[cfg(a::call())]
            let names: Vec<String> = cities.iter().map(|city| city.call(1)).collect();
            for name in names { if name.is_empty() { continue; } else { break } }
            if a { b() } else { c() }
            match a { A => 1, B { x } => 2, }
            let barrier = call(1);
            println!("{}", d::call(&ctx).await?);
            return Ok(1);
        ),
        "
        call d
      ",
    );
}

#[test]
fn names_of_locals_and_formatting_do_not_matter() {
    let one: TokenStream = "let a = x::call(&ctx, 1); // first\n let f = |n| async { y::call(n).await };\n\
        select! { r = a => r?, _ = f(1) => 2 }"
        .parse()
        .unwrap();
    let other: TokenStream =
        "let mut call_of_x =\n x::call( & context, 1 );\n let g = |m|   async { y::call(m).await };\n\
        /* both */ select! { number = call_of_x => number?,\n _ = g(1) => { 2 } }"
            .parse()
            .unwrap();
    assert_eq!(of(one.clone()), of(other));
    // The order in which they are awaited does.
    let swapped: TokenStream = "let a = x::call(&ctx, 1); let f = |n| async { y::call(n).await };\n\
        select! { r = f(1) => r?, _ = a => 2 }"
        .parse()
        .unwrap();
    assert_ne!(of(one), of(swapped));
}

#[test]
fn a_body_that_does_not_parse_also_has_a_skeleton() {
    check(
        quote!(
            let x = ;
            a::call(&ctx).await?
            if a::b { c::call(&ctx) } else
            match x
            for y in
            loop
            d::
        ),
        "
        call a
        if
          then
            call c
      ",
    );
}

#[test]
fn what_is_tried_again_stands_with_what_it_contains() {
    check(
        quote!(
            let early = charge::call(&ctx).schedule();
            early.retry(POLICY).await?;
            charge::call(&ctx).retry(POLICY).retry_if(|error, _| decide(error)).timeout(&ctx, d).await??;
            ctx.retry(POLICY, async || { open::call(&ctx).await?; read::call(&ctx).await }).await?;
            ctx.poll_until(poll, || progress::call(&ctx), |percent| *percent == 100).await?;
            Saga::run(&ctx, async |saga| {
                charge::call(&ctx).await?;
                saga.compensate(refund::call(&ctx));
                ship::call(&ctx).await
            })
            .within(d)
            .await?
        ),
        "
        call charge
        schedule
        retry
        await call charge
        call charge
        retry
        timeout
        retry
          call open
          call read
        poll until
          call progress
        saga
          call charge
          call refund
          call ship
      ",
    );
}
