//! Finds hazards in branches and loops: branches on `is_replaying`, loops without an end, and loops over maps that have
//! no fixed order.

use proc_macro2::Delimiter;

use super::Found;
use super::scope::{Holds, Scope};
use crate::tokens::{Token, Word, inside, is_group, is_punct, is_word, nested_item, word};

/// Functions of a generated type whose calls are recorded.
const RECORDED_FUNCTIONS: [&str; 5] = ["call", "wait", "stream", "start_detached", "continue_as_new"];

/// Methods of the context whose calls are recorded or counted, or whose result readers can see.
const RECORDED_METHODS: [&str; 10] = [
    "set_custom_status",
    "clear_custom_status",
    "side_effect",
    "patched",
    "new_uuid",
    "random",
    "send_event",
    "create_timer",
    "create_timer_at",
    "wait_for_external_event",
];

/// Methods of maps and sets that reveal their order.
const ORDERED_BY_HASH: [&str; 9] =
    ["iter", "iter_mut", "into_iter", "keys", "into_keys", "values", "values_mut", "into_values", "drain"];

pub(crate) fn find(tokens: &[Token], at: usize, scope: &Scope) -> Option<Found> {
    let keyword = word(tokens.get(at))?;
    let branches = keyword == "if" || keyword == "while" || keyword == "match";
    if let Some(found) = branches.then(|| replaying_branch(tokens, at, scope)).flatten() {
        return Some(found);
    }
    if keyword == "loop" || keyword == "while" && is_word(tokens.get(at + 1), "true") {
        let body = inside(tokens.get(at + if keyword == "loop" { 1 } else { 2 }), Delimiter::Brace)?;
        let awaits = any(body, &mut |tokens, at| is_await(tokens, at));
        let leaves = |tokens: &[Token], at: usize| {
            ["break", "return", "continue_as_new"].iter().any(|way_out| is_word(tokens.get(at), way_out))
        };
        let leaves = any(body, &mut { leaves });
        return (awaits && !leaves).then_some(Found { id: "unbounded_loop", what: None, at });
    }
    let hashed = has_hash_order(keyword, scope);
    (hashed && shows_order(tokens, at)).then_some(Found { id: "hash_iter", what: None, at })
}

/// Whether a local variable has the order of a hash map or set.
fn has_hash_order(local: &Word, scope: &Scope) -> bool {
    matches!(scope.holds(local.text()), Some(Holds::Hashed | Holds::HashOrder))
}

/// Finds an argument of a recorded call that is a list in the order of a hash map or set: `x::call(&ctx, list)`.
pub(crate) fn argument(tokens: &[Token], at: usize, scope: &Scope) -> Option<Found> {
    let local = word(tokens.get(at))?;
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let whole = before.is_none() || is_punct(before, ',') || is_punct(before, '&');
    let copied = is_punct(tokens.get(at + 1), '.') && is_word(tokens.get(at + 2), "clone");
    let next = tokens.get(if copied { at + 4 } else { at + 1 });
    let alone = whole && (next.is_none() || is_punct(next, ','));
    let list = scope.holds(local.text()) == Some(Holds::HashOrder);
    (alone && list).then_some(Found { id: "hash_iter", what: None, at })
}

/// Whether the group at `at` contains the arguments of a recorded call.
pub(crate) fn is_recorded_call(tokens: &[Token], at: usize) -> bool {
    at >= 2
        && is_punct(tokens.get(at - 2), ':')
        && word(tokens.get(at - 1)).is_some_and(|name| name.is_any(&RECORDED_FUNCTIONS))
}

/// Whether the brace after those tokens is the first branch of an `if` on `is_replaying`.
pub(crate) fn depends_on_replay(before: &[Token], scope: &Scope) -> bool {
    let ends = |token: &Token| is_punct(Some(token), ';') || is_group(Some(token), Delimiter::Brace);
    let start = before.iter().rposition(ends).map_or(0, |end| end + 1);
    let condition = before[start..].iter().position(|token| is_word(Some(token), "if"));
    condition.is_some_and(|at| asks_for_replay(&before[start + at..], scope))
}

fn asks_for_replay(condition: &[Token], scope: &Scope) -> bool {
    any(condition, &mut |tokens, at| word(tokens.get(at)).is_some_and(|word| tells_of_replay(word, scope)))
}

