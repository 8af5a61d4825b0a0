//! The difference between two short texts, line by line.

/// Returns the lines of both texts with a prefix: `- ` for lines that were removed, `+ ` for lines that were added, and
/// two spaces for lines that stayed.
pub(super) fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let common = common_lengths(&old, &new);
    let (mut at_old, mut at_new) = (0, 0);
    let mut out = String::new();
    let mut line = |sign: &str, text: &str| {
        out.push_str(sign);
        out.push_str(text);
        out.push('\n');
    };
    while at_old < old.len() || at_new < new.len() {
        if at_old < old.len() && at_new < new.len() && old[at_old] == new[at_new] {
            line("  ", old[at_old]);
            at_old += 1;
            at_new += 1;
        } else if at_new == new.len()
            || (at_old < old.len() && common[at_old + 1][at_new] >= common[at_old][at_new + 1])
        {
            line("- ", old[at_old]);
            at_old += 1;
        } else {
            line("+ ", new[at_new]);
            at_new += 1;
        }
    }
    out
}

/// Returns, for each pair of positions, how many lines the remaining texts have in common.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut lengths = vec![vec![0; new.len() + 1]; old.len() + 1];
    for at_old in (0..old.len()).rev() {
        for at_new in (0..new.len()).rev() {
            lengths[at_old][at_new] = if old[at_old] == new[at_new] {
                lengths[at_old + 1][at_new + 1] + 1
            } else {
                lengths[at_old + 1][at_new].max(lengths[at_old][at_new + 1])
            };
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_diff_shows_old_and_new_lines_between_unchanged_ones() {
        assert_eq!(diff("a\nb\nc\nd\n", "a\nx\nc\nd\ne\n"), "  a\n- b\n+ x\n  c\n  d\n+ e\n");
        assert_eq!(diff("", "a\n"), "+ a\n");
        assert_eq!(diff("a\nb\n", ""), "- a\n- b\n");
        assert_eq!(diff("a\nb\n", "b\na\n"), "- a\n  b\n+ a\n");
        assert_eq!(diff("a\n", "a\n"), "  a\n");
    }
}
