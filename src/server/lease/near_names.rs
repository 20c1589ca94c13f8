//! Names that are almost the same, as after a typing error.

/// Maximum number of edits between two names that are near each other.
const MAX_EDITS: usize = 2;

/// Sorts the names that are near `name` before the others, the nearest first. The order is otherwise kept.
pub(super) fn nearest_first(mut names: Vec<String>, name: &str) -> Vec<String> {
    names.sort_by_cached_key(|other| {
        edits(other.as_bytes(), name.as_bytes(), MAX_EDITS).unwrap_or(MAX_EDITS + 1)
    });
    names
}

/// Returns the Levenshtein distance of two names: the number of characters that are inserted, removed or
/// replaced. Returns `None` if it is above `max`. The time is linear in the lengths for a small `max`, so that
/// names from a client are safe to compare with many. For example, with the common start left out:
///
/// ```text
/// resise, resize: s and z are replaced, and e is common: 1
/// ```
fn edits(one: &[u8], other: &[u8], max: usize) -> Option<usize> {
    let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[common..], &other[common..]);
    if one.is_empty() && other.is_empty() {
        return Some(0);
    }
    let max = max.checked_sub(1)?;
    let (one_rest, other_rest) = (one.get(1..), other.get(1..));
    let pairs = [(one_rest, Some(other)), (Some(one), other_rest), (one_rest, other_rest)];
    let tried = pairs.into_iter().filter_map(|(one, other)| edits(one?, other?, max));
    tried.min().map(|edits| edits + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_two_names_is_the_number_of_their_edits() {
        let distance = |one: &str, other: &str| edits(one.as_bytes(), other.as_bytes(), MAX_EDITS);
        let pairs = [
            ("", "", Some(0)),
            ("resize", "resize", Some(0)),
            ("resise", "resize", Some(1)),
            ("resize", "resizes", Some(1)),
            ("", "ab", Some(2)),
            ("http", "htpt", Some(2)),
            ("abc", "bcd", Some(2)),
            ("abc", "", None),
            ("abc", "xyz", None),
        ];
        for (one, other, expected) in pairs {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn near_names_come_first_and_the_others_keep_their_order() {
        let names = ["chat", "echo", "http", "resize", "size"].map(String::from).to_vec();
        let sorted = nearest_first(names, "resise");
        assert_eq!(sorted, ["resize", "chat", "echo", "http", "size"]);
    }
}
