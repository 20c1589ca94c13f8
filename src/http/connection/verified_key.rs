//! The key that was verified last on a connection.

use std::cell::RefCell;
use std::sync::Arc;

use crate::actor::keyring::KeyEntry;

/// The key of the last request of a connection, so that a client that keeps its connection has its key hashed
/// once and not with each request: the hash costs several thousand instructions.
///
/// It belongs to a connection, so it is never used with the keyring of another server of the process.
#[derive(Default)]
pub(in crate::http) struct VerifiedKey(RefCell<Option<Verified>>);

/// A text that a client has sent, and the key that it is the secret of.
struct Verified {
    text: Box<[u8]>,
    key: Arc<KeyEntry>,
}

impl VerifiedKey {
    /// Returns the key if `secret` is the text of the last request. It may have ended since.
    pub(in crate::http) fn get(&self, secret: &str) -> Option<Arc<KeyEntry>> {
        let last = self.0.borrow();
        let Verified { text, key } = last.as_ref()?;
        is_same(text, secret.as_bytes()).then(|| Arc::clone(key))
    }

    /// Records the key of a request.
    pub(in crate::http) fn set(&self, secret: &str, key: &Arc<KeyEntry>) {
        let text = secret.as_bytes().into();
        self.0.replace(Some(Verified { text, key: Arc::clone(key) }));
    }
}

/// Compares all bytes, so that the time does not depend on where two texts differ: clients behind one proxy may
/// share a connection. `subtle` does it byte by byte, at ten times the cost.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |found, (one, other)| found | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}
