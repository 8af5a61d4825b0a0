//! One line of a skeleton, with the lines nested below it.

use std::borrow::Cow;

/// An operation, or a construct that contains operations.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) text: Cow<'static, str>,
    pub(super) inside: Vec<Self>,
}

impl Node {
    pub(super) fn leaf(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), inside: Vec::new() }
    }

    pub(super) fn with(text: &'static str, inside: Vec<Self>) -> Self {
        Self { text: Cow::Borrowed(text), inside }
    }

    /// Whether a nested node matters outside of this node: it is an operation, or it ends the whole body.
    pub(super) fn matter(nodes: &[Self]) -> bool {
        nodes.iter().any(|node| match &*node.text {
            "break" | "continue" => false,
            "if" | "match" | "then" | "else" | "arm" | "loop" => Self::matter(&node.inside),
            _ => true,
        })
    }

    pub(super) fn write(nodes: &[Self], depth: usize, out: &mut String) {
        for node in nodes {
            out.push_str(&"  ".repeat(depth));
            out.push_str(&node.text);
            out.push('\n');
            Self::write(&node.inside, depth + 1, out);
        }
    }
}
