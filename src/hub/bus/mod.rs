//! The bus: how a node tells the others what it has committed.
//!
//! What it carries are hints. A bus may lose, repeat or reorder any message; the log has everything, and the
//! sweep finds what no hint told of. It knows neither rooms nor sockets, and nobody waits for it to deliver.

mod keys;
mod local;
pub mod message;
mod presence;
mod redis;

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use keys::BusKeys;
pub use local::{Exchange, LocalBus};
pub use presence::{News, Seen};
pub use redis::{RedisBus, RedisHandle, RedisUrl};

use crate::config::Config;
use crate::types::{ActivityId, EpochId, LogEntry, OrgId, Seq};

/// The bus that the settings name: on Redis, or within this process, where one node alone has nobody to talk
/// to. Nothing is connected yet. The signing keys, the present and the one before, are what the nodes of a
/// cluster know each other by.
pub fn from_config(config: &Config, present: &[u8], previous: Option<&[u8]>) -> anyhow::Result<Arc<dyn Bus>> {
    let prefix = &config.redis.prefix;
    Ok(match config.redis_url()? {
        Some(url) => RedisBus::new(&url, prefix, BusKeys::derive(prefix, present, previous))?,
        None => Exchange::default().join(),
    })
}

/// What one node tells the others about an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// These were committed, in the order of the log, without holes, all of one epoch. At least one.
    Committed(Vec<Arc<LogEntry>>),
    /// The log has come to here. Told in the place of entries that are too large to be sent.
    Head {
        /// Which life of the log.
        epoch: EpochId,
        /// Its last position.
        seq: Seq,
        /// The entry there.
        id: ActivityId,
    },
    /// Who came online or went offline on a node.
    Presence(News),
    /// There is work to be done for an organisation. Told to all nodes, as if about [`EVERY_NODE`].
    Work(OrgId),
}

/// What is told to all nodes, whichever organisations they follow, is told as if about this one, which there is
/// not: every node hears of it.
pub const EVERY_NODE: OrgId = OrgId::NIL;

/// Whether a bus carries messages, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// What is published now reaches the others, and what they publish reaches us.
    Up,
    /// Nothing is to be expected of it.
    Down,
}

/// The bus carries nothing now; it subscribes by itself to what its [`Listener`] lists when it is up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bus is down")]
pub struct BusDown;

/// Who hears what other nodes say. Its methods return at once.
pub trait Listener: Send + Sync {
    /// Another node said this about an organisation. It may have been said before, or long ago.
    fn received(&self, org: OrgId, message: Message);

    /// The organisations that this node listens for: what a bus that comes up again subscribes to.
    fn subscriptions(&self) -> Vec<OrgId>;

    /// The state of the bus has changed. When it is [`BusState::Up`], every organisation of
    /// [`Listener::subscriptions`] is subscribed again, and what was said meanwhile may be lost.
    fn changed(&self, state: BusState);
}

/// Carries messages between the nodes of a cluster.
///
/// May lose, repeat and reorder messages. Delivers to every other node that is subscribed, never back to the
/// one that published.
pub trait Bus: Send + Sync {
    /// Tells the other nodes. Returns at once: what does not fit into its bounded outbox is lost.
    fn publish(&self, org: OrgId, message: Message);

    /// Begins to hear of an organisation. Returns once the bus has confirmed it: from then on nothing is
    /// missed but what the bus loses. To subscribe twice is to subscribe once.
    fn subscribe(&self, org: OrgId) -> BoxFuture<'_, Result<(), BusDown>>;

    /// Stops hearing of an organisation.
    fn unsubscribe(&self, org: OrgId) -> BoxFuture<'_, ()>;

    /// Whether it carries messages now.
    fn state(&self) -> BusState;

    /// Redis, for what lives there beside the bus; none where the bus is on nothing of the kind.
    fn redis(&self) -> Option<RedisHandle> {
        None
    }

    /// Carries messages until `stop` is cancelled, then sends what waits in its outbox, and ends. Run once.
    fn run(self: Arc<Self>, listener: Weak<dyn Listener>, stop: CancellationToken) -> BoxFuture<'static, ()>;
}
