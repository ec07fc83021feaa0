//! Sockets and subscriptions against a small WebSocket server that plays its part frame by frame.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod server;
mod socket;
mod subscription;
