//! Who sends a request, and whether the request is permitted.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Uri;
use chrono::Utc;

use super::capability::{Capability, SERVER};
use super::error::ApiError;
use super::options::{Settings, is_loopback};
use super::route::Route;
use super::scopes::Scopes;
use super::uri::Query;
use super::urls::host;

/// The rights of the sender, and what the sender may pass on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// There are no keys.
    Open,
    /// The holder of a key, or the program itself.
    Signer {
        /// The signer whose codes the sender passes on.
        signer: usize,
        scopes: Scopes,
    },
    /// The holder of a URL that was handed out.
    Capability(Capability),
}

impl Access {
    /// Returns the access of the program itself.
    pub(super) fn of_program(settings: &Settings, scopes: Scopes) -> Self {
        if settings.options.keys.is_empty() { Self::Open } else { Self::Signer { signer: SERVER, scopes } }
    }

    /// Creates a code for this instance and for the operation of its URL. It has no more rights and is valid no longer
    /// than the access of its creator.
    pub(super) fn code_for(&self, settings: &Settings, id: &str, for_what: Scopes) -> Option<String> {
        let lifetime = i64::try_from(settings.options.url_lifetime.as_secs()).unwrap_or(i64::MAX);
        let fresh = Utc::now().timestamp().saturating_add(lifetime);
        let (signer, scopes, expires) = match self {
            Self::Open => return None,
            Self::Signer { signer, scopes } => (*signer, *scopes, fresh),
            Self::Capability(capability) => (capability.signer, capability.scopes, capability.expires.min(fresh)),
        };
        settings.signers.sign(signer, id, scopes & for_what, expires)
    }

    /// Returns when the access expires, in seconds since the Unix epoch.
    pub(super) fn expires(&self) -> Option<i64> {
        match self {
            Self::Capability(capability) => Some(capability.expires),
            Self::Open | Self::Signer { .. } => None,
        }
    }

    fn permits(&self, route: &Route) -> Result<(), ApiError> {
        let wanted = route.scope();
        let (scopes, capability) = match self {
            Self::Open => return Ok(()),
            Self::Signer { scopes, .. } => (*scopes, None),
            Self::Capability(capability) => (capability.scopes, Some(capability)),
        };
        let fits = |capability: &Capability| {
            let mut subjects = route.subjects().peekable();
            subjects.peek().is_some() && subjects.all(|id| capability.fits(id))
        };
        if capability.is_some_and(|capability| !fits(capability)) {
            return Err(ApiError::forbidden("This URL's code is for another instance."));
        }
        if !scopes.contains(wanted) {
            return Err(ApiError::forbidden(format!("This needs the scope `{wanted}`.")));
        }
        Ok(())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Signer { .. } => "Signer",
            Self::Capability(_) => "Capability",
        })
    }
}

/// Decides about a request. If it has several credentials, it is enough that one of them permits it.
pub(super) fn admit(settings: &Settings, route: &Route, request: &Parts, query: &Query) -> Result<Access, ApiError> {
    if route.entry.is_public() {
        return Ok(Access::of_program(settings, Scopes::NONE));
    }
    if settings.options.keys.is_empty() {
        refuse_foreign_pages(settings, request)?;
        return Ok(Access::Open);
    }
    let mut refusal = None;
    for secret in credentials(&request.headers, query) {
        match recognise(settings, secret) {
            Ok(access) => match access.permits(route) {
                Ok(()) => return Ok(access),
                Err(error) => refusal = Some(error),
            },
            // "Known, but not permitted" tells the sender more than "unknown".
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        ApiError::unauthorized(
            "Send a key as `x-functions-key`, as `Authorization: Bearer`, or as `code` in the query.",
        )
    }))
}

fn credentials<'a>(headers: &'a HeaderMap, query: &'a Query) -> impl Iterator<Item = &'a str> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = header(AUTHORIZATION.as_str()).and_then(|value| {
        let (kind, secret) = value.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    [header("x-functions-key"), bearer, query.get("code")].into_iter().flatten()
}

fn recognise(settings: &Settings, secret: &str) -> Result<Access, ApiError> {
    if let Some((place, key)) = settings.options.keys.find(secret) {
        tracing::debug!(target: "persevere::http", key = key.name(), "a key was recognised");
        // The signer of the server comes before the signers of the keys.
        return Ok(Access::Signer { signer: place + 1, scopes: key.scopes });
    }
    let unknown = || ApiError::unauthorized("This key, or this URL's code, is not valid.");
    let capability = settings.signers.check(secret).ok_or_else(unknown)?;
    if capability.expires <= Utc::now().timestamp() {
        return Err(ApiError::unauthorized("This URL's code has expired."));
    }
    Ok(Access::Capability(capability))
}

/// Without keys, a page from another site that is opened in a browser on this machine could do everything. Its requests
/// contain the name of the site that it came from or, if the site's own name was made to point here, the name of the
/// site that the browser believes this to be.
fn refuse_foreign_pages(settings: &Settings, request: &Parts) -> Result<(), ApiError> {
    if settings.options.insecure {
        return Ok(());
    }
    let own = |name: &str| is_loopback(name) || name.eq_ignore_ascii_case(settings.base.host());
    // Every value counts, because a proxy may have looked at a value other than the first one. A value that cannot be
    // read names nobody, and so not this machine.
    let texts = |name: &str| request.headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
    let origins = texts(ORIGIN.as_str()).map(|origin| origin.parse::<Uri>().unwrap_or_default());
    let origins =
        origins.map(|uri| uri.host().map(|name| name.trim_matches(['[', ']']).to_owned()).unwrap_or_default());
    let hosts = texts(HOST.as_str()).chain(request.uri.authority().map(|authority| authority.as_str()));
    // Requests without an `Origin`, such as those for images, contain at least this (Fetch Metadata, 2.3).
    let from_elsewhere = texts("sec-fetch-site").any(|site| site.eq_ignore_ascii_case("cross-site"));
    if !from_elsewhere && hosts.map(|authority| host(authority).to_owned()).chain(origins).all(|name| own(&name)) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "This API has no keys, and serves only requests that name this machine in `Host` and `Origin`.",
    ))
}
