//! One peer of a room, over one of the transports.
//!
//! The [`session::Session`] is the same for all of them: it takes the peer's turns at the room, and knows when its
//! token ends, when it is too slow, and how it is sent away. A transport only carries what the session has
//! put into its outbox, in the order in which it is there.

mod events;
mod link;
mod outbox;
mod session;
mod tally;
mod transport;
mod walk;
mod websocket;

use std::time::Duration;

pub(super) use self::events::Events;
pub(super) use self::link::Link;
pub(super) use self::session::Peer;
pub(super) use self::transport::Transport;
pub(super) use self::walk::{Walk, Walkers};
pub(super) use self::websocket::{WebSocket, refuse};

/// How long a close may take once we have said it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
