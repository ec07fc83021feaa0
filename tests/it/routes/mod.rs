//! Every call of the API, in folders that mirror the paths: that it works, and what it refuses.

mod activities;
mod auth;
mod conventions;
mod operations;
pub(crate) mod organisations;
mod users;
