//! Draws a skeleton as a Mermaid flowchart.

use std::fmt::Write as _;

use super::record::title;
use super::tree::{self, Node};

/// Draws the flowchart of a skeleton. Operations are rounded boxes, loops are hexagons, branches are rhombuses, and
/// places where several operations are awaited are bars.
pub fn diagram(skeleton: &str) -> String {
    let mut chart = Chart { text: String::from("flowchart TD\n"), nodes: 0, loops: Vec::new(), returns: Vec::new() };
    let start = chart.node("([", title(skeleton), "])");
    let mut ends = chart.sequence(&tree::parse(skeleton), vec![Edge::from(start)]);
    ends.append(&mut chart.returns);
    let end = chart.node("([", "end", "])");
    chart.connect(&ends, end);
    chart.text
}

/// The open end of a path: a node, and the label of the arrow that leaves it.
#[derive(Debug, Clone, Copy)]
struct Edge {
    from: usize,
    label: &'static str,
}

impl From<usize> for Edge {
    fn from(from: usize) -> Self {
        Self { from, label: "" }
    }
}

struct Chart {
    text: String,
    nodes: usize,
    /// The enclosing loops: the node of each loop, and the paths that break out of it.
    loops: Vec<(usize, Vec<Edge>)>,
    /// The paths that return.
    returns: Vec<Edge>,
}

impl Chart {
    fn node(&mut self, open: &str, label: &str, close: &str) -> usize {
        let number = self.nodes;
        self.nodes += 1;
        // Only quotes end a label, and a backslash has no special meaning.
        let label = label.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(self.text, "    n{number}{open}\"{label}\"{close}");
        number
    }

    fn connect(&mut self, ways: &[Edge], to: usize) {
        for Edge { from, label } in ways {
            let label = if label.is_empty() { String::new() } else { format!("|{label}|") };
            let _ = writeln!(self.text, "    n{from} -->{label} n{to}");
        }
    }

