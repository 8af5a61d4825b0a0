//! Parses paths and queries: strictly, so that a text has only one meaning, and without panicking on any text.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::time::Duration;

use super::error::ApiError;

/// The characters that RFC 3986 allows unencoded everywhere.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Encodes a text so that it is one segment of a path or one value in a query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Decodes a segment of a path.
pub(super) fn decode(text: &str) -> Result<String, ApiError> {
    let bytes = text.as_bytes();
    for (place, _) in text.match_indices('%') {
        if !bytes.get(place + 1..place + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(ApiError::bad_argument("a `%` in the URL is not followed by two hexadecimal digits"));
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| ApiError::bad_argument("the URL does not decode to UTF-8"))?.into_owned())
}

/// The parameters of a query. Names are compared without regard to case. If a name has several values, the first one
/// counts, and an empty value counts as none.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decode = |text: &str| decode(&text.replace('+', "%20"));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        };
        Ok(Self(pairs.map(pair).collect::<Result<_, ApiError>>()?))
    }

    /// Returns all values of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Returns all parameters, in the order of the query.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the value of a parameter that is not free text. As in Durable Functions, spaces around it are ignored,
    /// because one of its clients ends its last flag with a `+`, which is a space.
    pub(super) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::bad_argument(format!("`{name}` is neither `true` nor `false`"))),
        }
    }

    /// Parses a time in seconds, with or without a fraction.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let wrong = || ApiError::bad_argument(format!("`{name}` is not a number of seconds"));
        // A time that is longer than any duration is treated like the longest duration.
        Ok(Some(Duration::try_from_secs_f64(seconds.ok_or_else(wrong)?).unwrap_or(Duration::MAX)))
    }

    /// Parses a time in one of the forms that clients of Durable Functions send. See [`parse_time`].
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let wrong = || ApiError::bad_argument(format!("`{name}` is not a time such as 2026-01-31T12:00:00Z"));
        parse_time(text).map(Some).ok_or_else(wrong)
    }
}

/// The formats that Durable Functions accepts besides RFC 3339: what `DateTime.ToString()` writes in the invariant
/// culture, and ISO 8601 with parts left out. Without a zone, they mean UTC.
const TIMES: [&str; 8] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S%.f",
    "%m/%d/%Y %H:%M",
];
const DATES: [&str; 2] = ["%Y-%m-%d", "%m/%d/%Y"];
const ZONED: [&str; 4] =
    ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%m/%d/%Y %H:%M:%S %#z", "%m/%d/%Y %I:%M:%S %p %#z"];

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    // A `+` that was not encoded arrives as a space.
    let zoned = |text: &str| {
        let iso = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)).ok();
        let other = || ZONED.iter().find_map(|format| DateTime::parse_from_str(text, format).ok());
        iso.or_else(other).map(|time| time.to_utc())
    };
    let with_sign = || text.rsplit_once(' ').and_then(|(time, zone)| zoned(&format!("{time}+{zone}")));
    // The zone `Z` has the same meaning as no zone.
    let plain = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let local = || TIMES.iter().find_map(|format| NaiveDateTime::parse_from_str(plain, format).ok());
    let date = || DATES.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok());
    let local = || local().or_else(|| date().map(|date| date.and_time(NaiveTime::MIN))).map(|time| time.and_utc());
    zoned(text).or_else(local).or_else(with_sign)
}

