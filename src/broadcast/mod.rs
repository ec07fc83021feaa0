//! Broadcasts: an admin's message to everyone in the organisation. They live in the log alone.

mod routes;
pub(crate) mod service;

pub(crate) use routes::routes;
