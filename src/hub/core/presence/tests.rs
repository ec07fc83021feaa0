//! Several nodes' presence of one organisation against what is true, over arbitrary interleavings of sockets,
//! messages that are lost, repeated and reordered, leases that are lost, outages, deaths and pauses.

mod rules;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NODES: usize = 3;
const USERS: usize = 5;

/// Virtual time goes by so much at once.
const TICK: Duration = Duration::from_millis(50);

/// When what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

fn times() -> PresenceTimes {
    PresenceTimes::default()
}

#[derive(Debug, Clone)]
enum Step {
    Open {
        node: usize,
        user: usize,
    },
    Close(usize),
    /// A socket goes to another node, within the debounce.
    Move {
        socket: usize,
        to: usize,
        ticks: u8,
    },
    Watch(usize),
    Turn(usize),
    Deliver(usize),
    Repeat(usize),
    Lose(usize),
    Pass(u8),
    Flush,
    Outage,
    Recover,
    Kill(usize),
    Pause {
        node: usize,
        ticks: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (node, user) = (0..NODES, 0..USERS);
    prop_oneof![
        4 => (node.clone(), user).prop_map(|(node, user)| Step::Open { node, user }),
        3 => any::<usize>().prop_map(Step::Close),
        3 => (any::<usize>(), node.clone(), 0u8..90).prop_map(|(socket, to, ticks)| Step::Move { socket, to, ticks }),
        1 => node.clone().prop_map(Step::Watch),
        4 => any::<usize>().prop_map(Step::Turn),
        5 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Repeat),
        2 => any::<usize>().prop_map(Step::Lose),
        6 => any::<u8>().prop_map(Step::Pass),
        1 => Just(Step::Flush),
        1 => Just(Step::Outage),
        2 => Just(Step::Recover),
        1 => node.clone().prop_map(Step::Kill),
        1 => (node, any::<u8>()).prop_map(|(node, ticks)| Step::Pause { node, ticks }),
    ]
}

/// A lease where the nodes keep theirs.
struct Kept {
    version: u64,
    users: HashMap<UserId, Seen>,
    renewed_at: Instant,
}

struct Peer {
    watch: Watch,
    view: BTreeSet<UserId>,
}

struct World {
    now: Instant,
    users: Vec<UserId>,
    nodes: Vec<TestNode>,
    /// Every open socket: on which node, whose.
    sockets: Vec<(usize, UserId)>,
    leases: HashMap<NodeId, Kept>,
    is_up: bool,
    /// Messages under way: to which node, what.
    messages: Vec<(usize, News)>,
    /// Since when each user has been away without a break for longer than the debounce, or may have been.
    excused: HashMap<UserId, Instant>,
    left_at: HashMap<UserId, Instant>,
    opened_at: HashMap<UserId, Instant>,
    /// Who came where it could not be written down at once: others may have taken them for gone until it was.
    unwritten: HashMap<UserId, Instant>,
}

struct TestNode {
    id: NodeId,
    presence: Presence,
    version: u64,
    renew_at: Instant,
    paused_until: Instant,
    peers: Vec<Peer>,
    seen: BTreeSet<UserId>,
}

impl TestNode {
    fn new(now: Instant) -> Self {
        Self {
            id: NodeId::new(),
            presence: Presence::new(times(), Company::Nodes, now),
            version: 0,
            renew_at: now,
            paused_until: now,
            peers: Vec::new(),
            seen: BTreeSet::new(),
        }
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::now() + Duration::from_hours(1);
        Self {
            now,
            users: (0..USERS).map(|_| UserId::new()).collect(),
            nodes: (0..NODES).map(|_| TestNode::new(now)).collect(),
            sockets: Vec::new(),
            leases: HashMap::new(),
            is_up: true,
            messages: Vec::new(),
            excused: HashMap::new(),
            left_at: HashMap::new(),
            opened_at: HashMap::new(),
            unwritten: HashMap::new(),
        }
    }

    fn is_paused(&self, node: usize) -> bool {
        self.nodes[node].paused_until > self.now
    }

    fn open(&mut self, node: usize, user: UserId) {
        if self.is_paused(node) {
            return;
        }
        self.nodes[node].presence.joined(user, Timestamp::from_millis(1), self.now);
        self.sockets.push((node, user));
        self.left_at.remove(&user);
        self.opened_at.insert(user, self.now);
    }

    fn close(&mut self, index: usize) -> Option<UserId> {
        if self.sockets.is_empty() {
            return None;
        }
        let index = index % self.sockets.len();
        if self.is_paused(self.sockets[index].0) {
            return None;
        }
        let (node, user) = self.sockets.swap_remove(index);
        self.nodes[node].presence.left(user, self.now);
        self.note_left(user);
        Some(user)
    }

    fn note_left(&mut self, user: UserId) {
        if self.sockets.iter().all(|(_, other)| *other != user) {
            self.left_at.insert(user, self.now);
        }
    }