fn tells_of_replay(word: &Word, scope: &Scope) -> bool {
    word == "is_replaying" || scope.holds(word.text()) == Some(Holds::Replaying)
}

/// Finds `if ctx.is_replaying() { x::call(..).await }`.
fn replaying_branch(tokens: &[Token], at: usize, scope: &Scope) -> Option<Found> {
    let body = at + tokens[at..].iter().position(|token| is_group(Some(token), Delimiter::Brace))?;
    let tells = |token: &Token| word(Some(token)).is_some_and(|word| tells_of_replay(word, scope));
    let asked = at + tokens[at..body].iter().position(tells)?;
    let mut branches = inside(tokens.get(body), Delimiter::Brace)?.to_vec();
    let mut end = body + 1;
    while is_word(tokens.get(end), "else") {
        let next = end + tokens[end..].iter().position(|token| is_group(Some(token), Delimiter::Brace))?;
        branches.extend_from_slice(inside(tokens.get(next), Delimiter::Brace)?);
        end = next + 1;
    }
    is_recorded(&branches).then_some(Found { id: "replaying_branch", what: None, at: asked })
}

/// Whether the order of the map at `at` decides about durable operations: a `for` loops over it, or an expression is
/// made from it.
fn shows_order(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
    if is_punct(before(1), '.') || is_punct(before(1), ':') {
        return false;
    }
    let method = word(tokens.get(at + 2)).filter(|_| is_punct(tokens.get(at + 1), '.'));
    let iterates = method.is_some_and(|method| method.is_any(&ORDERED_BY_HASH));
    // This is the chain of methods. It ends at an operator, and at the block of an `if` or `match`.
    let ends = |token: &Token| match token {
        Token::Punct(punct) => !".:<>_".contains(punct.as_char()),
        token => is_group(Some(token), Delimiter::Brace),
    };
    let end = tokens[at..].iter().position(ends).map_or(tokens.len(), |end| at + end);
    let sign = |token: Option<&Token>| is_punct(token, '&') || is_word(token, "mut");
    let start = (1..).find(|back| !sign(before(*back))).unwrap_or(1);
    if is_word(before(start), "in") {
        let Some(body) = tokens[at..].iter().position(|token| is_group(Some(token), Delimiter::Brace)) else {
            return false;
        };
        let loop_body = inside(tokens.get(at + body), Delimiter::Brace).unwrap_or_default();
        let whole = method.is_none() && body == 1;
        return (iterates || whole) && !sorts(&tokens[at..at + body]) && is_recorded(loop_body);
    }
    iterates && !sorts(&tokens[at..end]) && is_recorded(&tokens[at..end])
}

/// Whether an expression sorts its elements, or does not depend on their order.
pub(crate) fn sorts(tokens: &[Token]) -> bool {
    any(tokens, &mut |tokens, at| {
        word(tokens.get(at)).is_some_and(|word| {
            let word = word.text();
            word.contains("sort") || word.contains("BTree") || word.contains("BinaryHeap")
        })
    })
}

/// Whether the tokens issue a durable operation.
fn is_recorded(tokens: &[Token]) -> bool {
    any(tokens, &mut |tokens, at| {
        let name = |names: &[&str]| word(tokens.get(at)).is_some_and(|word| word.is_any(names));
        let after = |sign| at > 0 && is_punct(tokens.get(at - 1), sign);
        let called = is_group(tokens.get(at + 1), Delimiter::Parenthesis)
            && (after(':') && name(&RECORDED_FUNCTIONS) || after('.') && name(&RECORDED_METHODS));
        called || is_await(tokens, at)
    })
}

fn is_await(tokens: &[Token], at: usize) -> bool {
    is_punct(tokens.get(at), '.') && is_word(tokens.get(at + 1), "await")
}

/// Whether a condition holds at any place, also inside groups. Nested functions are skipped, because they do not run
/// where they stand.
fn any(tokens: &[Token], holds: &mut impl FnMut(&[Token], usize) -> bool) -> bool {
    let mut at = 0;
    while at < tokens.len() {
        let item = nested_item(tokens, at);
        if item > 0 {
            at += item;
            continue;
        }
        if holds(tokens, at) {
            return true;
        }
        if let Token::Group(group) = &tokens[at]
            && any(group.tokens(), holds)
        {
            return true;
        }
        at += 1;
    }
    false
}
