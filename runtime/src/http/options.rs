//! How the API is set up, and what of it cannot work.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Uri;

use super::capability::Signers;
use super::keys::ApiKeys;
use super::limits::HttpLimits;
use super::urls::Base;

/// How the HTTP API is set up. The defaults serve this machine alone: loopback, without keys.
///
/// # Beyond this machine
/// Three things belong together: [`keys`](Self::keys), a proxy in front that terminates TLS
/// ([`behind_tls_proxy`](Self::behind_tls_proxy)), and the address under which clients see it
/// ([`public_base_url`](Self::public_base_url)). Without the first two a [`Server`](super::Server) does not bind to
/// another address than loopback; and whatever it binds to, without keys it is not served through a proxy, or under
/// another name than this machine's.
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

/// The family's base path of version 2.
const BASE_PATH: &str = "/runtime/webhooks/durabletask";

/// The shortest signing secret that is taken, in bytes.
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
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where a [`Server`](super::Server) listens. The default is `127.0.0.1:8080`; port 0 takes a free one.
    pub fn bind(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// The path below which the API lies. The default is the family's: `/runtime/webhooks/durabletask`.
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = path.into();
        self
    }

    /// What the URLs that are handed out begin with, such as `https://orders.example.com`: scheme, host, port, and the
    /// path where a router is nested. The default of a [`Server`](super::Server) is the address it is bound to; the
    /// request's `Host` never counts.
    pub fn public_base_url(mut self, url: impl Into<String>) -> Self {
        self.public_base_url = Some(url.into());
        self
    }

    /// Whether the URLs that are handed out follow `X-Forwarded-Host` and `X-Forwarded-Proto`. Only behind a proxy that
    /// sets both on every request: whoever sends them decides where clients go next.
    pub fn use_forwarded_host(mut self, follow: bool) -> Self {
        self.use_forwarded_host = follow;
        self
    }

    /// Who may do what. Without keys, everybody who reaches the API may do everything.
    pub fn keys(mut self, keys: ApiKeys) -> Self {
        self.keys = keys;
        self
    }

    /// What the URLs that are handed out are signed with, besides the keys: at least 16 bytes that nobody can guess.
    /// With it, reading the file of keys is not enough to make such a URL. Changing it ends all of them. Without it, those
    /// that the program itself hands out ([`Management`](super::Management)) end with the process.
    pub fn signing_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.signing_secret = Some(secret.into());
        self
    }

    /// How long the URLs that are handed out are valid where there are keys. The default is 24 hours.
    pub fn url_lifetime(mut self, lifetime: Duration) -> Self {
        self.url_lifetime = lifetime;
        self
    }

    /// The only name that the parameter `taskHub` may have. The default is `persevere`.
    pub fn task_hub(mut self, name: impl Into<String>) -> Self {
        self.task_hub = name.into();
        self
    }

    /// The only name that the parameter `connection` may have. The default is `Storage`.
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.connection = name.into();
        self
    }

    /// Says that clients come through a proxy that terminates TLS, so that keys do not cross a network in the clear.
    pub fn behind_tls_proxy(mut self, behind: bool) -> Self {
        self.behind_tls_proxy = behind;
        self
    }

    /// Serves others than this machine without keys or without TLS. It is logged as a warning. For a network of your
    /// own, or where the application in front decides who may pass.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Puts what is behind an error into its answer. It may name files and rows.
    pub fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// Whether a JSON string whose content is the JSON that was meant is accepted as input or as payload of an event, as in
    /// `"[\"Tokyo\"]"`. The Python client of the Durable Functions sends every value in this form. A string is only read as
    /// its content where the string itself is not what the code takes. The default is `true`.
    pub fn lenient_json_strings(mut self, lenient: bool) -> Self {
        self.lenient_json_strings = lenient;
        self
    }

    /// How much requests may hold and take.
    pub fn limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No secret is in it.
        f.debug_struct("HttpOptions")
            .field("address", &self.address)
            .field("base_path", &self.base_path)
            .field("public_base_url", &self.public_base_url)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// Options that cannot work together, or at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpOptionsError {
    /// The base path is none. Write it as `/a/b`: letters, digits and `-._~`, a slash in front and none behind.
    #[error("{path:?} is no base path: write it as `/a/b`, of letters, digits and `-._~`, without a slash at the end")]
    BasePath {
        /// What was given.
        path: String,
    },
    /// The public base URL is none. Write it as `https://host` or `http://host:port/path`.
    #[error("{url:?} is no public base URL: write it as `https://host`, `http://host:port` or `https://host/path`")]
    PublicBaseUrl {
        /// What was given.
        url: String,
    },
    /// A router does not know the address it is served at. Say it with `public_base_url`.
    #[error("a router does not know the address that it is served at: say it with `public_base_url(\"https://..\")`")]
    NoPublicBaseUrl,
    /// The signing secret can be guessed. Give at least 16 random bytes.
    #[error("the signing secret has {bytes} bytes, and fewer than 16 can be guessed")]
    SigningSecret {
        /// How many bytes it has.
        bytes: usize,
    },
    /// Everybody could do everything. Give keys, or say `insecure(true)` if the application in front decides who passes.
    #[error(
        "{address} is not this machine alone, and without keys everybody could do everything: \
         give `keys(ApiKeys::from_file(..)?)`, stay on 127.0.0.1, or accept it with `insecure(true)`"
    )]
    NoKeys {
        /// Where it would be served.
        address: String,
    },
    /// Keys would cross the network in the clear. Put a proxy that terminates TLS in front and say
    /// `behind_tls_proxy(true)`; or nest the router into an application that serves TLS.
    #[error(
        "{address} is not this machine alone, and keys would cross the network in the clear: put a proxy that \
         terminates TLS in front and say `behind_tls_proxy(true)`, nest the router into an application that serves TLS, \
         stay on 127.0.0.1, or accept it with `insecure(true)`"
    )]
    NoTls {
        /// Where it would be served.
        address: String,
    },
    /// Behind a proxy the bound address is not the one that clients see. Say that one with `public_base_url`.
    #[error("behind a proxy, URLs need the address that clients see: say it with `public_base_url(\"https://..\")`")]
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
    /// For a router, which somebody else serves.
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
            tracing::warn!(target: "persevere::http", url, "the HTTP API has no keys: whoever reaches it may do everything");
        }
        Ok(settings)
    }

    /// For a server that is bound to this address.
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

