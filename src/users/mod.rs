//! Users: accounts' memberships in one organisation.
//!
//! Owns the table `users`. Whoever changes how many members or admins there are holds the lock of
//! [`service::lock_members`] while deciding, so that seats and the last admin hold under concurrency.

mod model;
mod queries;
mod routes;
pub(crate) mod service;

pub(crate) use model::User;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use routes::UpdateUser;
pub(crate) use routes::{UserBody, routes};
