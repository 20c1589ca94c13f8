//! Kinds that remote workers made known by asking for jobs of them.
//!
//! A kind is known in the queues that the worker's API key may use, so that no key changes what the
//! submissions to other queues may contain. The number of kinds is bounded. Past it the kind is forgotten for
//! which no worker has asked for the longest time, among those that were learned for the same queues as most
//! others: a key that makes up kinds displaces its own. For example, with room for 5:
//!
//! ```text
//! all queues: resize, shrink
//! shop.*:     a, b, c, and now d     a is forgotten
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::auth::access::QueueAccess;
use crate::job::{Kind, QueueName, Span, Timestamp};

/// Maximum number of learned kinds. A kind that was learned for different queues counts once for each.
const MAX_LEARNED_KINDS: usize = 1_000;
/// Time after which a kind is forgotten for which no worker has asked.
const LEARNED_KIND_AGE: Span = Span::from_secs(30 * 24 * 3600);
/// Minimum time between two writes of the time at which a worker last asked for a kind.
const STORE_INTERVAL: Span = Span::from_secs(3600);
/// Pause after a write that failed.
const RETRY_INTERVAL: Span = Span::from_secs(60);

/// A kind that remote workers made known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedKind {
    /// Name of the kind.
    pub kind: Kind,
    /// Queues in which it is known.
    pub queues: QueueAccess,
    /// Time at which a worker last asked for jobs of the kind.
    pub asked_at: Timestamp,
}

/// Changes of the learned kinds, to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindChanges {
    /// Kinds that are new, or for which a worker has asked again.
    pub asked: Vec<LearnedKind>,
    /// Kinds that are forgotten. Some of them may never have been stored.
    pub forgotten: Vec<LearnedKind>,
}

impl KindChanges {
    /// Returns whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.forgotten.is_empty()
    }
}

/// Where and when workers asked for a kind.
#[derive(Debug)]
struct Entry {
    queues: QueueAccess,
    asked_at: Timestamp,
    /// Time from which `asked_at` is stored when a worker asks again.
    store_at: Timestamp,
}

impl Entry {
    fn is_known(&self, now: Timestamp) -> bool {
        now.since(self.asked_at) <= LEARNED_KIND_AGE.duration()
    }

    fn learned(&self, kind: &Kind) -> LearnedKind {
        let Self { queues, asked_at, .. } = self;
        LearnedKind { kind: kind.clone(), queues: queues.clone(), asked_at: *asked_at }
    }
}

/// All learned kinds.
#[derive(Debug, Default)]
pub struct LearnedKinds {
    /// The kinds, with one entry for each set of queues.
    entries: BTreeMap<Kind, Vec<Entry>>,
    count: usize,
    /// Kinds that are forgotten, until this is stored.
    forgotten: Vec<LearnedKind>,
}

impl LearnedKinds {
    /// Returns the kinds that were stored before.
    pub fn new(stored: Vec<LearnedKind>, now: Timestamp) -> Self {
        let mut kinds = Self::default();
        for LearnedKind { kind, queues, asked_at } in stored {
            // A time in the future is from before the clock was set back.
            let asked_at = asked_at.min(now);
            let store_at = asked_at.plus(STORE_INTERVAL.duration());
            kinds.entries.entry(kind).or_default().push(Entry { queues, asked_at, store_at });
            kinds.count += 1;
        }
        kinds.forget_old(now);
        kinds
    }

    /// Notes that a worker that may use `queues` asks for kinds at `now`. Returns whether something is to be
    /// stored, which [`LearnedKinds::learn`] returns.
    pub fn touch(&mut self, kinds: &[&str], queues: &QueueAccess, now: Timestamp) -> bool {
        let mut is_due = false;
        for kind in kinds {
            match self.find(kind, queues) {
                Some(entry) => {
                    entry.asked_at = now;
                    is_due |= is_due_at(entry.store_at, now);
                }
                None => is_due = true,
            }
        }
        is_due
    }

    /// Learns kinds for which a worker asks at `now`, and returns what is to be stored. The caller stores it,
    /// or calls [`LearnedKinds::store_later`] if it cannot.
    pub fn learn(&mut self, kinds: &[&str], queues: &QueueAccess, now: Timestamp) -> KindChanges {
        let mut asked = Vec::new();
        for kind in kinds.iter().flat_map(|kind| kind.parse::<Kind>()) {
            if self.find(kind.as_str(), queues).is_none() {
                let entry = Entry { queues: queues.clone(), asked_at: now, store_at: now };
                self.entries.entry(kind.clone()).or_default().push(entry);
                self.count += 1;
            }
            let entry = self.find(kind.as_str(), queues);
            if let Some(entry) = entry.filter(|entry| is_due_at(entry.store_at, now)) {
                entry.asked_at = now;
                entry.store_at = now.plus(STORE_INTERVAL.duration());
                asked.push(entry.learned(&kind));
            }
        }
        if asked.is_empty() {
            return KindChanges::default();
        }
        self.forget_old(now);
        KindChanges { asked, forgotten: std::mem::take(&mut self.forgotten) }
    }

