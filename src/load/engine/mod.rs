//! The event loop: all sockets and callers of a run on one thread, without a task, a timer or a buffer for
//! each.

mod caller;
mod lanes;
mod pace;
mod requests;
mod stages;
mod subscriber;
mod tally;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::event::Event;
use mio::{Events, Poll, Token};

use self::caller::{Caller, Job};
use self::lanes::Lanes;
use self::pace::{Agenda, Alarm, Wake};
use self::subscriber::{Ears, Outcome, Phase, Subscriber};
pub(super) use self::tally::{Live, Stage, Tally, Times};
use super::adapter::{Adapter, Room};
use super::address::{Endpoint, Sources};
use super::mark::Marks;
use super::plan::{Demand, Dice, Plan, Scenario};
use super::process::{Process, own_cpu_ns};
use super::proof::Proof;
use super::setup::database_reads;
use super::wire::{BUFFER_BYTES, Fault};

/// Where a run happens.
pub(super) struct Site {
    pub(super) adapter: Adapter,
    pub(super) subscribe: Endpoint,
    pub(super) publish: Endpoint,
    pub(super) rooms: Vec<Room>,
    pub(super) sources: Sources,
    /// The server's process, where that is known.
    pub(super) process: Option<Process>,
}

/// Sockets have the tokens from 0, callers those from here.
const CALLERS: usize = 1 << 32;
const ALARM: Token = Token(usize::MAX - 1);

/// The part of a run between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Window {
    /// When it began.
    pub(super) began_ns: u64,
    /// How long it was.
    pub(super) length_ns: u64,
    /// What the server's process used in it.
    pub(super) cpu_ms: u64,
    /// What this thread used in it.
    pub(super) own_cpu_ns: u64,
    /// What subscribers received in it.
    pub(super) delivered: u64,
    /// What was acknowledged in it.
    pub(super) acknowledged: u64,
    /// The pages that were read in it.
    pub(super) read: u64,
}

/// What a run left.
pub(super) struct Finished {
    pub(super) tally: Tally,
    pub(super) proven: Vec<Proven>,
    /// While sockets were opened.
    pub(super) opening: Window,
    /// While it measured.
    pub(super) measured: Window,
    /// While all came back at once.
    pub(super) returning: Option<Window>,
    /// Requests that were never sent.
    pub(super) unsent: u64,
    /// Memory before any socket, with all of them, and at the end of the measuring.
    pub(super) memory_kib: [Option<u64>; 3],
}

/// What became of a subscriber.
pub(super) struct Proven {
    pub(super) proof: Proof,
    /// How many of the last messages never came.
    pub(super) behind: u64,
    /// Whether its socket was open at the end.
    pub(super) is_open: bool,
}

