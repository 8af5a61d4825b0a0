//! The configuration of the API, and the checks of what cannot work.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Uri;

use super::capability::Signers;
use super::keys::ApiKeys;
use super::limits::HttpLimits;
use super::urls::Base;

/// The configuration of the HTTP API. By default it serves only this machine: on the loopback address and without keys.
///
/// # Serving other machines
/// Three options belong together: [`keys`](Self::keys), a proxy that terminates TLS
/// ([`behind_tls_proxy`](Self::behind_tls_proxy)), and the address that clients see
/// ([`public_base_url`](Self::public_base_url)). Without the first two, a [`Server`](super::Server) binds only to a
/// loopback address. Without keys, and unless [`insecure`](Self::insecure) is set, it serves neither requests through a
/// proxy nor requests for a host name other than this machine's, whatever address it binds to.
///
/// # Examples
/// ```
/// use persevere::http::HttpOptions;
///
/// let options = HttpOptions::new()
///     .bind(([0, 0, 0, 0], 8080))
///     .keys("shop read,start Zm9vYmFyYmF6cXV4Zm9vYmFy".parse()?)
///     .behind_tls_proxy(true)
///     .public_base_url("https://orders.example.com");
/// # let _ = options;
/// # Ok::<(), persevere::http::KeysError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpOptions {
    pub(super) address: SocketAddr,
    pub(super) base_path: String,
    pub(super) public_base_url: Option<String>,
    pub(super) use_forwarded_host: bool,
    pub(super) keys: ApiKeys,
    pub(super) signing_secret: Option<Vec<u8>>,
    pub(super) url_lifetime: Duration,
    pub(super) task_hub: String,
    pub(super) connection: String,
    pub(super) behind_tls_proxy: bool,
    pub(super) insecure: bool,
    pub(super) development: bool,
    pub(super) lenient_json_strings: bool,
    pub(super) limits: HttpLimits,
}

/// The base path of version 2 in Durable Functions.
const BASE_PATH: &str = "/runtime/webhooks/durabletask";

/// The shortest signing secret that is accepted, in bytes.
const SHORTEST_SIGNING_SECRET: usize = 16;

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            base_path: BASE_PATH.to_owned(),
            public_base_url: None,
            use_forwarded_host: false,
            keys: ApiKeys::default(),
            signing_secret: None,
            url_lifetime: Duration::from_secs(24 * 60 * 60),
            task_hub: "persevere".to_owned(),
            connection: "Storage".to_owned(),
            behind_tls_proxy: false,
            insecure: false,
            development: false,
            lenient_json_strings: true,
            limits: HttpLimits::default(),
        }
    }
}

impl HttpOptions {
    /// Creates the default configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where a [`Server`](super::Server) listens. The default is `127.0.0.1:8080`; port 0 selects a free port.
    pub fn bind(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// Sets the path below which the API is served. The default is that of Durable Functions:
    /// `/runtime/webhooks/durabletask`.
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = path.into();
        self
    }

    /// Sets the beginning of the URLs that are handed out, such as `https://orders.example.com`: scheme, host, port,
    /// and the path where the router is nested. The default of a [`Server`](super::Server) is the address that it is
    /// bound to. The `Host` of a request is never used.
    pub fn public_base_url(mut self, url: impl Into<String>) -> Self {
        self.public_base_url = Some(url.into());
        self
    }

    /// Sets whether the URLs that are handed out follow `X-Forwarded-Host` and `X-Forwarded-Proto`. Use this only
    /// behind a proxy that sets both headers on every request, because whoever sends them decides where clients go
    /// next.
    pub fn use_forwarded_host(mut self, follow: bool) -> Self {
        self.use_forwarded_host = follow;
        self
    }

    /// Sets the keys. Without keys, anyone who can reach the API may do everything.
    pub fn keys(mut self, keys: ApiKeys) -> Self {
        self.keys = keys;
        self
    }