    /// Notes that changes could not be stored.
    pub fn store_later(&mut self, changes: KindChanges, now: Timestamp) {
        for learned in &changes.asked {
            if let Some(entry) = self.find(learned.kind.as_str(), &learned.queues) {
                entry.store_at = now.plus(RETRY_INTERVAL.duration());
            }
        }
        self.forgotten.extend(changes.forgotten);
        // A start removes what is left over.
        self.forgotten.truncate(MAX_LEARNED_KINDS);
    }

    /// Returns whether a kind is known in a queue.
    pub fn knows(&self, kind: &str, queue: &QueueName, now: Timestamp) -> bool {
        let entries = self.entries.get(kind).into_iter().flatten();
        entries.filter(|entry| entry.is_known(now)).any(|entry| entry.queues.allows(queue))
    }

    /// Returns the kinds that are known in a queue, sorted.
    pub fn in_queue(&self, queue: &QueueName, now: Timestamp) -> Vec<Kind> {
        let kinds = self.entries.keys();
        kinds.filter(|kind| self.knows(kind.as_str(), queue, now)).cloned().collect()
    }

    /// Returns the kinds that are known in some queue that a caller may use, each with the time at which a
    /// worker last asked for it.
    pub fn visible(&self, access: &QueueAccess, now: Timestamp) -> BTreeMap<Kind, Timestamp> {
        // Most kinds were learned for the same queues.
        let mut overlaps: HashMap<&QueueAccess, bool> = HashMap::new();
        let mut visible = BTreeMap::new();
        for (kind, entries) in &self.entries {
            let known = entries.iter().filter(|entry| entry.is_known(now));
            let asked_at = known
                .filter(|entry| {
                    *overlaps
                        .entry(&entry.queues)
                        .or_insert_with(|| entry.queues.overlaps(access))
                })
                .map(|entry| entry.asked_at)
                .max();
            visible.extend(asked_at.map(|asked_at| (kind.clone(), asked_at)));
        }
        visible
    }

    fn find(&mut self, kind: &str, queues: &QueueAccess) -> Option<&mut Entry> {
        self.entries.get_mut(kind)?.iter_mut().find(|entry| entry.queues == *queues)
    }

    /// Forgets the kinds for which no worker has asked for long, and those past the maximum number.
    fn forget_old(&mut self, now: Timestamp) {
        self.forget(|_, entry| !entry.is_known(now));
        while self.count > MAX_LEARNED_KINDS {
            let Some((queues, oldest)) = self.oldest_of_most() else { return };
            self.forget(|kind, entry| entry.queues == queues && oldest.contains(kind));
        }
    }

    /// Returns the set of queues with most kinds, and those of these kinds that were asked for least recently:
    /// so many that the set is no larger than the next one, or that the others fit.
    fn oldest_of_most(&self) -> Option<(QueueAccess, HashSet<Kind>)> {
        let mut by_queues: HashMap<&QueueAccess, Vec<(Timestamp, &Kind)>> = HashMap::new();
        for (kind, entries) in &self.entries {
            for entry in entries {
                by_queues.entry(&entry.queues).or_default().push((entry.asked_at, kind));
            }
        }
        let mut sizes: Vec<usize> = by_queues.values().map(Vec::len).collect();
        sizes.sort_unstable();
        let (most, next) = (sizes.pop()?, sizes.pop().unwrap_or(0));
        let excess = self.count.saturating_sub(MAX_LEARNED_KINDS);
        let (queues, mut kinds) = by_queues.into_iter().find(|(_, kinds)| kinds.len() == most)?;
        kinds.sort_unstable();
        kinds.truncate(excess.min((most - next).max(1)));
        Some((queues.clone(), kinds.into_iter().map(|(_, kind)| kind.clone()).collect()))
    }

    fn forget(&mut self, is_forgotten: impl Fn(&Kind, &Entry) -> bool) {
        let Self { entries, count, forgotten } = self;
        entries.retain(|kind, entries| {
            entries.retain(|entry| {
                let forget = is_forgotten(kind, entry);
                if forget {
                    *count -= 1;
                    forgotten.push(entry.learned(kind));
                }
                !forget
            });
            !entries.is_empty()
        });
    }
}