    /// A node that was killed starts again as another; its sockets are gone.
    fn kill(&mut self, node: usize) {
        // Of a socket that came right before, nobody could know.
        self.pass(5);
        self.nodes[node] = TestNode::new(self.now);
        self.messages.retain(|(to, _)| *to != node);
        let gone: Vec<UserId> =
            self.sockets.extract_if(.., |(on, _)| *on == node).map(|(_, user)| user).collect();
        for user in gone {
            self.note_left(user);
        }
    }

    /// What nodes do by themselves, and the leases that run out.
    fn pass(&mut self, ticks: u8) {
        for _ in 0..ticks {
            self.now += TICK;
            let now = self.now;
            self.leases.retain(|_, kept| kept.renewed_at + times().lease > now);
            for (user, at) in &self.left_at {
                if *at + times().debounce <= now {
                    self.excused.insert(*user, now);
                }
            }
            // Whoever is on a node that stands still for long is away for the others, and comes anew.
            for (node, user) in &self.sockets {
                if self.nodes[*node].paused_until > now {
                    self.excused.insert(*user, now);
                }
            }
            for node in 0..NODES {
                if !self.is_paused(node) {
                    self.work(node);
                }
            }
        }
    }

    fn work(&mut self, node: usize) {
        let now = self.now;
        if self.nodes[node].renew_at <= now {
            self.nodes[node].renew_at = now + times().renewal;
            self.exchange(node);
        }
        let presence = &mut self.nodes[node].presence;
        if presence.due().is_some_and(|due| due <= now) {
            let settled = presence.settle(now, |_| true);
            if settled.leases {
                self.exchange(node);
            }
            self.check_seen(node);
        }
    }

    fn exchange(&mut self, node: usize) {
        let now = self.now;
        let test = &mut self.nodes[node];
        if !self.is_up {
            test.presence.unwritten();
            test.presence.unreachable();
            test.renew_at = now + RETRY;
            for (user, at) in &self.opened_at {
                if self.now - *at <= RETRY {
                    self.unwritten.insert(*user, now);
                }
            }
            return;
        }
        loop {
            test.version += 1;
            let news = test.presence.outgoing(test.id, test.version, 2);
            let kept = self.leases.get(&test.id);
            let intact = news.from == 0 || kept.is_some_and(|kept| kept.version == news.from);
            if intact {
                let kept = self.leases.entry(test.id).or_insert_with(|| Kept {
                    version: 0,
                    users: HashMap::new(),
                    renewed_at: now,
                });
                if news.from == 0 {
                    kept.users.clear();
                }
                for (user, seen) in &news.changes {
                    match seen {
                        Some(seen) => kept.users.insert(*user, *seen),
                        None => kept.users.remove(user),
                    };
                }
                kept.version = news.version;
                kept.renewed_at = now;
            } else {
                test.presence.unwritten();
            }
            let others = self.leases.iter().filter(|(id, _)| **id != test.id).map(|(id, kept)| Lease {
                node: *id,
                version: kept.version,
                age: now - kept.renewed_at,
            });
            test.presence.listed(&others.collect::<Vec<_>>(), intact, now);
            let is_whole = intact && news.changes.len() < 2;
            if intact && !news.changes.is_empty() {
                let others = (0..NODES).filter(|other| *other != node);
                self.messages.extend(others.map(|other| (other, news.clone())));
            }
            if is_whole {
                break;
            }
        }
        for wanted in test.presence.wanted() {
            let lease = self.leases.get(&wanted).map(|kept| (kept.version, kept.users.clone()));
            test.presence.read(wanted, lease, now);
        }
    }

    /// Who is no longer seen was away for longer than the debounce, or what is known was lost.
    fn check_seen(&mut self, node: usize) {
        let presence = &self.nodes[node].presence;
        let seen: BTreeSet<UserId> =
            self.users.iter().copied().filter(|user| presence.changes.is_online(*user)).collect();
        for user in self.nodes[node].seen.difference(&seen) {
            let excused = self.excused.get(user).is_some_and(|at| self.now - *at <= Duration::from_secs(23));
            let unwritten = self.unwritten.get(user).is_some_and(|at| self.now - *at <= RETRY * 2);
            assert!(excused || unwritten, "{user} was said to be offline, and was not");
        }
        self.nodes[node].seen = seen;
    }

    fn turn(&mut self, index: usize) {
        let all: Vec<(usize, usize)> = (0..NODES)
            .flat_map(|node| (0..self.nodes[node].peers.len()).map(move |peer| (node, peer)))
            .collect();
        if let Some((node, peer)) = (!all.is_empty()).then(|| all[index % all.len()]) {
            let TestNode { presence, peers, .. } = &mut self.nodes[node];
            take(presence, &mut peers[peer]);
        }
    }

