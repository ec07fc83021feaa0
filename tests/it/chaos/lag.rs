//! How long after its acknowledgement the last steady subscriber has a message.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::house::House;

/// How often it looks, and so how exact it is.
const INTERVAL: Duration = Duration::from_millis(20);

/// What was seen of it so far: when, since the beginning, and how much.
pub(super) struct Lag {
    started: Instant,
    seen: Mutex<Vec<(Duration, Duration)>>,
    worst: Mutex<Worst>,
}

/// The longest of all, and who had to wait.
#[derive(Debug, Default, Clone)]
pub(super) struct Worst {
    pub(super) lag: Duration,
    pub(super) at: Duration,
    /// Who was the last, and what became of their connections before.
    pub(super) who: String,
    pub(super) story: Vec<String>,
}

impl Lag {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, seen: Mutex::default(), worst: Mutex::default() }
    }

    /// Looks until it is dropped.
    pub(super) async fn watch(&self, houses: &Arc<Vec<House>>) {
        let mut waiting: Vec<VecDeque<(Instant, i64)>> = houses.iter().map(|_| VecDeque::new()).collect();
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            for (house, waiting) in houses.iter().zip(&mut waiting) {
                let (acknowledged, everybody) = (house.ledger.highest(), house.least_position());
                self.note_worst(now, house, waiting.front());
                let had = waiting.iter().take_while(|(_, seq)| *seq <= everybody).count();
                let had = waiting.drain(..had).map(|(at, _)| (now - self.started, now - at));
                self.seen.lock().extend(had);
                if waiting.back().is_none_or(|(_, seq)| *seq < acknowledged) {
                    waiting.push_back((now, acknowledged));
                }
            }
        }
    }

    /// Looks who is the last to have what was acknowledged first.
    fn note_worst(&self, now: Instant, house: &House, first: Option<&(Instant, i64)>) {
        let Some((at, seq)) = first else { return };
        let mut worst = self.worst.lock();
        let lag = now - *at;
        let Some(last) = house.last().filter(|last| last.position() < *seq && lag > worst.lag) else {
            return;
        };
        let story = last.story();
        let story = story.iter().skip(story.len().saturating_sub(4)).cloned().collect();
        *worst = Worst { lag, at: now - self.started, who: last.name.clone(), story };
    }

    pub(super) fn worst(&self) -> Worst {
        self.worst.lock().clone()
    }

    /// The longest of what came to its end in this time.
    pub(super) fn longest(&self, from: Duration, until: Duration) -> Duration {
        let seen = self.seen.lock();
        let begin = seen.partition_point(|(at, _)| *at < from);
        let within = seen.iter().skip(begin).take_while(|(at, _)| *at <= until);
        within.map(|(_, lag)| *lag).max().unwrap_or_default()
    }
}
