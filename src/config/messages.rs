//! What messages cost, and through what they leave.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::{Secret, parse};
use crate::types::Channel;

/// What messages cost, and through what they leave.
#[derive(Debug, Clone, Args)]
pub struct MessagesConfig {
    /// Credits that a message costs, by channel; a channel that is not named costs 1
    #[arg(
        long = "message-prices",
        env = "MESSAGE_PRICES",
        default_value = "sms=1,email=1,push=1,webhook=1",
        global = true,
        help_heading = "Messages"
    )]
    pub prices: Prices,

    /// Attempts to send a message before it has failed, from 1
    #[arg(long = "message-attempts", env = "MESSAGE_ATTEMPTS", default_value_t = 8,
          value_parser = parse::at_least_one, global = true, help_heading = "Messages")]
    pub attempts: usize,

    /// Messages of one organisation that a node sends a second on each channel; 0 is no limit
    #[arg(
        long = "message-rate-per-organisation",
        env = "MESSAGE_RATE_PER_ORGANISATION",
        default_value_t = 0,
        global = true,
        help_heading = "Messages"
    )]
    pub rate_per_organisation: u32,

    /// How long the simulated gateway takes over a message
    #[arg(long, env = "SIMULATED_LATENCY", default_value = "50ms", value_parser = humantime::parse_duration,
          global = true, help_heading = "Messages")]
    pub simulated_latency: Duration,

    /// Of a hundred attempts, how many the simulated gateway rejects for good
    #[arg(long, env = "SIMULATED_REJECTED_PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100),
          global = true, help_heading = "Messages")]
    pub simulated_rejected_percent: u8,

    /// Of a hundred attempts, how many the simulated gateway fails in a way that passes
    #[arg(long, env = "SIMULATED_UNAVAILABLE_PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100),
          global = true, help_heading = "Messages")]
    pub simulated_unavailable_percent: u8,

    /// Where emails are handed over: `smtps://USER:PASSWORD@HOST`, or `smtp://…` for STARTTLS, which is insisted on
    /// unless the URL ends in `?tls=none`; unset, emails are simulated
    #[arg(long, env = "SMTP_URL", global = true, help_heading = "Messages", hide_env_values = true)]
    pub smtp_url: Option<Secret>,

    /// The sender of emails: an address, or `Name <address>`
    #[arg(long, env = "SMTP_FROM", global = true, help_heading = "Messages")]
    pub smtp_from: Option<String>,

    /// The URL under which people reach this hub, such as `https://hub.example.com`: for links in its emails
    #[arg(long, env = "PUBLIC_URL", value_parser = parse::public_url, global = true, help_heading = "Messages")]
    pub public_url: Option<url::Url>,

    /// How texts leave.
    #[command(flatten)]
    pub sms: SmsConfig,

    /// Networks beside the public addresses to which webhooks may go, comma-separated
    #[arg(long, env = "OUTBOUND_ALLOW", value_delimiter = ',', value_parser = parse::network, global = true,
          help_heading = "Messages")]
    pub outbound_allow: Vec<IpNet>,

    /// PEM file of a certificate authority that gateways' servers may have, beside those of the system
    #[arg(long, env = "OUTBOUND_CA", global = true, help_heading = "Messages")]
    pub outbound_ca: Option<PathBuf>,
}

/// A provider of texts that is asked over HTTP.
#[derive(Debug, Clone, Args)]
pub struct SmsConfig {
    /// Where texts are posted to; {{id}}, {{to}} and {{body}} are replaced, here and in the body. Unset, texts are
    /// simulated
    #[arg(
        id = "sms_gateway_url",
        long = "sms-gateway-url",
        env = "SMS_GATEWAY_URL",
        global = true,
        help_heading = "Messages",
        hide_env_values = true
    )]
    pub url: Option<Secret>,

    /// The body of the request
    #[arg(
        id = "sms_gateway_body",
        long = "sms-gateway-body",
        env = "SMS_GATEWAY_BODY",
        default_value = r#"{"id":"{{id}}","to":"{{to}}","body":"{{body}}"}"#,
        global = true,
        help_heading = "Messages"
    )]
    pub body: String,

    /// The type of that body; what is put in is escaped as in JSON where it is JSON, else in percent
    #[arg(
        id = "sms_gateway_content_type",
        long = "sms-gateway-content-type",
        env = "SMS_GATEWAY_CONTENT_TYPE",
        default_value = "application/json",
        global = true,
        help_heading = "Messages"
    )]
    pub content_type: String,

    /// Headers of the request, such as `Authorization: Bearer x`, parted by semicolons
    #[arg(
        id = "sms_gateway_headers",
        long = "sms-gateway-headers",
        env = "SMS_GATEWAY_HEADERS",
        global = true,
        help_heading = "Messages",
        hide_env_values = true
    )]
    pub headers: Option<Secret>,

    /// The header that carries a message's id, the same at each attempt
    #[arg(
        id = "sms_gateway_idempotency_header",
        long = "sms-gateway-idempotency-header",
        env = "SMS_GATEWAY_IDEMPOTENCY_HEADER",
        default_value = "Idempotency-Key",
        global = true,
        help_heading = "Messages"
    )]
    pub idempotency_header: String,
}

/// What a message costs on each channel, in credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices([u32; Channel::ALL.len()]);

impl Prices {
    /// What a message on this channel costs.
    pub fn of(&self, channel: Channel) -> i64 {
        let place = Channel::ALL.iter().position(|known| *known == channel);
        place.map_or(1, |place| i64::from(self.0[place]))
    }
}

/// The dearest that a message may be.
const MAX_PRICE: u32 = 1_000_000;

impl FromStr for Prices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("must be such as sms=2,email=1, with whole numbers up to {MAX_PRICE}");
        let mut prices = [1; Channel::ALL.len()];
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (channel, price) = pair.split_once('=').ok_or_else(expected)?;
            let channel = Channel::try_from(channel.trim().to_owned()).map_err(|_| expected())?;
            let price: u32 = price.trim().parse().map_err(|_| expected())?;
            if price > MAX_PRICE {
                return Err(expected());
            }
            if let Some(place) = Channel::ALL.iter().position(|known| *known == channel) {
                prices[place] = price;
            }
        }
        Ok(Self(prices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_by_channel_and_one_where_none_is_named() {
        let prices: Prices = "sms=3, webhook=0".parse().unwrap();
        let all = Channel::ALL.map(|channel| prices.of(channel));
        assert_eq!(all, [3, 1, 1, 0]);
        for bad in ["sms", "sms=x", "fax=1", "sms=-1", "sms=1000001"] {
            assert!(bad.parse::<Prices>().is_err(), "{bad}");
        }
    }
}
