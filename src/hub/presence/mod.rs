//! Who is online: asks the rooms, and keeps this node's leases, one an organisation, for all of them together.

mod leases;
mod routes;
mod store;

use std::collections::HashSet;
use std::time::{Duration, Instant};

pub(super) use self::leases::LeaseKeeper;
pub(crate) use self::routes::routes;
use super::Hub;
use super::bus::BusState;
use super::core::Denied;
use super::core::presence::Online;
use crate::error::{Code, Error, Result};
use crate::types::{OrgId, UserId};

/// How long an answer waits for leases that are being read.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two looks at whether they have been.
const READ_INTERVAL: Duration = Duration::from_millis(5);

/// Who is online in an organisation.
pub(super) struct OnlineList {
    /// Who, with their names, in the order in which they came.
    pub(super) users: Vec<(Online, String)>,
    /// Whether that is all, as far as can be known.
    pub(super) complete: bool,
}

impl Hub {
    /// Who is online in an organisation, on all nodes.
    async fn online(&self, org: OrgId) -> Result<OnlineList> {
        self.ask_presence(org, |core| {
            let complete = core.presence().is_complete(Instant::now());
            OnlineList { users: core.online(), complete }
        })
        .await
    }

    /// Which of these users are online.
    pub async fn online_among(&self, org: OrgId, users: &[UserId]) -> Result<HashSet<UserId>> {
        self.ask_presence(org, |core| {
            users.iter().copied().filter(|user| core.presence().is_online(*user)).collect()
        })
        .await
    }

    async fn ask_presence<T>(&self, org: OrgId, ask: impl Fn(&mut super::room::RoomCore) -> T) -> Result<T> {
        let deadline = Instant::now() + READ_TIMEOUT;
        loop {
            let may_wait = self.inner.bus.state() == BusState::Up && Instant::now() < deadline;
            let answer = self.inner.with_room(org, |room| {
                let mut core = room.core.lock();
                if core.is_ended() {
                    return Err(Denied::Stale);
                }
                let waits = may_wait && core.presence().is_reading();
                Ok((!waits).then(|| ask(&mut core)))
            });
            match answer.await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => tokio::time::sleep(READ_INTERVAL).await,
                Err(Denied::Stale) if self.inner.db.known_trouble(org).is_some() => {
                    return Err(self.inner.refusal(org, Denied::Stale));
                }
                Err(
                    Denied::UserUnknown
                    | Denied::SessionEnded
                    | Denied::Suspended
                    | Denied::Stale
                    | Denied::TooManySockets(_),
                ) => {
                    return Err(Error::refused(
                        Code::AccessUnknown,
                        "This node cannot tell now who is online. Try again shortly.",
                    ));
                }
            }
        }
    }
}
