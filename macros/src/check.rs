//! The rules for the form of an annotated function, with one function for each rule. Traits check whatever depends on
//! types.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, GenericParam, Ident, Pat, PatType, ReturnType, Safety, Type};

use crate::attr::{Kind, Options, plain_name};
use crate::errors::Errors;
use crate::input::Function;
use crate::model::{Callable, Sketch, StoredInput};

/// The largest number of inputs of an orchestrator or an activity.
const MAX_INPUTS: usize = 16;

/// Checks an orchestrator or an activity.
pub(crate) fn callable(
    kind: Kind,
    function: Function,
    options: &Options,
    errors: &mut Errors,
) -> Result<Callable, Box<Sketch>> {
    qualifiers(kind, &function, errors);
    let lifetimes = only_lifetimes(&function);
    let generic = lifetimes || generics(kind, &function, errors);
    let before = errors.len();
    let (context, parameters) = context(kind, &function, options.library.is_some(), errors);
    let inputs: Vec<_> = parameters.iter().map(|parameter| input(kind, parameter, errors)).collect();
    number_of_inputs(&function, inputs.len(), errors);
    let output = output(kind, &function, errors);
    // A parameter that uses the lifetime has already been reported.
    if lifetimes && errors.len() == before {
        errors.push(
            &function.sig.generics,
            "inputs are stored and read again, so they own their data, and there is no lifetime to name: remove it",
        );
    }

    let marker = options.marker.clone().unwrap_or_else(|| function.sig.ident.clone());
    let name = options.name.as_ref().map_or_else(|| plain_name(&function.sig.ident), syn::LitStr::value);
    let version = options.version.as_ref().map(syn::LitStr::value).unwrap_or_default();
    let (rt, allowed) = (options.rt(), options.allowed.clone());
    if let (true, Some(output)) = (errors.is_empty(), &output) {
        let (inputs, output) = (inputs.into_iter().flatten().collect(), output.clone());
        let (events, retry, concurrency) = (options.events.clone(), options.retry.clone(), options.concurrency);
        let service = None;
        Ok(Callable {
            function,
            marker,
            name,
            version,
            context,
            inputs,
            output,
            service,
            events,
            retry,
            concurrency,
            rt,
            allowed,
        })
    } else {
        // A generic parameter has no meaning outside of the signature.
        let inputs = inputs.into_iter().map(|input| Some(input?.ty).filter(|_| !generic)).collect();
        let (context, output) = (context.filter(|_| !generic), output.filter(|_| !generic));
        Err(Box::new(Sketch { kind, function, marker, name, context, inputs, output, rt, allowed }))
    }
}

/// Checks a helper of orchestrators. Its parameters are not stored, so they may have any type.
pub(crate) fn orchestrator_fn(function: &Function, errors: &mut Errors) {
    qualifiers(Kind::OrchestratorFn, function, errors);
}

