//! Roomcast: a self-hosted, multi-tenant, real-time notification hub.
pub mod activity;
pub mod db;
pub mod error;
pub mod http;
pub mod types;