pub(super) struct Engine<'a> {
    plan: &'a Plan,
    site: &'a Site,
    live: &'a Live,
    /// Set, it ends.
    stop: &'a AtomicBool,
    poll: Poll,
    events: Events,
    alarm: Alarm,
    started: Instant,
    subscribers: Vec<Subscriber>,
    /// Who comes in as soon as a handshake is free.
    lobby: VecDeque<usize>,
    handshaking: usize,
    callers: Vec<Caller>,
    idle: Vec<usize>,
    waiting: VecDeque<Job>,
    busy: usize,
    agenda: Agenda,
    /// The end of each room's log, as far as acknowledgements tell; else the number of messages.
    heads: Vec<i64>,
    lanes: Lanes,
    buffer: Box<[u8]>,
    marks: Marks,
    dice: Dice,
    tally: Tally,
    /// Answers bring on the next request.
    is_closed_loop: bool,
    /// What happens is timed.
    is_measuring: bool,
    timed_from_ns: u64,
    /// Who has not yet all that it missed, in a storm, and since when.
    returning: Vec<bool>,
    storm_ns: u64,
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        site: &'a Site,
        live: &'a Live,
        stop: &'a AtomicBool,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let mut dice = Dice::of(plan.seed);
        let run = u32::try_from(u64::from(std::process::id()) ^ dice.next() >> 32)?;
        let subscribers = (0..plan.sockets).map(|index| {
            let room = index % plan.rooms;
            let proof = site.adapter.proof(&site.rooms[room], plan.callers);
            Subscriber::new(u32::try_from(room).unwrap_or(u32::MAX), proof)
        });
        let lanes = if site.adapter.resumes() {
            Lanes::default()
        } else {
            let answers = site.adapter.publishes_by_socket() && plan.demand == Demand::Closed;
            Lanes::new(plan.rooms, plan.callers, plan.sockets, answers)
        };
        Ok(Self {
            plan,
            site,
            live,
            stop,
            poll,
            alarm,
            events: Events::with_capacity(1024),
            started: Instant::now(),
            subscribers: subscribers.collect(),
            lobby: VecDeque::new(),
            handshaking: 0,
            callers: (0..plan.callers).map(|_| Caller::new()).collect(),
            idle: (0..plan.callers).collect(),
            waiting: VecDeque::new(),
            busy: 0,
            agenda: Agenda::default(),
            heads: vec![0; plan.rooms],
            lanes,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            marks: Marks::of(run),
            dice,
            tally: Tally::default(),
            is_closed_loop: false,
            is_measuring: false,
            timed_from_ns: u64::MAX,
            returning: Vec::new(),
            storm_ns: 0,
        })
    }

    /// Does all that the plan says.
    pub(super) fn run(mut self) -> anyhow::Result<Finished> {
        if self.plan.history > 0 {
            self.burst(self.plan.history).context("filling the feeds")?;
        }
        let before = self.memory_kib()?;
        let opening = self.windowed(Stage::Opening, Self::open_all)?;
        self.greet_all()?;
        let with_all = self.memory_kib()?;
        let mut returning = None;
        if self.plan.scenario == Scenario::Storm {
            self.drop_all();
            self.burst(self.plan.missed).context("saying what is missed")?;
            let before = database_reads(&self.site.publish);
            returning = Some(self.windowed(Stage::Returning, Self::return_all)?);
            let after = database_reads(&self.site.publish);
            self.tally.return_reads = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        }
        let measured = self.windowed(Stage::Measuring, Self::hold)?;
        let at_end = self.memory_kib()?;
        self.settle()?;
        let (heads, lanes) = (&self.heads, &self.lanes);
        let proven = self.subscribers.into_iter().map(|Subscriber { room, proof, phase, .. }| {
            let behind = match &proof {
                Proof::Log(_) => u64::try_from(heads[room as usize] - proof.reached()).unwrap_or_default(),
                Proof::Numbers(numbers) => numbers.behind(lanes.owed_in(room)),
            };
            Proven { proof, behind, is_open: phase == Phase::Open }
        });
        Ok(Finished {
            proven: proven.collect(),
            opening,
            measured,
            returning,
            unsent: self.waiting.len() as u64,
            memory_kib: [before, with_all, at_end],
            tally: self.tally,
        })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn memory_kib(&self) -> anyhow::Result<Option<u64>> {
        self.site.process.map(Process::memory_kib).transpose()
    }

    /// Does something, and tells what happened meanwhile.
    fn windowed(
        &mut self,
        stage: Stage,
        act: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Window> {
        let look = |engine: &Self| -> anyhow::Result<Window> {
            Ok(Window {
                began_ns: engine.now_ns(),
                length_ns: 0,
                cpu_ms: engine.site.process.map_or(Ok(0), Process::cpu_ms)?,
                own_cpu_ns: own_cpu_ns(),
                delivered: engine.tally.delivered,
                acknowledged: engine.tally.acknowledged,
                read: engine.tally.read,
            })
        };
        self.live.enter(stage);
        let before = look(self)?;
        act(self)?;
        let after = look(self)?;
        Ok(Window {
            began_ns: before.began_ns,
            length_ns: after.began_ns - before.began_ns,
            cpu_ms: after.cpu_ms.saturating_sub(before.cpu_ms),
            own_cpu_ns: after.own_cpu_ns - before.own_cpu_ns,
            delivered: after.delivered - before.delivered,
            acknowledged: after.acknowledged - before.acknowledged,
            read: after.read - before.read,
        })
    }

    /// One round: waits for something to happen, until `until_ns` at most, and deals with it.
    fn turn(&mut self, until_ns: u64) -> anyhow::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            bail!("stopped");
        }
        self.admit();
        self.dispatch();
        let wake_ns = self.agenda.next_ns().map_or(until_ns, |next| next.min(until_ns));
        self.alarm.set(self.now_ns(), wake_ns)?;
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, None) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => bail!(error),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            match event.token() {
                ALARM => self.alarm.rang(),
                Token(token) if token >= CALLERS => self.hear_caller(token - CALLERS, event),
                Token(index) => self.hear_subscriber(index, event),
            }
        }
        self.events = events;
        while let Some(index) = self.lanes.take_answered() {
            self.heard_by_all(index);
        }
        let now_ns = self.now_ns();
        while let Some(wake) = self.agenda.take(now_ns) {
            match wake {
                Wake::Subscriber(index) => self.lobby.push_back(index),
                Wake::Caller(index) => self.rested(index),
            }
        }
        self.live.show(&self.tally);
        Ok(())
    }

    /// Lets in who waits, as many at once as may.
    fn admit(&mut self) {
        while self.handshaking < self.plan.handshakes {
            let Some(index) = self.lobby.pop_front() else { return };
            let now_ns = self.now_ns();
            let subscriber = &mut self.subscribers[index];
            let room = &self.site.rooms[subscriber.room as usize];
            let by = (&self.site.adapter, &self.site.subscribe, room, self.site.sources);
            match subscriber.open(self.poll.registry(), index, by, now_ns) {
                Ok(()) => self.handshaking += 1,
                Err(fault) => self.broke(index, &fault),
            }
        }
    }

    fn hear_subscriber(&mut self, index: usize, event: &Event) {
        let now_ns = self.now_ns();
        let Self { subscribers, buffer, tally, lanes, marks, site, timed_from_ns, .. } = self;
        let Some(subscriber) = subscribers.get_mut(index) else { return };
        let room = &site.rooms[subscriber.room as usize];
        let ears =
            Ears { adapter: &site.adapter, marks, tally, lanes, now_ns, timed_from_ns: *timed_from_ns };
        let sent = if event.is_writable() { subscriber.write() } else { Ok(()) };
        let ends = event.is_read_closed() || event.is_error();
        let outcome = match sent {
            Ok(()) if event.is_readable() || ends => subscriber.read(ears, buffer, room, ends),
            Ok(()) => Ok(Outcome::Same),
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(Outcome::Same) => {}
            Ok(Outcome::Opened) => {
                self.handshaking -= 1;
                subscriber.failures = 0;
                self.tally.openings.note(subscriber.began_ns, now_ns);
                self.tally.open += 1;
            }
            Ok(Outcome::Closed(code)) => {
                *self.tally.closes.entry(code).or_default() += 1;
                self.leave(index);
                self.come_back(index, code, None);
            }
            Ok(Outcome::Refused(status, after)) => {
                *self.tally.refused_handshakes.entry(status).or_default() += 1;
                self.leave(index);
                self.come_back(index, status, after);
            }
            Err(fault) => self.broke(index, &fault),
        }
        if self.returning.get(index) == Some(&true) {
            self.has_returned(index, now_ns);
        }
    }

    /// Whether one is there and has all that it was owed so far.
    fn has_all(&self, subscriber: &Subscriber) -> bool {
        subscriber.phase == Phase::Open && subscriber.proof.reached() >= self.heads[subscriber.room as usize]
    }

    /// Looks whether one has all that it missed.
    fn has_returned(&mut self, index: usize, now_ns: u64) {
        let subscriber = &self.subscribers[index];
        if self.storm_ns > 0 && self.has_all(subscriber) {
            self.returning[index] = false;
            self.tally.returns.note(self.storm_ns, now_ns);
        }
    }

    fn broke(&mut self, index: usize, fault: &Fault) {
        self.tally.fault(fault);
        self.leave(index);
        self.come_back(index, 1006, None);
    }

    /// Drops a socket.
    fn leave(&mut self, index: usize) {
        let subscriber = &mut self.subscribers[index];
        match subscriber.phase {
            Phase::Away => {}
            Phase::Upgrading | Phase::Greeting => self.handshaking -= 1,
            Phase::Open => self.tally.open -= 1,
        }
        subscriber.drop_socket();
    }

    /// Has a subscriber come back, unless this code of a close or a refusal tells it not to.
    fn come_back(&mut self, index: usize, code: u16, after: Option<Duration>) {
        if matches!(code, 400..=428 | 1002 | 1007 | 1009 | 4400..=4404) {
            return;
        }
        let subscriber = &mut self.subscribers[index];
        subscriber.failures += 1;
        let pause = after.unwrap_or_else(|| Duration::from_millis(50 << subscriber.failures.min(6)));
        let spread = Duration::from_micros(self.dice.below(50_000) as u64);
        let at_ns = self.now_ns() + u64::try_from((pause + spread).as_nanos()).unwrap_or(u64::MAX);
        self.agenda.add(at_ns, Wake::Subscriber(index));
    }
}