fn qualifiers(kind: Kind, function: &Function, errors: &mut Errors) {
    let (sig, attribute) = (&function.sig, kind.attribute());
    if sig.asyncness.is_none() {
        errors.push(sig.fn_token, format!("`{attribute}` goes on an async function: write `async fn`"));
    }
    if let Some(token) = &sig.constness {
        errors.push(token, format!("`{attribute}` goes on a plain async function: remove `const`"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.push(token, format!("`{attribute}` goes on a plain async function: remove `unsafe`"));
    }
    if let Some(abi) = &sig.abi {
        errors.push(abi, format!("`{attribute}` goes on a plain async function: remove `extern`"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.push(variadic, format!("`{attribute}` goes on a function with a fixed number of parameters"));
    }
}

fn only_lifetimes(function: &Function) -> bool {
    let parameters = &function.sig.generics.params;
    !parameters.is_empty() && parameters.iter().all(|parameter| matches!(parameter, GenericParam::Lifetime(_)))
}

fn generics(kind: Kind, function: &Function, errors: &mut Errors) -> bool {
    let generics = &function.sig.generics;
    let message = format!(
        "`{}` goes on a function without generics: it is recorded and found again by its name alone; write one function per type, each with its own name",
        kind.attribute()
    );
    if !generics.params.is_empty() {
        errors.push(&generics.params, message);
    } else if let Some(clause) = &generics.where_clause {
        errors.push(clause, message);
    } else {
        return false;
    }
    true
}

/// Returns the context parameter, and the parameters after it.
fn context<'a>(
    kind: Kind,
    function: &'a Function,
    declared: bool,
    errors: &mut Errors,
) -> (Option<Type>, Vec<&'a PatType>) {
    let mut parameters = Vec::new();
    for parameter in &function.sig.inputs {
        match parameter {
            FnArg::Typed(parameter) => parameters.push(parameter),
            FnArg::Receiver(receiver) if kind == Kind::Activity => errors.push(
                receiver,
                "`#[activity]` on a method needs `#[activities]` above the `impl` block, which says whose method it is",
            ),
            FnArg::Receiver(receiver) => errors.push(
                receiver,
                format!(
                    "`{}` goes on a function, not on a method: nothing can keep a `self` for a replay",
                    kind.attribute()
                ),
            ),
        }
    }
    let has_receiver = parameters.len() < function.sig.inputs.len();
    match kind {
        Kind::Activity => match parameters.split_first() {
            Some((first, rest)) if !declared && matches!(&*first.ty, Type::Reference(_)) => {
                (activity_context(first, errors), rest.to_vec())
            }
            _ => (None, parameters),
        },
        _ => match parameters.split_first() {
            Some((first, rest)) => (orchestration_context(first, errors), rest.to_vec()),
            None if has_receiver => (None, Vec::new()),
            None => {
                errors.push(
                    &function.sig.ident,
                    "an orchestrator takes its context first: write `ctx: OrchestrationContext`, or `ctx: OrchestrationContext<Progress>` to publish a custom status",
                );
                (None, Vec::new())
            }
        },
    }
}

fn activity_context(parameter: &PatType, errors: &mut Errors) -> Option<Type> {
    let Type::Reference(reference) = &*parameter.ty else { return None };
    if let Some(mutability) = &reference.mutability {
        errors.push(mutability, "the context of an activity is shared: write `&ActivityContext`");
        return None;
    }
    if let Some(lifetime) = &reference.lifetime {
        errors.push(
            lifetime,
            "a first parameter that is a reference is the context of the activity, which needs no lifetime: write `ctx: &ActivityContext`; inputs own their data",
        );
        return None;
    }
    storable_form(&reference.elem, errors).then(|| (*reference.elem).clone())
}

fn orchestration_context(parameter: &PatType, errors: &mut Errors) -> Option<Type> {
    match &*parameter.pat {
        Pat::Wild(_) => {}
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {}
        pattern => {
            errors.push(pattern, "the context is a plain parameter: write `ctx: OrchestrationContext`");
            return None;
        }
    }
    if let Type::Reference(reference) = &*parameter.ty {
        errors.push(
            reference.and_token,
            "an orchestrator owns its context: write `ctx: OrchestrationContext`, without the `&`",
        );
        return None;
    }
    storable_form(&parameter.ty, errors).then(|| (*parameter.ty).clone())
}

fn input(kind: Kind, parameter: &PatType, errors: &mut Errors) -> Option<StoredInput> {
    if kind == Kind::Activity && is_activity_context(&parameter.ty) {
        errors.push(parameter, "the context of an activity is its first parameter: move it before the inputs");
        return None;
    }
    let ident = match &*parameter.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        pattern => {
            errors.push(
                pattern,
                "an input is a plain parameter, whose name `call` uses too: write `name: Type`, and take it apart in the body",
            );
            None
        }
    };
    let owned = storable_form(&parameter.ty, errors);
    Some(StoredInput { ident: ident?, ty: (*parameter.ty).clone() }).filter(|_| owned)
}

/// Whether a reference is a reference to the context. A reference is refused in any case; this only chooses the
/// message.
fn is_activity_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "ActivityContext")
}

/// Whether a type can be written again outside of the signature. Traits check what the type is.
fn storable_form(ty: &Type, errors: &mut Errors) -> bool {
    let mut before: Option<TokenTree> = None;
    for token in flat(ty.to_token_stream()) {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                errors.push(ty, format!("inputs are stored and read again, so they own their data{}", owned_form(ty)));
                return false;
            }
            TokenTree::Ident(word) if word == "impl" => {
                errors
                    .push(ty, "inputs are stored and read again, so their type is named: `impl Trait` is not possible");
                return false;
            }
            TokenTree::Ident(name) if follows_quote(before.as_ref()) && name != "static" => {
                errors
                    .push(ty, "inputs are stored and read again, so they own their data: use a type without lifetimes");
                return false;
            }
            _ => {}
        }
        before = Some(token);
    }
    true
}

fn follows_quote(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == '\'')
}

/// Returns what to write instead of a reference.
fn owned_form(ty: &Type) -> String {
    let Type::Reference(reference) = ty else { return ": use a type without references".to_owned() };
    let owned = match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
        elem => text(elem),
    };
    format!(": write `{owned}`; only the context of an activity is taken by reference, as the first parameter")
}

/// Returns tokens as a person would write them.
fn text(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    text.replace(" :: ", "::").replace(" < ", "<").replace(" >", ">").replace(" ,", ",")
}

fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => all.extend(flat(group.stream())),
            other => all.push(other),
        }
    }
    all
}

fn number_of_inputs(function: &Function, inputs: usize, errors: &mut Errors) {
    if inputs > MAX_INPUTS {
        errors.push(
            &function.sig.ident,
            format!("there are {inputs} inputs, and at most {MAX_INPUTS} are possible: put them into a struct"),
        );
    }
}

fn output(kind: Kind, function: &Function, errors: &mut Errors) -> Option<Type> {
    let error = if kind == Kind::Activity { "ActivityError" } else { "OrchestrationError" };
    let ReturnType::Type(_, ty) = &function.sig.output else {
        let message = format!("it returns a `Result`, so that it can fail: write `-> Result<(), {error}>`");
        errors.push(&function.sig.ident, message);
        return None;
    };
    let tokens = flat(ty.to_token_stream());
    if tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "impl")) {
        errors.push(ty, "outputs are stored and read again, so their type is named: `impl Trait` is not possible");
        return None;
    }
    if tokens.iter().any(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '&')) {
        errors.push(ty, "outputs are stored and read again, so they own their data: return no reference");
        return None;
    }
    Some((**ty).clone())
}

/// Returns the words of a parameter list that a stub repeats.
pub(crate) fn numbered(place: usize) -> Ident {
    Ident::new(&format!("input{place}"), crate::attr::hidden())
}
