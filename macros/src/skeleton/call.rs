//! Decides by their names which calls of functions and methods are durable operations.

use super::node::Node;
use super::scan::{Scan, Value};
use crate::tokens::{Group, Token, is_punct};

impl Scan {
    /// Reads `owner::name(arguments)`. The arguments come first, because they are evaluated first.
    pub(super) fn function(&mut self, owner: Option<&str>, name: &str, arguments: &Group) {
        if (owner, name) == (Some("Saga"), "run") {
            return self.block_of(arguments.tokens(), "saga");
        }
        self.run(arguments.tokens());
        let inner = self.resolved();
        let text = match (owner, name) {
            (Some(owner), "call") => format!("call {owner}"),
            (Some(owner), "start_detached") => format!("start {owner} detached"),
            (Some(owner), "continue_as_new") => format!("continue as new {owner}"),
            (Some(owner), "wait" | "stream") => format!("wait for {owner}"),
            // Such a future is ready at once, so there is no operation.
            (Some("future"), "ready") => {
                self.value = Value::Operation("".into());
                return;
            }
            // `Box::pin` and similar functions return the operation that they are given.
            (_, "pin") => {
                self.value = inner;
                return;
            }
            _ => {
                self.value = match self.locals.get(name).filter(|_| owner.is_none()) {
                    Some(text) => Value::Kept(text.clone()),
                    None => Value::Call(name.to_owned()),
                };
                return;
            }
        };
        self.operation(text);
    }

    /// Reads `receiver.name(arguments)`.
    pub(super) fn method(&mut self, receiver: Value, name: &str, arguments: &Group) {
        let tokens = arguments.tokens();
        match name {
            "join_all" | "try_join_all" | "join_all_limit" => {
                let text = match name {
                    "join_all" => "join all",
                    "try_join_all" => "try join all",
                    _ => "join all with a limit",
                };
                return self.block_of(tokens, text);
            }
            "poll_until" => return self.block_of(tokens, "poll until"),
            // Behind a call, the policy applies to that call. On a context, it applies to the block in the arguments.
            "retry" if !self.is_operation(&receiver) && tokens.iter().any(|token| is_punct(Some(token), '|')) => {
                return self.block_of(tokens, "retry");
            }
            _ => self.run(tokens),
        }
        match name {
            "create_timer" | "create_timer_at" => self.operation("timer".to_owned()),
            "wait_for_external_event" => self.operation(format!("wait for {}", literal(tokens, "an event"))),
            "side_effect" => self.value_noted("side effect".to_owned()),
            "patched" => self.value_noted(format!("patched {}", literal(tokens, "by a name"))),
            "set_custom_status" => self.value_noted("set custom status".to_owned()),
            "clear_custom_status" => self.value_noted("clear custom status".to_owned()),
            "new_uuid" if tokens.is_empty() => self.value_noted("new uuid".to_owned()),
            "random" if tokens.is_empty() => self.value_noted("random".to_owned()),
            "send_event" => self.value_noted("send event".to_owned()),
            // Only `.timeout(&ctx, duration)` has two arguments; other methods with this name have one.
            "timeout" if tokens.iter().any(|token| is_punct(Some(token), ',')) => {
                self.value = receiver;
                self.awaited();
                self.operation("timeout".to_owned());
            }
            "retry" if self.is_operation(&receiver) => {
                self.value = receiver;
                self.note("retry");
            }
            _ => self.other_method(receiver, name),
        }
    }

    /// Reads the arguments as the inside of an operation.
    fn block_of(&mut self, tokens: &[Token], text: &'static str) {
        let inside = self.nested(tokens);
        self.out.push(Node::with(text, inside));
        self.value = Value::Operation(text.into());
    }

    /// Returns whether the value is an operation, or a local variable that holds one.
    fn is_operation(&self, value: &Value) -> bool {
        match value {
            Value::Operation(_) | Value::Kept(_) => true,
            Value::Path { owner: None, name } => self.locals.contains_key(name),
            _ => false,
        }
    }

    fn other_method(&mut self, receiver: Value, name: &str) {
        self.value = receiver;
        let receiver = self.resolved();
        let is_operation = matches!(receiver, Value::Operation(_) | Value::Kept(_));
        if name == "schedule" && is_operation {
            self.note("schedule");
        }
        // A method of an operation returns that operation. Any other method may be a helper.
        self.value = match receiver {
            Value::Operation(_) | Value::Kept(_) | Value::Call(_) => receiver,
            Value::Path { .. } | Value::Other => Value::Call(name.to_owned()),
        };
    }

    fn operation(&mut self, text: String) {
        self.note(text.clone());
        self.value = Value::Operation(text.into());
    }

    fn value_noted(&mut self, text: String) {
        self.note(text);
        self.value = Value::Other;
    }
}

/// Returns the literal that is the first argument, as it is written.
fn literal(arguments: &[Token], otherwise: &str) -> String {
    match arguments.first() {
        Some(Token::Literal(literal)) => literal.to_string(),
        _ => otherwise.to_owned(),
    }
}
