//! Kinds that remote workers made known.

use longshore::auth::access::QueueAccess;
use longshore::job::Timestamp;
use longshore::roster::{KindChanges, LearnedKind};
use longshore::store::Write;

use super::Store;

fn learned(kind: &str, patterns: &[&str], asked_at: Timestamp) -> LearnedKind {
    let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    LearnedKind { kind: kind.parse().unwrap(), queues: QueueAccess::of(&patterns), asked_at }
}

fn write(store: &mut Store, asked: &[LearnedKind], forgotten: &[LearnedKind]) {
    let (asked, forgotten) = (asked.to_vec(), forgotten.to_vec());
    store.write(Write::LearnKinds(KindChanges { asked, forgotten })).unwrap();
}

#[test]
fn a_learned_kind_survives_a_restart_until_it_is_forgotten() {
    let mut store = Store::fresh();
    assert_eq!(store.reads.learned_kinds().unwrap(), []);
    let all = learned("resize", &[], store.now);
    let shop = learned("resize", &["shop.*", "mail"], store.now);
    let print = learned("print", &[], store.now);
    write(&mut store, &[all, shop.clone(), print.clone()], &[]);
    let later = learned("resize", &[], store.after(3_600));
    // One that was never stored may be forgotten as well.
    let never = learned("never", &[], store.now);
    write(&mut store, std::slice::from_ref(&later), &[print, never]);
    store.reopen();
    let found = store.reads.learned_kinds().unwrap();
    assert!(found.len() == 2 && found.contains(&later) && found.contains(&shop), "{found:?}");
    assert_eq!(store.faults(), Vec::<String>::new());
}

#[test]
fn an_impossible_learned_kind_is_left_out_and_reported() {
    let mut store = Store::fresh();
    let kinds = ["a", "b", "c"].map(|kind| learned(kind, &[], store.now));
    write(&mut store, &kinds, &[]);
    store.corrupt("UPDATE learned_kinds SET kind = 'A b' WHERE kind = 'a'");
    store.corrupt("UPDATE learned_kinds SET queues = '[7]' WHERE kind = 'b'");
    assert_eq!(store.reads.learned_kinds().unwrap(), kinds[2..]);
    assert_eq!(store.faults().len(), 2, "{:?}", store.faults());
}
