//! Half-typed bodies: the expansion holds the user's function with every token of it, and the type beside it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::Kind;
use crate::expand;

fn expansion(kind: Kind, item: &str) -> String {
    let item: TokenStream = item.parse().expect("tokens");
    expand::function(kind, quote!(), item).to_string()
}

#[test]
fn an_activity_with_a_half_typed_body_stays_with_its_type() {
    for body in ["let x = ;", "city.", "foo(city", "let x = city Ok(x)", "match city {", "if city."] {
        let body = format!("{body}{}", ")".repeat(usize::from(body == "foo(city")));
        let body = format!("{body}{}", "}".repeat(usize::from(body == "match city {")));
        let expansion = expansion(Kind::Activity, &format!("pub async fn greet(city: String) -> R {{ {body} }}"));
        let tokens: TokenStream = body.parse().expect("tokens");
        let function = quote!(pub async fn greet(city: String) -> R { #tokens }).to_string();
        assert!(expansion.starts_with(&function), "{expansion}");
        assert!(expansion.contains("pub enum greet { }") && expansion.contains("pub fn call"), "{expansion}");
        assert!(!expansion.contains("compile_error"), "{expansion}");
    }
}

#[test]
fn an_orchestrator_with_a_half_typed_body_stays_with_its_type() {
    for (body, rewritten) in [
        ("let x = ; y.await?;", "let x = ; y . __durable () . await ? ;"),
        ("y.await? Ok(x)", "y . __durable () . await ? Ok (x)"),
        ("ctx. y.await;", "ctx . y . __durable () . await ;"),
        ("x::call(&ctx, ).await?; ctx.", "x :: call (& ctx ,) . __durable () . await ? ; ctx"),
        ("select! { a = }", "select ! { a = }"),
        ("y.", "R { y }"),
        ("if x { y.await; z. }", "if x { y . __durable () . await ; z }"),
        ("vec![y.await, z.]", "vec ! [y . __durable () . await , z .]"),
        ("y.awa", "y . awa"),
        ("async {", "::persevere::__rt::block(async{})"),
    ] {
        let body = format!("{body}{}", "}".repeat(usize::from(body.ends_with('{'))));
        let expansion =
            expansion(Kind::Orchestrator, &format!("async fn greet(ctx: Cx, city: String) -> R {{ {body} }}"));
        assert!(expansion.contains("async fn greet (ctx : Cx , city : String) -> R {"), "{expansion}");
        assert!(expansion.replace(' ', "").contains(&rewritten.replace(' ', "")), "{expansion}");
        for method in ["fn start", "fn call", "fn start_detached", "fn continue_as_new", "const SKELETON"] {
            assert!(expansion.contains(method), "{expansion}");
        }
        assert!(expansion.contains("enum greet { }"), "{expansion}");
        assert!(!expansion.contains("compile_error"), "{expansion}");
    }
}

#[test]
fn the_documentation_of_the_function_is_copied_to_call_and_start() {
    let documented = |kind, parameters: &str| {
        expansion(kind, &format!("/// Greets a city.\nasync fn greet({parameters}) -> R {{}}"))
    };
    let docs = "# [doc = \" Greets a city.\"]";
    let activity = documented(Kind::Activity, "city: String");
    assert!(activity.contains(&format!("{docs} # [track_caller] fn call (ctx")), "{activity}");
    let orchestrator = documented(Kind::Orchestrator, "ctx: Cx, city: String");
    assert!(orchestrator.contains(&format!("{docs} fn start (client")), "{orchestrator}");
    assert!(
        orchestrator.contains(&format!("{docs} # [doc = \"\"] # [doc = \" Calls it as a sub-orchestration.\"]")),
        "{orchestrator}"
    );
}
