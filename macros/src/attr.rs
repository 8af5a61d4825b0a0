//! Parses the options of an attribute. Each option keeps its key, so that an error points at the option and not at the
//! whole attribute.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, LitStr, Path, Token, Type, parenthesized};

use crate::errors::Errors;
use crate::lints::{self, Allowed};
use crate::retry::Retry;

/// Which attribute was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Orchestrator,
    Activity,
    Activities,
    OrchestratorFn,
    Event,
}

impl Kind {
    /// Returns the name of the attribute as a user writes it.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Orchestrator => "#[orchestrator]",
            Self::Activity => "#[activity]",
            Self::Activities => "#[activities]",
            Self::OrchestratorFn => "#[orchestrator_fn]",
            Self::Event => "#[external_event]",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Orchestrator => &["name", "version", "marker", "events", "crate", "allow"],
            Self::Activity => &["name", "marker", "retry", "concurrency", "crate"],
            Self::Activities => &["crate"],
            Self::OrchestratorFn => &["crate", "allow"],
            Self::Event => &["name", "crate"],
        }
    }
}

/// The longest name of an orchestrator, an activity or an event, and the longest version, in characters.
const MAX_NAME_CHARS: usize = 256;

/// The options that were given. An option with a mistake counts as not given.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) marker: Option<Ident>,
    pub(crate) krate: Option<Path>,
    /// The path of the library, in a declaration of code that runs elsewhere. Such code already knows the path, and
    /// such an activity has no context.
    pub(crate) library: Option<TokenStream>,
    /// The checks that are turned off.
    pub(crate) allowed: Allowed,
    /// The events that the orchestrator accepts. `None` means all events.
    pub(crate) events: Option<Vec<Type>>,
    /// How calls of the activity are tried again.
    pub(crate) retry: Option<Retry>,
    /// How many runs of the activity there may be at a time.
    pub(crate) concurrency: Option<usize>,
}

impl Options {
    pub(crate) fn parse(kind: Kind, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        let mut seen = Vec::new();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = options.parse_one(kind, input, &mut seen, errors) {
                    errors.push_error(error);
                    skip_to_comma(input)?;
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push_error(error);
        }
        options
    }

