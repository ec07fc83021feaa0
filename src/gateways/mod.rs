//! Gateways: what hands messages over to the world.
//!
//! Owns no table. A gateway is told a message and says what became of it; it knows neither jobs nor credits. Each
//! has a circuit breaker for every organisation, so that one that is down is asked now and then
//! instead of for each message.

mod breaker;
mod http;
mod simulated;
mod smtp;
mod template;
mod webhook;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::future::BoxFuture;
use metrics::{counter, histogram};

pub use self::breaker::BreakerState;
use self::breaker::Breakers;
use self::http::Http;
use self::simulated::Simulated;
use self::smtp::Smtp;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::template::{Escape, Template};
use self::webhook::Webhook;
use crate::config::Config;
use crate::http::outbound::{self, Reach};
use crate::telemetry::metric;
use crate::types::{Channel, MessageId, OrgId};

/// A message as a gateway is told it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its id: the same at each attempt, for a gateway that can tell by it what it has seen.
    pub id: MessageId,
    /// To whom.
    pub to: String,
    /// On which channel.
    pub channel: Channel,
    /// The text.
    pub body: String,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The gateway has taken it.
    Sent(String),
    /// The gateway will never take it.
    Rejected(String),
    /// The gateway could not take it now.
    Unavailable(String),
    /// Nobody knows whether the gateway has taken it.
    Unknown(String),
}

impl Delivery {
    /// What it is called in metrics.
    const fn name(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::Rejected(_) => "rejected",
            Self::Unavailable(_) => "unavailable",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Hands messages over. It may be told one twice, where nobody knows what became of the first time.
pub trait Gateway: Send + Sync + 'static {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Whether it only says so.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Hands a message over, within [`TIMEOUT`].
    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Delivery>;
}

/// How long a gateway may take over a message.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// The gateways of a hub, one for each channel. Clones share them.
#[derive(Clone)]
pub struct Gateways {
    by_channel: Arc<[Arc<dyn Gateway>; Channel::ALL.len()]>,
    breakers: Arc<Breakers>,
}

impl Gateways {
    /// Those that the settings name; a channel without any is simulated. Fails where they cannot be read.
    pub fn from_config(config: &Config) -> anyhow::Result<Self> {
        let config = &config.messages;
        let authorities = match &config.outbound_ca {
            Some(path) => {
                Some(std::fs::read(path).with_context(|| format!("OUTBOUND_CA {}", path.display()))?)
            }
            None => None,
        };
        let authorities = authorities.as_deref();
        let simulated: Arc<dyn Gateway> = Arc::new(Simulated::new(config));
        let sms: Arc<dyn Gateway> = match &config.sms.url {
            Some(url) => Arc::new(Http::new(outbound::trusted(authorities)?, url.reveal(), &config.sms)?),
            None => Arc::clone(&simulated),
        };
        let email: Arc<dyn Gateway> = match (&config.smtp_url, &config.smtp_from) {
            (Some(url), Some(from)) => Arc::new(Smtp::new(url.reveal(), from, authorities)?),
            (Some(_), None) => bail!("SMTP_URL is set without SMTP_FROM, the sender of emails"),
            (None, _) => Arc::clone(&simulated),
        };
        let webhook = Arc::new(Webhook::new(Reach::public_and(&config.outbound_allow), authorities));
        // In the order of the channels.
        Ok(Self { by_channel: Arc::new([sms, email, simulated, webhook]), breakers: Arc::default() })
    }

    /// The gateway of a channel.
    pub fn of(&self, channel: Channel) -> &Arc<dyn Gateway> {
        let place = Channel::ALL.iter().position(|known| *known == channel);
        &self.by_channel[place.unwrap_or(0)]
    }

    /// Whether an organisation's message may be tried on a channel now: how long to wait, where not.
    pub fn admit(&self, org: OrgId, channel: Channel) -> Result<(), Duration> {
        self.breakers.admit(org, self.of(channel).name(), Instant::now())
    }

    /// How an organisation's breaker of a channel stands.
    pub fn breaker(&self, org: OrgId, channel: Channel) -> BreakerState {
        self.breakers.state(org, self.of(channel).name(), Instant::now())
    }

    /// Has a message handed over that was admitted.
    pub async fn send(&self, org: OrgId, message: &Outgoing) -> Delivery {
        let gateway = self.of(message.channel);
        let started = Instant::now();
        let sent = tokio::time::timeout(TIMEOUT, gateway.send(message)).await;
        let delivery = sent.unwrap_or_else(|_| {
            Delivery::Unknown(format!("the gateway has not answered within {} s", TIMEOUT.as_secs()))
        });
        histogram!(metric::MESSAGE_SECONDS, "gateway" => gateway.name()).record(started.elapsed());
        counter!(
            metric::MESSAGES,
            "channel" => message.channel.as_str(), "gateway" => gateway.name(), "outcome" => delivery.name()
        )
        .increment(1);
        let failed = matches!(delivery, Delivery::Unavailable(_) | Delivery::Unknown(_));
        self.breakers.record(org, gateway.name(), failed, Instant::now());
        delivery
    }
}

/// What a gateway that speaks HTTP means by a status: what it took, what it will take later, what never.
fn answered(status: reqwest::StatusCode) -> Delivery {
    let said = format!("HTTP {}", status.as_u16());
    if status.is_success() {
        Delivery::Sent(said)
    } else if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        Delivery::Unavailable(said)
    } else {
        Delivery::Rejected(said)
    }
}

/// What is told of a request that got no answer. Never the URL: it may hold a secret.
fn failed(error: &reqwest::Error) -> Delivery {
    if error.is_connect() {
        Delivery::Unavailable("no connection".to_owned())
    } else if error.is_timeout() {
        Delivery::Unknown("no answer in time".to_owned())
    } else {
        Delivery::Unknown("no answer".to_owned())
    }
}
