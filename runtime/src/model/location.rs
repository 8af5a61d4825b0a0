//! Places in the user's source.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// A place in the source, printed as `file:line:column`. The file is a name that the compiler gave, unless the place was
/// read from a history: see [`RecordedLocation`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceLocation<F = &'static str> {
    /// The file name that the compiler gave.
    pub file: F,
    /// The line, starting at 1, or 0 if it is unknown.
    pub line: u32,
    /// The column, starting at 1, or 0 if it is unknown.
    pub column: u32,
}

/// The place where an action was issued, in this program or in the program that recorded it.
pub type RecordedLocation = SourceLocation<Cow<'static, str>>;

impl SourceLocation {
    /// Returns the place where this function is called.
    #[track_caller]
    pub const fn here() -> Self {
        let here = Location::caller();
        Self { file: here.file(), line: here.line(), column: here.column() }
    }
}

impl RecordedLocation {
    /// Returns the place of the caller of the surrounding function.
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
