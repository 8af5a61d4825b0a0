//! What the operating system reports about this process. On systems other than Linux, all figures are zero.

use std::fs;
use std::path::Path;

/// The size of a memory page on the machines where this runs.
const PAGE: u64 = 4_096;

/// Returns the bytes of memory that the process uses.
pub(crate) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * PAGE
}

/// Returns the seconds of processor time that the process has used, in all threads together.
pub(crate) fn processor_seconds() -> f64 {
    // `/proc/self/stat` counts in steps of ten milliseconds; the scheduler counts in nanoseconds.
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds: u64 = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    nanoseconds as f64 / 1e9
}

/// Returns the bytes that the process has passed to the operating system for writing.
pub(crate) fn written_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or_default()
}

/// Returns the size of a file, or zero if it does not exist.
pub(crate) fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
