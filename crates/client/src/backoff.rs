//! How long to wait before the next attempt.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Exponential back-off with full jitter: before attempt *n* a random time up to
/// `base * 2^n`, never more than `max`.
///
/// The whole span is random, not only its end, so that clients that lost the same node do not come
/// back in waves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first failure.
    pub base: Duration,
    /// The longest wait after any number of failures.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `failures` earlier failures in a row (0 after the first).
    pub fn delay(&self, failures: u32) -> Duration {
        fraction(self.ceiling(failures), random())
    }

    fn ceiling(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures);
        self.base.saturating_mul(factor).min(self.max)
    }
}

impl Default for Backoff {
    /// Up to half a second at first, up to 30 seconds at last.
    fn default() -> Self {
        Self { base: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

/// A part of `whole`, chosen by `random`. The bias of the remainder is far below a nanosecond.
fn fraction(whole: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(random % nanos.saturating_add(1))
}

/// The standard library's only source of randomness: each `RandomState` has other keys.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_maximum() {
        let backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(10) };
        let ceilings = [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|n| backoff.ceiling(n).as_secs());
        assert_eq!(ceilings, [1, 2, 4, 8, 10, 10, 10, 10]);
    }

    #[test]
    fn the_jitter_spans_everything_up_to_the_ceiling() {
        let whole = Duration::from_nanos(9);
        assert_eq!(fraction(whole, 0), Duration::ZERO);
        assert_eq!(fraction(whole, 9), whole);
        assert_eq!(fraction(whole, 10), Duration::ZERO);
        assert_eq!(fraction(Duration::ZERO, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn two_clients_do_not_wait_alike() {
        let backoff = Backoff { base: Duration::from_hours(1), max: Duration::from_hours(1) };
        let delays: std::collections::HashSet<_> = (0..32).map(|_| backoff.delay(0)).collect();
        assert!(delays.len() > 16, "{delays:?}");
    }
}
