//! Requests that are too many, too large, too slow or invalid.

mod encodings;
mod impossible;
mod load;
mod memory;
mod refused;
mod routes;
mod shapes;
mod wire;
