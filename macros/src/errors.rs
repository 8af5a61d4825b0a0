//! Collects the mistakes that were found, so that all of them are reported and not only the first.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects mistakes. The code that creates a collection must also read it; a check in tests makes sure of that.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    looked_at: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reports a mistake at those tokens.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake at that span.
    pub(crate) fn push_at(&mut self, span: Span, message: impl Display) {
        self.found.push(syn::Error::new(span, message));
    }

    pub(crate) fn push_error(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// Adds the mistakes of a later stage.
    pub(crate) fn append(&mut self, mut later: Self) {
        later.looked_at = true;
        self.found.append(&mut later.found);
    }

    /// Returns the number of mistakes so far.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns one `compile_error!` for each mistake, in the order in which they were found.
    pub(crate) fn into_tokens(mut self) -> TokenStream {
        self.looked_at = true;
        self.found.iter().map(syn::Error::to_compile_error).collect()
    }

    /// Returns the messages, for tests.
    #[cfg(test)]
    pub(crate) fn into_messages(mut self) -> Vec<String> {
        self.looked_at = true;
        self.found.iter().map(ToString::to_string).collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        if cfg!(test) && !self.looked_at && !std::thread::panicking() {
            panic!("mistakes were collected and never reported: {:?}", self.found);
        }
    }
}
