//! The URLs that are handed out. They are built from the configuration, and each contains a code for one instance.

use axum::http::HeaderMap;
use axum::http::uri::Authority;

use super::guard::Access;
use super::options::{HttpOptions, Settings, is_loopback, split_url};
use super::scopes::Scopes;
use super::table::{self, INSTANCE_ID, Operation};
use super::uri::encode;

/// The beginning of every URL.
#[derive(Clone, Debug)]
pub(super) struct Base {
    scheme: String,
    authority: String,
    /// The path where the router is nested, or an empty string at the root.
    path: String,
}

impl Base {
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, authority, path) = split_url(url)?;
        Some(Self { scheme, authority, path })
    }

    pub(super) fn host(&self) -> &str {
        host(&self.authority)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// Returns the base for this request: the configured one, or the one that the proxy names if that is allowed.
    pub(super) fn of_request(&self, options: &HttpOptions, headers: &HeaderMap) -> Self {
        let first = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            value.split(',').next().map(str::trim)
        };
        let mut base = self.clone();
        if options.use_forwarded_host {
            let authority = first("x-forwarded-host").and_then(|host| host.parse::<Authority>().ok());
            if let Some(authority) = authority.filter(|authority| !authority.as_str().contains('@')) {
                base.authority = authority.to_string();
            }
            if let Some(scheme) = first("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https")) {
                base.scheme = scheme.to_owned();
            }
        }
        base
    }
}

/// Returns the host of `host:port`.
pub(super) fn host(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Builds the URLs of one answer.
#[derive(Debug)]
pub(super) struct Urls<'a> {
    pub(super) settings: &'a Settings,
    pub(super) base: Base,
    pub(super) access: &'a Access,
}

impl Urls<'_> {
    fn root(&self) -> String {
        let Base { scheme, authority, path } = &self.base;
        format!("{scheme}://{authority}{path}")
    }

    /// Returns the URL of the status of an instance, with these parameters and a code for it.
    pub(super) fn of_status(&self, id: &str, parameters: &[(&str, &str)]) -> String {
        let parameters = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let code = self.access.code_for(self.settings, id, Scopes::READ).map(|code| format!("code={code}"));
        let query: Vec<_> = parameters.chain(code).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let base_path = &self.settings.options.base_path;
        format!("{}{base_path}/instances/{}{mark}{}", self.root(), encode(id), query.join("&"))
    }

    /// Returns the URL of an operation on an instance, with a code for this operation alone, so that it can be passed
    /// on. The caller replaces `{eventName}` with the name of an event, and `{text}` with a reason.
    pub(super) fn of_operation(&self, operation: Operation, id: &str) -> String {
        let Some(entry) = table::of_instance(operation) else { return self.root() };
        let options = &self.settings.options;
        let path = entry.full_path(&options.base_path).replace(&format!("{{{INSTANCE_ID}}}"), &encode(id));
        let reason = if entry.takes("reason") { "reason={text}&" } else { "" };
        let (hub, connection) = (encode(&options.task_hub), encode(&options.connection));
        let code = self.access.code_for(self.settings, id, entry.code_scope());
        let code = code.map(|code| format!("&code={code}")).unwrap_or_default();
        format!("{}{path}?{reason}taskHub={hub}&connection={connection}{code}", self.root())
    }
}
