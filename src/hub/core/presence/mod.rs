//! Who is online in the organisation: what this node's sockets and the other nodes' leases say together, and
//! what of it connections have been told. Time is passed in.
//!
//! A user is online from their first socket on any node until [`PresenceTimes::debounce`] after the last has
//! gone. Each node keeps a lease of who is online there. It is written first and told of second, by version, so
//! that whoever missed something knows, and reads the lease. That somebody has gone is said only after a look
//! at the leases that is later than the debounce: they may be on another node by now, and what the bus loses
//! is to cost nobody their presence. Where there is no such look, nobody is said to have gone.

mod changes;
mod nodes;
mod person;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

pub use changes::{Chunk, Lagging, Watch};
pub use nodes::{Lease, Listing};

use crate::config::PresenceTimes;
use crate::hub::bus::{News, Seen};
use crate::types::{NodeId, Timestamp, UserId};
use changes::Changes;
use nodes::{Change, Nodes};
use person::Person;

/// Whether there are other nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// This one is alone: what it knows is all there is.
    Alone,
    /// There may be others, whose leases are read.
    Nodes,
}

/// What is known of the other nodes' leases.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// There are no others.
    Alone,
    /// Nobody looked yet.
    Unread,
    /// They cannot be read.
    Down,
    /// They were listed then. From `settled_at` on every node has had the time to write its own.
    Up { listed_at: Instant, settled_at: Instant },
}

/// Somebody who is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Online {
    /// The user.
    pub user: UserId,
    /// Since when.
    pub since: Timestamp,
    /// How many sockets they have on all nodes; 0 where the last has gone only now.
    pub sockets: u64,
}

/// What is to be done after [`Presence::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Connections are to be told.
    pub seen: bool,
    /// Leases are to be written or read.
    pub leases: bool,
}

/// Who is online in an organisation. See the module.
pub struct Presence {
    times: PresenceTimes,
    people: HashMap<UserId, Person>,
    /// Those of them who are to be looked at again, as they left this node or all.
    leaving: HashSet<UserId>,
    look_at: Option<Instant>,
    /// Whether the leases are to be listed for that, before it is time to renew this node's.
    wants_list: bool,
    nodes: Nodes,
    link: Link,
    changes: Changes,
    /// Those who may be seen otherwise than they are, and when that is looked at.
    unsettled: HashSet<UserId>,
    settle_at: Option<Instant>,
    /// When that was last done.
    settled_at: Instant,
    /// Whether something is due earlier than it was.
    hurries: bool,
    /// Those of whom other nodes are to be told.
    untold: HashSet<UserId>,
    /// The version that this node's lease has; 0 where it has to be written anew.
    lease: u64,
}

impl Presence {
    /// Nobody is online yet.
    pub fn new(times: PresenceTimes, company: Company, now: Instant) -> Self {
        Self {
            // The first change is not to wait for others.
            settled_at: now.checked_sub(times.gather).unwrap_or(now),
            times,
            people: HashMap::new(),
            leaving: HashSet::new(),
            look_at: None,
            wants_list: false,
            nodes: Nodes::default(),
            link: match company {
                Company::Alone => Link::Alone,
                Company::Nodes => Link::Unread,
            },
            changes: Changes::default(),
            unsettled: HashSet::new(),
            settle_at: None,
            hurries: false,
            untold: HashSet::new(),
            lease: 0,
        }
    }

    /// A socket was opened here.
    pub fn joined(&mut self, user: UserId, at: Timestamp, now: Instant) {
        if !self.people.contains_key(&user) {
            self.unsettle(user);
        }
        let person = self.people.entry(user).or_insert(Person::new(at));
        person.here = person.here.saturating_add(1);
        person.left_at = None;
        self.tell_others(user);
        self.review(user, now);
    }

