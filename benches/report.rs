//! What a measurement prints: a table row for people, a JSON line for machines.

use serde::Serialize;

/// One result.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) workload: &'static str,
    pub(crate) store: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) goal: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Prints a result.
#[allow(clippy::print_stdout, reason = "printing is the purpose of this program")]
pub(crate) fn print(figure: &Figure, json_only: bool) -> Result<(), serde_json::Error> {
    if !json_only {
        println!(
            "{:<10} {:<7} {:>12} {:<20} {:>10} {:>9} {:>9}",
            "workload", "store", "value", "unit", "goal", "p50 ms", "p99 ms"
        );
        println!(
            "{:<10} {:<7} {:>12.0} {:<20} {:>10.0} {:>9.2} {:>9.2}",
            figure.workload, figure.store, figure.value, figure.unit, figure.goal, figure.p50_ms, figure.p99_ms
        );
    }
    println!("{}", serde_json::to_string(figure)?);
    Ok(())
}

/// The value below which this share of the values lies. Sorts them.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or_default()
}
