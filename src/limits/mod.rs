//! How much anybody may ask for, counted in memory on this node.
//!
//! Each limit is a bucket that a minute fills (GCRA, from the `governor` crate): a caller may use the whole
//! of it at once, and then as fast as it fills. What a limiter knows of a caller is forgotten once it is as
//! good as new, and the number of callers that it knows is bounded. A limiter that cannot decide refuses.
//!
//! It knows no HTTP: `http::meter` decides which limits a request counts against, and the hub bounds
//! sockets, under the lock of their room.

mod address;
mod delays;
mod limiter;
mod outsiders;
mod pace;
mod plans;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;

pub(crate) use self::address::Network;
use self::delays::Delays;
use self::limiter::{Limiter, Time};
use self::outsiders::Outsiders;
use self::plans::PlanLimits;
use crate::config::LimitsConfig;
use crate::db::Db;
use crate::error::Result;
use crate::telemetry::metric;
use crate::types::{Clock, Email, OrgId, PlanCode, SessionId, UserId};

pub(crate) use self::delays::Attempt;
pub(crate) use self::outsiders::Outsider;
pub(crate) use self::pace::{FrameRate, Pace};

/// How often what is as good as new is forgotten.
const UPKEEP: Duration = Duration::from_secs(10);

/// The limits, by the names that metrics and logs have for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Requests of a user.
    User,
    /// Requests of an organisation, by its plan.
    Organisation,
    /// Requests of an address that is not signed in.
    Address,
    /// Requests that keep a session alive.
    Session,
    /// Attempts of an address to register, sign in or accept an invite.
    SignIn,
    /// Passwords tried on an account.
    Account,
    /// Handshakes of an address.
    Handshakes,
    /// Frames from a socket.
    Frames,
    /// Open sockets of a user.
    UserSockets,
    /// Open sockets of an organisation.
    OrganisationSockets,
    /// What outsiders cause in the platform's audit.
    Audit,
}

impl Limit {
    /// As metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organisation => "organisation",
            Self::Address => "address",
            Self::Session => "session",
            Self::SignIn => "sign_in",
            Self::Account => "account",
            Self::Handshakes => "handshakes",
            Self::Frames => "frames",
            Self::UserSockets => "user_sockets",
            Self::OrganisationSockets => "organisation_sockets",
            Self::Audit => "audit",
        }
    }

    /// Why a request is refused, for people.
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::User => "You send too many requests. Slow down.",
            Self::Organisation => "Your organisation sends more requests than its plan allows. Slow down.",
            Self::Address => "Too many requests without a valid token come from your address. Slow down.",
            Self::Session => "Your session sends too many requests. Slow down.",
            Self::SignIn => "Too many attempts to get in come from your address. Try again later.",
            Self::Account => "Too many passwords were tried or asked for with this email. Try again later.",
            Self::Handshakes => "Too many handshakes come from your address. Connect again later.",
            Self::Frames => "This socket sends too many frames.",
            Self::UserSockets => "You have too many sockets open.",
            Self::OrganisationSockets => "Your organisation has too many sockets open.",
            Self::Audit => "This is not entered in the audit any more: there was too much of it.",
        }
    }

    /// Counts a refusal.
    pub(crate) fn count_refusal(self) {
        metric::limited(self.as_str());
    }
}

/// Where a caller stands with a limit, as the headers `RateLimit-*` tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How much there is in all.
    pub limit: u32,
    /// How much of it is left.
    pub remaining: u32,
    /// When all of it is there again.
    pub reset: Duration,
}

/// A request that is over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which limit.
    pub limit: Limit,
    /// Where the caller stands with it.
    pub standing: Standing,
    /// When to come back.
    pub retry_after: Duration,
}

/// A limit that may be off, which leaves nothing to tell.
pub(crate) type Counted = std::result::Result<Option<Standing>, Refusal>;

/// All limits of this node. Clones share them.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    users: Option<Limiter<UserId>>,
    sessions: Option<Limiter<SessionId>>,
    addresses: Option<Limiter<Network>>,
    sign_ins: Option<Limiter<Network>>,
    handshakes: Option<Limiter<Network>>,
    plans: Option<PlanLimits>,
    delays: Option<Delays>,
    /// Those of the platform's administrators, who may have an account, too.
    platform_delays: Option<Delays>,
    outsiders: Outsiders,
    /// Those of passwords that are forgotten, so that nobody's mailbox is filled.
    reset_delays: Option<Delays>,
}

