//! Lists of names in messages, whose length is bounded.

/// Returns the first names of a list, and the number of the others.
pub fn bounded_list(names: &[String], max_bytes: usize) -> String {
    let mut list = String::new();
    for (index, name) in names.iter().enumerate() {
        if !list.is_empty() && list.len() + name.len() > max_bytes {
            return format!("{list} and {} more", names.len() - index);
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(name);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_says_how_many_names_are_missing() {
        let names = ["aaaa", "bbbb", "cccc"].map(String::from);
        assert_eq!(bounded_list(&names, 100), "aaaa, bbbb, cccc");
        assert_eq!(bounded_list(&names, 10), "aaaa, bbbb and 1 more");
        assert_eq!(bounded_list(&names, 1), "aaaa and 2 more");
        assert_eq!(bounded_list(&[], 1), "");
    }
}
