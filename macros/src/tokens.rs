//! The tokens of a body, as the passes read them. They are taken from the compiler once, with the texts of words and
//! the contents of groups, because each question to the compiler costs more than all the work on its answer. A body
//! does not have to parse, so every question is about single tokens.

use std::fmt;
use std::rc::Rc;

use proc_macro2::{Delimiter, Ident, Literal, Punct, Span, TokenStream, TokenTree};

/// One token, or a group of them.
#[derive(Debug, Clone)]
pub(crate) enum Token {
    Word(Word),
    Punct(Punct),
    Literal(Literal),
    Group(Group),
}

impl Token {
    /// Returns the token as the compiler gave it.
    pub(crate) fn original(&self) -> TokenTree {
        match self {
            Self::Word(word) => word.ident.clone().into(),
            Self::Punct(punct) => punct.clone().into(),
            Self::Literal(literal) => literal.clone().into(),
            Self::Group(group) => group.0.original.clone().into(),
        }
    }
}

impl From<TokenTree> for Token {
    fn from(token: TokenTree) -> Self {
        match token {
            TokenTree::Ident(ident) => Self::Word(Word { text: ident.to_string().into(), ident }),
            TokenTree::Punct(punct) => Self::Punct(punct),
            TokenTree::Literal(literal) => Self::Literal(literal),
            TokenTree::Group(original) => {
                let tokens = list(original.stream());
                Self::Group(Group(Rc::new(Contents { original, tokens })))
            }
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.original(), f)
    }
}

/// A word, which is a name or a keyword.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    text: Rc<str>,
    ident: Ident,
}

impl Word {
    pub(crate) fn span(&self) -> Span {
        self.ident.span()
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.ident
    }

    /// Whether the word is one of these.
    pub(crate) fn is_any(&self, words: &[&str]) -> bool {
        words.contains(&&*self.text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        *self.text == *other
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        *self.text == **other
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tokens in brackets.
#[derive(Debug, Clone)]
pub(crate) struct Group(Rc<Contents>);

#[derive(Debug)]
struct Contents {
    original: proc_macro2::Group,
    tokens: Vec<Token>,
}

impl Group {
    pub(crate) fn delimiter(&self) -> Delimiter {
        self.0.original.delimiter()
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.0.tokens
    }

    /// Returns the group as the compiler gave it.
    pub(crate) fn original(&self) -> &proc_macro2::Group {
        &self.0.original
    }
}

/// Returns the tokens of a stream.
pub(crate) fn list(stream: TokenStream) -> Vec<Token> {
    stream.into_iter().map(Token::from).collect()
}

/// Returns the tokens as the compiler gave them.
pub(crate) fn originals(tokens: &[Token]) -> TokenStream {
    tokens.iter().map(Token::original).collect()
}

/// Returns the token if it is a word.
pub(crate) fn word(token: Option<&Token>) -> Option<&Word> {
    match token {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

/// Whether the token is that word.
pub(crate) fn is_word(token: Option<&Token>, expected: &str) -> bool {
    word(token).is_some_and(|word| word == expected)
}

/// Whether the token is that punctuation character.
pub(crate) fn is_punct(token: Option<&Token>, char: char) -> bool {
    matches!(token, Some(Token::Punct(punct)) if punct.as_char() == char)
}

/// Returns the token if it is a group in such brackets.
pub(crate) fn group(token: Option<&Token>, delimiter: Delimiter) -> Option<&Group> {
    match token {
        Some(Token::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// Returns the tokens inside the brackets, if the token is such a group.
pub(crate) fn inside(token: Option<&Token>, delimiter: Delimiter) -> Option<&[Token]> {
    group(token, delimiter).map(Group::tokens)
}

/// Whether the token is a group in such brackets.
pub(crate) fn is_group(token: Option<&Token>, delimiter: Delimiter) -> bool {
    group(token, delimiter).is_some()
}

/// Returns how many tokens from `at` form an item that the body does not run where it stands, such as a nested function
/// or an import. Returns zero if no such item begins there.
pub(crate) fn nested_item(tokens: &[Token], at: usize) -> usize {
    match word(tokens.get(at)) {
        Some(keyword) if keyword == "fn" && word(tokens.get(at + 1)).is_some() => nested_function(&tokens[at..]),
        // `use<'a>` lists what an opaque type captures.
        Some(keyword) if keyword == "use" && !is_punct(tokens.get(at + 1), '<') => {
            let rest = tokens[at..].iter().position(|token| is_punct(Some(token), ';'));
            rest.map_or(tokens.len() - at, |end| end + 1)
        }
        _ => 0,
    }
}

/// Returns the length of a nested function up to its body, which is the first brace outside of generic arguments.
fn nested_function(tokens: &[Token]) -> usize {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Punct(punct) if punct.as_char() == '<' => depth += 1,
            Token::Punct(punct) if punct.as_char() == '>' && !is_punct(tokens.get(at.wrapping_sub(1)), '-') => {
                depth -= 1;
            }
            Token::Punct(punct) if punct.as_char() == ';' => return at + 1,
            Token::Group(group) if group.delimiter() == Delimiter::Brace && depth <= 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Returns a group with the same brackets and span, but with other tokens.
pub(crate) fn regroup(group: &proc_macro2::Group, stream: TokenStream) -> proc_macro2::Group {
    let mut new = proc_macro2::Group::new(group.delimiter(), stream);
    new.set_span(group.span());
    new
}

/// Gives generated tokens the span of the user's code, so that an error points there.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            // The meaning of `$crate` depends on its span.
            let keeps = matches!(&token, TokenTree::Ident(ident) if ident == "$crate");
            if !keeps {
                token.set_span(span);
            }
            token
        })
        .collect()
}