    /// A socket that was open here has gone.
    pub fn left(&mut self, user: UserId, now: Instant) {
        let Some(person) = self.people.get_mut(&user) else { return };
        person.here = person.here.saturating_sub(1);
        if person.here == 0 {
            person.left_at = Some(now);
        }
        self.tell_others(user);
        self.review(user, now);
    }

    /// Whether a user may be seen has changed: they came into the organisation, or were removed from it.
    pub fn access_changed(&mut self, user: UserId) {
        if self.people.contains_key(&user) {
            self.unsettle(user);
        }
    }

    /// Takes what another node said over the bus.
    pub fn heard(&mut self, news: News, now: Instant) {
        let changes = self.nodes.heard(news, now + self.times.lost_after());
        self.relist(changes, now);
        if self.nodes.any_wanted() {
            self.settle_soon();
        }
    }

    /// Takes the list of the other nodes' leases. `intact` is whether this node's own was there as it was
    /// written: where it was not, neither need the others' be.
    pub fn listed(&mut self, leases: &[Lease], intact: bool, now: Instant) {
        let lost_after = self.times.lost_after();
        let settled_at = match self.link {
            Link::Alone => return,
            Link::Unread => now,
            Link::Down => now + self.times.recovery,
            // This node stood still: what it knows is old, and what it finds is not.
            Link::Up { listed_at, .. } if now.saturating_duration_since(listed_at) > lost_after => now,
            Link::Up { settled_at, .. } => settled_at,
        };
        // Within a renewal and a half, all will have written theirs again.
        let rewritten_at = now + self.times.renewal.mul_f64(1.5);
        let settled_at = if intact { settled_at } else { settled_at.max(rewritten_at) };
        let is_fresh = settled_at < now || matches!(self.link, Link::Unread);
        if !is_fresh {
            self.nodes.spare(settled_at.max(rewritten_at));
        }
        self.link = Link::Up { listed_at: now, settled_at };
        self.wants_list = false;
        self.nodes.listed(leases, lost_after, now);
        let lost = self.nodes.bury(now);
        self.relist(lost, now);
        if !self.leaving.is_empty() || settled_at > now {
            self.look_by(now);
        }
    }

    /// The other nodes' leases cannot be read.
    pub fn unreachable(&mut self) {
        if !matches!(self.link, Link::Alone) {
            self.link = Link::Down;
            self.wants_list = false;
        }
    }

    /// The nodes whose leases have to be read.
    pub fn wanted(&self) -> Vec<NodeId> {
        self.nodes.wanted()
    }

    /// Takes a lease that was read, with its version; `None` where there is none.
    pub fn read(&mut self, node: NodeId, lease: Option<Listing>, now: Instant) {
        let changes = self.nodes.read(node, lease);
        self.relist(changes, now);
    }

    /// What this node's lease lacks, at most so many users; nothing where it only has to be renewed. It is
    /// taken for written unless [`unwritten`](Self::unwritten) follows. `version` is higher than any before.
    pub fn outgoing(&mut self, node: NodeId, version: u64, most: usize) -> News {
        let from = self.lease;
        if from == 0 {
            self.untold =
                self.people.iter().filter(|(_, person)| person.is_listed()).map(|(user, _)| *user).collect();
        }
        let users: Vec<UserId> = self.untold.iter().copied().take(most).collect();
        let changes: Vec<(UserId, Option<Seen>)> = users
            .into_iter()
            .map(|user| {
                self.untold.remove(&user);
                (user, self.people.get(&user).and_then(Person::listing))
            })
            .collect();
        if from == 0 || !changes.is_empty() {
            self.lease = version;
        }
        News { node, from, version: self.lease, changes }
    }

    /// What was last outgoing may not have been written.
    pub fn unwritten(&mut self) {
        self.lease = 0;
    }

    /// Whether leases are to be written or read before it is time to renew this node's.
    pub fn needs_leases(&self) -> bool {
        !self.untold.is_empty() || self.wants_list || self.nodes.any_wanted()
    }

