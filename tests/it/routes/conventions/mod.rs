//! What holds for every call.

mod bodies;
mod paths;
mod request_ids;
mod tokens;
