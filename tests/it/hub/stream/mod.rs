//! The same stream without WebSocket: `GET /stream`.

mod live;
