//! The URLs that are handed out: built from what is configured, each with a code for one instance.

use axum::http::HeaderMap;
use axum::http::uri::Authority;

use super::guard::Access;
use super::options::{HttpOptions, Settings, is_loopback, split_url};
use super::scopes::Scopes;
use super::uri::encode;

/// What every URL begins with.
#[derive(Clone, Debug)]
pub(super) struct Base {
    scheme: String,
    authority: String,
    /// Where the router is nested; empty at the root.
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

    /// The base as this request sees it: the configured one, or the one that the proxy says, if that may count.
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

/// The host of `host:port`.
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

    /// The status of an instance, with these parameters and a code for it.
    pub(super) fn of_status(&self, id: &str, parameters: &[(&str, &str)]) -> String {
        let parameters = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let code = self.access.code_for(self.settings, id, Scopes::READ).map(|code| format!("code={code}"));
        let query: Vec<_> = parameters.chain(code).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.of_id(id), query.join("&"))
    }

    fn of_id(&self, id: &str) -> String {
        format!("{}{}/instances/{}", self.root(), self.settings.options.base_path, encode(id))
    }

    /// The URLs with which an instance is managed.
    pub(super) fn of_instance(&self, id: &str) -> InstanceUrls {
        let options = &self.settings.options;
        let tail = |scopes| {
            let mut tail = format!("taskHub={}&connection={}", encode(&options.task_hub), encode(&options.connection));
            if let Some(code) = self.access.code_for(self.settings, id, scopes) {
                tail.push_str("&code=");
                tail.push_str(&code);
            }
            tail
        };
        InstanceUrls {
            root: self.of_id(id),
            read: tail(Scopes::READ),
            raise: tail(Scopes::RAISE),
            manage: tail(Scopes::MANAGE),
            purge: tail(Scopes::PURGE),
            // Its answer hands out the URLs of the new instance, so it has to pass all of them on.
            restart: tail(Scopes::ALL),
        }
    }
}

/// The URLs of one instance. Each has a code for what it does and nothing else, so that it can be given away alone.
#[derive(Debug)]
pub(super) struct InstanceUrls {
    root: String,
    read: String,
    raise: String,
    manage: String,
    purge: String,
    restart: String,
}

impl InstanceUrls {
    pub(super) fn status(&self) -> String {
        format!("{}?{}", self.root, self.read)
    }

    /// What is deleted to purge it.
    pub(super) fn purge(&self) -> String {
        format!("{}?{}", self.root, self.purge)
    }

    pub(super) fn raise_event(&self) -> String {
        format!("{}/raiseEvent/{{eventName}}?{}", self.root, self.raise)
    }

    /// An operation that takes a reason.
    pub(super) fn with_reason(&self, operation: &str) -> String {
        format!("{}/{operation}?reason={{text}}&{}", self.root, self.manage)
    }

    pub(super) fn restart(&self) -> String {
        format!("{}/restart?{}", self.root, self.restart)
    }
}
