//! Requests that are too many, too large, too slow or invalid.

mod load;
mod refused;
mod routes;
mod wire;
