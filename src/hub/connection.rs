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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::{Instrument as _, Span};

    use super::*;

    /// Bytes of what it returns, without a call.
    fn size_of_returned<A, R>(_: impl FnOnce(A) -> R) -> usize {
        size_of::<R>()
    }

    /// Every byte is held by every socket for as long as it is open. What makes them grow is a local that lives across
    /// an await, or an `async fn` that is awaited in place: box what is rare.
    #[test]
    fn the_tasks_of_connections_stay_small() {
        let task = size_of_returned(|(link, socket): (Arc<Link>, WebSocket)| link.serve(socket));
        let socket = size_of::<Link>() + task;
        let stream = size_of_returned(|stream: Events| stream.run().instrument(Span::none()));
        assert!(socket <= 632, "a socket and its task have {socket} bytes");
        assert!(stream <= 592, "a stream's task has {stream} bytes");
    }
}