    /// Sets an additional secret with which the URLs that are handed out are signed: at least 16 bytes that nobody can
    /// guess. With it, someone who can read the file with the keys cannot create such a URL. Changing it makes all
    /// earlier URLs invalid. Without it, the URLs that the program itself hands out ([`Management`](super::Management))
    /// become invalid when the process ends.
    pub fn signing_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.signing_secret = Some(secret.into());
        self
    }

    /// Sets how long the URLs that are handed out are valid, if there are keys. The default is 24 hours.
    pub fn url_lifetime(mut self, lifetime: Duration) -> Self {
        self.url_lifetime = lifetime;
        self
    }

    /// Sets the only accepted value of the parameter `taskHub`. The default is `persevere`.
    pub fn task_hub(mut self, name: impl Into<String>) -> Self {
        self.task_hub = name.into();
        self
    }

    /// Sets the only accepted value of the parameter `connection`. The default is `Storage`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// Declares that clients come through a proxy that terminates TLS, so that keys do not cross a network unencrypted.
    pub fn behind_tls_proxy(mut self, behind: bool) -> Self {
        self.behind_tls_proxy = behind;
        self
    }

    /// Serves other machines without keys or without TLS. This is logged as a warning. Use it only in a private
    /// network, or if the application around the API decides who has access.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Adds the causes of errors to answers. They may contain names of files and contents of rows.
    pub fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// Sets whether a JSON string that contains the intended JSON is accepted as an input or as the payload of an
    /// event, as in `"[\"Tokyo\"]"`. The Python client of Durable Functions sends every value in this form. A string is
    /// replaced with its contents only if the code does not accept the string itself. The default is `true`.
    pub fn lenient_json_strings(mut self, lenient: bool) -> Self {
        self.lenient_json_strings = lenient;
        self
    }

    /// Sets the limits for requests.
    pub fn limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The output contains no secret.
        f.debug_struct("HttpOptions")
            .field("address", &self.address)
            .field("base_path", &self.base_path)
            .field("public_base_url", &self.public_base_url)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// Options that cannot work, alone or together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpOptionsError {
    /// The base path is invalid. Write it as `/a/b`, with letters, digits and `-._~`, and with a slash at the beginning
    /// but not at the end.
    #[error(
        "{path:?} is not a valid base path: write it as `/a/b`, with letters, digits and `-._~`, and without a slash at the end"
    )]
    BasePath {
        /// The path that was given.
        path: String,
    },
    /// The public base URL is invalid. Write it as `https://host` or `http://host:port/path`.
    #[error(
        "{url:?} is not a valid public base URL: write it as `https://host`, `http://host:port` or `https://host/path`"
    )]
    PublicBaseUrl {
        /// The URL that was given.
        url: String,
    },
    /// A router does not know the address at which it is served. Set it with `public_base_url`.
    #[error("a router does not know the address at which it is served: set it with `public_base_url(\"https://..\")`")]
    NoPublicBaseUrl,
    /// The signing secret is so short that it can be guessed. Use at least 16 random bytes.
    #[error("the signing secret has {bytes} bytes, but a secret with fewer than 16 can be guessed")]
    SigningSecret {
        /// The number of bytes in the secret.
        bytes: usize,
    },
    /// Anyone could do everything. Set keys, or call `insecure(true)` if the application around the API decides who has
    /// access.
    #[error(
        "{address} is not limited to this machine, and without keys anyone could do everything: \
         set `keys(ApiKeys::from_file(..)?)`, stay on 127.0.0.1, or accept it with `insecure(true)`"
    )]
    NoKeys {
        /// The address or name that would be served.
        address: String,
    },
    /// Keys would cross the network unencrypted. Put a proxy in front that terminates TLS and call
    /// `behind_tls_proxy(true)`, or nest the router in an application that serves TLS.
    #[error(
        "{address} is not limited to this machine, and keys would cross the network unencrypted: put a proxy in front \
         that terminates TLS and call `behind_tls_proxy(true)`, nest the router in an application that serves TLS, \
         stay on 127.0.0.1, or accept it with `insecure(true)`"
    )]
    NoTls {
        /// The address or name that would be served.
        address: String,
    },
    /// Behind a proxy, the bound address is not the one that clients see. Set that one with `public_base_url`.
    #[error("behind a proxy, URLs need the address that clients see: set it with `public_base_url(\"https://..\")`")]
    NoUrlBehindProxy,
}

/// Options that were checked, and what follows from them.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: HttpOptions,
    pub(super) base: Base,
    pub(super) signers: Signers,
}

