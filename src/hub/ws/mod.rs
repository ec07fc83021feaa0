//! WebSocket (RFC 6455), the server's side: the upgrade and the frames. Our own, because a delivery is
//! one shared buffer in one system call, and an idle socket keeps no buffer at all.

pub(crate) mod frame;
pub(crate) mod reader;
pub(crate) mod upgrade;
