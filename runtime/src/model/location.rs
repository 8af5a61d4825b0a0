//! Places in the user's source.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// A place in the source, printed as `file:line:column`. The file is a name that the compiler gave, unless the place was
/// read from a history: see [`RecordedLocation`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceLocation<F = &'static str> {
    /// The file, as the compiler names it.
    pub file: F,
    /// The line, from 1; 0 when it is unknown.
    pub line: u32,
    /// The column, from 1; 0 when it is unknown.
    pub column: u32,
}

/// Where an action was asked for: a place in this program, or in the one that recorded it.
pub type RecordedLocation = SourceLocation<Cow<'static, str>>;

impl SourceLocation {
    /// Where this is called.
    #[track_caller]
    pub const fn here() -> Self {
        let here = Location::caller();
        Self { file: here.file(), line: here.line(), column: here.column() }
    }
}

impl RecordedLocation {
    /// The place of the caller of the function that this is called in.
    #[track_caller]
    pub fn caller() -> Self {
        Location::caller().into()
    }
}

impl From<&'static Location<'static>> for RecordedLocation {
    fn from(location: &'static Location<'static>) -> Self {
        Self { file: Cow::Borrowed(location.file()), line: location.line(), column: location.column() }
    }
}

impl<F: fmt::Display> fmt::Display for SourceLocation<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str("an unknown place");
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl<F: fmt::Display> fmt::Debug for SourceLocation<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