    /// Draws nodes one after the other, and returns the paths that continue after them.
    fn sequence(&mut self, nodes: &[Node<'_>], mut ways: Vec<Edge>) -> Vec<Edge> {
        for node in nodes {
            ways = self.one(node, ways);
        }
        ways
    }

    fn one(&mut self, node: &Node<'_>, ways: Vec<Edge>) -> Vec<Edge> {
        match node.text {
            "return" => self.returns.extend(ways),
            "break" => match self.loops.last_mut() {
                Some((_, broken)) => broken.extend(ways),
                None => return ways,
            },
            "continue" => match self.loops.last() {
                Some((head, _)) => {
                    let head = *head;
                    self.connect(&ways, head);
                }
                None => return ways,
            },
            text if text.starts_with("continue as new ") => {
                let number = self.node("([", text, "])");
                self.connect(&ways, number);
            }
            "loop" => return self.repeated(node, &ways),
            "if" | "match" => return self.choice(node, &ways),
            "select" | "join" | "try join" => return self.several(node, &ways),
            "async block" | "then" | "else" | "arm" | "branch" => return self.sequence(&node.inside, ways),
            text => {
                let number = self.node("(", text, ")");
                self.connect(&ways, number);
                return self.sequence(&node.inside, vec![number.into()]);
            }
        }
        Vec::new()
    }

    fn repeated(&mut self, node: &Node<'_>, ways: &[Edge]) -> Vec<Edge> {
        let head = self.node("{{", "loop", "}}");
        self.connect(ways, head);
        self.loops.push((head, Vec::new()));
        let back = self.sequence(&node.inside, vec![head.into()]);
        self.connect(&back, head);
        let broken = self.loops.pop().map(|(_, broken)| broken).unwrap_or_default();
        broken.into_iter().chain([Edge { from: head, label: "done" }]).collect()
    }

    fn choice(&mut self, node: &Node<'_>, ways: &[Edge]) -> Vec<Edge> {
        let head = self.node("{", node.text, "}");
        self.connect(ways, head);
        let mut after = Vec::new();
        for arm in &node.inside {
            let label = if arm.text == "then" { "yes" } else { "" };
            after.extend(self.sequence(&arm.inside, vec![Edge { from: head, label }]));
        }
        // Arms in which nothing durable happens are not part of the skeleton.
        if node.inside.last().is_none_or(|arm| arm.text != "else") || node.inside.len() == 1 {
            after.push(Edge { from: head, label: "otherwise" });
        }
        after
    }

    fn several(&mut self, node: &Node<'_>, ways: &[Edge]) -> Vec<Edge> {
        let head = self.node("[/", node.text, "/]");
        self.connect(ways, head);
        let mut ends = Vec::new();
        for branch in &node.inside {
            ends.extend(self.sequence(&branch.inside, vec![head.into()]));
        }
        if node.text == "select" {
            return ends;
        }
        let joined = self.node("[\\", "all done", "\\]");
        self.connect(&ends, joined);
        vec![joined.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the arrows, named by the labels of their ends.
    fn arrows(skeleton: &str) -> Vec<String> {
        let text = diagram(skeleton);
        let label = |node: &str| {
            let line = text.lines().map(str::trim).find(|line| {
                line.strip_prefix(node).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == ' '))
            });
            line.and_then(|line| line.split('"').nth(1)).unwrap_or_default().to_owned()
        };
        text.lines()
            .filter_map(|line| line.trim().split_once(" -->"))
            .map(|(from, to)| {
                let (on, to) = to.rsplit_once(' ').unwrap();
                format!("{} -{on}> {}", label(from), label(to))
            })
            .collect()
    }

    #[test]
    fn a_sequence_goes_from_start_to_end() {
        let text = diagram("orchestrator \"o\"\n  call a\n");
        assert!(text.starts_with("flowchart TD\n    n0([\"orchestrator &quot;o&quot;\"])\n"), "{text}");
        let start = "orchestrator &quot;o&quot;";
        assert_eq!(
            arrows("orchestrator \"o\"\n  call a\n  timer\n"),
            [format!("{start} -> call a"), "call a -> timer".to_owned(), "timer -> end".to_owned()]
        );
        assert_eq!(arrows("orchestrator \"o\"\n"), [format!("{start} -> end")]);
    }

    #[test]
    fn loops_go_back_and_are_left() {
        let skeleton = "o\n  loop\n    call a\n    if\n      then\n        break\n      then\n        continue\n      else\n        return\n";
        assert_eq!(
            arrows(skeleton),
            [
                "o -> loop",
                "loop -> call a",
                "call a -> if",
                "if -|yes|> loop",
                "if -|yes|> end",
                "loop -|done|> end",
                "if -> end",
            ]
        );
        let skeleton = "o\n  loop\n    call a\n  continue as new o\n";
        assert_eq!(
            arrows(skeleton),
            ["o -> loop", "loop -> call a", "call a -> loop", "loop -|done|> continue as new o"]
        );
    }

    #[test]
    fn branches_part_and_meet() {
        let skeleton =
            "o\n  select\n    branch\n      call a\n      then\n        call b\n    branch\n      timer\n  call c\n";
        assert_eq!(
            arrows(skeleton),
            [
                "o -> select",
                "select -> call a",
                "call a -> call b",
                "select -> timer",
                "call b -> call c",
                "timer -> call c",
                "call c -> end",
            ]
        );
        let skeleton = "o\n  join\n    branch\n      call a\n    branch\n      async block\n        call b\n  if\n    else\n      call c\n";
        assert_eq!(
            arrows(skeleton),
            [
                "o -> join",
                "join -> call a",
                "join -> call b",
                "call a -> all done",
                "call b -> all done",
                "all done -> if",
                "if -> call c",
                "call c -> end",
                "if -|otherwise|> end",
            ]
        );
    }
}
