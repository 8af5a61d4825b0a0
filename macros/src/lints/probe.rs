//! Names that look like a hazard but may be the user's own, because a macro cannot see the imports of the file. A
//! constant in the body asks the compiler what they are.

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use super::catalogue::Lint;
use super::matching::Meaning;

/// One question to the compiler.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// The message if the name is the hazard.
    text: String,
    /// The words that name the type or the module.
    path: Vec<String>,
    /// An item of the known module, if the question is about a module.
    item: Option<&'static str>,
    /// The place where the path was written.
    first: Span,
    last: Span,
}

impl Probe {
    pub(super) fn new(lint: &Lint, what: &str, words: &[String], meaning: Meaning, written: &TokenStream) -> Self {
        let mut spans = written.clone().into_iter().map(|token| TokenTree::span(&token));
        let first = spans.next().unwrap_or_else(Span::call_site);
        let item = match meaning {
            Meaning::IfModule(item) => Some(item),
            Meaning::IfType | Meaning::Sure => None,
        };
        let path = words[..words.len().saturating_sub(1)].to_vec();
        Self { text: lint.text(what), path, item, first, last: spans.last().unwrap_or(first) }
    }

    /// Returns a constant expression that says whether the name is the hazard.
    pub(crate) fn is_meant(&self, rt: &TokenStream) -> TokenStream {
        let words = self.path.iter().map(|word| Ident::new(word, self.first));
        let path = quote!(#(#words)::*);
        match self.item {
            None => quote!({
                use #rt::Unknown as _;
                #rt::Known::<#path>::IS_HAZARD
            }),
            // An item of the module hides the one that stands for its absence.
            Some(item) => {
                let words = item.split("::").map(|word| Ident::new(word, Span::call_site()));
                quote!({
                    #[allow(unused_imports)]
                    use #rt::{Present as _, absent::*};
                    {
                        #[allow(unused_imports)]
                        use #path::*;
                        #rt::Holds::<#(#words)::*>::ITEM
                    }
                })
            }
        }
    }

    /// Returns code that refuses the name if it is the hazard.
    pub(super) fn refusal(&self, rt: &TokenStream) -> TokenStream {
        let is_meant = self.is_meant(rt);
        let text = Literal::string(&self.text);
        let refuse = crate::rewrite::respan(quote!(#rt::refuse), self.first);
        let arguments = quote_spanned!(self.last=> (IS_MEANT, #text));
        quote! {
            const _: () = {
                const IS_MEANT: #rt::core::primitive::bool = #is_meant;
                #refuse #arguments
            };
        }
    }
}
