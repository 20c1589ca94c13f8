//! Failed sign-ins: how many each client may have in a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::job::Timestamp;

/// Failures that a client may have in one window.
const MAX_FAILURES: u32 = 10;

/// Length of a window, which starts with the first failure in it.
const WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of clients that are counted one by one. The others are counted together.
const MAX_CLIENTS: usize = 4_096;

/// Counts failed sign-ins by the address of the client.
///
/// Keys are too long to be guessed, so this protects the log and the processor rather than the keys.
#[derive(Debug, Default)]
pub(crate) struct FailedSignIns {
    windows: Mutex<HashMap<Client, Window>>,
}

/// Who is counted: an address, the network of an IPv6 address, or all others together.
type Client = Option<IpAddr>;

#[derive(Debug, Clone, Copy)]
struct Window {
    started_at: Timestamp,
    failures: u32,
}

impl FailedSignIns {
    /// Returns how long a client must wait before it may try again, or `None` if it may now.
    pub(crate) fn wait(&self, address: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let windows = self.lock();
        let client = counted_as(&windows, address);
        let window = windows.get(&client).filter(|window| !window.is_over(now))?;
        let waited = now.since(window.started_at);
        (window.failures >= MAX_FAILURES).then(|| WINDOW.saturating_sub(waited))
    }

    /// Records a failure.
    pub(crate) fn record(&self, address: Option<IpAddr>, now: Timestamp) {
        let mut windows = self.lock();
        if windows.len() >= MAX_CLIENTS {
            windows.retain(|_, window| !window.is_over(now));
        }
        let client = counted_as(&windows, address);
        let new = Window { started_at: now, failures: 0 };
        let window = windows.entry(client).or_insert(new);
        if window.is_over(now) {
            *window = new;
        }
        window.failures += 1;
    }

    /// A poisoned lock is safe to use: every state of a counter is valid.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Client, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn is_over(self, now: Timestamp) -> bool {
        // A clock that was set back does not lock anybody out.
        now < self.started_at || now.since(self.started_at) >= WINDOW
    }
}

/// Returns as whom a client is counted. Someone with an IPv6 address usually has 2^64 of them.
fn counted_as(windows: &HashMap<Client, Window>, address: Option<IpAddr>) -> Client {
    let client = address.map(|address| match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    });
    let is_counted_alone = windows.len() < MAX_CLIENTS || windows.contains_key(&client);
    if is_counted_alone { client } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_client_waits_until_the_end_of_the_minute_after_ten_failures() {
        let failed = FailedSignIns::default();
        let (client, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for second in 0..10 {
            assert_eq!(failed.wait(client, at(second)), None);
            failed.record(client, at(second));
        }
        assert_eq!(failed.wait(client, at(10)), Some(Duration::from_secs(50)));
        assert!(failed.wait(address("::ffff:192.0.2.1"), at(10)).is_some());
        assert_eq!((failed.wait(other, at(10)), failed.wait(None, at(10))), (None, None));
        assert_eq!(failed.wait(client, at(60)), None);
        failed.record(client, at(60));
        assert_eq!(failed.wait(client, at(61)), None);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        let failed = FailedSignIns::default();
        for number in 0..10 {
            failed.record(address(&format!("2001:db8::{number:x}")), at(0));
        }
        assert!(failed.wait(address("2001:db8::ffff:1"), at(1)).is_some());
        assert_eq!(failed.wait(address("2001:db8:0:1::1"), at(1)), None);
    }

    #[test]
    fn the_number_of_clients_is_bounded() {
        let failed = FailedSignIns::default();
        let client = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        for number in 0..10_000 {
            failed.record(client(number), at(0));
        }
        assert!(failed.lock().len() <= MAX_CLIENTS + 1);
        // New clients are counted together, and those that are known are not affected.
        assert!(failed.wait(client(20_000), at(1)).is_some());
        assert_eq!(failed.wait(client(1), at(1)), None);
        failed.record(client(20_000), at(61));
        assert_eq!(failed.lock().len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let failed = FailedSignIns::default();
        (0..10).for_each(|_| failed.record(address("192.0.2.1"), at(1_000)));
        assert_eq!(failed.wait(address("192.0.2.1"), at(10)), None);
    }
}
