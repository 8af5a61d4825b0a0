//! Serves the page: a few files without a build step, which load nothing from other servers.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::routing::get;

/// What the browser allows the page to do: it may use its own files and its own server, and no script or style in the
/// document itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal: $kind:ident $file:literal),* $(,)?) => {
        [$(($path, $kind, include_str!(concat!("page/", $file)))),*]
    };
}

const FILES: [(&str, &str, &str); 8] = files! {
    "/": HTML "index.html",
    "/style.css": CSS "style.css",
    "/icon.svg": SVG "icon.svg",
    "/durable.js": SCRIPT "durable.js",
    "/card.js": SCRIPT "card.js",
    "/hello_cities.js": SCRIPT "hello_cities.js",
    "/city_recommender.js": SCRIPT "city_recommender.js",
    "/reserve_ticket.js": SCRIPT "reserve_ticket.js",
};

/// The routes of the page.
pub(crate) fn routes() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        let headers = [
            (CONTENT_TYPE, kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (CACHE_CONTROL, "no-cache"),
        ];
        router.route(path, get(move || async move { (headers, text) }))
    })
}