/// Returns whether a time has come, or is so far ahead that the clock was set back.
fn is_due_at(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at > now.plus(STORE_INTERVAL.duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000).plus(Span::from_secs(secs).duration())
    }

    fn only(pattern: &str) -> QueueAccess {
        QueueAccess::of(&[pattern.parse().unwrap()])
    }

    fn learn(all: &mut LearnedKinds, names: &[&str], queues: &QueueAccess, secs: u64) -> KindChanges {
        if all.touch(names, queues, at(secs)) {
            all.learn(names, queues, at(secs))
        } else {
            KindChanges::default()
        }
    }

    fn names(changes: &[LearnedKind]) -> Vec<&str> {
        changes.iter().map(|learned| learned.kind.as_str()).collect()
    }

    fn knows(all: &LearnedKinds, kind: &str, queue: &str, secs: u64) -> bool {
        all.knows(kind, &queue.parse().unwrap(), at(secs))
    }

    #[test]
    fn a_known_kind_is_stored_again_after_an_hour_only() {
        let (mut all, queues) = (LearnedKinds::default(), QueueAccess::All);
        assert_eq!(names(&learn(&mut all, &["b", "a"], &queues, 0).asked), ["b", "a"]);
        assert!(learn(&mut all, &["a"], &queues, 3_599).is_empty());
        assert_eq!(names(&learn(&mut all, &["a", "c"], &queues, 3_600).asked), ["a", "c"]);
        assert_eq!(all.visible(&queues, at(3_600))["a"], at(3_600));
        let stored = vec![LearnedKind { kind: "a".parse().unwrap(), queues, asked_at: at(9_000) }];
        // The clock was set back since.
        let mut all = LearnedKinds::new(stored, at(50));
        assert!(learn(&mut all, &["a"], &QueueAccess::All, 60).is_empty());
        assert!(!learn(&mut all, &["a"], &QueueAccess::All, 3_650).is_empty());
    }

    #[test]
    fn what_could_not_be_stored_is_stored_a_minute_later() {
        let (mut all, queues) = (LearnedKinds::default(), QueueAccess::All);
        let changes = learn(&mut all, &["a"], &queues, 0);
        all.store_later(changes, at(0));
        assert!(knows(&all, "a", "mail", 1));
        assert!(learn(&mut all, &["a"], &queues, 59).is_empty());
        assert_eq!(names(&learn(&mut all, &["a"], &queues, 60).asked), ["a"]);
    }

    #[test]
    fn a_kind_is_known_and_visible_only_in_the_queues_of_its_worker() {
        let mut all = LearnedKinds::default();
        learn(&mut all, &["a", "b"], &only("shop.*"), 0);
        learn(&mut all, &["b"], &QueueAccess::All, 5);
        assert!(knows(&all, "a", "shop.mail", 9) && !knows(&all, "a", "blog.mail", 9));
        assert!(knows(&all, "b", "blog.mail", 9) && !knows(&all, "c", "shop.mail", 9));
        let in_queue = |queue: &str| all.in_queue(&queue.parse().unwrap(), at(9));
        assert_eq!(in_queue("shop.mail").iter().map(Kind::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(in_queue("blog.mail").iter().map(Kind::as_str).collect::<Vec<_>>(), ["b"]);
        let visible = |access: &QueueAccess| {
            let visible = all.visible(access, at(9)).into_iter();
            visible.map(|(kind, asked_at)| (kind.to_string(), asked_at)).collect::<Vec<_>>()
        };
        let both = [("a".to_string(), at(0)), ("b".to_string(), at(5))];
        assert_eq!(visible(&QueueAccess::All), both);
        assert_eq!(visible(&only("*.mail")), both);
        assert_eq!(visible(&only("blog.*")), both[1..]);
    }

    #[test]
    fn a_kind_that_no_worker_asks_for_is_forgotten() {
        let (mut all, queues) = (LearnedKinds::default(), QueueAccess::All);
        learn(&mut all, &["a"], &queues, 0);
        let age = LEARNED_KIND_AGE.duration().as_secs();
        assert!(knows(&all, "a", "mail", age) && !knows(&all, "a", "mail", age + 1));
        assert!(all.visible(&queues, at(age + 1)).is_empty());
        assert_eq!(names(&learn(&mut all, &["b"], &queues, age + 1).forgotten), ["a"]);
        assert_eq!(names(&learn(&mut all, &["a"], &queues, age + 2).asked), ["a"]);
    }

    #[test]
    fn a_key_that_makes_up_kinds_displaces_its_own() {
        let mut all = LearnedKinds::default();
        learn(&mut all, &["resize"], &QueueAccess::All, 0);
        let queues = only("shop.*");
        for number in 0..2 * MAX_LEARNED_KINDS as u64 {
            learn(&mut all, &[&format!("kind-{number}")], &queues, 1 + number);
        }
        assert_eq!(all.count, MAX_LEARNED_KINDS);
        let now = 2 * MAX_LEARNED_KINDS as u64;
        assert!(knows(&all, "resize", "mail", now) && !knows(&all, "kind-0", "shop.a", now));
        let stored: Vec<LearnedKind> = (0..3_000)
            .map(|number| LearnedKind {
                kind: format!("kind-{number}").parse().unwrap(),
                queues: QueueAccess::All,
                asked_at: at(number),
            })
            .collect();
        let mut all = LearnedKinds::new(stored, at(3_000));
        assert_eq!(all.count, MAX_LEARNED_KINDS);
        assert_eq!(learn(&mut all, &["x"], &QueueAccess::All, 3_001).forgotten.len(), 2_001);
    }
}
