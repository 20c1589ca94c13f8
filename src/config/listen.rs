//! Where the HTTP server listens: addresses and Unix sockets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;

/// Prefix of a Unix socket.
const UNIX: &str = "unix:";

/// Separates the path of a Unix socket from its mode.
const MODE: &str = "?mode=";

/// Mode of a Unix socket for which none is set: only the user of the server may connect.
const DEFAULT_MODE: u32 = 0o600;

/// Longest path of a Unix socket, in bytes. The systems allow 103 to 107, and the server creates the socket
/// under a name that is longer by [`SUFFIX_BYTES`].
const MAX_PATH_BYTES: usize = 103 - SUFFIX_BYTES;

/// Space for the ending of the name under which a socket is created.
const SUFFIX_BYTES: usize = 4;

/// A place where the HTTP server listens.
///
/// ```
/// use longshore::config::ListenAddress;
///
/// let socket: ListenAddress = "unix:/run/longshore.sock?mode=0660".parse()?;
/// assert_eq!(socket, ListenAddress::Unix { path: "/run/longshore.sock".into(), mode: 0o660 });
/// assert!(socket.is_local());
/// # Ok::<(), longshore::config::InvalidListenAddress>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListenAddress {
    /// An IP address with a port. Port 0 chooses a free port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Path of the socket.
        path: PathBuf,
        /// Permissions of the socket.
        mode: u32,
    },
}

/// Error for a text that is neither an address with a port nor a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidListenAddress {
    /// The text is no address.
    #[error(
        "must be an address with a port or a Unix socket such as unix:/run/longshore.sock; \
         write it like 127.0.0.1:7373"
    )]
    Address,
    /// The mode is not octal, or has bits that a socket does not use.
    #[error("has an invalid mode; write it like unix:/run/longshore.sock?mode=0660")]
    Mode,
}

impl ListenAddress {
    /// Returns whether only programs of this machine can connect: a loopback address or a Unix socket.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(addr) => addr.ip().to_canonical().is_loopback(),
            Self::Unix { .. } => true,
        }
    }

    /// Returns the address, or `None` for a Unix socket.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(addr) => Some(*addr),
            Self::Unix { .. } => None,
        }
    }

    /// Returns why this address is not allowed.
    fn problem(&self) -> Option<String> {
        let Self::Unix { path, .. } = self else { return None };
        if path.file_name().is_none() {
            return Some("must name a file, such as unix:/run/longshore.sock".into());
        }
        let is_long = path.as_os_str().len() > MAX_PATH_BYTES;
        is_long
            .then(|| format!("has a path of more than {MAX_PATH_BYTES} bytes; use a shorter one"))
    }

    /// Returns why this address cannot be used beside an earlier one of the list.
    fn conflict(&self, earlier: &Self) -> Option<String> {
        match (self, earlier) {
            (Self::Unix { path, .. }, Self::Unix { path: other, .. }) => {
                is_same_path(path, other).then(|| "is listed more than once".into())
            }
            (Self::Tcp(addr), Self::Tcp(other))
                if addr.port() == other.port() && addr.port() > 0 =>
            {
                if addr == other {
                    return Some("is listed more than once".into());
                }
                let is_covered = covers(addr.ip(), other.ip()) || covers(other.ip(), addr.ip());
                is_covered.then(|| format!("overlaps with {other}; remove one of them"))
            }
            _ => None,
        }
    }
}

/// Returns whether a socket on `ip` also accepts the connections to `other`.
fn covers(ip: IpAddr, other: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_unspecified() && other.to_canonical().is_ipv4(),
        // A socket on `::` accepts IPv4 as well.
        IpAddr::V6(ip) => ip.is_unspecified() || IpAddr::V6(ip).to_canonical() == other,
    }
}

/// Returns whether two paths differ at most in how they are written.
fn is_same_path(path: &Path, other: &Path) -> bool {
    path.components().eq(other.components())
}

