//! Which addresses calls may reach, and how connections to them are opened.
//!
//! A call names a host. The server resolves it, drops each address that the [`Policy`] refuses, and dials
//! the addresses that are left. It never resolves a name a second time, so a name that changes between the
//! check and the connection has no effect. Each refusal has the same text, so that a client learns nothing
//! about the network of the server; the reason is in the log.
//!
//! Not covered, because nothing in an address shows it: a public address that leads back to this network,
//! such as that of a router that forwards a port, and a proxy that ends in front of this server.

mod address;
pub(in crate::executor) mod host_limit;
mod own_addresses;
mod policy;
mod proxy;
mod refusal_log;
mod route;

pub(in crate::executor) use own_addresses::OwnAddresses;
pub(in crate::executor) use policy::NotAllowed;
pub(super) use policy::Policy;
pub(super) use proxy::{Proxy, ProxyError};
pub(super) use route::Route;
