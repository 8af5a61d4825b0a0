//! The option `retry(attempts = 5, first = "1s", ..)` of `#[activity]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Ident, Lit, LitFloat, LitInt, LitStr, Token, parenthesized};

/// The parts of the option, as they were written.
const PARTS: &[&str] = &["attempts", "first", "coefficient", "max", "total", "jitter"];

/// A retry policy that applies to every call without one of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retry {
    attempts: u32,
    /// The setters to call, with their values.
    setters: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Millis(u64),
    Number(f64),
}

impl Retry {
    /// Parses what stands behind `retry`.
    pub(crate) fn parse(key: &Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let shape = || syn::Error::new(key.span(), "write `retry(attempts = 5, first = \"1s\", coefficient = 2.0)`");
        if !input.peek(syn::token::Paren) {
            return Err(shape());
        }
        let content;
        parenthesized!(content in input);
        let (mut attempts, mut setters, mut seen) = (None, Vec::new(), Vec::new());
        while !content.is_empty() {
            let part = content.call(Ident::parse_any).map_err(|_| shape())?;
            let name = part.to_string();
            let known = PARTS.contains(&name.as_str());
            let mistake = match (known, seen.contains(&name)) {
                (false, _) => Some(format!("`retry(..)` has no `{name}`: it knows `{}`", PARTS.join("`, `"))),
                (true, true) => Some(format!("`{name}` is given twice: remove one")),
                (true, false) => None,
            };
            if let Some(mistake) = mistake {
                content.parse::<TokenStream>()?;
                return Err(syn::Error::new(part.span(), mistake));
            }
            let value = value(&part, &content);
            let value = match value {
                Ok(value) => value,
                Err(error) => {
                    content.parse::<TokenStream>()?;
                    return Err(error);
                }
            };
            match (name.as_str(), value) {
                ("attempts", Value::Number(number)) => attempts = Some(number as u32),
                ("first", value) => setters.push(("first_interval", value)),
                ("max", value) => setters.push(("max_interval", value)),
                ("total", value) => setters.push(("total_timeout", value)),
                ("coefficient", value) => setters.push(("coefficient", value)),
                (_, value) => setters.push(("jitter", value)),
            }
            seen.push(name);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        let attempts = attempts
            .ok_or_else(|| syn::Error::new(key.span(), "`retry(..)` needs the number of attempts: `attempts = 5`"))?;
        Ok(Self { attempts, setters })
    }

    /// Returns the policy as an expression.
    pub(crate) fn policy(&self, rt: &TokenStream) -> TokenStream {
        let attempts = self.attempts;
        let setters = self.setters.iter().map(|(setter, value)| {
            let setter = Ident::new(setter, crate::attr::hidden());
            let value = match value {
                Value::Millis(millis) => quote!(#rt::core::time::Duration::from_millis(#millis)),
                Value::Number(number) => quote!(#number),
            };
            quote!(.#setter(#value))
        });
        quote!(#rt::RetryPolicy::attempts(#attempts)#(#setters)*)
    }
}

/// Parses `= value`, of the kind that the part has.
fn value(part: &Ident, input: ParseStream<'_>) -> syn::Result<Value> {
    let name = part.to_string();
    let example = match name.as_str() {
        "attempts" => "5",
        "coefficient" => "2.0",
        "jitter" => "0.2",
        _ => "\"1s\"",
    };
    let shape = |span| syn::Error::new(span, format!("write `{name} = {example}`"));
    if !input.peek(Token![=]) {
        return Err(shape(part.span()));
    }
    input.parse::<Token![=]>()?;
    let span = input.span();
    let value = input.parse::<Lit>().map_err(|_| shape(span))?;
    match (name.as_str(), value) {
        ("attempts", Lit::Int(number)) => attempts(&number),
        ("coefficient", number) => {
            number_in(&number, 1.0, f64::MAX, "a coefficient is at least 1").ok_or_else(|| shape(span))?
        }
        ("jitter", number) => {
            number_in(&number, 0.0, 1.0, "a jitter lies between 0 and 1").ok_or_else(|| shape(span))?
        }
        ("first" | "max" | "total", Lit::Str(text)) => duration(&text),
        _ => Err(shape(span)),
    }
}

fn attempts(number: &LitInt) -> syn::Result<Value> {
    match number.base10_parse::<u32>() {
        Ok(attempts) if attempts > 0 => Ok(Value::Number(attempts.into())),
        _ => Err(syn::Error::new(number.span(), "the number of attempts is at least 1, including the first one")),
    }
}

/// Returns `None` if it is not a number.
fn number_in(literal: &Lit, least: f64, most: f64, mistake: &str) -> Option<syn::Result<Value>> {
    let number = match literal {
        Lit::Int(number) => number.base10_parse::<f64>(),
        Lit::Float(number) => LitFloat::base10_parse::<f64>(number),
        _ => return None,
    };
    Some(match number {
        Ok(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
        _ => Err(syn::Error::new(literal.span(), mistake)),
    })
}

/// Parses a whole number and a unit.
fn duration(text: &LitStr) -> syn::Result<Value> {
    let value = text.value();
    let digits = value.find(|char: char| !char.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let duration = number.parse::<u64>().ok().filter(|_| millis > 0).and_then(|number| number.checked_mul(millis));
    duration.map(Value::Millis).ok_or_else(|| {
        let message =
            "write a duration as a whole number and a unit: `\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"2h\"` or `\"1d\"`";
        syn::Error::new(text.span(), message)
    })
}
