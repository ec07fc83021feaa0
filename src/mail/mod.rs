//! Emails that the hub sends of itself, where it is told a server of emails: invites, and ways to a new password.
//!
//! Owns no table. What follows from a change of an organisation is a job that commits with it; what it says holds a
//! secret, and is sealed where it is stored. What follows from no change is sent at once, by `service::send`.

mod jobs;
pub(crate) mod service;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::idempotency::SealKeys;

pub(crate) use jobs::Send;

/// An email. Its first line is its subject, too.
#[derive(Serialize, Deserialize)]
pub(crate) struct Letter {
    /// Whom it is for.
    pub(crate) to: String,
    /// The text.
    pub(crate) body: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// What the hub needs for its emails.
pub struct Mailer {
    is_on: bool,
    /// Where people reach the hub, without a slash at its end.
    public_url: Option<String>,
    seals: SealKeys,
}

impl Mailer {
    /// It is on where the settings name a server of emails.
    pub fn new(config: &Config, seals: SealKeys) -> Self {
        let public_url = config.messages.public_url.as_ref();
        let public_url = public_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
        Self { is_on: config.messages.smtp_url.is_some(), public_url, seals }
    }

    /// Whether emails leave at all.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// The page of the hub at this path that takes a token, behind the `#`, which no server and no log sees; `None`
    /// where nobody said under which URL people reach the hub.
    pub(crate) fn link(&self, path: &str, token: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}{path}#{token}"))
    }
}