impl Settings {
    /// Checks the options for a router, which another server serves.
    pub(super) fn of_router(options: HttpOptions) -> Result<Self, HttpOptionsError> {
        let url = options.public_base_url.clone().ok_or(HttpOptionsError::NoPublicBaseUrl)?;
        let settings = Self::new(options, &url)?;
        let Settings { options, .. } = &settings;
        if let Some(address) = beyond_this_machine(options)
            && options.keys.is_empty()
        {
            if !options.insecure {
                return Err(HttpOptionsError::NoKeys { address });
            }
            tracing::warn!(target: "persevere::http", url, "the HTTP API has no keys: anyone who can reach it may do everything");
        }
        Ok(settings)
    }

    /// Checks the options for a server that is bound to this address.
    pub(super) fn of_server(options: HttpOptions, bound: SocketAddr) -> Result<Self, HttpOptionsError> {
        check_exposure(&options, bound)?;
        let seen = if bound.ip().is_unspecified() { format!("localhost:{}", bound.port()) } else { bound.to_string() };
        let url = options.public_base_url.clone().unwrap_or_else(|| format!("http://{seen}"));
        Self::new(options, &url)
    }

    fn new(options: HttpOptions, url: &str) -> Result<Self, HttpOptionsError> {
        let path = options.base_path.trim_end_matches('/').to_owned();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        if !(path.is_empty() || path.starts_with('/')) || !path.chars().all(legal) || path.contains("//") {
            return Err(HttpOptionsError::BasePath { path: options.base_path });
        }
        if let Some(bytes) = options.signing_secret.as_ref().map(Vec::len).filter(|n| *n < SHORTEST_SIGNING_SECRET) {
            return Err(HttpOptionsError::SigningSecret { bytes });
        }
        let base = Base::parse(url).ok_or_else(|| HttpOptionsError::PublicBaseUrl { url: url.to_owned() })?;
        let signers = Signers::new(&options.keys, options.signing_secret.as_deref());
        Ok(Self { options: HttpOptions { base_path: path, ..options }, base, signers })
    }
}

/// Checks whether a server may listen at this address, before it binds.
pub(super) fn check_exposure(options: &HttpOptions, address: SocketAddr) -> Result<(), HttpOptionsError> {
    if options.behind_tls_proxy && options.public_base_url.is_none() && !options.use_forwarded_host {
        return Err(HttpOptionsError::NoUrlBehindProxy);
    }
    let open = options.keys.is_empty();
    let (local, beyond) = (address.ip().is_loopback(), beyond_this_machine(options));
    // A key that is sent to an address of this machine crosses no network.
    if local && (beyond.is_none() || !open) {
        return Ok(());
    }
    if options.insecure {
        let (keys, tls) = (!open, options.behind_tls_proxy);
        tracing::warn!(target: "persevere::http", %address, keys, tls, "the HTTP API is served without protection, as requested with `insecure(true)`");
        return Ok(());
    }
    match (open, options.behind_tls_proxy) {
        (true, _) => {
            let address = beyond.filter(|_| local).unwrap_or_else(|| address.to_string());
            Err(HttpOptionsError::NoKeys { address })
        }
        (false, false) => Err(HttpOptionsError::NoTls { address: address.to_string() }),
        (false, true) => Ok(()),
    }
}

/// Returns how other machines can reach the API, whatever the bound address is: through a proxy, or by a name.
fn beyond_this_machine(options: &HttpOptions) -> Option<String> {
    let url = options.public_base_url.as_deref();
    let elsewhere = url.filter(|url| Base::parse(url).is_some_and(|base| !base.is_loopback()));
    let proxied = options.behind_tls_proxy || options.use_forwarded_host;
    elsewhere.or(proxied.then_some("what a proxy serves")).map(ToOwned::to_owned)
}

/// Returns whether a host names this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Splits an absolute HTTP URL into scheme, authority, and path without a slash at the end.
pub(super) fn split_url(url: &str) -> Option<(String, String, String)> {
    let uri = url.parse::<Uri>().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let plain = matches!(scheme, "http" | "https") && uri.query().is_none() && !url.contains('#');
    if !plain || authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    Some((scheme.to_owned(), authority.as_str().to_owned(), uri.path().trim_end_matches('/').to_owned()))
}
