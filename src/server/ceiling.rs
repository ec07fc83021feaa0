//! How many connections there are, and may be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipnet::IpNet;
use metrics::{Counter, Gauge, counter, gauge};
use parking_lot::Mutex;

use crate::config::Config;
use crate::limits::Network;
use crate::telemetry::metric;

/// Counts the open connections, upgraded ones too, and bounds them: each has a file, and a process that has
/// none left can neither accept nor reach its database.
pub(super) struct Ceiling {
    max: usize,
    open: AtomicUsize,
    /// Of one address; `None` is no limit.
    max_per_address: Option<u32>,
    /// The connections of each address that is counted and has any.
    by_address: Mutex<HashMap<Network, u32>>,
    /// Through these come many.
    trusted_proxies: Vec<IpNet>,
    connections: Gauge,
    refused: Counter,
}

impl Ceiling {
    pub(super) fn new(config: &Config) -> Arc<Self> {
        let per_address = config.limits.max_connections_per_address;
        Arc::new(Self {
            max: config.server.max_connections.unwrap_or(usize::MAX),
            open: AtomicUsize::new(0),
            max_per_address: (per_address > 0).then_some(per_address),
            by_address: Mutex::default(),
            trusted_proxies: config.server.trusted_proxies.clone(),
            connections: gauge!(metric::CONNECTIONS),
            refused: counter!(metric::CONNECTIONS_REFUSED),
        })
    }

    /// Counts one more connection of this peer; `None` where there may be no more.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Open> {
        // The accept loop alone adds to it.
        if self.open.load(Ordering::Relaxed) >= self.max {
            self.refused.increment(1);
            return None;
        }
        let Ok(network) = self.count_address(peer) else {
            self.refused.increment(1);
            return None;
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        self.connections.increment(1.0);
        Some(Open { ceiling: Arc::clone(self), network })
    }

    /// Counts one more connection of an address, if addresses are counted; fails where it has too many.
    fn count_address(&self, peer: IpAddr) -> Result<Option<Network>, TooMany> {
        let peer = peer.to_canonical();
        let Some(max) = self.max_per_address else { return Ok(None) };
        if self.trusted_proxies.iter().any(|proxies| proxies.contains(&peer)) {
            return Ok(None);
        }
        let network = Network::from(peer);
        let mut by_address = self.by_address.lock();
        let open = by_address.entry(network).or_default();
        if *open >= max {
            return Err(TooMany);
        }
        *open += 1;
        Ok(Some(network))
    }
}

/// An address has as many connections as it may.
struct TooMany;

/// An open connection, counted until this is dropped.
pub(super) struct Open {
    ceiling: Arc<Ceiling>,
    network: Option<Network>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.ceiling.open.fetch_sub(1, Ordering::Relaxed);
        self.ceiling.connections.decrement(1.0);
        let Some(network) = self.network else { return };
        let mut by_address = self.ceiling.by_address.lock();
        if let Some(open) = by_address.get_mut(&network) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&network);
            }
        }
    }
}