    /// When [`settle`](Self::settle) has something to do.
    pub fn due(&self) -> Option<Instant> {
        [self.settle_at, self.look_at].into_iter().flatten().min()
    }

    /// Whether something is due earlier than when this was last asked.
    pub fn take_hurry(&mut self) -> bool {
        std::mem::take(&mut self.hurries)
    }

    /// Does what is due: who did not come back is offline, and what has changed is seen. `known` tells who is
    /// in the organisation.
    pub fn settle(&mut self, now: Instant, known: impl Fn(UserId) -> bool) -> Settled {
        if self.look_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
        let mut seen = false;
        if self.settle_at.is_some_and(|at| at <= now) {
            self.settle_at = None;
            self.settled_at = now;
            for user in std::mem::take(&mut self.unsettled) {
                seen |= self.changes.set(user, self.people.contains_key(&user) && known(user));
            }
        }
        Settled { seen, leases: self.needs_leases() }
    }

    /// Whether all nodes' sockets are known.
    pub fn is_complete(&self, now: Instant) -> bool {
        match self.link {
            Link::Alone => true,
            Link::Unread | Link::Down => false,
            Link::Up { .. } => self.can_judge(now),
        }
    }

    /// Whether the leases have not been looked for yet, or one that is known of is still to be read.
    pub fn is_reading(&self) -> bool {
        match self.link {
            Link::Alone | Link::Down => false,
            Link::Unread => true,
            Link::Up { .. } => self.nodes.any_wanted(),
        }
    }

    /// Everybody who is online, whether in the organisation or not.
    pub fn online(&self) -> impl Iterator<Item = Online> {
        self.people.iter().map(|(user, person)| Online {
            user: *user,
            since: person.since,
            sockets: u64::from(person.here) + self.nodes.sockets(*user),
        })
    }

    /// Whether a user is online.
    pub fn is_online(&self, user: UserId) -> bool {
        self.people.contains_key(&user)
    }

    /// A connection that is to be told who is online.
    pub fn watch(&self) -> Watch {
        self.changes.watch()
    }

    /// Whether a connection was told everything.
    pub fn is_told(&self, watch: &Watch) -> bool {
        self.changes.is_told(watch)
    }

    /// The next part of what a connection is to be told.
    pub fn difference(&mut self, watch: &mut Watch) -> Result<Option<std::sync::Arc<Chunk>>, Lagging> {
        self.changes.difference(watch)
    }

    /// The version of what is seen: who was told everything before a change stands there.
    pub fn version(&self) -> u64 {
        self.changes.version()
    }

    /// Whether there is anything to [`prune`](Self::prune).
    pub fn has_offline(&self) -> bool {
        self.changes.has_offline()
    }

