//! The integration tests: the real server on a free port, with real sockets, on the database that
//! `ROOMCAST_TEST_DATABASE` names (`sqlite`, the default, or `postgres`).
//!
//! They are written from the interface that clients rely on: what they assert is what a client may see.
#![expect(clippy::unwrap_used, reason = "what a test does not expect should fail it, wherever it happens")]

mod activity;
mod bus;
mod chaos;
mod cluster;
mod crashes;
mod crossing;
mod db;
mod deploy;
mod documents;
mod edge;
mod harness;
mod healthcheck;
mod hostile;
mod hub;
mod idempotency;
mod limits;
mod load;
mod messages;
mod operator;
mod platform;
mod races;
mod routes;
mod scale;
mod secrets;
mod story;
mod tenancy;