impl Limits {
    /// The limits that the settings name, by the time of `clock`.
    pub fn new(config: &LimitsConfig, db: Db, clock: &Clock) -> Self {
        let time = Time::new(clock.clone());
        let requests = NonZeroU32::new(config.rate_limit_per_minute);
        let sign_ins = NonZeroU32::new(config.auth_rate_limit_per_minute);
        let handshakes = NonZeroU32::new(config.handshakes_per_minute);
        Self(Arc::new(Inner {
            users: requests.map(|limit| Limiter::new(Limit::User, limit, time.clone())),
            sessions: requests.map(|limit| Limiter::new(Limit::Session, limit, time.clone())),
            addresses: requests.map(|limit| Limiter::new(Limit::Address, limit, time.clone())),
            sign_ins: sign_ins.map(|limit| Limiter::new(Limit::SignIn, limit, time.clone())),
            handshakes: handshakes.map(|limit| Limiter::new(Limit::Handshakes, limit, time.clone())),
            plans: requests.map(|_| PlanLimits::new(db, time.clone())),
            delays: sign_ins.map(|_| Delays::new(time.clone())),
            outsiders: Outsiders::new(&time),
            platform_delays: sign_ins.map(|_| Delays::new(time.clone())),
            reset_delays: sign_ins.map(|_| Delays::new(time)),
        }))
    }

    /// Counts a request of a user.
    pub(crate) fn count_user(&self, user: UserId) -> Counted {
        self.0.users.as_ref().map(|limiter| limiter.count(user)).transpose()
    }

    /// Counts a request that keeps a session alive.
    pub(crate) fn count_session(&self, session: SessionId) -> Counted {
        self.0.sessions.as_ref().map(|limiter| limiter.count(session)).transpose()
    }

    /// Counts a request of nobody who is signed in.
    pub(crate) fn count_address(&self, address: std::net::IpAddr) -> Counted {
        self.0.addresses.as_ref().map(|limiter| limiter.count(address.into())).transpose()
    }

    /// Counts an attempt to register, sign in or accept an invite.
    pub(crate) fn count_sign_in(&self, address: std::net::IpAddr) -> Counted {
        self.0.sign_ins.as_ref().map(|limiter| limiter.count(address.into())).transpose()
    }

    /// Counts a handshake.
    pub(crate) fn count_handshake(&self, address: std::net::IpAddr) -> Counted {
        self.0.handshakes.as_ref().map(|limiter| limiter.count(address.into())).transpose()
    }

    /// Counts a request against the organisation's limit, which its plan sets. Fails where the plans are
    /// not known yet and cannot be read.
    pub(crate) async fn count_organisation(&self, org: OrgId, plan: &PlanCode) -> Result<Option<Standing>> {
        match &self.0.plans {
            Some(plans) => plans.count(org, plan).await,
            None => Ok(None),
        }
    }

    /// Counts a password that is about to be tried on the account with this email, if there is one.
    /// Refuses while the delay after wrong ones lasts.
    pub(crate) fn begin_attempt(&self, email: &Email) -> std::result::Result<Attempt<'_>, Refusal> {
        match &self.0.delays {
            Some(delays) => delays.begin(email),
            None => Ok(Attempt::unlimited()),
        }
    }

    /// The same for the platform administrator with this email.
    pub(crate) fn begin_platform_attempt(&self, email: &Email) -> std::result::Result<Attempt<'_>, Refusal> {
        match &self.0.platform_delays {
            Some(delays) => delays.begin(email),
            None => Ok(Attempt::unlimited()),
        }
    }

    /// Whether what an outsider did is to be entered in the platform's audit. No setting turns this off.
    pub(crate) fn enters(&self, outsider: Outsider<'_>) -> bool {
        self.0.outsiders.count(outsider)
    }

    /// Counts that somebody forgot the password of the account with this email, if there is one. Refuses while the
    /// delay after earlier ones lasts.
    pub(crate) fn count_reset(&self, email: &Email) -> std::result::Result<(), Refusal> {
        self.0.reset_delays.as_ref().map_or(Ok(()), |delays| delays.begin(email).map(|_counted| ()))
    }

    /// Forgets who is as good as new, until `stop`.
    pub async fn keep_small(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.forget();
        }
    }

    fn forget(&self) {
        let Inner {
            users,
            sessions,
            addresses,
            sign_ins,
            handshakes,
            plans,
            delays,
            platform_delays,
            outsiders,
            reset_delays,
        } = &*self.0;
        let wrong =
            [delays, platform_delays, reset_delays].map(|delays| delays.as_ref().map_or(0, Delays::forget));
        let known = [
            (Limit::User, users.as_ref().map(Limiter::forget)),
            (Limit::Session, sessions.as_ref().map(Limiter::forget)),
            (Limit::Address, addresses.as_ref().map(Limiter::forget)),
            (Limit::SignIn, sign_ins.as_ref().map(Limiter::forget)),
            (Limit::Handshakes, handshakes.as_ref().map(Limiter::forget)),
            (Limit::Organisation, plans.as_ref().map(PlanLimits::forget)),
            (Limit::Account, Some(wrong.iter().sum())),
            (Limit::Audit, Some(outsiders.forget())),
        ];
        for (limit, keys) in known {
            #[expect(clippy::cast_precision_loss, reason = "a count of keys is far below 2^53")]
            gauge!(metric::LIMIT_KEYS, "limit" => limit.as_str()).set(keys.unwrap_or(0) as f64);
        }
    }
}
