//! Requests that are too many, too large, too slow or invalid.

mod encodings;
mod impossible;
mod load;
mod memory;
mod openai_client;
mod refused;
mod routes;
mod shapes;
mod wire;