    /// Returns the path of the helpers that generated code uses.
    pub(crate) fn rt(&self) -> TokenStream {
        match (&self.krate, &self.library) {
            (Some(path), _) => quote::quote!(#path::__rt),
            (None, Some(path)) => quote::quote!(#path::__rt),
            (None, None) => quote::quote!(::persevere::__rt),
        }
    }

    fn parse_one(
        &mut self,
        kind: Kind,
        input: ParseStream<'_>,
        seen: &mut Vec<String>,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            let known = known(kind);
            return Err(input.error(format!("expected an option of `{}`: {known}", kind.attribute())));
        }
        let key = input.call(Ident::parse_any)?;
        let name = key.to_string();
        if !kind.options().contains(&name.as_str()) {
            let known = known(kind);
            return Err(syn::Error::new(
                key.span(),
                format!("`{}` has no option `{name}`: it knows {known}", kind.attribute()),
            ));
        }
        if seen.contains(&name) {
            return Err(syn::Error::new(key.span(), format!("option `{name}` is given twice: remove one")));
        }
        seen.push(name.clone());
        match name.as_str() {
            "name" => self.name = legal_name(text(&key, input, "SayHello")?, errors),
            "version" => self.version = legal_version(text(&key, input, "2")?, errors),
            "marker" => self.marker = Some(value(&key, input, "SayHello", |input| input.parse())?),
            "crate" => self.krate = Some(value(&key, input, "path::to::persevere", Path::parse_mod_style)?),
            "concurrency" => self.concurrency = Some(value(&key, input, "4", concurrency)?),
            "retry" => self.retry = Some(Retry::parse(&key, input)?),
            "events" => self.events = Some(events(&key, input, errors)?),
            _ => self.parse_allow(&key, input, errors)?,
        }
        Ok(())
    }

    fn parse_allow(&mut self, key: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        let shape =
            || syn::Error::new(key.span(), "write `allow(wall_clock)`, with the names of the checks to turn off");
        if !input.peek(syn::token::Paren) {
            return Err(shape());
        }
        let content;
        parenthesized!(content in input);
        let names = content.parse_terminated(Ident::parse_any, Token![,]).map_err(|_| shape())?;
        if names.is_empty() {
            return Err(shape());
        }
        for name in names {
            if !self.allowed.insert(&name.to_string()) {
                let known: Vec<_> = lints::ids().collect();
                let known = known.join("`, `");
                errors.push_at(name.span(), format!("there is no check `{name}` to allow: the checks are `{known}`"));
            }
        }
        Ok(())
    }
}

/// Parses the types in `events(..)`, each of which may be given once.
fn events(key: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<Type>> {
    let shape = || syn::Error::new(key.span(), "write `events(BookingConfirmed, Cancelled)`");
    if !input.peek(syn::token::Paren) {
        return Err(shape());
    }
    let content;
    parenthesized!(content in input);
    let mut events: Vec<Type> = Vec::new();
    let Ok(given) = content.parse_terminated(Type::parse, Token![,]) else {
        content.parse::<TokenStream>()?;
        return Err(shape());
    };
    for event in given {
        let text = text_of(&event);
        if events.iter().any(|other| text_of(other) == text) {
            errors.push(&event, format!("`{text}` is given twice: remove one"));
        } else {
            events.push(event);
        }
    }
    Ok(events)
}

fn text_of(event: &Type) -> String {
    event.to_token_stream().to_string().replace(' ', "")
}

fn known(kind: Kind) -> String {
    format!("`{}`", kind.options().join("`, `"))
}

fn text(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    value(key, input, &format!("\"{example}\""), |input| input.parse())
}

fn value<T>(
    key: &Ident,
    input: ParseStream<'_>,
    example: &str,
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let shape = |span| syn::Error::new(span, format!("write `{key} = {example}`"));
    if !input.peek(Token![=]) {
        return Err(shape(key.span()));
    }
    input.parse::<Token![=]>()?;
    let span = if input.is_empty() { key.span() } else { input.span() };
    let value = parse(input).map_err(|_| shape(span))?;
    if input.is_empty() || input.peek(Token![,]) { Ok(value) } else { Err(shape(span)) }
}

fn concurrency(input: ParseStream<'_>) -> syn::Result<usize> {
    let number: syn::LitInt = input.parse()?;
    let limit = number.base10_parse::<u32>()?;
    if limit == 0 { Err(syn::Error::new(number.span(), "at least 1")) } else { Ok(limit as usize) }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn legal_name(name: LitStr, errors: &mut Errors) -> Option<LitStr> {
    match name_mistake(&name.value()) {
        Some(mistake) => {
            errors.push_at(name.span(), mistake);
            None
        }
        None => Some(name),
    }
}

fn name_mistake(name: &str) -> Option<String> {
    let chars = name.chars().count();
    if name.trim().is_empty() {
        return Some("a name must not be empty: leave the option out to take the name of the item".to_owned());
    }
    if chars > MAX_NAME_CHARS {
        return Some(format!("a name has at most {MAX_NAME_CHARS} characters, this one has {chars}"));
    }
    if name.starts_with('@') {
        return Some("a name must not begin with `@`, which is reserved for entities".to_owned());
    }
    if name.trim() != name {
        return Some("a name must not begin or end with white space".to_owned());
    }
    let illegal = |c: &char| matches!(c, '/' | '\\' | '#' | '?') || c.is_control();
    let found = name.chars().find(illegal)?;
    Some(format!("a name must not contain {found:?}: `/`, `\\`, `#`, `?` and control characters are not allowed"))
}

fn legal_version(version: LitStr, errors: &mut Errors) -> Option<LitStr> {
    let text = version.value();
    let chars = text.chars().count();
    let mistake = if text.trim().is_empty() {
        "a version must not be empty: leave the option out for an orchestrator without one".to_owned()
    } else if chars > MAX_NAME_CHARS {
        format!("a version has at most {MAX_NAME_CHARS} characters, this one has {chars}")
    } else if text.trim() != text || text.chars().any(char::is_control) {
        "a version must not contain control characters, or begin or end with white space".to_owned()
    } else {
        return Some(version);
    };
    errors.push_at(version.span(), mistake);
    None
}

/// Returns the recorded name of an item: a raw identifier without its `r#`.
pub(crate) fn plain_name(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// A span for generated code that corresponds to nothing that the user wrote.
pub(crate) fn hidden() -> Span {
    Span::mixed_site()
}
