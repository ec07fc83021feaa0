//! No wake is lost and nobody joins a room that leaves, in whatever order threads come to the lock: loom tries
//! them all.

use std::time::Instant;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::activity::Head;
use crate::config::Broken;
use crate::hub::core::*;
use crate::types::{
    ActivityId, Audience, EpochId, LogEntry, OrgId, OrganisationStatus, Role, Seq, SessionId, Timestamp,
    UserId,
};

/// What tokio's `Notify` is to one who waits: a permit, kept until it is taken.
struct Permit {
    is_there: Mutex<bool>,
    comes: Condvar,
}

impl Permit {
    fn new() -> Arc<Self> {
        Arc::new(Self { is_there: Mutex::new(false), comes: Condvar::new() })
    }

    fn wait(&self) {
        let mut is_there = lock(&self.is_there);
        while !*is_there {
            is_there = self.comes.wait(is_there).expect("nobody panics with it");
        }
        *is_there = false;
    }
}

impl Wake for Arc<Permit> {
    fn wake(&self) {
        *lock(&self.is_there) = true;
        self.comes.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

/// A log whose entries are for everybody, and a user who sees them.
#[derive(Clone, Copy)]
struct Ground {
    org: OrgId,
    epoch: EpochId,
    user: UserId,
    now: Instant,
}

impl Ground {
    fn new() -> Self {
        Self { org: OrgId::new(), epoch: EpochId::new(), user: UserId::new(), now: Instant::now() }
    }

    /// A room at the start of the log.
    fn room<W: Wake>(self) -> Core<W> {
        let plan = "FREE".to_owned().try_into().expect("it is a plan");
        let users = vec![(self.user, String::new(), Role::Member)];
        let (role_changes, ended_sessions) = (Vec::new(), Vec::new());
        let status = OrganisationStatus::Active;
        let access = AccessSnapshot { plan, status, users, role_changes, ended_sessions };
        let mut core = Core::new(1 << 20, SocketLimits::default(), Broken::default());
        core.open(Opening { head: self.head(), access }, self.now);
        core
    }

    fn head(self) -> Head {
        let (first_seq, last_seq) = (Seq::ZERO.next(), Seq::ZERO);
        let last_at = Timestamp::from_millis(0);
        Head {
            org_id: self.org,
            epoch: self.epoch,
            first_seq,
            last_seq,
            last_id: None,
            last_at,
            suspended_at: None,
        }
    }

    fn entry(self, seq: i64) -> std::sync::Arc<Entry> {
        let log = LogEntry {
            org: self.org,
            epoch: self.epoch,
            seq: Seq::ZERO.plus(seq),
            id: ActivityId::new(),
            audience: Audience::Everyone,
            effect: None,
            created_at: Timestamp::from_millis(seq),
            json: "{}".into(),
        };
        Entry::read(log)
    }

    fn join(self, after: Option<Seq>) -> Join {
        Join {
            user: self.user,
            session: SessionId::new(),
            after,
            epoch: None,
            presence: false,
            at: Timestamp::from_millis(0),
        }
    }
}

/// Takes turns as a connection does until it has come to `last`; what it was sent.
fn take_until(core: &Mutex<Core<Arc<Permit>>>, key: ConnectionKey, waker: &Permit, last: Seq) -> Vec<Seq> {
    let mut sent = Vec::new();
    loop {
        let (turn, position) = {
            let mut core = lock(core);
            (core.take(key, Instant::now()), core.position(key))
        };
        match turn {
            Turn::Send { entries, more, .. } => {
                sent.extend(entries.iter().map(|entry| entry.seq()));
                // Where nothing follows at once, it does not look again before it is woken.
                if !more && position >= last {
                    return sent;
                }
                if !more {
                    waker.wait();
                }
            }
            Turn::Wait if position >= last => return sent,
            Turn::Wait => waker.wait(),
            other => panic!("expected entries, got {other:?}"),
        }
    }
}

#[test]
fn who_waits_is_woken_for_what_is_appended() {
    loom::model(|| {
        let ground = Ground::new();
        let (core, waker) = (Arc::new(Mutex::new(ground.room())), Permit::new());
        let joined = lock(&core).join(&ground.join(None), Arc::clone(&waker), ground.now).expect("it may");
        let appending = Arc::clone(&core);
        let appends = thread::spawn(move || {
            for seq in 1..=2 {
                lock(&appending).offer([ground.entry(seq)], ground.now);
            }
        });
        let sent = take_until(&core, joined.key, &waker, Seq::ZERO.plus(2));
        assert_eq!(sent, [1, 2].map(|seq| Seq::ZERO.plus(seq)));
        appends.join().expect("it appends");
    });
}

/// A socket that a walker comes to, which it does once however often it is woken before.
struct Awaited {
    is_awaited: AtomicBool,
    walk: Arc<Permit>,
}

impl Wake for Arc<Awaited> {
    fn wake(&self) {
        if !self.is_awaited.swap(true, Ordering::AcqRel) {
            self.walk.wake();
        }
    }
}

#[test]
fn a_walker_comes_again_for_what_is_appended_while_it_is_there() {
    loom::model(|| {
        let ground = Ground::new();
        let core = Arc::new(Mutex::new(ground.room()));
        let socket = Arc::new(Awaited { is_awaited: AtomicBool::new(false), walk: Permit::new() });
        let joined = lock(&core).join(&ground.join(None), Arc::clone(&socket), ground.now).expect("it may");
        let appending = Arc::clone(&core);
        let appends = thread::spawn(move || {
            for seq in 1..=2 {
                lock(&appending).offer([ground.entry(seq)], ground.now);
            }
        });
        let mut sent = Vec::new();
        while sent.len() < 2 {
            socket.walk.wait();
            socket.is_awaited.swap(false, Ordering::AcqRel);
            let turn = lock(&core).take(joined.key, Instant::now());
            if let Turn::Send { entries, more, .. } = turn {
                sent.extend(entries.iter().map(|entry| entry.seq()));
                if more {
                    socket.wake();
                }
            }
        }
        assert_eq!(sent, [1, 2].map(|seq| Seq::ZERO.plus(seq)));
        appends.join().expect("it appends");
    });
}

#[test]
fn who_joins_beside_an_append_has_it_or_gets_it() {
    loom::model(|| {
        let ground = Ground::new();
        let core = Arc::new(Mutex::new(ground.room()));
        let appending = Arc::clone(&core);
        let appends = thread::spawn(move || lock(&appending).offer([ground.entry(1)], ground.now));
        let waker = Permit::new();
        let joined = lock(&core).join(&ground.join(None), Arc::clone(&waker), ground.now).expect("it may");
        let sent = take_until(&core, joined.key, &waker, Seq::ZERO.plus(1));
        assert_eq!(sent.len(), usize::from(joined.seq == Seq::ZERO));
        appends.join().expect("it appends");
    });
}

#[test]
fn the_rooms_task_is_woken_for_what_is_to_be_read() {
    loom::model(|| {
        let ground = Ground::new();
        let core = Arc::new(Mutex::new(ground.room::<Arc<Permit>>()));
        let work = Permit::new();
        let (telling, waking) = (Arc::clone(&core), Arc::clone(&work));
        let tells = thread::spawn(move || {
            let has_work = {
                let mut core = lock(&telling);
                core.told_of_head(ground.epoch, Seq::ZERO.plus(3), ActivityId::new(), ground.now);
                core.work(ground.now).is_some()
            };
            if has_work {
                waking.wake();
            }
        });
        while lock(&core).work(ground.now).is_none() {
            work.wait();
        }
        tells.join().expect("it tells");
    });
}

/// A room in the registry, and the word that it has left.
struct Registered {
    core: Mutex<Core<Arc<Permit>>>,
    gone: Arc<Permit>,
}

type Registry = Mutex<Option<Arc<Registered>>>;

/// As `Hub` does: the room that is there, or a new one.
fn room(registry: &Registry, ground: Ground) -> Arc<Registered> {
    let new = || Arc::new(Registered { core: Mutex::new(ground.room()), gone: Permit::new() });
    Arc::clone(lock(registry).get_or_insert_with(new))
}

#[test]
fn nobody_is_left_in_a_room_that_leaves() {
    loom::model(|| {
        let ground = Ground::new();
        let registry: Arc<Registry> = Arc::new(Mutex::new(None));
        let first = room(&registry, ground);
        let retiring = Arc::clone(&registry);
        let retires = thread::spawn(move || {
            // It is decided under the lock under which somebody joins, and only then leaves.
            if lock(&first.core).end_if_empty() {
                *lock(&retiring) = None;
                first.gone.wake();
            }
        });
        let joined = loop {
            let room = room(&registry, ground);
            let joined = lock(&room.core).join(&ground.join(None), Permit::new(), ground.now);
            match joined {
                Ok(_) => break room,
                Err(_) => room.gone.wait(),
            }
        };
        retires.join().expect("it retires");
        assert!(!lock(&joined.core).is_ended());
        assert!(lock(&registry).as_ref().is_some_and(|there| Arc::ptr_eq(there, &joined)));
    });
}
