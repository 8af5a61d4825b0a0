//! `#[activities] impl Payments { .. }`: activities that are methods of a value that was given to the runtime.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Generics, Meta, ReceiverKind, Signature, Token, Type, WhereClause};

use super::{activity, fallback};
use crate::attr::{Kind, Options};
use crate::check;
use crate::errors::Errors;
use crate::input;

/// Expands the attribute of an `impl` block. The block stays as it is, except that the attributes of this library on
/// its methods are removed.
pub(crate) fn activities(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let options = Options::parse(Kind::Activities, options, &mut errors);
    let expanded = match parse.parse2(item.clone()) {
        Ok(service) => expand(&service, &options, &mut errors),
        Err(_) => {
            errors.push(super::first_token(&item), "`#[activities]` goes on an `impl` block: `impl Payments { .. }`");
            item
        }
    };
    let errors = errors.into_tokens();
    super::print_if_asked(Kind::Activities, quote!(#expanded #errors))
}

/// An `impl` block whose body stays raw tokens.
struct Service {
    attrs: Vec<Attribute>,
    keyword: Token![impl],
    generics: Generics,
    /// The trait in `impl Trait for Type`.
    of: Option<(Type, Token![for])>,
    ty: Type,
    where_clause: Option<WhereClause>,
    body: Group,
}

fn parse(input: ParseStream<'_>) -> syn::Result<Service> {
    let attrs = input.call(Attribute::parse_outer)?;
    let keyword = input.parse()?;
    let generics = input.parse()?;
    let mut ty: Type = input.parse()?;
    let mut of = None;
    if input.peek(Token![for]) {
        of = Some((ty, input.parse()?));
        ty = input.parse()?;
    }
    let where_clause = input.parse()?;
    match input.parse()? {
        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
            Ok(Service { attrs, keyword, generics, of, ty, where_clause, body })
        }
        other => Err(syn::Error::new_spanned(other, "expected a block")),
    }
}

fn expand(service: &Service, options: &Options, errors: &mut Errors) -> TokenStream {
    let Service { attrs, keyword, generics, of, ty, where_clause, body } = service;
    let mut of_itself = true;
    if let Some((of, _)) = of {
        errors.push(of, "`#[activities]` goes on the `impl` block of a type itself, not of a trait");
        of_itself = false;
    }
    if !generics.params.is_empty() {
        errors.push(
            &generics.params,
            "`#[activities]` goes on an `impl` block without generics: an activity is found again by its name alone; write `impl Payments<Live>`, one block per type, each with its own names",
        );
        of_itself = false;
    }
    let (mut methods, mut generated) = (TokenStream::new(), TokenStream::new());
    for member in members(body.stream()) {
        let (attribute, method) = take_attribute(member);
        if let Some(attribute) = attribute.filter(|_| of_itself) {
            generated.extend(one(service, options, &attribute, &method, errors));
        }
        methods.extend(method);
    }
    let mut block = Group::new(Delimiter::Brace, methods);
    block.set_span(body.span());
    let of = of.iter().map(|(of, keyword)| quote!(#of #keyword));
    quote! {
        #(#attrs)* #keyword #generics #(#of)* #ty #where_clause #block
        #generated
    }
}

/// Returns the code that is added next to the block for one method.
fn one(
    service: &Service,
    options: &Options,
    attribute: &Attribute,
    method: &TokenStream,
    errors: &mut Errors,
) -> TokenStream {
    let given = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) => TokenStream::new(),
        Meta::NameValue(_) => {
            errors.push(attribute, "write `#[activity]`, or `#[activity(name = \"..\")]`");
            TokenStream::new()
        }
    };
    let mut own = Options::parse(Kind::Activity, given, errors);
    own.krate = own.krate.or_else(|| options.krate.clone());
    let Ok(mut function) = input::function(method.clone()) else {
        errors.push(super::first_token(method), "`#[activity]` goes on an async method");
        return TokenStream::new();
    };
    let mut form = Errors::new();
    take_receiver(&mut function.sig, &mut form);
    // Outside of the block there is no `Self`.
    let sig = with_type(function.sig.to_token_stream(), &service.ty.to_token_stream());
    if let Ok(sig) = syn::parse2(sig) {
        function.sig = sig;
    }
    function.attrs.extend(service.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned());
    let expanded = match check::callable(Kind::Activity, function, &own, &mut form) {
        Ok(mut callable) => {
            callable.service = Some(service.ty.clone());
            activity::beside(&callable)
        }
        Err(sketch) => fallback::declare(&sketch),
    };
    errors.append(form);
    expanded
}

fn take_receiver(sig: &mut Signature, errors: &mut Errors) {
    let Some(FnArg::Receiver(receiver)) = sig.inputs.first() else {
        errors.push(
            &sig.ident,
            "an activity in an `impl` block is a method: write `&self` first, or move the function out of the block",
        );
        return;
    };
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => {}
        ReceiverKind::Reference(..) => errors.push(
            receiver,
            "activities of a service run at the same time: write `&self`, and lock what changes inside",
        ),
        _ => errors.push(receiver, "a service is shared by all its activities: write `&self`"),
    }
    sig.inputs = std::mem::take(&mut sig.inputs).into_iter().skip(1).collect();
}

/// Returns the members of a block. Each ends with its braces or with a semicolon.
fn members(body: TokenStream) -> Vec<TokenStream> {
    let (mut members, mut member) = (Vec::new(), TokenStream::new());
    let (mut depth, mut before) = (0_i32, ' ');
    for token in body {
        let mut ends = false;
        let mut char = ' ';
        match &token {
            TokenTree::Punct(punct) => {
                char = punct.as_char();
                match char {
                    '<' => depth += 1,
                    '>' if before != '-' => depth -= 1,
                    ';' => ends = true,
                    _ => {}
                }
            }
            TokenTree::Group(group) => ends = group.delimiter() == Delimiter::Brace && depth <= 0,
            _ => {}
        }
        before = char;
        member.extend([token]);
        if ends {
            members.push(std::mem::take(&mut member));
            depth = 0;
        }
    }
    members.push(member);
    members
}

/// Removes the first `#[activity]` from the attributes of a member and returns it.
fn take_attribute(member: TokenStream) -> (Option<Attribute>, TokenStream) {
    let parser = |input: ParseStream<'_>| {
        let attributes = input.call(Attribute::parse_outer)?;
        Ok((attributes, input.parse::<TokenStream>()?))
    };
    let Ok((mut attributes, rest)) = parser.parse2(member.clone()) else { return (None, member) };
    let is_ours = |attr: &Attribute| attr.path().segments.last().is_some_and(|word| word.ident == "activity");
    let taken = attributes.iter().position(is_ours).map(|place| attributes.remove(place));
    if taken.is_none() {
        return (None, member);
    }
    (taken, quote!(#(#attributes)* #rest))
}

/// Returns the tokens with the type in place of `Self`.
fn with_type(tokens: TokenStream, ty: &TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(word) if word == "Self" => crate::rewrite::respan(ty.clone(), word.span()),
            TokenTree::Group(group) => {
                let mut new = Group::new(group.delimiter(), with_type(group.stream(), ty));
                new.set_span(group.span());
                TokenTree::Group(new).into()
            }
            other => other.into(),
        })
        .collect()
}
