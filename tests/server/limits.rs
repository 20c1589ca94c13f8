//! Requests that are too many, too large, too slow or invalid.

mod answers;
mod bodies;
mod connections;
mod encodings;
mod errors;
mod hosts;
mod impossible;
mod load;
mod memory;
mod openai_client;
mod refused;
mod routes;
mod shapes;
mod wire;
