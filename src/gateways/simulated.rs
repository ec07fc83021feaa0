//! The gateway that sends nothing, and says so.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Delivery, Gateway, Outgoing};
use crate::config::MessagesConfig;

/// Takes its time over a message, then says that it was sent, or not, by chance.
pub(super) struct Simulated {
    latency: Duration,
    rejected_percent: u8,
    unavailable_percent: u8,
}

impl Simulated {
    pub(super) fn new(config: &MessagesConfig) -> Self {
        Self {
            latency: config.simulated_latency,
            rejected_percent: config.simulated_rejected_percent,
            unavailable_percent: config.simulated_unavailable_percent,
        }
    }
}

impl Gateway for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn send<'a>(&'a self, _message: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        async move {
            tokio::time::sleep(self.latency).await;
            if happens(self.rejected_percent) {
                Delivery::Rejected("simulated: rejected".to_owned())
            } else if happens(self.unavailable_percent) {
                Delivery::Unavailable("simulated: not available now".to_owned())
            } else {
                Delivery::Sent("simulated: nothing has left the hub".to_owned())
            }
        }
        .boxed()
    }
}

/// Whether something happens that does in so many of a hundred cases.
fn happens(percent: u8) -> bool {
    let mut random = [0; 2];
    // Without chance only what always happens does.
    let chance = getrandom::fill(&mut random).map_or(99, |()| u16::from_le_bytes(random) % 100);
    chance < u16::from(percent)
}
