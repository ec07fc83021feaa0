//! What a bus does while a link lives.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use bytes::Bytes;
use fred::types::Message as Heard;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::RedisBus;
use super::link::{Link, Slots};
use super::metrics::{BusMetrics, Dropped};
use super::probes::{self, Probes, owner};
use crate::hub::bus::message::{self, Unread};
use crate::hub::bus::{Bus as _, BusState, Listener, Message};
use crate::types::OrgId;

/// Messages that are on their way to Redis at once, so that its distance does not bound their rate. Of the
/// largest they are 16 MiB.
const IN_FLIGHT: usize = 64;

/// How long a stop waits for what is to be sent: half of what the stop itself allows.
const FLUSH: Duration = Duration::from_secs(1);

/// What came of a message.
type Sent = Result<(), fred::error::Error>;

/// Messages on their way. They outlive who sent them off: a stop waits for them.
type Flying<'a> = FuturesUnordered<BoxFuture<'a, Sent>>;

/// Why a link is no more.
pub(super) enum End {
    /// The node stops.
    Stopped,
    /// The bus never came up with it.
    NeverUp(anyhow::Error),
    /// The bus was up with it.
    Broken(anyhow::Error),
}

impl RedisBus {
    /// Connects, and carries messages until something breaks.
    pub(super) async fn live(&self, listener: &Weak<dyn Listener>, stop: &CancellationToken) -> End {
        let opened = stop.run_until_cancelled(Link::open(&self.config)).await;
        let (link, mut driving) = match opened {
            None => return End::Stopped,
            Some(Err(error)) => return End::NeverUp(error),
            Some(Ok((link, driving))) => (Arc::new(link), driving),
        };
        let probes = Probes::new(format!("{}:probe:{}", self.prefix, self.node.as_uuid()));
        let mut flying = FuturesUnordered::new();
        let why = tokio::select! {
            why = self.serve(&link, &mut flying, &probes, listener) => Some(why),
            why = self.receive(link.heard(), &probes, listener) => Some(why),
            why = driving.ended() => Some(why),
            () = link.broken() => Some(anyhow!("a subscription was not confirmed")),
            () = stop.cancelled() => None,
        };
        let was_up = self.link.write().take().is_some();
        let Some(why) = why else {
            if was_up && tokio::time::timeout(FLUSH, self.flush(&link, &mut flying)).await.is_err() {
                tracing::debug!("not all of the outbox was sent before the stop");
            }
            self.change(listener, BusState::Down);
            return End::Stopped;
        };
        BusMetrics::dropped_many(Dropped::Failed, flying.len() as u64);
        let was_up = self.state() == BusState::Up;
        self.change(listener, BusState::Down);
        if was_up { End::Broken(why) } else { End::NeverUp(why) }
    }