/// Returns the query as it may be logged: without credentials, however they were written.
pub(super) fn redacted(query: Option<&str>) -> String {
    let Some(query) = query else { return String::new() };
    let Ok(query) = Query::parse(Some(query)) else { return "(not readable)".to_owned() };
    let shown = query.pairs().map(|(name, value)| {
        let value = if name.trim().eq_ignore_ascii_case("code") { "REDACTED".to_owned() } else { encode(value) };
        format!("{}={value}", encode(name))
    });
    shown.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_decoding_a_uri_part_returns_the_same_text() {
        for text in ["order-1", "Zürich 7:50 %", "a/b?c#d&e=f+g", "😀", "..", "\u{0}"] {
            assert_eq!(decode(&encode(text)).unwrap(), text);
            let query = format!("x={}", encode(text));
            assert_eq!(Query::parse(Some(&query)).unwrap().get("X"), Some(text));
        }
    }

    #[test]
    fn bad_encoding_is_refused() {
        for text in ["%", "%4", "%zz", "a%2", "%%41", "%ff", "%c3%28", "%ed%a0%80"] {
            assert!(decode(text).is_err(), "{text}");
            assert!(Query::parse(Some(&format!("{text}=1"))).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_are_read() {
        let query = Query::parse(Some("Top=5&x=&x=a+b&x=c%2Bd&flag=TRUE&t=1.5&none&=&bad=maybe&u=1e300")).unwrap();
        assert_eq!(query.get("tOP"), Some("5"));
        assert_eq!(query.all("x").collect::<Vec<_>>(), ["a b", "c+d"]);
        assert!(query.flag("flag", false).unwrap() && query.flag("other", true).unwrap());
        for text in ["flag=false+", "flag=+FALSE", "flag=%09False%0A"] {
            assert!(!Query::parse(Some(text)).unwrap().flag("flag", true).unwrap(), "{text}");
        }
        assert!(query.flag("bad", true).is_err() && query.seconds("bad").is_err() && query.time("bad").is_err());
        assert_eq!(query.seconds("t").unwrap(), Some(Duration::from_millis(1500)));
        assert_eq!(query.seconds("u").unwrap(), Some(Duration::MAX));
        for wrong in ["t=-1", "t=NaN", "t=inf"] {
            assert!(Query::parse(Some(wrong)).unwrap().seconds("t").is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_in_the_forms_that_clients_send() {
        let noon = "2026-01-31T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T13:00:00%2B01:00",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.000",
            "2026-01-31T12:00:00.0000000Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00",
            "2026-01-31+12:00:00",
            "2026-01-31%2012:00:00Z",
            "2026-01-31%2013:00:00%2B01:00",
            "2026-01-31T13:00%2B01:00",
            "1/31/2026+12:00:00+PM",
            "01/31/2026%2012:00:00%20pm",
            "1/31/2026+12:00+PM",
            "1/31/2026+12:00:00",
            "01/31/2026+12:00",
            "1/31/2026 13:00:00 %2B01:00",
            "1/31/2026 1:00:00 PM %2B01:00",
            "Sat, 31 Jan 2026 12:00:00 GMT",
            "+2026-01-31T12:00:00Z+",
        ] {
            let query = Query::parse(Some(&format!("t={text}"))).unwrap();
            assert_eq!(query.time("t").unwrap(), Some(noon), "{text}");
        }
        for text in ["2026-01-31", "1/31/2026", "01/31/2026", "1/31/2026 12:00:00 AM"] {
            let query = Query::parse(Some(&format!("t={text}"))).unwrap();
            assert_eq!(query.time("t").unwrap(), Some(noon - chrono::TimeDelta::hours(12)), "{text}");
        }
        for text in
            ["31/1/2026", "2026-02-30", "1/31/2026 25:00:00", "1/31/2026 13:00:00 PM", "noon", "12", "2026-01-31 Z Z"]
        {
            assert!(Query::parse(Some(&format!("t={text}"))).unwrap().time("t").is_err(), "{text}");
        }
    }

    #[test]
    fn a_code_is_not_shown_however_it_is_written() {
        for query in
            ["code=s3cret", "a=1&CODE=s3cret", "c%6fde=s3cret", "code=%73%33cret", "+code+=s3cret&b", "code=s3cret%"]
        {
            let shown = redacted(Some(query));
            assert!(!shown.contains("cret"), "{query}: {shown}");
        }
        assert_eq!(redacted(Some("a=b+c&code=x&top=5")), "a=b%20c&code=REDACTED&top=5");
    }
}
