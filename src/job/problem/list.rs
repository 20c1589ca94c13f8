//! Lists that an input can make long: JSON arrays, and problems.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::job::problem::Problem;

/// Maximum number of problems that are reported.
pub const MAX_PROBLEMS: usize = 100;

/// Collects problems: the first [`MAX_PROBLEMS`], and the number of the others.
#[derive(Debug, Default)]
pub struct Problems {
    first: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// Adds a problem. It is only made if it is one of the first.
    pub fn add(&mut self, problem: impl FnOnce() -> Problem) {
        if self.first.len() < MAX_PROBLEMS {
            self.first.push(problem());
        } else {
            self.omitted += 1;
        }
    }

    /// Returns the problems. If there are more, the last one says how many, with this pointer.
    pub fn into_vec(self, pointer: &str) -> Vec<Problem> {
        let Self { mut first, omitted } = self;
        if omitted > 0 {
            first.push(Problem::omission(pointer, omitted));
        }
        first
    }

    /// Returns whether no problem was added.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// A JSON array, of which only the first entries are kept.
#[derive(Debug)]
pub struct CountedList<T> {
    /// The first entries.
    pub values: Vec<T>,
    /// Number of all entries.
    pub count: usize,
}

/// Reads a [`CountedList`] of at most this many entries. Further ones are skipped and counted.
pub(super) struct ListSeed<T> {
    max: usize,
    entry: PhantomData<T>,
}

impl<T> ListSeed<T> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, entry: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for ListSeed<T> {
    type Value = CountedList<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListSeed<T> {
    type Value = CountedList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while values.len() < self.max {
            match entries.next_element()? {
                Some(value) => values.push(value),
                None => return Ok(CountedList { count: values.len(), values }),
            }
        }
        let mut count = values.len();
        while entries.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(CountedList { values, count })
    }
}

/// Reads a list, of which only the first `MAX` entries are kept. For a field whose list is refused if
/// it has more.
pub(crate) fn first_entries<'de, T, D, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    ListSeed::new(MAX).deserialize(deserializer).map(|list| list.values)
}

/// A JSON array that is read entry by entry, and not kept.
pub struct Discarded<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Discarded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Discarded<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_element::<T>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json_list;

    #[test]
    fn problems_past_the_limit_are_counted_and_not_made() {
        let mut problems = Problems::default();
        for number in 0..MAX_PROBLEMS + 7 {
            problems.add(|| {
                assert!(number < MAX_PROBLEMS, "a problem was made that is not reported");
                Problem::new(format!("/{number}"), "is wrong")
            });
        }
        let problems = problems.into_vec("/list");
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(problems.last(), Some(&Problem::omission("/list", 7)));
    }

    #[test]
    fn a_list_keeps_its_first_entries_and_counts_the_others() {
        let list = |text: &str| parse_json_list::<u8>(text.as_bytes(), 2);
        for (text, values, count) in
            [("[]", vec![], 0), ("[1]", vec![1], 1), (" [1, 2] ", vec![1, 2], 2)]
        {
            let list = list(text).unwrap();
            assert_eq!((list.values, list.count), (values, count));
        }
        let long = list("[1, 2, 3, {}, \"x\"]").unwrap();
        assert_eq!((long.values, long.count), (vec![1, 2], 5));
        assert_eq!(list("[1, \"x\"]").unwrap_err().pointer, "/1");
        assert!(list("{}").unwrap_err().detail.contains("expected a sequence"));
        assert!(list("[1] 2").unwrap_err().detail.contains("trailing characters"));
    }
}
