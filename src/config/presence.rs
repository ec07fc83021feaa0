//! How long who is online takes to be known.

use std::time::Duration;

/// The times of presence. They are no settings, as all nodes must have the same; tests shorten them.
#[derive(Debug, Clone)]
pub struct PresenceTimes {
    /// Changes that come within this of each other are told together.
    pub gather: Duration,
    /// Who comes back within this has not been away.
    pub debounce: Duration,
    /// Between two renewals of a node's lease.
    pub renewal: Duration,
    /// How long a lease is kept that is not renewed.
    pub lease: Duration,
    /// How long after an outage all nodes have written their leases again.
    pub recovery: Duration,
}

impl Default for PresenceTimes {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(100),
            debounce: Duration::from_secs(5),
            renewal: Duration::from_secs(5),
            lease: Duration::from_secs(15),
            // A node waits for up to five seconds before it connects again.
            recovery: Duration::from_secs(10),
        }
    }
}

impl PresenceTimes {
    /// A node that has missed two renewals is dead.
    pub fn lost_after(&self) -> Duration {
        self.renewal * 2
    }

    /// How long somebody stays online after they left: long enough that who came back in time on another node
    /// was written down there.
    pub fn stay(&self) -> Duration {
        self.debounce + self.gather * 2
    }
}
