//! What the lints find, and what they leave alone.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::Kind;
use crate::errors::Errors;
use crate::lints::{self, Allowed};
use crate::rewrite;
use crate::tokens::list;

/// The ids of what is found in a body, errors first.
fn found_in(kind: Kind, signature: &TokenStream, body: &TokenStream, allowed: &[&str]) -> Vec<String> {
    let mut checks = Allowed::default();
    assert!(allowed.iter().all(|id| checks.insert(id)));
    let function = crate::input::function(quote!(async fn f(ctx: Cx, #signature) { #body })).expect("a function");
    let mut errors = Errors::new();
    let text =
        rewrite::body(kind, &function, None, &list(function.body.stream()), &quote!(::p::__rt), &checks, &mut errors)
            .body
            .stream()
            .to_string();
    let messages = errors.into_messages();
    let between = |before: &str, after: &str| {
        let parts = text.split(before).skip(1);
        parts.filter_map(|part| Some(part.split_once(after)?.0.to_owned())).collect::<Vec<_>>()
    };
    let notes = between("deprecated (note = ", ")] macro");
    let asked = between("refuse (IS_MEANT , ", ") }").into_iter().map(|text| format!("{text} asked"));
    let id = |text: String| {
        let asked = if text.ends_with(" asked") { "asked: " } else { "" };
        let id = text.rsplit("(check `").next().and_then(|rest| rest.split('`').next());
        id.map_or(text.clone(), |id| format!("{asked}{id}"))
    };
    messages.into_iter().chain(notes).chain(asked).map(id).collect()
}

fn found(body: TokenStream) -> Vec<String> {
    found_in(Kind::Orchestrator, &quote!(), &body, &[])
}

fn check(body: TokenStream, expected: &[&str]) {
    let text = body.to_string();
    assert_eq!(found(body), expected, "{text}");
}

/// What is refused whatever the compiler would say of a name.
fn surely_found(body: TokenStream) -> Vec<String> {
    found(body).into_iter().filter(|id| !id.starts_with("asked: ")).collect()
}

fn parse(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

#[test]
fn everything_in_the_catalogue_is_found_under_every_spelling() {
    let samples = lints::samples();
    assert!(samples.len() > 300, "{}", samples.len());
    for (id, sample, asked) in samples {
        let expected = if asked { format!("asked: {id}") } else { id.to_owned() };
        assert_eq!(found(parse(&sample)), [&*expected], "{sample}");
        assert_eq!(found(parse(&format!("let x = vec![(|| {{ {sample} }})()];"))), [&*expected], "{sample}");
        let quiet = format!("nondeterministic! {{ reason = \"a test\", {sample} }}; ctx.side_effect(|| {sample})");
        assert_eq!(found(parse(&quiet)), [""; 0], "{sample}");
        assert_eq!(found_in(Kind::Orchestrator, &quote!(), &parse(&sample), &[id]), [""; 0], "{sample}");
        assert_eq!(found(parse(&format!("fn nested() {{ {sample} }}"))), [""; 0], "{sample}");
    }
}

#[test]
fn names_of_the_users_own_are_left_alone() {
    for body in [
        quote!(time::sleep(&ctx, 3).await; fs::read(&ctx, path); db::redis::cmd(ctx); sleep(ctx.clone(), 1); time::timeout(ctx, d, f)),
        quote!(Instant::now(&ctx); Utc::now(&ctx); crate::Instant::now(); self::time::Utc::now(); super::Uuid::new_v4()),
        quote!(my::time::Instant::now(); clock.now(); now(); Instant { at: 1 }; let Utc { now } = x),
        quote!(struct Instant;, Instant::now()),
        quote!(use crate::clock::Instant;, Instant::now()),
        quote!(use crate::clock::{Instant, Uuid as Id}; Instant::now(); Id::new_v4()),
        quote!(
            mod env {
                pub fn var(_: &str) {}
            },
            env::var("A")
        ),
        quote!(env::load(&input); fs::layout(1); process::order(&order); task::spawn(&ctx, 1); net::total(&items)),
        quote!(Command::new(order, amount); Command::new(x); File::open(case_id); Semaphore::new(3); Notify::new(address)),
        quote!(rand::rngs::StdRng::seed_from_u64(ctx.random()); rand::Rng::gen_range(&mut rng, 0..3)),
        quote!(reqwest::StatusCode::OK; reqwest::Url::parse("x"); hyper::Uri::from_static("x"); sqlx::Error::RowNotFound),
        quote!(let sleep = 3; sleep(sleep); spawn(x); select(y); random(z); join_all(w)),
        quote!(let s: SystemTime = input.at; let t: std::time::Instant = y;),
        quote!(
            use std::time::Instant;
            use rand::Rng;
            use std::fs::{self, File};
        ),
        quote!(names.join(", "); path.exists(); order.elapsed(); job.elapsed().as_secs(); window.store(1); list.lock()),
        quote!(Status::CALL.label(); LIMITS.get(0); COUNTER.len()),
        quote!(format!("{p}"); format!("{:>p$}", x); info!("polled")),
        quote!(Uuid::new_v5(&ns, b"x"); Uuid::nil(); Uuid::parse_str("x"); Uuid::new_v4_from(&ctx)),
        quote!(std::env!("CARGO_PKG_NAME"); env!("X"); option_env!("X"); std::process::ExitCode::SUCCESS),
        quote!(let x = y as u32; let z = w as *mut_; unsafe_thing()),
        quote!(Client::new("a"); Builder::new(); Delay::new(3); Command::new("reserve"); Ulid::new(); Timestamp::now()),
        quote!(rand::random(); time::sleep(3); fs::read("a"); env::var("a"); process::exit(1); redis::cmd("GET")),
        quote!(Instant::now(); SystemTime::now(); Utc::now(); query!("x"); Mutex::new(1)),
    ] {
        let text = body.to_string();
        assert_eq!(surely_found(body), [""; 0], "{text}");
    }
}

#[test]
fn imports_of_the_body_are_resolved() {
    check(quote!(use std::time::Instant as I;, I::now()), &["wall_clock"]);
    check(
        quote!(use std::{env, time::{self, SystemTime as S}}; S::now(); time::Instant::now(); env::var("A")),
        &["wall_clock", "wall_clock", "env"],
    );
    check(quote!(use tokio::time::sleep;, sleep(d)), &["sleep"]);
    check(quote!(use rand::random as dice; let x: u8 = dice();), &["asked: random"]);
    check(quote!(return ::std::env::var("A")), &["env"]);
    check(quote!(x.unwrap_or_else(SystemTime::now)), &["asked: wall_clock"]);
    check(quote!(core::time::Instant::now()), &["wall_clock"]);
    check(
        quote!(time::timeout(d, ctx); time::sleep(ctx.pause); fs::read(&path)),
        &["asked: sleep", "asked: sleep", "asked: fs"],
    );
}

#[test]
fn clocks_are_found_by_what_a_local_holds() {
    let with = |signature: TokenStream, body: TokenStream| found_in(Kind::Orchestrator, &signature, &body, &[]);
    assert_eq!(with(quote!(started: SystemTime), quote!(started.elapsed()?)), ["wall_clock"]);
    assert_eq!(with(quote!(started: &std::time::Instant), quote!(started.elapsed()?)), ["wall_clock"]);
    assert_eq!(with(quote!(started: Stopwatch), quote!(started.elapsed()?)), [""; 0]);
    assert_eq!(
        with(quote!(started: SystemTime), quote!(let started = Stopwatch::of(&ctx); started.elapsed())),
        [""; 0]
    );
    check(quote!(let t: Instant = x; t.elapsed()), &["wall_clock"]);
    check(quote!(UNIX_EPOCH.elapsed(); SystemTime::UNIX_EPOCH), &["wall_clock"]);
}

#[test]
fn statics_pointers_and_unsafe_are_found() {
    check(quote!(COUNTER.fetch_add(1, Ordering::SeqCst); crate::STATE.lock()), &["statics", "statics"]);
    check(
        quote!(
            static mut X: u8 = 1;
        ),
        &["statics"],
    );
    check(quote!(let p = &x as *const X; let q = y as *mut X), &["ptr_addr", "ptr_addr"]);
    check(quote!(format!("{:p}", &x); format!("{x:p}")), &["ptr_addr", "ptr_addr"]);
    check(quote!(unsafe { x() }), &["unsafe_block"]);
}

#[test]
fn branches_on_replay_hold_nothing_durable() {
    for body in [
        quote!(if ctx.is_replaying() {
            x::call(&ctx).await?;
        }),
        quote!(if !ctx.is_replaying() && y {
            for z in w {
                ctx.set_custom_status(&z)?;
            }
        }),
        quote!(if ctx.is_replaying() { 1 } else { timer.await }),
        quote!(if ctx.is_replaying() {
        } else if y {
            ctx.new_uuid();
        }),
        quote!(match ctx.is_replaying() {
            true => x.await,
            false => {}
        }),
        quote!(while ctx.is_replaying() {
            x::start_detached(&ctx)?;
        }),
    ] {
        check(body, &["replaying_branch"]);
    }
    check(quote!(if !ctx.is_replaying() { info!("new"); println!("new") } x.await), &[]);
    check(quote!(let live = !ctx.is_replaying(); if live { println!("new") } x.await), &[]);
    check(quote!(let live = !ctx.is_replaying(); if live && y { x.await }), &["replaying_branch"]);
    check(quote!(let replaying = ctx.is_replaying(); if x { y.await }), &[]);
    check(
        quote!(if !ctx.is_replaying() {
            phone.call(1);
            fn f() {
                x.await
            }
        }),
        &[],
    );
    check(
        quote!(if x {
            println!("")
        }),
        &["stdio"],
    );
}

#[test]
fn loops_have_an_end() {
    check(
        quote!(loop {
            x.await?;
        }),
        &["unbounded_loop"],
    );
    check(
        quote!(while true {
            x.await?;
        }),
        &["unbounded_loop"],
    );
    for body in [
        quote!(loop {
            if x.await? {
                break;
            }
        }),
        quote!(loop {
            if x.await? {
                return Ok(());
            }
        }),
        quote!(loop {
            x.await?;
            f::continue_as_new(&ctx).await
        }),
        quote!(loop {
            compute();
        }),
        quote!(while more {
            x.await?;
        }),
        quote!(select! { _ = work => 1, _ = async { loop { timer.await; } } => 2 }),
    ] {
        check(body, &[]);
    }
    assert_eq!(
        found_in(
            Kind::OrchestratorFn,
            &quote!(),
            &quote!(loop {
                x.await
            }),
            &[]
        ),
        [""; 0]
    );
}

#[test]
fn maps_without_an_order_decide_over_nothing_durable() {
    let with = |body: TokenStream| {
        found_in(Kind::Orchestrator, &quote!(map: HashMap<String, u32>, tree: BTreeMap<u8, u8>), &body, &[])
    };
    for body in [
        quote!(for (k, v) in map {
            x::call(&ctx, k).await?;
        }),
        quote!(for (k, v) in &map {
            x::call(&ctx, k).await?;
        }),
        quote!(for k in map.keys() {
            ctx.create_timer(k).await;
        }),
        quote!(ctx.join_all(map.iter().map(|(k, v)| x::call(&ctx, k))).await),
        quote!(let set: HashSet<u8> = y; for k in &mut set { x::call(&ctx, k).await?; }),
        quote!(let set = std::collections::HashSet::new(); for k in set.drain() { x::call(&ctx, k).await?; }),
        quote!(let set = list.iter().collect::<HashSet<_>>(); for k in set { x::call(&ctx, k).await?; }),
        quote!(let keys: Vec<_> = map.keys().cloned().collect(); for k in keys { x::call(&ctx, k).await?; }),
        quote!(let keys = map.into_keys().collect::<Vec<_>>(); ctx.join_all(keys.iter().map(|k| x::call(&ctx, k))).await),
        quote!(let keys = map.into_keys().collect::<Vec<_>>(); x::call(&ctx, 1, keys.clone()).await),
        quote!(let keys = map.into_keys().collect::<Vec<_>>(); x::call(&ctx, keys).await),
    ] {
        assert_eq!(with(body.clone()), ["hash_iter"], "{body}");
    }
    for body in [
        quote!(for (k, v) in tree {
            x::call(&ctx, k).await?;
        }),
        quote!(for (k, v) in &map {
            total += v;
        }),
        quote!(for k in map.keys().sorted() {
            x::call(&ctx, k).await?;
        }),
        quote!(for k in map.iter().collect::<BTreeMap<_, _>>() {
            x::call(&ctx, k).await?;
        }),
        quote!(let mut keys: Vec<_> = map.keys().cloned().collect(); keys.sort(); for k in keys { x::call(&ctx, k).await?; }),
        quote!(let keys: BTreeSet<_> = map.keys().cloned().collect(); for k in keys { x::call(&ctx, k).await?; }),
        quote!(let keys: Vec<_> = map.keys().cloned().collect(); x::call(&ctx, keys.len()).await),
        quote!(if map.iter().any(|(k, v)| v > 3) {
            x::call(&ctx, 1).await?;
        }),
        quote!(while map.values().all(|v| v < 3) {
            x::call(&ctx, 1).await?;
        }),
        quote!(let total: u32 = map.values().sum(); x::call(&ctx, map.values().sum()).await?),
        quote!(for k in list {
            x::call(&ctx, map.get(k)).await?;
        }),
        quote!(let map = order.lines; for k in map { x::call(&ctx, k).await?; }),
        quote!(let fixed: HashMap<u8, u8, Fixed> = y; for k in fixed { x::call(&ctx, k).await?; }),
        quote!(use crate::HashMap; let own: HashMap<u8, u8> = y; for k in own { x::call(&ctx, k).await?; }),
        quote!(let n = list.iter().collect::<HashSet<_>>().len(); for k in n { x::call(&ctx, k).await?; }),
    ] {
        assert_eq!(with(body.clone()), [""; 0], "{body}");
    }
}

#[test]
fn dropped_operations_are_found() {
    check(quote!(let _ = x::call(&ctx, 1);), &["drop_effects"]);
    check(quote!(a(); _ = m::x::call(&ctx, 1);), &["drop_effects"]);
    check(quote!(let _kept = x::call(&ctx, 1); y.await;), &["drop_effects"]);
    check(quote!(drop(x::call(&ctx, 1)); std::mem::drop(x::call(&ctx, 1).boxed())), &["drop_effects"; 2]);
    check(quote!(let _ = ctx.create_timer(d); let _ = Paid::wait(&ctx);), &["drop_effects"; 2]);
    check(quote!(let _ = f::continue_as_new(&ctx, 1).version("2");), &["drop_effects"]);
    for body in [
        quote!(let _ = x::call(&ctx, 1).await;),
        quote!(let _kept = x::call(&ctx, 1); y.await; _kept.await),
        quote!(let kept = x::call(&ctx, 1); drop(kept); map.drop(x::call(&ctx, 1))),
        quote!(let _ = phone.call(1); let _ = call(1);),
        quote!(let _ = x::start_detached(&ctx, 1);),
        quote!(select! { _ = x::call(&ctx, 1) => 1, _ = y::call(&ctx, 1) => 2 }),
    ] {
        check(body, &[]);
    }
}

#[test]
fn other_crates_combinators_can_be_allowed() {
    let allowed =
        |ids: &[&str]| found_in(Kind::Orchestrator, &quote!(), &quote!(tokio::select! {} futures::join!()), ids);
    assert_eq!(allowed(&[]), ["select", "join"]);
    assert_eq!(allowed(&["select", "join"]), [""; 0]);
    assert!(!Allowed::default().insert("everything"));
}

#[test]
fn every_check_has_a_row_on_the_page() {
    let page = include_str!("../../../docs/compile-time-checks.md");
    for id in lints::ids() {
        assert!(page.contains(&format!("\n| `{id}`")), "no row for `{id}`");
    }
}

#[test]
fn the_clippy_list_agrees_with_the_lints() {
    let list = include_str!("../../../docs/clippy-orchestrators.toml");
    let methods = list.split("disallowed-types").next().expect("the methods come first");
    let paths: Vec<_> = methods.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(paths.len() > 40, "{}", paths.len());
    // A method on a value is found by what the value is.
    for path in paths.into_iter().filter(|path| !path.ends_with("::elapsed")) {
        assert_eq!(found(parse(&format!("{path}()"))).len(), 1, "{path}");
    }
}
