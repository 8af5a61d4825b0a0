//! Suggests which known name a misspelled name may mean.

/// Returns the most similar known name, if one is similar enough. Case does not matter.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distances = known.map(|other| (distance(&name, &other.to_lowercase()), other));
    // Two texts that differ in a third of their characters or more are different words.
    let limit = name.chars().count() / 3 + 1;
    distances.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
}

/// Returns the names in backquotes, separated by commas.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns how many characters must be inserted, removed or replaced (the Levenshtein distance), for texts as long as a
/// name.
fn distance(one: &str, other: &str) -> usize {
    const LONGEST: usize = 300;
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.chars().take(LONGEST).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let above = row[column + 1];
            let replaced = diagonal + usize::from(left != *right);
            row[column + 1] = replaced.min(above + 1).min(row[column] + 1);
            diagonal = above;
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_leads_to_the_right_one() {
        let known = ["showInput", "showHistory", "top", "reason"];
        for (name, expected) in [
            ("showinputs", Some("showInput")),
            ("showHistroy", Some("showHistory")),
            ("tops", Some("top")),
            ("Reson", Some("reason")),
            ("", None),
            ("recursive", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")), (3, 3, 0));
    }
}
