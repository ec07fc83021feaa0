//! A room: who is woken for an entry, and what each takes on its turn.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use roomcast::activity::Head;
use roomcast::hub::core::{
    AccessSnapshot, ConnectionKey, Core, Entry, Join, Opening, SocketLimits, Turn, Wake,
};
use roomcast::types::{
    Audience, EpochId, OrgId, OrganisationStatus, Role, Seq, SessionId, Timestamp, UserId,
};

use crate::Run;
use crate::small::entry;

/// Connections of a room, each of a user of its own.
pub(crate) const PEERS: usize = 10_000;

/// The room remembers all that a piece needs of its log.
const MAX_BYTES: usize = 32 << 20;

/// Bytes of an entry, as a message of 200 bytes has them with its surroundings.
const BYTES: usize = 420;

/// Notes that it was woken. What a task does when it is woken is none of the room's.
struct Flag(Rc<Cell<bool>>);

impl Wake for Flag {
    fn wake(&self) {
        self.0.set(true);
    }
}

struct Room {
    core: Core<Flag>,
    epoch: EpochId,
    users: Vec<UserId>,
    /// The newest entry.
    last: i64,
    /// A room's view of its log counts for some seconds: here no time passes.
    now: Instant,
}

impl Room {
    fn new(users: usize) -> Self {
        let users: Vec<UserId> = (0..users).map(|_| UserId::new()).collect();
        let access = AccessSnapshot {
            plan: "FREE".to_owned().try_into().expect("it is a plan"),
            status: OrganisationStatus::Active,
            users: users.iter().map(|user| (*user, "Ada".to_owned(), Role::Member)).collect(),
            role_changes: Vec::new(),
            ended_sessions: Vec::new(),
        };
        let (epoch, now) = (EpochId::new(), Instant::now());
        let head = Head {
            org_id: OrgId::new(),
            epoch,
            first_seq: Seq::ZERO.next(),
            last_seq: Seq::ZERO,
            last_id: None,
            last_at: Timestamp::from_millis(0),
            suspended_at: None,
        };
        let mut core = Core::new(MAX_BYTES, SocketLimits::default(), roomcast::config::Broken::default());
        core.open(Opening { head, access }, now);
        Self { core, epoch, users, last: 0, now }
    }

    fn join(&mut self, user: UserId, after: Option<i64>) -> ConnectionKey {
        let join = Join {
            user,
            session: SessionId::new(),
            after: after.map(|seq| Seq::ZERO.plus(seq)),
            epoch: None,
            presence: false,
            at: Timestamp::from_millis(0),
        };
        let waker = Flag(Rc::new(Cell::new(false)));
        self.core.join(&join, waker, self.now).expect("it may join").key
    }

    fn append(&mut self, audience: Audience) {
        self.last += 1;
        let log = entry(self.last, self.epoch, audience, BYTES);
        self.core.offer([Entry::live(&log, self.now)], self.now);
    }

    /// A connection's turn; how many frames it took.
    fn take(&mut self, key: ConnectionKey) -> usize {
        match self.core.take(key, self.now) {
            Turn::Send { entries, .. } => {
                for entry in &entries {
                    black_box(entry.websocket());
                }
                entries.len()
            }
            _ => 0,
        }
    }
}

/// Connections of as many users.
fn full() -> (Room, Vec<ConnectionKey>) {
    let mut room = Room::new(PEERS);
    let users = room.users.clone();
    let keys = users.into_iter().map(|user| room.join(user, None)).collect();
    (room, keys)
}

/// An entry for everybody: all are woken, and each takes its turn.
pub(crate) fn everyone() -> Run {
    let (mut room, keys) = full();
    Box::new(move || {
        room.append(Audience::Everyone);
        let taken: usize = keys.iter().map(|key| room.take(*key)).sum();
        assert_eq!(taken, keys.len());
    })
}

/// An entry for ten users by name: nobody else is touched.
pub(crate) fn named() -> Run {
    let (mut room, keys) = full();
    let users: std::sync::Arc<[UserId]> = room.users.iter().copied().take(10).collect();
    Box::new(move || {
        room.append(Audience::Users(users.clone()));
        let taken: usize = keys.iter().take(10).map(|key| room.take(*key)).sum();
        assert_eq!(taken, 10);
    })
}

/// A connection that is 64 entries behind takes them in one turn.
pub(crate) fn backlog() -> Run {
    let mut room = Room::new(1);
    (0..1000).for_each(|_| room.append(Audience::Everyone));
    Box::new(move || {
        let key = room.join(room.users[0], Some(room.last - 64));
        assert_eq!(room.take(key), 64);
        room.core.leave(key, room.now);
    })
}

/// A connection looks at as many entries as one turn may, and none is for it.
pub(crate) fn others() -> Run {
    let mut room = Room::new(2);
    let other: std::sync::Arc<[UserId]> = [room.users[1]].into();
    (0..5000).for_each(|_| room.append(Audience::Users(other.clone())));
    Box::new(move || {
        let key = room.join(room.users[0], Some(0));
        assert_eq!(room.take(key), 0);
        room.core.leave(key, room.now);
    })
}
