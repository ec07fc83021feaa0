//! Probes: what the bus says to itself, to know that it would hear others.
//!
//! A connection can look healthy and carry nothing: a network that drops packets, a subscription that a
//! fail-over has lost. Only what comes back proves the way there and back.

use std::time::{Duration, Instant};

use fred::types::config::Server;
use fred::util::redis_keyslot;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::link::Slots;

/// How often. Cheap enough to be no load, and often enough that [`DEAF`] misses a few and not one.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Hearing none for so long means that the bus is deaf: three are lost, which is no coincidence, and sooner than
/// most people notice that something hangs.
pub(super) const DEAF: Duration = Duration::from_secs(3);

/// Names that are tried to find one for each node of a cluster. Of a node with one slot in a thousand it finds
/// the channel in one case out of two; such a node is left unprobed.
const NAMES: u32 = 700;

/// The channels that the bus hears itself on: one, or in a cluster one on each primary, since what comes back
/// from one proves nothing about the others.
pub(super) struct Probes {
    /// What the names of the channels begin with.
    prefix: String,
    started: Instant,
    heard: Mutex<Vec<Probe>>,
    arrived: Notify,
}

struct Probe {
    channel: String,
    since: Instant,
    heard: Option<Instant>,
}

impl Probes {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, started: Instant::now(), heard: Mutex::default(), arrived: Notify::new() }
    }

    /// Has a channel on every node that has slots. Returns all of them.
    pub(super) fn cover(&self, slots: &Slots) -> Vec<String> {
        let mut channels = Vec::new();
        let mut missing: Vec<&Server> = slots.iter().map(|(_, server)| server).collect();
        missing.sort();
        missing.dedup();
        for name in (0..NAMES).map(|number| format!("{}:{number}", self.prefix)) {
            let Some(owner) = owner(slots, &name) else {
                // No cluster: the first does.
                channels.push(name);
                break;
            };
            if let Some(index) = missing.iter().position(|server| *server == owner) {
                missing.swap_remove(index);
                channels.push(name);
            }
            if missing.is_empty() {
                break;
            }
        }
        let since = Instant::now();
        let probe = |channel: &String| Probe { channel: channel.clone(), since, heard: None };
        *self.heard.lock() = channels.iter().map(probe).collect();
        channels
    }

    /// What to say now, on every channel.
    pub(super) fn say(&self) -> (Vec<String>, [u8; 8]) {
        let channels = self.heard.lock().iter().map(|probe| probe.channel.clone()).collect();
        let nanos = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        (channels, nanos.to_be_bytes())
    }

    /// Takes what was heard, if it is a probe; returns how long it was on its way.
    pub(super) fn hear(&self, channel: &str, message: &[u8]) -> Option<Duration> {
        let nanos = u64::from_be_bytes(message.try_into().ok()?);
        let mut heard = self.heard.lock();
        let probe = heard.iter_mut().find(|probe| probe.channel == channel)?;
        probe.heard = Some(Instant::now());
        drop(heard);
        self.arrived.notify_waiters();
        Some(self.started.elapsed().saturating_sub(Duration::from_nanos(nanos)))
    }

    /// Whether the name is that of a probe.
    pub(super) fn is_probe(&self, channel: &str) -> bool {
        channel.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with(':'))
    }

    /// Returns once something was heard on every channel.
    pub(super) async fn all_heard(&self) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if self.heard.lock().iter().all(|probe| probe.heard.is_some()) {
                return;
            }
            arrived.await;
        }
    }

    /// Whether nothing was heard on a channel for [`DEAF`].
    pub(super) fn is_deaf(&self, now: Instant) -> bool {
        let silent = |probe: &Probe| now.duration_since(probe.heard.unwrap_or(probe.since)) > DEAF;
        self.heard.lock().iter().any(silent)
    }
}

/// Which node has a channel's slot.
pub(super) fn owner<'a>(slots: &'a Slots, channel: &str) -> Option<&'a Server> {
    let slot = redis_keyslot(channel.as_bytes());
    slots.iter().find(|(range, _)| range.contains(&slot)).map(|(_, server)| server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_of_a_cluster_has_a_channel() {
        let server = |port| Server::new("h", port);
        let slots: Slots = vec![(0..=100, server(1)), (101..=8000, server(2)), (8001..=16383, server(3))];
        let probes = Probes::new("p:probe:n".to_owned());
        let channels = probes.cover(&slots);
        let mut owners: Vec<u16> =
            channels.iter().map(|channel| owner(&slots, channel).unwrap().port).collect();
        owners.sort_unstable();
        assert_eq!(owners, [1, 2, 3]);
        assert_eq!(probes.cover(&Slots::new()), ["p:probe:n:0"]);
    }

    #[test]
    fn only_what_is_heard_counts() {
        let probes = Probes::new("p:probe:n".to_owned());
        probes.cover(&Slots::new());
        assert!(probes.is_deaf(Instant::now() + DEAF + DEAF) && !probes.is_deaf(Instant::now()));
        let (channels, message) = probes.say();
        assert!(probes.is_probe(&channels[0]) && !probes.is_probe("p:org:n"));
        assert_eq!(probes.hear("p:probe:n:1", &message), None);
        assert_eq!(probes.hear(&channels[0], b"short"), None);
        assert!(probes.heard.lock()[0].heard.is_none());
        assert!(probes.hear(&channels[0], &message).is_some());
        assert!(probes.heard.lock()[0].heard.is_some());
    }
}
