//! Credits: what an organisation may send, and what became of it.
//!
//! Owns the tables `credit_accounts`, `credit_entries`, `credit_reservations` and `message_totals` of the
//! directory. Entries are appended and never changed; an account's balance is their sum, and never below zero. A
//! message's price is reserved under the message's id before the message is written, and settled or given back by
//! a job that commits with its end. Both delete the reservation, so each message ends once in the ledger, however
//! often that is asked for.
//!
//! How many messages stand where is counted in the same transactions, and so as exactly.

pub(crate) mod changes;
pub(crate) mod jobs;
mod model;
mod queries;
mod routes;
pub(crate) mod service;
mod wire;

pub(crate) use model::{Closing, EntryKind, Wanted};
pub(crate) use routes::routes;
pub(crate) use wire::{ChangeCredits, CreditsBody, EntryBody, TotalsOf};
