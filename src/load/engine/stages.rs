//! What a run does, one stage after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Engine;
use super::caller::{Job, Task};
use super::pace::Pace;
use super::subscriber::{Phase, Subscriber};
use super::tally::Stage;
use crate::load::plan::Demand;
use crate::load::proof::Proof;

/// How long a room takes to hear a greeting, before it gets another.
const GREET_NS: u64 = 500_000_000;

/// How often is asked whether to go on waiting.
const LOOK_NS: u64 = 100_000_000;

impl Engine<'_> {
    /// Opens every socket.
    pub(super) fn open_all(&mut self) -> anyhow::Result<()> {
        let mut pace = self.plan.ramp.map(|per_second| Pace::new(self.now_ns(), per_second));
        let mut next = 0;
        self.until("opening the sockets", |engine| {
            let now_ns = engine.now_ns();
            while next < engine.subscribers.len()
                && pace.as_mut().is_none_or(|pace| pace.take(now_ns).is_some())
            {
                engine.lobby.push_back(next);
                next += 1;
            }
            let wake_ns = pace.as_ref().map(Pace::due_ns).filter(|_| next < engine.subscribers.len());
            (engine.tally.open == engine.subscribers.len(), wake_ns)
        })
    }

    /// Has every subscriber of a server without a log hear something that counts for nothing: there, who is
    /// connected may not be in the room yet.
    pub(super) fn greet_all(&mut self) -> anyhow::Result<()> {
        if self.site.adapter.resumes() || self.plan.demand == Demand::None {
            return Ok(());
        }
        let mut again_ns = 0;
        self.until("greeting all rooms", |engine| {
            let is_out = |subscriber: &&Subscriber| {
                matches!(&subscriber.proof, Proof::Numbers(numbers) if !numbers.is_in)
            };
            let out: BTreeSet<u32> =
                engine.subscribers.iter().filter(is_out).map(|subscriber| subscriber.room).collect();
            let is_idle = engine.busy == 0 && engine.waiting.is_empty();
            let now_ns = engine.now_ns();
            if is_idle && now_ns >= again_ns {
                again_ns = now_ns + GREET_NS;
                let jobs = out.iter().map(|room| Job { due_ns: now_ns, task: Task::Greet(*room) });
                engine.waiting.extend(jobs);
            }
            (is_idle && out.is_empty(), Some(again_ns))
        })
    }

    /// Drops every socket at once.
    pub(super) fn drop_all(&mut self) {
        for index in 0..self.subscribers.len() {
            self.leave(index);
        }
        self.returning = vec![true; self.subscribers.len()];
    }

    /// Has all come back at once, and get what they missed.
    pub(super) fn return_all(&mut self) -> anyhow::Result<()> {
        self.storm_ns = self.now_ns();
        self.lobby.extend(0..self.subscribers.len());
        self.until("coming back", |engine| (!engine.returning.contains(&true), None))?;
        self.returning.clear();
        Ok(())
    }

    /// Keeps up what the plan demands, for as long as it says.
    pub(super) fn hold(&mut self) -> anyhow::Result<()> {
        let start_ns = self.now_ns();
        let end_ns = start_ns + u64::try_from(self.plan.duration.as_nanos())?;
        self.timed_from_ns = start_ns;
        self.is_measuring = true;
        let mut requests = None;
        match self.plan.demand {
            Demand::None => {}
            Demand::Open(rate) => requests = Some(Pace::new(start_ns, rate)),
            Demand::Closed => self.close_loop(),
        }
        let churned = self.plan.churn * f64::from(u32::try_from(self.subscribers.len())?);
        let mut churn = (churned > 0.0).then(|| Pace::new(start_ns, churned));
        loop {
            let now_ns = self.now_ns();
            if now_ns >= end_ns {
                break;
            }
            while let Some(due_ns) = requests.as_mut().and_then(|pace| pace.take(now_ns)) {
                self.demand(due_ns);
            }
            while churn.as_mut().and_then(|pace| pace.take(now_ns)).is_some() {
                let index = self.dice.below(self.subscribers.len());
                if self.subscribers[index].phase == Phase::Open {
                    self.leave(index);
                    self.lobby.push_back(index);
                }
            }
            let next = [requests.as_ref(), churn.as_ref()].into_iter().flatten().map(Pace::due_ns).min();
            self.turn(next.unwrap_or(end_ns).min(end_ns))?;
        }
        // However late it is, what was due is sent.
        while let Some(due_ns) = requests.as_mut().and_then(|pace| pace.take(end_ns - 1)) {
            self.demand(due_ns);
        }
        self.is_closed_loop = false;
        Ok(())
    }

    /// Waits for all answers and for what every subscriber is owed; what does not come for long is lost.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        self.live.enter(Stage::Settling);
        let settled = self.until("waiting for the rest", |engine| {
            let is_quiet = engine.busy == 0 && engine.waiting.is_empty() && engine.lobby.is_empty();
            (is_quiet && engine.subscribers.iter().all(|subscriber| engine.has_all(subscriber)), None)
        });
        // Who waited in vain says so in the report.
        settled.or_else(|error| if error.is::<Stuck>() { Ok(()) } else { Err(error) })
    }

    /// Goes on until `is_done`, which also says when it must be asked again; fails where nothing happens for
    /// long.
    pub(super) fn until(
        &mut self,
        doing: &'static str,
        mut is_done: impl FnMut(&mut Self) -> (bool, Option<u64>),
    ) -> anyhow::Result<()> {
        // One that comes back again and again gets nowhere.
        let (mut seen, mut most_open) = ((0, 0, 0, 0), 0);
        let mut give_up_ns = 0;
        loop {
            let (done, wake_ns) = is_done(self);
            if done {
                return Ok(());
            }
            let now_ns = self.now_ns();
            most_open = most_open.max(self.tally.open);
            let now = (most_open, self.tally.delivered, self.tally.acknowledged, self.tally.read);
            if now != seen || give_up_ns == 0 {
                seen = now;
                give_up_ns = now_ns + u64::try_from(self.plan.patience.as_nanos())?;
            } else if now_ns >= give_up_ns {
                return Err(anyhow::Error::new(Stuck {
                    doing,
                    patience: self.plan.patience,
                    story: self.story(),
                }));
            }
            self.turn(wake_ns.unwrap_or(u64::MAX).min(now_ns + LOOK_NS))?;
        }
    }

    /// What went wrong, for who waits in vain.
    fn story(&self) -> String {
        let tally = &self.tally;
        format!(
            "{} of {} sockets are open, {} requests are under way; refused handshakes {:?}, closed sockets {:?}, \
             refused requests {:?}, broken connections {:?}",
            tally.open,
            self.subscribers.len(),
            self.busy,
            tally.refused_handshakes,
            tally.closes,
            tally.refused_requests,
            tally.faults,
        )
    }
}

/// Nothing happened for long.
#[derive(Debug, thiserror::Error)]
#[error("nothing happened for {patience:?} while {doing}: {story}")]
pub(super) struct Stuck {
    doing: &'static str,
    patience: Duration,
    story: String,
}