/// Whether a server may listen there. Asked before it binds.
pub(super) fn check_exposure(options: &HttpOptions, address: SocketAddr) -> Result<(), HttpOptionsError> {
    if options.behind_tls_proxy && options.public_base_url.is_none() && !options.use_forwarded_host {
        return Err(HttpOptionsError::NoUrlBehindProxy);
    }
    let open = options.keys.is_empty();
    let (local, beyond) = (address.ip().is_loopback(), beyond_this_machine(options));
    // A key that comes to this machine's own address crosses no network here.
    if local && (beyond.is_none() || !open) {
        return Ok(());
    }
    if options.insecure {
        let (keys, tls) = (!open, options.behind_tls_proxy);
        tracing::warn!(target: "persevere::http", %address, keys, tls, "the HTTP API is served insecurely, as `insecure(true)` asks");
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

/// What brings others than this machine, whatever the address that is listened on: a proxy, or a name of one's own.
fn beyond_this_machine(options: &HttpOptions) -> Option<String> {
    let url = options.public_base_url.as_deref();
    let elsewhere = url.filter(|url| Base::parse(url).is_some_and(|base| !base.is_loopback()));
    let proxied = options.behind_tls_proxy || options.use_forwarded_host;
    elsewhere.or(proxied.then_some("what a proxy serves")).map(ToOwned::to_owned)
}

/// Whether a host names this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Scheme and authority of an absolute HTTP URL, and its path without a slash at the end.
pub(super) fn split_url(url: &str) -> Option<(String, String, String)> {
    let uri = url.parse::<Uri>().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let plain = matches!(scheme, "http" | "https") && uri.query().is_none() && !url.contains('#');
    if !plain || authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    Some((scheme.to_owned(), authority.as_str().to_owned(), uri.path().trim_end_matches('/').to_owned()))
}
