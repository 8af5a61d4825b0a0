//! Which route a method and a path name. The whole API is in one table, so that nothing is served that is not here.

use axum::http::Method;

use super::error::ApiError;
use super::scopes::Scopes;
use super::uri::decode;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Health,
    Ready,
    OpenApi,
    Start { function: String, id: Option<String> },
    List,
    PurgeMany,
    Instance { id: String, operation: Operation },
}

/// What is asked of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Status,
    Stream,
    Raise { event: String },
    Terminate,
    Suspend,
    Resume,
    Rewind,
    Restart,
    Purge,
}

impl Route {
    /// What the caller must be allowed to do.
    pub(super) fn scope(&self) -> Scopes {
        match self {
            Self::Health | Self::Ready | Self::OpenApi => Scopes::NONE,
            Self::Start { .. } => Scopes::START,
            Self::List => Scopes::READ,
            Self::PurgeMany => Scopes::PURGE,
            Self::Instance { operation, .. } => match operation {
                Operation::Status | Operation::Stream => Scopes::READ,
                Operation::Raise { .. } => Scopes::RAISE,
                Operation::Terminate
                | Operation::Suspend
                | Operation::Resume
                | Operation::Rewind
                | Operation::Restart => Scopes::MANAGE,
                Operation::Purge => Scopes::PURGE,
            },
        }
    }

    /// Whether nobody is asked who they are.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::Health | Self::Ready | Self::OpenApi)
    }

    /// The instance that it is about.
    pub(super) fn instance(&self) -> Option<&str> {
        match self {
            Self::Instance { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Reads a path that has the base in front. What is not in the table is no route, whatever the reason.
    pub(super) fn parse(method: &Method, path: &str, base: &str) -> Result<Self, ApiError> {
        let probe = [("/healthz", Self::Health), ("/readyz", Self::Ready), ("/openapi.json", Self::OpenApi)];
        if let Some((_, route)) = probe.into_iter().find(|(known, _)| *known == path) {
            return if method == Method::GET || method == Method::HEAD { Ok(route) } else { Err(ApiError::no_route()) };
        }
        let inside = path.strip_prefix(base).and_then(|path| path.strip_prefix('/')).ok_or_else(ApiError::no_route)?;
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let segments: Vec<_> = inside.split('/').map(decode).collect::<Result<_, _>>()?;
        let (first, rest) = segments.split_first().ok_or_else(ApiError::no_route)?;
        let route = if first.eq_ignore_ascii_case("orchestrators") {
            start(method, rest)
        } else if first.eq_ignore_ascii_case("instances") {
            instances(method, rest)
        } else {
            None
        };
        route.ok_or_else(ApiError::no_route)
    }
}

fn start(method: &Method, rest: &[String]) -> Option<Route> {
    let (function, id) = match rest {
        [function] => (function, None),
        [function, id] => (function, Some(id.clone())),
        _ => return None,
    };
    (method == Method::POST && !function.is_empty()).then(|| Route::Start { function: function.clone(), id })
}

fn instances(method: &Method, rest: &[String]) -> Option<Route> {
    let Some((id, rest)) = rest.split_first() else {
        return match *method {
            Method::GET => Some(Route::List),
            Method::DELETE => Some(Route::PurgeMany),
            _ => None,
        };
    };
    let operation = match (method, rest) {
        (&Method::GET, []) => Operation::Status,
        (&Method::DELETE, []) => Operation::Purge,
        (&Method::GET, [status, stream])
            if status.eq_ignore_ascii_case("customStatus") && stream.eq_ignore_ascii_case("stream") =>
        {
            Operation::Stream
        }
        (&Method::POST, [raise, event]) if raise.eq_ignore_ascii_case("raiseEvent") && !event.is_empty() => {
            Operation::Raise { event: event.clone() }
        }
        (&Method::POST, [name]) => {
            let known = [
                ("terminate", Operation::Terminate),
                ("suspend", Operation::Suspend),
                ("resume", Operation::Resume),
                ("rewind", Operation::Rewind),
                ("restart", Operation::Restart),
            ];
            known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known))?.1
        }
        _ => return None,
    };
    (!id.is_empty()).then(|| Route::Instance { id: id.clone(), operation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str) -> Option<Route> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Route::parse(&method, path, "/b").ok()
    }

    #[test]
    fn paths_name_routes() {
        let at = |id: &str, operation| Some(Route::Instance { id: id.to_owned(), operation });
        let start = |id: Option<&str>| Some(Route::Start { function: "f".to_owned(), id: id.map(ToOwned::to_owned) });
        for (method, path, route) in [
            ("GET", "/healthz", Some(Route::Health)),
            ("GET", "/b/instances", Some(Route::List)),
            ("GET", "/b/instances/", Some(Route::List)),
            ("DELETE", "/b/Instances/", Some(Route::PurgeMany)),
            ("POST", "/b/orchestrators/f", start(None)),
            ("POST", "/b/orchestrators/f/", start(None)),
            ("POST", "/b/orchestrators/f/x%20y", start(Some("x y"))),
            ("GET", "/b/instances/x", at("x", Operation::Status)),
            ("DELETE", "/b/instances/x/", at("x", Operation::Purge)),
            ("POST", "/b/instances/x/TERMINATE", at("x", Operation::Terminate)),
            ("POST", "/b/instances/x/raiseevent/a%2Fb", at("x", Operation::Raise { event: "a/b".to_owned() })),
            ("GET", "/b/instances/x/customstatus/Stream", at("x", Operation::Stream)),
        ] {
            assert_eq!(parse(method, path), route, "{method} {path}");
        }
    }

    #[test]
    fn everything_else_is_none() {
        for (method, path) in [
            ("POST", "/healthz"),
            ("GET", "/"),
            ("GET", ""),
            ("GET", "/b"),
            ("GET", "/b/"),
            ("GET", "/bb/instances"),
            ("PUT", "/b/instances"),
            ("GET", "/b/orchestrators/f"),
            ("POST", "/b/orchestrators/"),
            ("POST", "/b/orchestrators/f/x/y"),
            ("POST", "/b/instances/x"),
            ("POST", "/b/instances/x/unknown"),
            ("POST", "/b/instances/x/raiseEvent"),
            ("POST", "/b/instances/x/raiseEvent/"),
            ("POST", "/b/instances//terminate"),
            ("GET", "/b/instances/x/terminate"),
            ("GET", "/b/instances/x/customStatus"),
            ("POST", "/b/instances/x/terminate/more"),
            ("GET", "/b/entities/x/y"),
            ("POST", "/b/makeprimary"),
            ("GET", "/b/instances/%zz"),
            ("BREW", "/b/instances/x"),
        ] {
            assert_eq!(parse(method, path), None, "{method} {path}");
        }
    }
}
