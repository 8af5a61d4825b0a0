//! Finds the entry of the table for a request, and the values in its path.

use axum::http::Method;

use super::error::ApiError;
use super::scopes::Scopes;
use super::suggestion;
use super::table::{self, ENTRIES, EVENT_NAME, Entry, FUNCTION_NAME, INSTANCE_ID, Operation};
use super::uri::{Query, decode};

/// A request for which there is a route.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) entry: &'static Entry,
    /// The orchestrator in the path, or an empty string.
    pub(super) function: String,
    pub(super) instance: Option<String>,
    /// The name of the event in the path, or an empty string.
    pub(super) event: String,
    /// The instances in the query, without duplicates. Empty if the query names none.
    pub(super) ids: Vec<String>,
}

/// The largest number of instances in a query.
pub(super) const MAX_IDS: usize = 100;

impl Route {
    /// Finds the route for a path that begins with the base path.
    pub(super) fn parse(method: &Method, path: &str, base: &str, query: &Query) -> Result<Self, ApiError> {
        if let Some(entry) = ENTRIES.iter().find(|entry| entry.is_public() && entry.path == path) {
            let served = *method == entry.method || *method == Method::HEAD;
            return if served { Ok(Self::new(entry)) } else { Err(ApiError::no_route()) };
        }
        let inside = path.strip_prefix(base).and_then(|path| path.strip_prefix('/')).ok_or_else(ApiError::no_route)?;
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let segments: Vec<_> = inside.split('/').map(decode).collect::<Result<_, _>>()?;
        let of_method = ENTRIES.iter().filter(|entry| entry.method == *method && !entry.is_public());
        let mut meant = of_method.filter(|entry| entry.needs().is_none_or(|name| query.get(name).is_some()));
        let mut route = meant.find_map(|entry| Self::matched(entry, &segments)).ok_or_else(ApiError::no_route)?;
        if let Some(name) = route.entry.needs() {
            route.ids = ids(query, name)?;
        }
        Ok(route)
    }

    fn new(entry: &'static Entry) -> Self {
        Self { entry, function: String::new(), instance: None, event: String::new(), ids: Vec::new() }
    }

    fn matched(entry: &'static Entry, segments: &[String]) -> Option<Self> {
        if entry.segments().count() != segments.len() {
            return None;
        }
        let mut route = Self::new(entry);
        for (expected, segment) in entry.segments().zip(segments) {
            match table::placeholder(expected) {
                None if expected.eq_ignore_ascii_case(segment) => {}
                Some(name) if !segment.is_empty() => route.take(name, segment),
                _ => return None,
            }
        }
        Some(route)
    }

    fn take(&mut self, name: &str, segment: &str) {
        match name {
            FUNCTION_NAME => segment.clone_into(&mut self.function),
            INSTANCE_ID => self.instance = Some(segment.to_owned()),
            EVENT_NAME => segment.clone_into(&mut self.event),
            _ => {}
        }
    }

    pub(super) fn operation(&self) -> Operation {
        self.entry.operation
    }

    /// Returns the scope that the caller needs.
    pub(super) fn scope(&self) -> Scopes {
        self.entry.scope
    }

    /// Returns the existing instances that the request is about. There are none if it is not about particular
    /// instances.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &str> {
        let instance = self.instance.as_deref().filter(|_| self.entry.is_of_instance());
        instance.into_iter().chain(self.ids.iter().map(String::as_str))
    }

    /// Refuses a query with a parameter that the route would not use.
    pub(super) fn check_query(&self, query: &Query) -> Result<(), ApiError> {
        let Some((unknown, _)) = query.pairs().find(|(name, _)| !self.entry.accepts(name)) else { return Ok(()) };
        let own = || self.entry.query_parameters().chain(table::OF_EVERY_ROUTE);
        let advice = match suggestion::nearest(unknown, own()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("its parameters are {}", suggestion::list(own())),
        };
        Err(ApiError::bad_argument(format!("this route has no query parameter `{unknown}`: {advice}")))
    }
}

fn ids(query: &Query, name: &str) -> Result<Vec<String>, ApiError> {
    let mut ids: Vec<String> = Vec::new();
    for id in query.all(name).flat_map(|ids| ids.split(',')).map(str::trim).filter(|id| !id.is_empty()) {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    match ids.len() {
        0 => Err(ApiError::bad_argument(format!("`{name}` names no instance"))),
        1..=MAX_IDS => Ok(ids),
        number => Err(ApiError::bad_argument(format!("`{name}` names {number} instances, and {MAX_IDS} is the limit"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the id of the operation and the values in the path.
    fn parse(method: &str, path: &str) -> Option<(&'static str, String)> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let route = Route::parse(&method, path, "/b", &Query::parse(Some(query)).unwrap()).ok()?;
        let texts = [&route.function, route.instance.as_ref().unwrap_or(&String::new()), &route.event]
            .into_iter()
            .chain(&route.ids)
            .filter(|text| !text.is_empty())
            .cloned()
            .collect::<Vec<_>>();
        Some((route.entry.id, texts.join(" ")))
    }

    #[test]
    fn paths_name_routes() {
        for (method, path, id, texts) in [
            ("GET", "/healthz", "alive", ""),
            ("HEAD", "/readyz", "ready", ""),
            ("GET", "/b/instances", "list", ""),
            ("GET", "/b/instances/", "list", ""),
            ("DELETE", "/b/Instances/", "purgeMany", ""),
            ("POST", "/b/orchestrators/f", "start", "f"),
            ("POST", "/b/orchestrators/f/", "start", "f"),
            ("POST", "/b/orchestrators/f/x%20y", "startWithId", "f x y"),
            ("GET", "/b/instances/x", "status", "x"),
            ("GET", "/b/instances/stream", "status", "stream"),
            ("GET", "/b/instances/stream?ids=", "status", "stream"),
            ("GET", "/b/instances/Stream?IDS=a,b%20&ids=%2Ca&ids=c", "streamCustomStatuses", "a b c"),
            ("DELETE", "/b/instances/stream?ids=a", "purge", "stream"),
            ("DELETE", "/b/instances/x/", "purge", "x"),
            ("POST", "/b/instances/x/TERMINATE", "terminate", "x"),
            ("POST", "/b/instances/x/retry", "retry", "x"),
            ("POST", "/b/instances/x/raiseevent/a%2Fb", "raiseEvent", "x a/b"),
            ("GET", "/b/instances/x/customstatus/Stream", "streamCustomStatus", "x"),
        ] {
            assert_eq!(parse(method, path), Some((id, texts.to_owned())), "{method} {path}");
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
            ("GET", "/b/healthz"),
            ("PUT", "/b/instances"),
            ("HEAD", "/b/instances"),
            ("GET", "/b/orchestrators/f"),
            ("POST", "/b/orchestrators/"),
            ("POST", "/b/orchestrators/f//"),
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
            ("GET", "/b/instances/stream?ids=,"),
        ] {
            assert_eq!(parse(method, path), None, "{method} {path}");
        }
    }
}
