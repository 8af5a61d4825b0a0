//! The order of the versions of an orchestrator. No other place compares versions.

use std::cmp::Ordering;

/// Compares two versions. The older one is less.
///
/// A version consists of runs of digits and the texts between them. Digits are compared as numbers and texts as texts, from
/// left to right: `10` is newer than `9`, `1.10` than `1.9`, `v2` than `v1`, and `b` than `a`. A number is older than a text
/// in the same place, and a version is older than the same version with something added: `1.2.1` is newer than `1.2`. An
/// empty version is the oldest. Versions that differ only in leading zeros are ordered by their texts, so that no two
/// different versions are equal.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    parts(one).cmp(parts(other)).then_with(|| one.cmp(other))
}

/// A run of digits or of other characters. The variants are ordered from old to new.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// Without leading zeros, the number with more digits is larger, so a number can have any length.
    Number {
        digits: usize,
        text: &'a str,
    },
    Text(&'a str),
}

fn parts(mut rest: &str) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let is_number = rest.bytes().next()?.is_ascii_digit();
        let end = rest.bytes().position(|byte| byte.is_ascii_digit() != is_number).unwrap_or(rest.len());
        // Digits are ASCII, so the text is split between characters.
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(if is_number {
            let text = part.trim_start_matches('0');
            Part::Number { digits: text.len(), text }
        } else {
            Part::Text(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_versions_are_compared_as_numbers() {
        let from_old_to_new = [
            "",
            "0",
            "00",
            "01",
            "1",
            "1.2",
            "1.2.0",
            "1.2.1",
            "1.9",
            "1.10",
            "2",
            "9",
            "10",
            "2024-09-30",
            "2024-10-01",
            "18446744073709551615",
            "18446744073709551616",
            "a",
            "b",
            "v1",
            "v2",
            "v10",
            "v10-beta",
            "é",
        ];
        for (place, old) in from_old_to_new.iter().enumerate() {
            for new in &from_old_to_new[place + 1..] {
                assert_eq!(compare(old, new), Ordering::Less, "{old:?} is older than {new:?}");
                assert_eq!(compare(new, old), Ordering::Greater, "{new:?} is newer than {old:?}");
            }
        }
    }

    proptest! {
        /// For any texts: two of them have one order, the order is transitive, and only equal texts are equal.
        #[test]
        fn versions_have_a_total_order(a in "[0-2.aé]{0,6}", b in "[0-2.aé]{0,6}", c in "[0-2.aé]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b) == Ordering::Equal, a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le(), "{:?} {:?} {:?}", a, b, c);
            }
        }

        #[test]
        fn a_version_with_a_larger_number_in_any_place_is_newer(a in any::<u64>(), b in any::<u64>(), front in "[a-z.]{0,3}") {
            let (older, newer) = (format!("{front}{}", a.min(b)), format!("{front}{}", a.max(b)));
            prop_assert_eq!(compare(&older, &newer), a.min(b).cmp(&a.max(b)));
        }
    }
}
