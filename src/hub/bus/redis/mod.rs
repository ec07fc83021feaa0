//! The bus on Redis, between the nodes of a cluster.
//!
//! An organisation has one channel, which a node hears while it has a room for it; a batch of a commit is one
//! message. Standalone servers and those behind sentinels carry it with PUBLISH, a cluster with SPUBLISH, which
//! stays within the shard that has the channel.
//!
//! What is connected lives and dies as one [`Link`]: on any doubt (a connection that ended, a subscription that
//! was not confirmed, a probe that was not heard) it is dropped, the bus is down, and another is made, which
//! subscribes to what the hub lists before the bus is up again. Nothing is repaired, and no second list kept.

mod life;
mod link;
mod metrics;
mod outbox;
mod probes;
mod url;

use std::str::FromStr as _;
use std::sync::{Arc, Weak};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::types::config::Config;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use self::link::Link;
use self::metrics::BusMetrics;
use self::outbox::Outbox;
pub use self::url::RedisUrl;
use super::{Bus, BusDown, BusKeys, BusState, Listener, Message};
use crate::types::{NodeId, OrgId};

/// The longest wait between two attempts to connect: an operator who has brought Redis back wants to see it.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The first wait, which doubles. A connection that was merely cut is back before the second.
const FIRST_WAIT: Duration = Duration::from_millis(50);

type Present = Arc<RwLock<Option<Arc<Link>>>>;

/// A node's end of the bus on Redis.
pub struct RedisBus {
    config: Config,
    prefix: String,
    keys: BusKeys,
    node: NodeId,
    outbox: Outbox,
    /// The present connections, from when a room may subscribe over them.
    link: Present,
    state: RwLock<BusState>,
    metrics: BusMetrics,
}

/// Commands in Redis for what lives beside the bus there. Clones share the connections of the bus.
#[derive(Clone)]
pub struct RedisHandle {
    link: Present,
    prefix: String,
}

impl RedisHandle {
    /// What to give commands to, unless the bus is down. They fail within a second, and are not repeated.
    pub fn commands(&self) -> Option<WithOptions<Client>> {
        self.link.read().as_ref().map(|link| link.commands())
    }

    /// A key of this cluster of hubs.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}

impl RedisBus {
    /// A bus that is down until it runs, among those with the same keys. Fails where the URL names what cannot
    /// be read.
    pub fn new(url: &RedisUrl, prefix: &str, keys: BusKeys) -> anyhow::Result<Arc<Self>> {
        let metrics = BusMetrics::new();
        Ok(Arc::new(Self {
            config: url.config()?,
            prefix: prefix.to_owned(),
            keys,
            node: NodeId::new(),
            outbox: Outbox::new(metrics.clone()),
            link: Present::default(),
            state: RwLock::new(BusState::Down),
            metrics,
        }))
    }

    fn channel(&self, org: OrgId) -> String {
        format!("{}:org:{org}", self.prefix)
    }

    /// Whose channel it is.
    fn org(&self, channel: &str) -> Option<OrgId> {
        let name = channel.strip_prefix(self.prefix.as_str())?.strip_prefix(":org:")?;
        OrgId::from_str(name).ok()
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.link.read().clone()
    }

    /// Keeps the bus up, as well as it can.
    async fn keep(&self, listener: &Weak<dyn Listener>, stop: &CancellationToken) {
        let mut wait = FIRST_WAIT;
        let mut told = false;
        while !stop.is_cancelled() {
            let (was_up, why) = match self.live(listener, stop).await {
                life::End::Stopped => return,
                life::End::NeverUp(why) => (false, why),
                life::End::Broken(why) => (true, why),
            };
            if was_up {
                (wait, told) = (FIRST_WAIT, false);
            }
            if told {
                tracing::debug!(error = format!("{why:#}"), "the bus is still down");
            } else {
                tracing::warn!(
                    error = format!("{why:#}"),
                    "the bus is down: other hubs hear of this one's activities by their sweeps alone"
                );
                told = true;
            }
            if stop.run_until_cancelled(tokio::time::sleep(jittered(wait))).await.is_none() {
                return;
            }
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    /// Tells who listens, unless it is so already.
    fn change(&self, listener: &Weak<dyn Listener>, state: BusState) {
        let before = std::mem::replace(&mut *self.state.write(), state);
        if before != state
            && let Some(listener) = listener.upgrade()
        {
            listener.changed(state);
        }
    }
}

/// From half of it to all of it: nodes that lost Redis at one moment do not come back at one.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 1];
    // Without chance the wait is merely the longest.
    let part = getrandom::fill(&mut random).map_or(u8::MAX, |()| random[0]);
    wait / 2 + wait / 2 * u32::from(part) / u32::from(u8::MAX)
}

impl Bus for RedisBus {
    fn publish(&self, org: OrgId, message: Message) {
        self.outbox.push(org, message);
    }

    fn subscribe(&self, org: OrgId) -> BoxFuture<'_, Result<(), BusDown>> {
        async move {
            let link = self.link().ok_or(BusDown)?;
            link.subscribe([self.channel(org)]).await.map_err(|error| {
                tracing::debug!(error = format!("{error:#}"), "cannot subscribe");
                BusDown
            })
        }
        .boxed()
    }

    fn unsubscribe(&self, org: OrgId) -> BoxFuture<'_, ()> {
        async move {
            if let Some(link) = self.link() {
                link.unsubscribe(self.channel(org)).await;
            }
        }
        .boxed()
    }

    fn state(&self) -> BusState {
        *self.state.read()
    }

    fn redis(&self) -> Option<RedisHandle> {
        Some(RedisHandle { link: Arc::clone(&self.link), prefix: self.prefix.clone() })
    }

    fn run(self: Arc<Self>, listener: Weak<dyn Listener>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        async move { self.keep(&listener, &stop).await }.boxed()
    }
}
