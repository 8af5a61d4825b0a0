//! What users see of the structure of their orchestrators: the text, the diagram, and the test that compares them.

use std::panic::catch_unwind;

use persevere::assert_skeleton;
use persevere::prelude::*;

#[activity]
async fn say_hello(city: String) -> Result<String, ActivityError> {
    Ok(format!("Hello {city}!"))
}

#[external_event]
struct Enough;

#[orchestrator(version = "2")]
async fn hello_cities(
    ctx: OrchestrationContext<usize>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for city in cities {
        select! {
            greeting = say_hello::call(&ctx, city) => greetings.push(greeting?),
            _ = Enough::wait(&ctx) => break,
        }
        ctx.set_custom_status(&greetings.len())?;
    }
    Ok(greetings)
}

/// The same name and version, with another body.
mod changed {
    use super::*;

    #[orchestrator(name = "hello_cities", version = "2", marker = Changed)]
    async fn hello_cities(ctx: OrchestrationContext, city: String) -> Result<String, OrchestrationError> {
        Ok(super::say_hello::call(&ctx, city).await?)
    }

    #[test]
    fn a_change_without_a_new_version_fails_with_a_difference() {
        let failure = catch_unwind(|| assert_skeleton!(Changed, "skeletons/recorded.txt")).unwrap_err();
        let text = failure.downcast_ref::<String>().unwrap();
        assert!(text.contains("-   loop\n"), "{text}");
        assert!(text.contains("+   call say_hello\n"), "{text}");
        assert!(text.contains("ctx.patched("), "{text}");
    }
}

#[test]
fn the_recorded_structure_passes() {
    // An earlier version is recorded next to this one.
    assert_skeleton!(hello_cities, "skeletons/recorded.txt");
}

#[test]
fn the_skeleton_is_the_structure() {
    let expected = r#"orchestrator "hello_cities" version "2"
  loop
    select
      branch
        call say_hello
      branch
        wait for Enough
        then
          break
    set custom status
"#;
    assert_eq!(hello_cities::SKELETON, expected);
}

#[test]
fn the_diagram_shows_it() {
    let diagram = hello_cities::diagram();
    assert!(diagram.starts_with("flowchart TD\n"), "{diagram}");
    for label in ["loop", "select", "call say_hello", "wait for Enough"] {
        assert!(diagram.contains(&format!("\"{label}\"")), "{diagram}");
    }
}
