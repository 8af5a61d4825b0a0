//! Builds the skeleton of an orchestrator from the tokens of its body: its durable operations as text, in order and
//! nested.
//!
//! One line is one operation or one container, indented by two spaces per level:
//! ```text
//! orchestrator "hello_cities" version "2"
//!   loop
//!     call say_hello
//! ```
//! Layout, comments and the names of local variables do not appear in it, so it changes only when the structure
//! changes. A body that does not parse also has a skeleton.

mod call;
mod control;
mod node;
mod scan;
mod tokens;

use crate::tokens::Token;

use node::Node;

/// Returns the skeleton of a body.
pub(crate) fn skeleton(name: &str, version: &str, body: &[Token]) -> String {
    let mut text = format!("orchestrator {name:?}");
    if !version.is_empty() {
        text.push_str(&format!(" version {version:?}"));
    }
    text.push('\n');
    let mut nodes = scan::read(body);
    // The body ends after the last `return` in any case.
    if nodes.last().is_some_and(|node| node.text == "return") {
        nodes.pop();
    }
    Node::write(&nodes, 1, &mut text);
    text
}