/// Returns the problems of a list of addresses, with pointers below `/listen`.
pub(super) fn problems(addresses: &[ListenAddress]) -> Vec<Problem> {
    if addresses.is_empty() {
        return vec![Problem::new("/listen", "must have at least one address")];
    }
    let problem = |(index, address): (usize, &ListenAddress)| {
        let mut earlier = addresses[..index].iter();
        let why = address.problem().or_else(|| earlier.find_map(|other| address.conflict(other)));
        why.map(|why| Problem::new(format!("/listen/{index}"), format!("{address} {why}")))
    };
    addresses.iter().enumerate().filter_map(problem).collect()
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(socket) = text.strip_prefix(UNIX) else {
            return text.parse().map(Self::Tcp).map_err(|_error| InvalidListenAddress::Address);
        };
        let (path, mode) = match socket.rsplit_once(MODE) {
            Some((path, mode)) => (path, parse_mode(mode).ok_or(InvalidListenAddress::Mode)?),
            None => (socket, DEFAULT_MODE),
        };
        if path.is_empty() || path.starts_with("//") || path.contains(['\0', '?']) {
            return Err(InvalidListenAddress::Address);
        }
        Ok(Self::Unix { path: path.into(), mode })
    }
}

/// Parses an octal mode. Only reading and writing mean something for a socket.
fn parse_mode(text: &str) -> Option<u32> {
    let is_octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal)?;
    (mode <= 0o777).then_some(mode)
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix { path, mode: DEFAULT_MODE } => write!(f, "{UNIX}{}", path.display()),
            Self::Unix { path, mode } => write!(f, "{UNIX}{}{MODE}{mode:04o}", path.display()),
        }
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = InvalidListenAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(addr: SocketAddr) -> Self {
        Self::Tcp(addr)
    }
}

/// Reads one address or a list of addresses.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ListenAddress>, D::Error> {
    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<ListenAddress>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address or a list of addresses")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.parse().map_err(E::custom)?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut addresses = Vec::new();
            while let Some(address) = list.next_element()? {
                addresses.push(address);
            }
            Ok(addresses)
        }
    }

    deserializer.deserialize_any(OneOrMany)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Vec<ListenAddress> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "127.0.0.1:7373",
            "[::1]:0",
            "unix:/run/longshore.sock",
            "unix:relative.sock?mode=0660",
            "unix:/a b,c?mode=0000",
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        let socket: ListenAddress = "unix:/run/a?mode=600".parse().unwrap();
        assert_eq!(socket, ListenAddress::Unix { path: "/run/a".into(), mode: 0o600 });
    }

    #[test]
    fn a_text_that_is_no_address_is_refused() {
        for text in
            ["", "7373", "localhost:7373", "127.0.0.1", "unix:", "unix:?mode=0600", "unix://run/a"]
        {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress::Address), "{text}");
        }
        for mode in ["", "8", "60", "0x1", "+600", "1777", "00600", "0680"] {
            let text = format!("unix:/run/a?mode={mode}");
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress::Mode), "{text}");
        }
    }

    #[test]
    fn loopback_addresses_and_sockets_are_local() {
        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a"] {
            assert!(local.parse::<ListenAddress>().unwrap().is_local(), "{local}");
        }
        for other in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1", "169.254.1.1:1"] {
            assert!(!other.parse::<ListenAddress>().unwrap().is_local(), "{other}");
        }
    }

    #[test]
    fn addresses_that_take_the_same_connections_are_a_problem() {
        for (second, first) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("127.0.0.1:80", "0.0.0.0:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "[::]:80"),
            ("[::1]:80", "[::]:80"),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
            ("unix:/run//a", "unix:/run/a?mode=0660"),
        ] {
            let found = problems(&list(&["127.0.0.1:1", first, second]));
            let pointers: Vec<_> = found.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(pointers, ["/listen/2"], "{first} {second}");
        }
    }

    #[test]
    fn addresses_that_differ_are_no_problem() {
        let good =
            ["127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "[::1]:80", "unix:/a", "unix:/b"];
        assert_eq!(problems(&list(&good)), []);
        assert_eq!(problems(&list(&["127.0.0.1:0", "127.0.0.1:0"])), []);
    }

    #[test]
    fn an_empty_list_and_a_path_that_cannot_be_a_socket_are_problems() {
        assert_eq!(problems(&[])[0].pointer, "/listen");
        for path in ["unix:/", "unix:..", &format!("unix:/{}", "a".repeat(100))] {
            assert_eq!(problems(&list(&[path]))[0].pointer, "/listen/0", "{path}");
        }
    }
}
