//! The skeleton of an orchestrator: its durable operations in order and nested, as text, from the tokens of its body.
//!
//! One line is one operation or one container, indented by two spaces per level:
//! ```text
//! orchestrator "hello_cities" version "2"
//!   loop
//!     call say_hello
//! ```
//! Nothing of the layout, the comments and the names of locals goes into it: it changes when the structure does. A body
//! that does not parse has a skeleton all the same.

mod call;
mod control;
mod node;
mod scan;
mod tokens;

use crate::tokens::Token;

use node::Node;

/// The skeleton of a body.
pub(crate) fn skeleton(name: &str, version: &str, body: &[Token]) -> String {
    let mut text = format!("orchestrator {name:?}");
    if !version.is_empty() {
        text.push_str(&format!(" version {version:?}"));
    }
    text.push('\n');
    let mut nodes = scan::read(body);
    // The last `return` is where the body ends anyway.
    if nodes.last().is_some_and(|node| node.text == "return") {
        nodes.pop();
    }
    Node::write(&nodes, 1, &mut text);
    text
}