    /// Comes up, and stays so until something is wrong.
    async fn serve<'a>(
        &'a self,
        link: &'a Arc<Link>,
        flying: &mut Flying<'a>,
        probes: &Probes,
        listener: &Weak<dyn Listener>,
    ) -> anyhow::Error {
        let slots = match self.come_up(link, probes, listener).await {
            Ok(slots) => slots,
            Err(error) => return error,
        };
        tokio::select! {
            why = self.watch(link, slots, probes, listener) => why,
            why = self.drain(link, flying) => why,
        }
    }

    /// Subscribes to everything, and says that the bus is up. Returns whose slots it went by.
    async fn come_up(
        &self,
        link: &Arc<Link>,
        probes: &Probes,
        listener: &Weak<dyn Listener>,
    ) -> anyhow::Result<Slots> {
        let began = Instant::now();
        let slots = link.slots();
        link.subscribe(probes.cover(&slots)).await?;
        let first = subscriptions(listener);
        link.subscribe(first.iter().map(|org| self.channel(*org))).await?;
        // From here on rooms subscribe by themselves. Those that were told in the meantime that the bus is down
        // are in the list now. (One that has gone since `first` stays subscribed for this link's life: to take
        // it back could take it from its successor.)
        *self.link.write() = Some(Arc::clone(link));
        let mut missed = subscriptions(listener);
        missed.retain(|org| !first.contains(org));
        link.subscribe(missed.iter().map(|org| self.channel(*org))).await?;
        self.probe(link, probes).await?;
        if tokio::time::timeout(probes::DEAF, probes.all_heard()).await.is_err() {
            bail!("it does not hear itself");
        }
        self.metrics.connects.increment(1);
        tracing::info!(
            organisations = first.len() + missed.len(),
            duration_ms = began.elapsed().as_millis(),
            "the bus is up"
        );
        self.change(listener, BusState::Up);
        Ok(slots)
    }

    /// Asks itself whether it hears, and a cluster whether its slots have moved.
    async fn watch(
        &self,
        link: &Link,
        mut slots: Slots,
        probes: &Probes,
        listener: &Weak<dyn Listener>,
    ) -> anyhow::Error {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + probes::EVERY, probes::EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if probes.is_deaf(Instant::now()) {
                return anyhow!("it does not hear itself any more");
            }
            // A probe that is not answered must not keep the next look from happening.
            let asked = async {
                self.probe(link, probes).await?;
                self.follow_slots(link, &mut slots, probes, listener).await
            };
            match tokio::time::timeout(probes::DEAF, asked).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => return anyhow!("it gets no answers"),
            }
        }
    }

    async fn probe(&self, link: &Link, probes: &Probes) -> anyhow::Result<()> {
        let (channels, message) = probes.say();
        let said =
            channels.into_iter().map(|channel| link.publish(channel, Bytes::copy_from_slice(&message)));
        for said in join_all(said).await {
            said?;
        }
        Ok(())
    }

    /// Where slots of a cluster have moved, subscribes again to what is in them: the node that had them has
    /// ended those subscriptions, which the library does not tell.
    async fn follow_slots(
        &self,
        link: &Link,
        slots: &mut Slots,
        probes: &Probes,
        listener: &Weak<dyn Listener>,
    ) -> anyhow::Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        if link.slots_have_moved().await? {
            link.look_at_cluster().await?;
        }
        // A subscription that was sent elsewhere has also had it look.
        let now = link.slots();
        if now == *slots {
            return Ok(());
        }
        link.subscribe(probes.cover(&now)).await?;
        let channels = subscriptions(listener).into_iter().map(|org| self.channel(org));
        let moved: Vec<String> =
            channels.filter(|channel| owner(slots, channel) != owner(&now, channel)).collect();
        tracing::info!(channels = moved.len(), "slots of the Redis cluster have moved");
        link.subscribe(moved).await?;
        *slots = now;
        Ok(())
    }

    /// Hands on what is heard.
    async fn receive(
        &self,
        mut heard: broadcast::Receiver<Heard>,
        probes: &Probes,
        listener: &Weak<dyn Listener>,
    ) -> anyhow::Error {
        loop {
            match heard.recv().await {
                Ok(message) => self.hear(message, probes, listener),
                Err(RecvError::Lagged(count)) => BusMetrics::dropped_many(Dropped::Lagged, count),
                Err(RecvError::Closed) => return anyhow!("the connection was closed"),
            }
        }
    }

    fn hear(&self, message: Heard, probes: &Probes, listener: &Weak<dyn Listener>) {
        let Some(bytes) = message.value.into_bytes() else { return };
        if probes.is_probe(&message.channel) {
            if let Some(elapsed) = probes.hear(&message.channel, &bytes) {
                self.metrics.round_trip(elapsed);
            }
            return;
        }
        let decoded = self.org(&message.channel).ok_or(Unread::Unknown).and_then(|org| {
            message::decode(&self.keys, self.node, org, &bytes).map(|message| (org, message))
        });
        match decoded {
            Ok((org, message)) => {
                self.metrics.received.increment(1);
                if let Some(listener) = listener.upgrade() {
                    listener.received(org, message);
                }
            }
            Err(Unread::Own) => {}
            Err(Unread::Forged) => BusMetrics::dropped(Dropped::Forged),
            Err(Unread::Unknown) => BusMetrics::dropped(Dropped::Unknown),
        }
    }

    /// Publishes what comes into the outbox, in order.
    async fn drain<'a>(&'a self, link: &'a Link, flying: &mut Flying<'a>) -> anyhow::Error {
        loop {
            tokio::select! {
                Some(sent) = flying.next() => self.count(sent),
                next = self.outbox.next(), if flying.len() < IN_FLIGHT => flying.push(self.send(link, next)),
            }
        }
    }

    /// Publishes what is left, and waits for what is on its way.
    async fn flush<'a>(&'a self, link: &'a Link, flying: &mut Flying<'a>) {
        flying.extend(std::iter::from_fn(|| self.outbox.pop()).map(|next| self.send(link, next)));
        while let Some(sent) = flying.next().await {
            self.count(sent);
        }
    }

    fn send<'a>(&self, link: &'a Link, (org, message): (OrgId, Message)) -> BoxFuture<'a, Sent> {
        let bytes = message::encode(&self.keys, self.node, org, &message).into();
        link.publish(self.channel(org), bytes).boxed()
    }

    fn count(&self, sent: Sent) {
        match sent {
            Ok(()) => self.metrics.published.increment(1),
            Err(error) => {
                tracing::debug!(%error, "cannot publish");
                BusMetrics::dropped(Dropped::Failed);
            }
        }
    }
}

fn subscriptions(listener: &Weak<dyn Listener>) -> Vec<OrgId> {
    listener.upgrade().map(|listener| listener.subscriptions()).unwrap_or_default()
}
