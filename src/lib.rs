//! Roomcast: a self-hosted, multi-tenant, real-time notification hub.
//!
//! Every action is written to the organisation's activity log first; the log is then what members see
//! live, replay after a reconnect, read as a feed and audit. Features append to the log and know nothing
//! of sockets; the hub follows the log and knows nothing of features.

pub mod activity;
pub mod app;
pub mod auth;
pub mod backup;
mod broadcast;
pub mod cli;
pub mod config;
mod credits;
pub mod db;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod gateways;
pub mod http;
pub mod hub;
pub mod idempotency;
mod invites;
pub mod jobs;
pub mod limits;
pub mod load;
pub mod mail;
mod messages;
pub mod openapi;
pub mod operations;
mod organisations;
mod platform;
pub mod router;
pub mod server;
mod sign_ups;
pub mod telemetry;
pub mod tenancy;
pub mod types;
pub mod upkeep;
mod users;
pub mod web;

/// The commit that this was built from, where the build knew: releases do.
pub const COMMIT: Option<&str> = match option_env!("ROOMCAST_COMMIT") {
    Some(named) if !named.is_empty() => Some(named),
    // It may be a build argument that was given no value.
    Some(_) | None => None,
};
