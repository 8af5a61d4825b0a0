//! What the operating system says of this process. Linux only; elsewhere the figures are zero.

use std::fs;
use std::path::Path;

/// The size of a page of memory on the machines this runs on.
const PAGE: u64 = 4_096;

/// Bytes of memory that the process has.
pub(crate) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * PAGE
}

/// Seconds of processor time that the process has used, all threads together.
pub(crate) fn processor_seconds() -> f64 {
    // `/proc/self/stat` counts in steps of ten milliseconds, the scheduler in nanoseconds.
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds: u64 = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    nanoseconds as f64 / 1e9
}

/// The size of a file; zero when there is none.
pub(crate) fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
