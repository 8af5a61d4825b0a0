//! The lines of a skeleton as a tree.

/// One line, and the lines that are nested in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) text: &'a str,
    pub(super) inside: Vec<Self>,
}

/// Returns the lines below the title line.
pub(super) fn parse(skeleton: &str) -> Vec<Node<'_>> {
    let mut lines = skeleton.lines().skip(1).filter(|line| !line.trim().is_empty()).peekable();
    level(&mut lines, 2)
}

fn level<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some(line) = lines.next_if(|line| indent(line) >= depth) {
        nodes.push(Node { text: line.trim(), inside: level(lines, depth + 2) });
    }
    nodes
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns the nodes that a replay depends on. Changes of the custom status, and blocks that contain nothing else, are
/// left out.
pub(super) fn replayed(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    nodes
        .into_iter()
        .filter_map(|Node { text, inside }| {
            let was_empty = inside.is_empty();
            let inside = replayed(inside);
            let is_status = matches!(text, "set custom status" | "clear custom status");
            (!is_status && (was_empty || !inside.is_empty())).then_some(Node { text, inside })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(text: &'a str, inside: Vec<Node<'a>>) -> Node<'a> {
        Node { text, inside }
    }

    #[test]
    fn lines_nest_by_their_indentation() {
        let text = "orchestrator \"o\"\n  call a\n  loop\n    if\n      then\n        call b\n  call c\n";
        let then = node("then", vec![node("call b", vec![])]);
        let expected = vec![node("call a", vec![]), node("loop", vec![node("if", vec![then])]), node("call c", vec![])];
        assert_eq!(parse(text), expected);
        assert_eq!(parse("orchestrator \"o\"\n"), vec![]);
        assert_eq!(parse(""), vec![]);
    }

    #[test]
    fn comparison_ignores_the_custom_status_and_blocks_that_contain_only_it() {
        let text = "o\n  set custom status\n  loop\n    call a\n    if\n      then\n        set custom status\n  if\n    else\n      clear custom status\n  join all\n";
        let expected = vec![node("loop", vec![node("call a", vec![])]), node("join all", vec![])];
        assert_eq!(replayed(parse(text)), expected);
    }
}
