//! Reads the constructs that can contain operations: loops, branches, blocks, and the macros that wait for several
//! futures.

use proc_macro2::Delimiter;

use super::node::Node;
use super::scan::{Scan, Value};
use super::tokens::{self, is_arrow};
use crate::tokens::{Group, Token, group, is_punct, is_word};

impl Scan {
    /// Reads a construct that begins at `at` with that keyword. Returns `None` if it is incomplete.
    pub(super) fn control(&mut self, tokens: &[Token], at: usize, keyword: &str) -> Option<usize> {
        match keyword {
            "if" => self.branches(tokens, at),
            "match" => self.arms(tokens, at),
            "while" => {
                let body = tokens::body(tokens, at + 1)?;
                self.repeated(&tokens[at + 1..=body]);
                Some(body + 1)
            }
            // `for<'a>` is not a loop.
            "for" if !is_punct(tokens.get(at + 1), '<') => {
                let body = tokens::body(tokens, at + 1)?;
                self.run(&tokens[at + 1..body]);
                self.repeated(&tokens[body..=body]);
                Some(body + 1)
            }
            "loop" => {
                group(tokens.get(at + 1), Delimiter::Brace)?;
                self.repeated(&tokens[at + 1..=at + 1]);
                Some(at + 2)
            }
            "async" => self.block(tokens, at),
            // This is the `else` of a `let`.
            "else" => {
                let arm = self.arm("else", tokens, at + 1)?;
                self.choice("if", arm.into_iter().collect());
                Some(at + 2)
            }
            _ => None,
        }
    }

    fn repeated(&mut self, tokens: &[Token]) {
        let inside = self.nested(tokens);
        if Node::matter(&inside) {
            self.out.push(Node::with("loop", inside));
        }
        self.value = Value::Other;
    }

    fn branches(&mut self, tokens: &[Token], at: usize) -> Option<usize> {
        let mut body = tokens::body(tokens, at + 1)?;
        self.run(&tokens[at + 1..body]);
        let mut arms: Vec<_> = self.arm("then", tokens, body)?.into_iter().collect();
        let mut next = body + 1;
        while is_word(tokens.get(next), "else") {
            if is_word(tokens.get(next + 1), "if") {
                let Some(found) = tokens::body(tokens, next + 2) else { break };
                body = found;
                // This condition is evaluated only if the earlier ones were false.
                let inside = self.nested(&tokens[next + 2..=body]);
                arms.extend((!inside.is_empty()).then(|| Node::with("then", inside)));
                next = body + 1;
            } else {
                let Some(arm) = self.arm("else", tokens, next + 1) else { break };
                arms.extend(arm);
                next += 2;
                break;
            }
        }
        self.choice("if", arms);
        Some(next)
    }

    /// Reads the block at `at` as an arm. The inner option is `None` if the block contains no operation.
    fn arm(&mut self, text: &'static str, tokens: &[Token], at: usize) -> Option<Option<Node>> {
        let block = group(tokens.get(at), Delimiter::Brace)?;
        let inside = self.nested(block.tokens());
        Some((!inside.is_empty()).then(|| Node::with(text, inside)))
    }

    fn choice(&mut self, text: &'static str, arms: Vec<Node>) {
        if !arms.is_empty() {
            self.out.push(Node::with(text, arms));
        }
        self.value = Value::Other;
    }

    fn arms(&mut self, tokens: &[Token], at: usize) -> Option<usize> {
        let body = tokens::body(tokens, at + 1)?;
        self.run(&tokens[at + 1..body]);
        let list = group(tokens.get(body), Delimiter::Brace)?.tokens();
        let mut arms = Vec::new();
        let mut from = 0;
        while let Some(arrow) = (from..list.len()).find(|place| is_arrow(list, *place)) {
            let guard = (from..arrow).find(|place| is_word(list.get(*place), "if"));
            let (expression, next) = tokens::arm(list, arrow + 2);
            let inside = self.collect(|scan| {
                scan.run(guard.map_or(&[], |guard| &list[guard + 1..arrow]));
                scan.run(expression);
            });
            arms.extend((!inside.is_empty()).then(|| Node::with("arm", inside)));
            from = next;
        }
        self.choice("match", arms);
        Some(body + 1)
    }

    fn block(&mut self, tokens: &[Token], at: usize) -> Option<usize> {
        let place = at + 1 + usize::from(is_word(tokens.get(at + 1), "move"));
        let block = group(tokens.get(place), Delimiter::Brace)?;
        let inside = self.nested(block.tokens());
        if !inside.is_empty() {
            self.out.push(Node::with("async block", inside));
        }
        self.value = Value::Operation("async block".into());
        Some(place + 1)
    }

    /// Reads `select!`, `join!` and `try_join!`. The arguments of any other macro are read as if the macro were not
    /// there.
    pub(super) fn macro_call(&mut self, arguments: &Group) {
        let list = arguments.tokens();
        let name = match std::mem::take(&mut self.value) {
            Value::Path { name, .. } => name,
            _ => String::new(),
        };
        match name.as_str() {
            "select" => self.select(list),
            "join" => self.join("join", list),
            "try_join" => self.join("try join", list),
            _ => self.run(list),
        }
        self.value = Value::Other;
    }

    fn join(&mut self, text: &'static str, list: &[Token]) {
        let branches = list.split(|token| is_punct(Some(token), ',')).filter(|branch| !branch.is_empty());
        let inside = branches.map(|branch| Node::with("branch", self.future(branch))).collect();
        self.out.push(Node::with(text, inside));
    }

    /// Reads the branches of a `select!`: `pattern = future => expression`, one after another.
    fn select(&mut self, list: &[Token]) {
        let mut branches = Vec::new();
        let mut from = 0;
        while let Some(arrow) = (from..list.len()).find(|place| is_arrow(list, *place)) {
            let equals = (from..arrow).find(|place| is_punct(list.get(*place), '='));
            let mut inside = self.future(&list[equals.map_or(from, |place| place + 1)..arrow]);
            let (expression, next) = tokens::arm(list, arrow + 2);
            let then = self.nested(expression);
            inside.extend((!then.is_empty()).then(|| Node::with("then", then)));
            branches.push(Node::with("branch", inside));
            from = next;
        }
        self.out.push(Node::with("select", branches));
    }

    /// Reads a future that a macro awaits.
    fn future(&mut self, tokens: &[Token]) -> Vec<Node> {
        let mut nodes = self.collect(|scan| {
            scan.run(tokens);
            scan.awaited();
        });
        // A branch is a block in any case, so an async block adds nothing.
        if nodes.len() == 1 && nodes[0].text == "async block" {
            nodes = nodes.remove(0).inside;
        }
        nodes
    }
}
