//! Questions to a list of tokens. A body need not parse, so they are asked token by token.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// The word that stands there.
pub(crate) fn word(token: Option<&TokenTree>) -> Option<&Ident> {
    match token {
        Some(TokenTree::Ident(word)) => Some(word),
        _ => None,
    }
}

/// Whether that word stands there.
pub(crate) fn is_word(token: Option<&TokenTree>, expected: &str) -> bool {
    word(token).is_some_and(|word| word == expected)
}

/// Whether that sign stands there.
pub(crate) fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

/// The tokens between such brackets, if a group stands there.
pub(crate) fn inside(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<Vec<TokenTree>> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(list(&group.stream())),
        _ => None,
    }
}

/// Whether a group in such brackets stands there.
pub(crate) fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

/// The tokens of a stream, to be looked at from both sides.
pub(crate) fn list(stream: &TokenStream) -> Vec<TokenTree> {
    stream.clone().into_iter().collect()
}

/// How many tokens from `at` on are an item of their own, which the body does not run where it stands: a nested
/// function, an import. Zero if none begins there.
pub(crate) fn nested_item(tokens: &[TokenTree], at: usize) -> usize {
    match word(tokens.get(at)) {
        Some(keyword) if keyword == "fn" && word(tokens.get(at + 1)).is_some() => nested_function(&tokens[at..]),
        // `use<'a>` is a list of what an opaque type captures.
        Some(keyword) if keyword == "use" && !is_punct(tokens.get(at + 1), '<') => {
            let rest = tokens[at..].iter().position(|token| is_punct(Some(token), ';'));
            rest.map_or(tokens.len() - at, |end| end + 1)
        }
        _ => 0,
    }
}

/// The length of a nested function: up to its body, which is the first brace that is no generic argument.
fn nested_function(tokens: &[TokenTree]) -> usize {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !is_punct(tokens.get(at.wrapping_sub(1)), '-') => {
                depth -= 1;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => return at + 1,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && depth <= 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The group in its place, with other tokens in it.
pub(crate) fn regroup(group: &Group, stream: TokenStream) -> Group {
    let mut new = Group::new(group.delimiter(), stream);
    new.set_span(group.span());
    new
}

/// Generated tokens at a place of the user, so that an error points there.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            // What `$crate` means hangs on its place.
            if word(Some(&token)).is_none_or(|word| word != "$crate") {
                token.set_span(span);
            }
            token
        })
        .collect()
}