    /// Forgets what all of these connections have been told of.
    pub fn prune<'a>(&mut self, watches: impl Iterator<Item = &'a Watch>) {
        self.changes.prune(watches);
    }

    /// Takes what nodes say of users now.
    fn relist(&mut self, changes: Vec<Change>, now: Instant) {
        for Change { user, before, after } in changes {
            match (after, self.people.get_mut(&user)) {
                (Some(seen), Some(person)) if seen.since < person.since => {
                    person.since = seen.since;
                    if person.is_listed() {
                        self.tell_others(user);
                    }
                }
                // Of somebody who has gone by now, a node that still says so says nothing new.
                (Some(seen), None) if seen.sockets > 0 || before.is_none() => {
                    self.people.insert(user, Person::new(seen.since));
                    self.unsettle(user);
                }
                // Where they have come to be by now, only the next list of the leases tells.
                (None, Some(person)) => {
                    let earliest = now.checked_sub(self.times.stay());
                    person.gone_at =
                        person.gone_at.map(|at| earliest.map_or(at, |earliest| at.max(earliest)));
                    if person.gone_at.is_some() {
                        self.look_by(now);
                    }
                }
                (Some(_) | None, _) => {}
            }
            self.review(user, now);
        }
    }

    /// Looks at whether somebody has sockets.
    fn review(&mut self, user: UserId, now: Instant) {
        let elsewhere = self.nodes.sockets(user);
        let Some(person) = self.people.get_mut(&user) else { return };
        if person.here > 0 || elsewhere > 0 {
            person.gone_at = None;
        } else {
            person.gone_at.get_or_insert(now);
        }
        if !person.is_leaving() {
            self.leaving.remove(&user);
        } else if self.leaving.insert(user) {
            self.look_by(now + self.times.stay());
        }
    }

    /// Looks at those who have left.
    fn look(&mut self, now: Instant) {
        self.look_at = None;
        let listed_at = match self.link {
            Link::Alone => now,
            Link::Up { listed_at, .. } if self.can_judge(now) => listed_at,
            Link::Up { settled_at, .. } if settled_at > now => {
                self.look_at = Some(settled_at);
                return;
            }
            Link::Up { listed_at, settled_at } if listed_at < settled_at => {
                self.wants_list = true;
                return;
            }
            // A lease that is wanted is read in a moment; else the next list comes by itself.
            Link::Up { .. } => {
                self.look_at = self.nodes.any_wanted().then(|| now + self.times.gather);
                return;
            }
            Link::Unread | Link::Down => return,
        };
        let stay = self.times.stay();
        let (mut next, mut done) = (None::<Instant>, Vec::new());
        for user in &self.leaving {
            let Some(person) = self.people.get_mut(user) else { continue };
            if person.left_at.is_some_and(|at| at + stay <= now) {
                person.left_at = None;
                done.push((*user, false));
            }
            let over = person.gone_at.map(|at| at + stay);
            // A node on which they were last waits for them, and will tell.
            match over.filter(|_| person.left_at.is_none() && !self.nodes.list(*user)) {
                Some(over) if over <= listed_at => done.push((*user, true)),
                Some(over) if over <= now => self.wants_list = true,
                Some(over) => next = Some(next.map_or(over, |next| next.min(over))),
                None => {}
            }
            if let Some(at) = person.left_at {
                next = Some(next.map_or(at + stay, |next| next.min(at + stay)));
            }
        }
        for (user, gone) in done {
            if gone {
                self.people.remove(&user);
                self.unsettle(user);
            }
            if self.people.get(&user).is_none_or(|person| !person.is_leaving()) {
                self.leaving.remove(&user);
            }
            self.tell_others(user);
        }
        // Those who left one after the other are looked at together.
        self.look_at = next.map(|at| at.max(now + self.times.gather));
    }

    /// Whether what is known of other nodes is fresh and whole enough to say that somebody has gone.
    fn can_judge(&self, now: Instant) -> bool {
        match self.link {
            Link::Alone => true,
            Link::Unread | Link::Down => false,
            Link::Up { listed_at, settled_at } => {
                listed_at >= settled_at
                    && now.saturating_duration_since(listed_at) <= self.times.lost_after()
                    && !self.nodes.any_wanted()
            }
        }
    }

    fn tell_others(&mut self, user: UserId) {
        if !matches!(self.link, Link::Alone) {
            self.untold.insert(user);
            self.settle_soon();
        }
    }

    /// Has it looked at whether a user is seen.
    fn unsettle(&mut self, user: UserId) {
        self.unsettled.insert(user);
        self.settle_soon();
    }

    /// At once, or as soon as a moment has passed since the last time.
    fn settle_soon(&mut self) {
        if self.settle_at.is_none() {
            self.settle_at = Some(self.settled_at + self.times.gather);
            self.hurries = true;
        }
    }

    fn look_by(&mut self, at: Instant) {
        if self.look_at.is_none_or(|other| at < other) {
            self.look_at = Some(at);
            self.hurries = true;
        }
    }
}
