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

/// Bytes after which others may run, too: turns of many messages each are taken quickly and are much to write.
const STRETCH_BYTES: u64 = 512 * 1024;

/// Sockets that are worth one more walker, where there is a CPU for it.
const WORTH_A_WALKER: usize = 256;

/// Capacity that is kept while nobody waits, in sockets.
const KEPT_CAPACITY: usize = 64;

/// Sockets that a walker has taken; they need no memory but the walker's.
type Stretch<L> = SmallVec<[Arc<L>; STRETCH]>;

/// Somebody who gets turns.
pub(in crate::hub) trait Walked: Send + Sync + 'static {
    /// Its turns; how many it took.
    fn take_turns(self: &Arc<Self>, now: Instant, tally: &mut Tally<'_>) -> usize;

    /// It cannot go on.
    fn abandon(&self);
}

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
pub(in crate::hub) struct Walk<L = Link> {
    walkers: Arc<Walkers>,
    waiting: Mutex<Waiting<L>>,
}

struct Waiting<L> {
    links: VecDeque<Arc<L>>,
    /// How many walk.
    walking: usize,
}

impl<L: Walked> Walk<L> {
    pub(in crate::hub) fn new(walkers: Arc<Walkers>) -> Arc<Self> {
        let waiting = Waiting { links: VecDeque::new(), walking: 0 };
        Arc::new(Self { walkers, waiting: Mutex::new(waiting) })
    }

    /// Has a socket get its turn. Returns at once.
    pub(super) fn push(self: &Arc<Self>, link: Arc<L>) {
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
        // Made here, so that it is missed also where it never comes to run.
        let mut walker = Walker::of(Arc::clone(self));
        let walking = async move {
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
struct Walker<L: Walked> {
    walk: Arc<Walk<L>>,
    /// Who is next, the first of them last.
    stretch: Stretch<L>,
    /// Whose turn it is.
    visiting: Option<Arc<L>>,
    has_ended: bool,
}

impl<L: Walked> Walker<L> {
    fn of(walk: Arc<Walk<L>>) -> Self {
        Self { walk, stretch: Stretch::new(), visiting: None, has_ended: false }
    }

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
            && tally.bytes() < STRETCH_BYTES
            && let Some(link) = self.stretch.pop()
        {
            turns += self.visiting.insert(link).take_turns(now, &mut tally);
        }
        self.visiting = None;
    }
}

impl<L: Walked> Drop for Walker<L> {
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
            // Where it is dropped for another reason, its runtime ends, and would not run another either.
            let goes_on = std::thread::panicking() && !waiting.links.is_empty();
            waiting.walking -= usize::from(!goes_on);
            goes_on
        };
        if goes_on {
            self.walk.start();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Takes one turn with each visit.
    #[derive(Default)]
    struct Probe {
        /// What it writes.
        bytes: usize,
        is_faulty: bool,
        visits: AtomicU32,
        abandoned: AtomicU32,
    }

    impl Probe {
        fn seen(&self) -> [u32; 2] {
            [self.visits.load(Ordering::Relaxed), self.abandoned.load(Ordering::Relaxed)]
        }
    }

    impl Walked for Probe {
        fn take_turns(self: &Arc<Self>, _: Instant, tally: &mut Tally<'_>) -> usize {
            self.visits.fetch_add(1, Ordering::Relaxed);
            assert!(!self.is_faulty, "a fault of one socket");
            tally.wrote(self.bytes);
            1
        }

        fn abandon(&self) {
            self.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn walk(tasks: &TaskTracker) -> Arc<Walk<Probe>> {
        Walk::new(Walkers::new(Arc::new(HubMetrics::new()), tasks.clone()))
    }

    fn probe(bytes: usize, is_faulty: bool) -> Arc<Probe> {
        Arc::new(Probe { bytes, is_faulty, ..Probe::default() })
    }

    #[tokio::test]
    async fn a_fault_costs_the_socket_that_it_is_in_and_nobody_else() {
        let tasks = TaskTracker::new();
        let walk = walk(&tasks);
        let probes: Vec<_> = (0..200).map(|number| probe(1, number % 50 == 10)).collect();
        for probe in &probes {
            walk.push(Arc::clone(probe));
        }
        tasks.close();
        tasks.wait().await;
        for probe in &probes {
            assert_eq!(probe.seen(), [1, u32::from(probe.is_faulty)]);
        }
        assert_eq!(walk.waiting.lock().walking, 0);
        // Who comes later is visited, too.
        walk.push(Arc::clone(&probes[0]));
        tasks.wait().await;
        assert_eq!(probes[0].seen(), [2, 0]);
    }

    #[tokio::test]
    async fn a_visit_ends_with_its_turns_or_its_bytes() {
        let walk = walk(&TaskTracker::new());
        for (bytes, visited) in [(1, STRETCH), (200 * 1024, 3), (4 * 1024 * 1024, 1)] {
            let mut walker = Walker::of(Arc::clone(&walk));
            walker.stretch.extend((0..STRETCH).map(|_| probe(bytes, false)));
            walk.waiting.lock().walking = 1;
            walker.visit();
            assert_eq!(walker.stretch.len(), STRETCH - visited);
            drop(walker);
            walk.waiting.lock().links.clear();
        }
    }

    #[test]
    fn a_walker_that_never_runs_is_not_counted_and_starts_no_other() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let walk = runtime.block_on(async { walk(&TaskTracker::new()) });
        walk.push(probe(1, false));
        assert_eq!(walk.waiting.lock().walking, 1);
        drop(runtime);
        assert_eq!(walk.waiting.lock().walking, 0);
        // Nor where the runtime has ended before.
        walk.push(probe(1, false));
        assert_eq!(walk.waiting.lock().walking, 0);
    }
}
