//! Messages: what an organisation sends on channels, through gateways, for credits.
//!
//! Owns the tables `messages` and `message_attempts` of a tenant's store. A message's price is reserved in the
//! directory first; the transaction that writes the message, its job and its activity decides whether it exists.
//! Its job takes it to `SENT` or `FAILED`: the attempt is on record before anything leaves, so that a message
//! whose end nobody knows is told from one that was never tried. For the outside world a message is sent at least
//! once, and once while nodes are healthy; ledger and log have each of its changes once.

pub(crate) mod janitor;
pub(crate) mod jobs;
mod model;
mod queries;
mod routes;
mod service;
pub(crate) mod totals;
mod wire;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use model::recipient;
pub(crate) use routes::routes;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use wire::{SendMessages, SendOne};
