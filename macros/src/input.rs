//! Parses the annotated function. The signature is parsed strictly. The body stays raw tokens, so that completion works
//! in it while a line is only half typed.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature, Token, Visibility};

/// A function as the user wrote it.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
    /// Everything before the body, unchanged.
    header: TokenStream,
}

/// Splits a function into its parts. The body is split off first, because a parser would go through every token of it.
pub(crate) fn function(item: TokenStream) -> syn::Result<Function> {
    let mut header: Vec<_> = item.into_iter().collect();
    match header.pop() {
        Some(TokenTree::Group(body)) => {
            let header: TokenStream = header.into_iter().collect();
            let (attrs, vis, sig) = parse_header.parse2(header.clone())?;
            Ok(Function { attrs, vis, sig, body, header })
        }
        other => Err(syn::Error::new_spanned(other, "expected a function with a body")),
    }
}

/// A signature that ends in a semicolon. It may leave out `async`, because there is no body.
pub(crate) fn declaration(input: ParseStream<'_>) -> syn::Result<Function> {
    let (attrs, vis, mut sig) = parse_header(input)?;
    if !input.peek(Token![;]) {
        return Err(input.error("a declaration has no body: end it with `;`"));
    }
    input.parse::<Token![;]>()?;
    sig.asyncness.get_or_insert(Token![async](sig.fn_token.span));
    let body = Group::new(Delimiter::Brace, TokenStream::new());
    Ok(Function { attrs, vis, sig, body, header: TokenStream::new() })
}

fn parse_header(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Visibility, Signature)> {
    Ok((input.call(Attribute::parse_outer)?, input.parse()?, input.parse()?))
}

impl Function {
    /// Returns the function with another body.
    pub(crate) fn with_body(&self, body: &Group) -> TokenStream {
        let header = &self.header;
        quote!(#header #body)
    }

    /// Returns the attributes that generated items copy: documentation and `#[deprecated]`.
    pub(crate) fn docs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("doc") || attr.path().is_ident("deprecated"))
    }

    /// Returns the `#[cfg(..)]` attributes, which all generated items share.
    pub(crate) fn cfgs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
    }
}

/// Returns the name of the kind of item, for error messages. Only its parts decide, whatever the user wrote.
impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body, .. } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}
