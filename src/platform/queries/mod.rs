//! The platform's tables in the directory. Nothing but diesel.

pub(super) mod administrators;
pub(super) mod audit;
pub(super) mod sessions;
