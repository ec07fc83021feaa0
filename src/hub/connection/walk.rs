//! The walk: sockets of a room that are owed something get their turns one after the other, in a task or a few for all
//! of them. To wake ten thousand tasks would cost as much again as what they then do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::tally::Tally;
use crate::hub::metrics::HubMetrics;

/// Turns that are given before others may run: a third of a millisecond where each is one message, mostly in the kernel.
const STRETCH: usize = 64;

/// Sockets that are worth one more walker, where there is a CPU for it.
const WORTH_A_WALKER: usize = 256;

/// Capacity that is kept while nobody waits, in sockets.
const KEPT_CAPACITY: usize = 64;

/// Sockets that a walker has taken; they need no memory but the walker's.
type Stretch = SmallVec<[Arc<Link>; STRETCH]>;

/// What the walks of a node share.
pub(in crate::hub) struct Walkers {
    metrics: Arc<HubMetrics>,
    tasks: TaskTracker,
    runtime: Handle,
    /// At most so many in a room.
    max: usize,
}

impl Walkers {
    /// Walkers that run on this task's runtime.
    pub(in crate::hub) fn new(metrics: Arc<HubMetrics>, tasks: TaskTracker) -> Arc<Self> {
        let runtime = Handle::current();
        let max = runtime.metrics().num_workers();
        Arc::new(Self { metrics, tasks, runtime, max })
    }
}

/// The sockets of a room that wait for their turn, in the order in which they were woken.
pub(in crate::hub) struct Walk {
    walkers: Arc<Walkers>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    links: VecDeque<Arc<Link>>,
    /// How many walk.
    walking: usize,
}

impl Walk {
    pub(in crate::hub) fn new(walkers: Arc<Walkers>) -> Arc<Self> {
        Arc::new(Self { walkers, waiting: Mutex::default() })
    }

    /// Has a socket get its turn. Returns at once.
    pub(super) fn push(self: &Arc<Self>, link: Arc<Link>) {
        let wanted = {
            let mut waiting = self.waiting.lock();
            waiting.links.push_back(link);
            let worth = waiting.links.len().div_ceil(WORTH_A_WALKER).min(self.walkers.max);
            let wanted = waiting.walking < worth;
            waiting.walking += usize::from(wanted);
            wanted
        };
        if wanted {
            self.start();
        }
    }

    fn start(self: &Arc<Self>) {
        let walk = Arc::clone(self);
        let walking = async move {
            let mut walker = Walker { walk, stretch: Stretch::new(), visiting: None, has_ended: false };
            while walker.next() {
                walker.visit();
                tokio::task::yield_now().await;
            }
        };
        self.walkers.tasks.spawn_on(walking, &self.walkers.runtime);
    }

    /// What is delivered is counted there.
    pub(super) fn metrics(&self) -> &HubMetrics {
        &self.walkers.metrics
    }
}

/// One who gives turns.
struct Walker {
    walk: Arc<Walk>,
    /// Who is next, the first of them last.
    stretch: Stretch,
    /// Whose turn it is.
    visiting: Option<Arc<Link>>,
    has_ended: bool,
}

impl Walker {
    /// Takes those who are next. False where nobody is: it ends.
    fn next(&mut self) -> bool {
        if !self.stretch.is_empty() {
            return true;
        }
        let mut waiting = self.walk.waiting.lock();
        if waiting.links.is_empty() {
            // Under this lock: whoever is woken later finds that there is one walker less.
            waiting.walking -= 1;
            waiting.links.shrink_to(KEPT_CAPACITY);
            self.has_ended = true;
            return false;
        }
        let count = waiting.links.len().min(STRETCH);
        self.stretch.extend(waiting.links.drain(..count));
        self.stretch.reverse();
        true
    }

    fn visit(&mut self) {
        let (now, mut tally) = (Instant::now(), Tally::of(self.walk.metrics()));
        let mut turns = 0;
        while turns < STRETCH
            && let Some(link) = self.stretch.pop()
        {
            turns += self.visiting.insert(link).take_turns(now, &mut tally);
        }
        self.visiting = None;
    }
}

impl Drop for Walker {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // A fault costs the socket that it is in, as it does in a task of its own, and nobody else.
        if let Some(link) = self.visiting.take() {
            link.abandon();
        }
        let goes_on = {
            let mut waiting = self.walk.waiting.lock();
            self.stretch.drain(..).for_each(|link| waiting.links.push_front(link));
            let goes_on = !waiting.links.is_empty();
            waiting.walking -= usize::from(!goes_on);
            goes_on
        };
        if goes_on {
            self.walk.start();
        }
    }
}
