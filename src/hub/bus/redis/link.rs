//! One life of the connections to Redis: it is made, and when it breaks, it goes, and another is made.
//!
//! The library's own reconnecting is off. It would go on with a connection whose subscriptions are gone, and say
//! nothing about when they are back.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use fred::clients::{Client, WithOptions};
use fred::interfaces::{ClientLike as _, ClusterInterface as _, EventInterface as _, PubsubInterface as _};
use fred::prelude::Builder;
use fred::types::cluster::ClusterRouting;
use fred::types::config::{Config, Options, Server};
use fred::types::{Message as Heard, Value};
use futures_util::TryStreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Making a connection, TLS and sign-in included. Whoever takes longer would be too slow for the probes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A subscription, or a chunk of them, until it is confirmed.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A command of somebody else's on these connections.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);

/// Channels that are subscribed at once: a command of some 15 KB.
const CHUNK: usize = 256;

/// Messages that were received and not yet taken. Taking one is a matter of microseconds, so these are some
/// milliseconds of the heaviest traffic. Of the largest messages they are 256 MiB, of usual ones one.
const RECEIVED: usize = 1024;

/// Two connections, or two to each node of a cluster: what others send must not hold up what we send.
pub(super) struct Link {
    publisher: Client,
    subscriber: Client,
    is_cluster: bool,
    broken: CancellationToken,
}

/// The tasks that drive a link's connections. They end with the connections, and with whoever holds this.
pub(super) struct Driving([Task; 2]);

struct Task(JoinHandle<Result<(), fred::error::Error>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A range of a cluster's slots, and which node has it.
pub(super) type Slots = Vec<(RangeInclusive<u16>, Server)>;

impl Link {
    /// Connects.
    pub(super) async fn open(config: &Config) -> anyhow::Result<(Self, Driving)> {
        let is_cluster = config.server.is_clustered();
        let opened = async { tokio::try_join!(client(config), client(config)) };
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened).await;
        let ((publisher, one), (subscriber, other)) = opened.context("no answer in time")??;
        let broken = CancellationToken::new();
        Ok((Self { publisher, subscriber, is_cluster, broken }, Driving([one, other])))
    }

    /// What is heard from now on.
    pub(super) fn heard(&self) -> broadcast::Receiver<Heard> {
        self.subscriber.message_rx()
    }

    /// Resolves when a subscription was not confirmed: nobody then knows what is heard.
    pub(super) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Says something on a channel. Resolves once Redis has it.
    pub(super) async fn publish(&self, channel: String, message: Bytes) -> Result<(), fred::error::Error> {
        if self.is_cluster {
            self.publisher.spublish(channel, message).await
        } else {
            self.publisher.publish(channel, message).await
        }
    }

    /// Begins to hear of these channels; returns when all are confirmed. Where one is not, the connection has
    /// to go: nobody knows what it hears.
    pub(super) async fn subscribe(&self, channels: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        let channels: Vec<String> = channels.into_iter().collect();
        for chunk in channels.chunks(CHUNK) {
            let confirmed = tokio::time::timeout(SUBSCRIBE_TIMEOUT, self.subscribe_chunk(chunk)).await;
            let confirmed = confirmed.context("no answer in time").and_then(|done| Ok(done?));
            if let Err(error) = confirmed {
                self.broken.cancel();
                return Err(error.context("subscribing"));
            }
        }
        Ok(())
    }

    async fn subscribe_chunk(&self, channels: &[String]) -> Result<(), fred::error::Error> {
        if self.is_cluster {
            // A command a channel, all on their way at once. The library takes an answer for a command, and
            // the server gives one for a channel; and channels of one command have to lie in one slot.
            let each = channels.iter().cloned().map(|channel| self.subscriber.ssubscribe(channel));
            return each.collect::<FuturesUnordered<_>>().try_collect().await;
        }
        self.subscriber.subscribe(channels.to_vec()).await?;
        // The library does not wait for the answer of a SUBSCRIBE. This one comes after it.
        self.subscriber.ping(None).await
    }

    /// Stops hearing of a channel.
    pub(super) async fn unsubscribe(&self, channel: String) {
        let told = async {
            if self.is_cluster {
                self.subscriber.sunsubscribe(channel).await
            } else {
                self.subscriber.unsubscribe(channel).await
            }
        };
        // Who hears too much drops it; and a connection that does not take this is about to be replaced.
        if let Ok(Err(error)) = tokio::time::timeout(SUBSCRIBE_TIMEOUT, told).await {
            tracing::debug!(%error, "cannot unsubscribe");
        }
    }

    /// For commands of others. They fail at once or within a second, and are not repeated.
    pub(super) fn commands(&self) -> WithOptions<Client> {
        self.publisher.with_options(&Options {
            max_attempts: Some(1),
            timeout: Some(COMMAND_TIMEOUT),
            fail_fast: true,
            ..Options::default()
        })
    }

    /// Who has which slots, as the connections go by.
    pub(super) fn slots(&self) -> Slots {
        self.subscriber.cached_cluster_state().as_ref().map(slots).unwrap_or_default()
    }

    /// Whether a node of the cluster says something else.
    pub(super) async fn slots_have_moved(&self) -> anyhow::Result<bool> {
        let told = self.commands().cluster_slots::<Value>().await?;
        let known = self.slots();
        let host = known.first().map(|(_, server)| server.host.clone()).unwrap_or_default();
        Ok(slots(&ClusterRouting::from_cluster_slots(told, host)?) != known)
    }

    /// Has the connections go by what the cluster says now.
    pub(super) async fn look_at_cluster(&self) -> anyhow::Result<()> {
        let looked =
            async { tokio::try_join!(self.subscriber.sync_cluster(), self.publisher.sync_cluster()) };
        match tokio::time::timeout(CONNECT_TIMEOUT, looked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => bail!("no answer in time"),
        }
    }
}

fn slots(routing: &ClusterRouting) -> Slots {
    let ranges = routing.slots().iter();
    let mut slots: Slots = ranges.map(|range| (range.start..=range.end, range.primary.clone())).collect();
    slots.sort_by_key(|(range, _)| *range.start());
    slots
}

/// A client that is connected.
async fn client(config: &Config) -> anyhow::Result<(Client, Task)> {
    let client = Builder::from_config(config.clone())
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT_TIMEOUT;
            connection.internal_command_timeout = CONNECT_TIMEOUT;
            connection.tcp.nodelay = Some(true);
        })
        .with_performance_config(|performance| performance.broadcast_channel_capacity = RECEIVED)
        .build()?;
    let mut task = Task(client.connect());
    let connected = client.ping::<()>(None);
    tokio::select! {
        pong = connected => pong?,
        end = &mut task.0 => bail!(reason(end)),
    }
    Ok((client, task))
}

impl Driving {
    /// Ends when a connection has, with the reason. Not to be asked again.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let [one, other] = &mut self.0;
        tokio::select! {
            end = &mut one.0 => reason(end),
            end = &mut other.0 => reason(end),
        }
    }
}

fn reason(end: Result<Result<(), fred::error::Error>, tokio::task::JoinError>) -> anyhow::Error {
    match end {
        Ok(Ok(())) => anyhow!("the connection was closed"),
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    }
}
