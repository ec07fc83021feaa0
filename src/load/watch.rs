//! What is seen of a run from outside while it runs: samples for the report, and progress on a terminal.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::engine::{Live, Stage};
use super::plan::Plan;
use super::process::Process;

/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// One look.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sample {
    /// Milliseconds since the start.
    pub(super) at_ms: u64,
    /// What the run was at.
    pub(super) stage: Stage,
    /// Open sockets.
    pub(super) sockets: usize,
    /// Messages received so far.
    pub(super) delivered: u64,
    /// Broadcasts acknowledged so far.
    pub(super) acknowledged: u64,
    /// Pages read so far.
    pub(super) read: u64,
    /// The server's CPU so far, in milliseconds, where its process is known.
    pub(super) cpu_ms: Option<u64>,
    /// The server's memory, in KiB.
    pub(super) memory_kib: Option<u64>,
}

/// What people see meanwhile: nothing, unless they look at a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new(scenario: &str) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix:8} {bar:30} {elapsed:>4}  {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(scenario.to_owned());
        Self { bar }
    }

    /// Says what is under way.
    pub(super) fn say(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
        self.bar.tick();
    }

    /// Says that a limit has to be waited for.
    pub(super) fn wait(&self, wait: Duration) {
        self.say(format!("the hub's limits: waiting for {} s", wait.as_secs()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Looks at a run until it is over; what it saw is in `samples`.
pub(super) fn watch(
    plan: &Plan,
    live: &Live,
    process: Option<Process>,
    progress: &Progress,
    samples: &Mutex<Vec<Sample>>,
    is_over: &AtomicBool,
) {
    let started = Instant::now();
    let mut measuring = None;
    let mut before: Option<Sample> = None;
    while !is_over.load(Ordering::Relaxed) {
        let sample = Sample {
            at_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            stage: live.stage(),
            sockets: live.open.load(Ordering::Relaxed),
            delivered: live.delivered.load(Ordering::Relaxed),
            acknowledged: live.acknowledged.load(Ordering::Relaxed),
            read: live.read.load(Ordering::Relaxed),
            cpu_ms: process.and_then(|process| process.cpu_ms().ok()),
            memory_kib: process.and_then(|process| process.memory_kib().ok()),
        };
        if sample.stage == Stage::Measuring {
            measuring.get_or_insert(sample.at_ms);
        }
        show(plan, &sample, before.as_ref(), measuring, &progress.bar);
        before = Some(sample);
        if let Ok(mut samples) = samples.lock() {
            samples.push(sample);
        }
        thread::park_timeout(INTERVAL);
    }
}

fn show(plan: &Plan, now: &Sample, before: Option<&Sample>, measuring: Option<u64>, bar: &ProgressBar) {
    let (length, position, what) = match now.stage {
        Stage::Preparing => (1, 0, "preparing"),
        Stage::Opening => (plan.sockets as u64, now.sockets as u64, "opening"),
        Stage::Returning => (plan.sockets as u64, now.sockets as u64, "coming back"),
        Stage::Measuring => {
            let duration = u64::try_from(plan.duration.as_millis()).unwrap_or(u64::MAX);
            (duration, now.at_ms.saturating_sub(measuring.unwrap_or(now.at_ms)), "measuring")
        }
        Stage::Settling => (1, 1, "waiting for the rest"),
    };
    bar.set_length(length.max(1));
    bar.set_position(position.min(length));
    let elapsed = before.map_or(1, |before| now.at_ms.saturating_sub(before.at_ms).max(1));
    let rate = |count: fn(&Sample) -> u64| {
        before.map_or(0, |before| count(now).saturating_sub(count(before)) * 1000 / elapsed)
    };
    let hub = now.memory_kib.map(|memory| {
        let cpu = rate(|sample| sample.cpu_ms.unwrap_or_default()) / 10;
        format!("; hub {cpu} % CPU, {} MiB", memory / 1024)
    });
    bar.set_message(format!(
        "{what}: {} sockets, {} received/s, {} broadcasts/s, {} pages/s{}",
        now.sockets,
        rate(|sample| sample.delivered),
        rate(|sample| sample.acknowledged),
        rate(|sample| sample.read),
        hub.unwrap_or_default(),
    ));
}
