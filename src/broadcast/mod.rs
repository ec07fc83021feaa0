//! Broadcasts: an admin's message to everyone in the organisation. They live in the log alone.

mod routes;
pub(crate) mod service;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use routes::CreateBroadcast;
pub(crate) use routes::routes;
