//! When what happens: requests at a steady rate, and what waits for its moment.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsRawFd as _, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// Moments at a steady rate: the nth is due n intervals after the start, however late the ones before were.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    start_ns: u64,
    per_second: f64,
    count: u64,
}

impl Pace {
    pub(super) fn new(start_ns: u64, per_second: f64) -> Self {
        Self { start_ns, per_second, count: 0 }
    }

    /// When the next is due.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a moment within days, to some nanoseconds, and never negative"
    )]
    pub(super) fn due_ns(&self) -> u64 {
        self.start_ns + (self.count as f64 * 1e9 / self.per_second) as u64
    }

    /// The next one, if it is due by now.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<u64> {
        let due = self.due_ns();
        (due <= now_ns).then(|| {
            self.count += 1;
            due
        })
    }
}

/// What waits for its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// A subscriber comes back.
    Subscriber(usize),
    /// A caller may ask again.
    Caller(usize),
}

/// All that waits, the first one first.
#[derive(Debug, Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<(u64, Wake)>>);

impl Agenda {
    pub(super) fn add(&mut self, at_ns: u64, wake: Wake) {
        self.0.push(Reverse((at_ns, wake)));
    }

    pub(super) fn next_ns(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn take(&mut self, now_ns: u64) -> Option<Wake> {
        (self.next_ns()? <= now_ns).then(|| self.0.pop().map(|Reverse((_, wake))| wake))?
    }
}

/// Wakes the event loop to the microsecond, where its own timeout is in milliseconds.
pub(super) struct Alarm {
    timer: OwnedFd,
    armed_ns: Option<u64>,
}

impl Alarm {
    pub(super) fn new(registry: &Registry, token: Token) -> anyhow::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, armed_ns: None })
    }

    /// Has it ring at `at_ns`, which is not before `now_ns`.
    pub(super) fn set(&mut self, now_ns: u64, at_ns: u64) -> anyhow::Result<()> {
        if self.armed_ns == Some(at_ns) {
            return Ok(());
        }
        // Nothing at all would disarm it.
        let wait_ns = at_ns.saturating_sub(now_ns).max(1);
        let it_value = Timespec {
            tv_sec: i64::try_from(wait_ns / 1_000_000_000)?,
            tv_nsec: i64::try_from(wait_ns % 1_000_000_000)?,
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        self.armed_ns = Some(at_ns);
        Ok(())
    }

    /// It rang. Setting it anew makes the kernel forget that, so that nothing is read from it.
    pub(super) fn rang(&mut self) {
        self.armed_ns = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_one_does_not_move_the_next() {
        let mut pace = Pace::new(1000, 1e6);
        assert_eq!(pace.take(999), None);
        assert_eq!((pace.take(1000), pace.take(1000)), (Some(1000), None));
        assert_eq!((pace.take(9000), pace.take(9000)), (Some(2000), Some(3000)));
    }

    #[test]
    fn the_agenda_is_in_order() {
        let mut agenda = Agenda::default();
        agenda.add(5, Wake::Caller(1));
        agenda.add(3, Wake::Subscriber(2));
        assert_eq!((agenda.next_ns(), agenda.take(2)), (Some(3), None));
        assert_eq!(agenda.take(9), Some(Wake::Subscriber(2)));
        assert_eq!((agenda.take(9), agenda.take(9)), (Some(Wake::Caller(1)), None));
    }
}