    fn message(&mut self, index: usize, keep: bool, deliver: bool) {
        if self.messages.is_empty() {
            return;
        }
        let index = index % self.messages.len();
        let (to, news) = if keep { self.messages[index].clone() } else { self.messages.swap_remove(index) };
        if deliver && !self.is_paused(to) {
            self.nodes[to].presence.heard(news, self.now);
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Open { node, user } => self.open(node, self.users[user]),
            Step::Close(index) => drop(self.close(index)),
            Step::Move { socket, to, ticks } => {
                if !self.is_paused(to)
                    && let Some(user) = self.close(socket)
                {
                    self.pass(ticks);
                    self.open(to, user);
                }
            }
            Step::Watch(node) => {
                let node = &mut self.nodes[node];
                node.peers.push(Peer { watch: node.presence.watch(), view: BTreeSet::new() });
            }
            Step::Turn(index) => self.turn(index),
            Step::Deliver(index) => self.message(index, false, true),
            Step::Repeat(index) => self.message(index, true, true),
            Step::Lose(index) => self.message(index, false, false),
            Step::Pass(ticks) => self.pass(ticks),
            Step::Flush => self.leases.clear(),
            Step::Outage => self.is_up = false,
            Step::Recover => self.is_up = true,
            Step::Kill(node) => self.kill(node),
            Step::Pause { node, ticks } => {
                self.pass(5);
                self.nodes[node].paused_until = self.now + TICK * u32::from(ticks);
            }
        }
    }

    /// Whatever happened: once nothing happens any more, everybody knows what is true.
    fn settle(&mut self) {
        self.is_up = true;
        for _ in 0..8 {
            self.pass(100);
        }
        let mut truth: HashMap<UserId, u64> = HashMap::new();
        for (_, user) in &self.sockets {
            *truth.entry(*user).or_default() += 1;
        }
        for node in &mut self.nodes {
            let online: HashMap<UserId, u64> =
                node.presence.online().map(|online| (online.user, online.sockets)).collect();
            assert_eq!(online, truth);
            assert!(node.presence.is_complete(self.now));
            assert!(node.seen.iter().all(|user| truth.contains_key(user)) && node.seen.len() == truth.len());
            for peer in &mut node.peers {
                take(&mut node.presence, peer);
                assert_eq!(peer.view, node.seen);
            }
            node.presence.prune(node.peers.iter().map(|peer| &peer.watch));
            assert!(!node.presence.has_offline());
            assert_eq!(node.presence.due(), None);
            assert!(node.presence.leaving.is_empty() && node.presence.untold.is_empty());
        }
    }
}

/// Takes all that there is; afterwards the peer's view is the room's.
fn take(presence: &mut Presence, peer: &mut Peer) {
    while let Some(chunk) = presence.difference(&mut peer.watch).unwrap() {
        for (user, online) in &chunk.users {
            if *online {
                peer.view.insert(*user)
            } else {
                peer.view.remove(user)
            };
        }
    }
    assert!(presence.is_told(&peer.watch));
    let seen = presence.people.keys().copied().filter(|user| presence.changes.is_online(*user));
    assert!(seen.into_iter().all(|user| peer.view.contains(&user)));
    assert!(peer.view.iter().all(|user| presence.changes.is_online(*user)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nodes_agree_on_who_is_online(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.settle();
    }

    #[test]
    fn a_view_is_the_rooms_after_its_turns(
        sets in prop::collection::vec((0usize..300, any::<bool>(), any::<bool>(), any::<bool>()), 1..600),
    ) {
        let users: Vec<UserId> = (0..300).map(|_| UserId::new()).collect();
        let mut changes = Changes::default();
        let mut peers: Vec<Peer> = Vec::new();
        for (index, online, comes, prunes) in sets {
            changes.set(users[index], online);
            if comes && peers.len() < 5 {
                peers.push(Peer { watch: changes.watch(), view: BTreeSet::new() });
            }
            // One chunk each, so that some are always behind.
            let turn = peers.len().saturating_sub(1).min(index % 6);
            if let Some(peer) = peers.get_mut(turn)
                && let Some(chunk) = changes.difference(&mut peer.watch).unwrap()
            {
                for (user, online) in &chunk.users {
                    if *online { peer.view.insert(*user) } else { peer.view.remove(user) };
                }
            }
            if prunes {
                changes.prune(peers.iter().map(|peer| &peer.watch));
            }
        }
        let online: BTreeSet<UserId> = users.iter().copied().filter(|user| changes.is_online(*user)).collect();
        for peer in &mut peers {
            while let Some(chunk) = changes.difference(&mut peer.watch).unwrap() {
                for (user, online) in &chunk.users {
                    if *online { peer.view.insert(*user) } else { peer.view.remove(user) };
                }
            }
            prop_assert_eq!(&peer.view, &online);
        }
    }
}
