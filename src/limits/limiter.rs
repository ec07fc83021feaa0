//! One limit: a bucket for each key, all of one size.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use super::{Limit, Refusal, Standing};
use crate::types::Clock;

/// Keys that one limiter knows at most, each of some 50 bytes. Ten times as many callers a minute as one
/// node serves.
const MAX_KEYS: usize = 200_000;

/// A limiter that is full looks for what it may forget at most this often: a look is at every key.
const FULL_LOOK: Duration = Duration::from_secs(1);

/// When to come back to a limiter that is full.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// The app's time, as it passes.
#[derive(Debug, Clone)]
pub(super) struct Time(Clock);

impl Time {
    pub(super) fn new(clock: Clock) -> Self {
        Self(clock)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl governor::clock::Clock for Time {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.elapsed().into()
    }
}

/// The keys of a limiter, each with the moment at which its bucket is full again.
#[derive(Debug, Clone)]
struct Keys<K>(Arc<Mutex<Known<K>>>);

#[derive(Debug)]
struct Known<K> {
    full_at: HashMap<K, u64>,
    /// When it was last full, and looked for what to forget.
    looked_at: Option<Duration>,
}

impl<K: Hash + Eq + Copy> StateStore for Keys<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut known = self.0.lock();
        let (decision, full_at) = decide(known.full_at.get(key).copied().map(Nanos::from))?;
        known.full_at.insert(*key, full_at.as_u64());
        Ok(decision)
    }
}

impl<K: Hash + Eq + Copy> ShrinkableKeyedStateStore<K> for Keys<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        let full_at = &mut self.0.lock().full_at;
        full_at.retain(|_, full_at| *full_at > drop_below.as_u64());
        let used = full_at.len();
        if full_at.capacity() > used.saturating_mul(4) {
            full_at.shrink_to(used * 2);
        }
    }

    fn len(&self) -> usize {
        self.0.lock().full_at.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Counts what each key does, up to so much a minute or an hour.
pub(super) struct Limiter<K: Hash + Eq + Copy> {
    limit: Limit,
    quota: Quota,
    time: Time,
    max_keys: usize,
    keys: Keys<K>,
    buckets: RateLimiter<K, Keys<K>, Time, StateInformationMiddleware>,
}

impl<K: Hash + Eq + Copy> Limiter<K> {
    pub(super) fn new(limit: Limit, per_minute: NonZeroU32, time: Time) -> Self {
        Self::with_room_for(MAX_KEYS, limit, Quota::per_minute(per_minute), time)
    }

    /// The same by the hour.
    pub(super) fn hourly(limit: Limit, per_hour: NonZeroU32, time: Time) -> Self {
        Self::with_room_for(MAX_KEYS, limit, Quota::per_hour(per_hour), time)
    }

    fn with_room_for(max_keys: usize, limit: Limit, quota: Quota, time: Time) -> Self {
        let known = Known { full_at: HashMap::new(), looked_at: None };
        let keys = Keys(Arc::new(Mutex::new(known)));
        let buckets = RateLimiter::new(quota, keys.clone(), time.clone());
        Self { limit, quota, time, max_keys, keys, buckets }
    }

    /// How much it allows at once, which is as much as fills in a minute, or in an hour.
    pub(super) fn size(&self) -> NonZeroU32 {
        self.quota.burst_size()
    }

    /// Takes one from the key's bucket.
    pub(super) fn count(&self, key: K) -> Result<Standing, Refusal> {
        if !self.has_room_for(&key) {
            return Err(self.refuse(FULL_RETRY));
        }
        let (limit, interval) = (self.size().get(), self.quota.replenish_interval());
        match self.buckets.check_key(&key) {
            Ok(bucket) => {
                let remaining = bucket.remaining_burst_capacity();
                Ok(Standing { limit, remaining, reset: interval * limit.saturating_sub(remaining) })
            }
            Err(until) => Err(self.refuse(until.wait_time_from(self.time.elapsed().into()))),
        }
    }

    fn refuse(&self, retry_after: Duration) -> Refusal {
        self.limit.count_refusal();
        let limit = self.size().get();
        // One is there after the wait, the others as fast as the bucket fills.
        let reset = retry_after + self.quota.replenish_interval() * (limit - 1);
        let standing = Standing { limit, remaining: 0, reset };
        Refusal { limit: self.limit, standing, retry_after }
    }

    /// Whether the key is known, or one more may be. Requests that come together may each find the last
    /// place, so the bound is overstepped by as many as there are threads.
    fn has_room_for(&self, key: &K) -> bool {
        {
            let mut known = self.keys.0.lock();
            if known.full_at.len() < self.max_keys || known.full_at.contains_key(key) {
                return true;
            }
            let now = self.time.elapsed();
            if known.looked_at.is_some_and(|looked_at| now < looked_at + FULL_LOOK) {
                return false;
            }
            known.looked_at = Some(now);
        }
        tracing::warn!(limit = self.limit.as_str(), "a limiter knows as many callers as it may");
        self.forget() < self.max_keys
    }

    /// Forgets the keys whose buckets are full; returns how many are left.
    pub(super) fn forget(&self) -> usize {
        self.buckets.retain_recent();
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limiter(per_minute: u32, max_keys: usize) -> (Limiter<u32>, Clock) {
        let clock = Clock::default();
        let per_minute = NonZeroU32::new(per_minute).unwrap();
        let time = Time::new(clock.clone());
        (Limiter::with_room_for(max_keys, Limit::User, Quota::per_minute(per_minute), time), clock)
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_fills_within_a_minute() {
        let (limiter, clock) = limiter(3, 10);
        for remaining in [2, 1, 0] {
            let standing = limiter.count(1).unwrap();
            assert_eq!((standing.limit, standing.remaining), (3, remaining));
            assert!(standing.reset <= Duration::from_mins(1));
        }
        let refusal = limiter.count(1).unwrap_err();
        assert_eq!(refusal.standing.remaining, 0);
        assert!(refusal.retry_after <= Duration::from_secs(20), "{refusal:?}");
        assert!(refusal.standing.reset >= refusal.retry_after);
        assert!(limiter.count(2).is_ok(), "another key has a bucket of its own");

        // The clock moves by whole milliseconds.
        clock.advance(refusal.retry_after + Duration::from_millis(1));
        assert!(limiter.count(1).is_ok());
        assert!(limiter.count(1).is_err());
        clock.advance(Duration::from_mins(1));
        assert_eq!(limiter.count(1).unwrap().remaining, 2);
    }

    #[test]
    fn what_is_as_good_as_new_is_forgotten() {
        let (limiter, clock) = limiter(3, 10);
        for key in 0..10 {
            limiter.count(key).unwrap();
        }
        assert_eq!(limiter.forget(), 10);
        clock.advance(Duration::from_mins(2));
        limiter.count(3).unwrap();
        assert_eq!(limiter.forget(), 1);
    }

    #[test]
    fn a_full_limiter_serves_whom_it_knows_and_refuses_others_until_it_may_forget() {
        let (limiter, clock) = limiter(3, 10);
        for key in 0..10 {
            limiter.count(key).unwrap();
        }
        let refusal = limiter.count(10).unwrap_err();
        assert_eq!(refusal.retry_after, FULL_RETRY);
        assert!(limiter.count(9).is_ok());
        assert_eq!(limiter.forget(), 10, "who was refused takes no place");
        clock.advance(Duration::from_mins(1) + FULL_LOOK);
        assert!(limiter.count(10).is_ok());
    }

    proptest! {
        /// Whatever the pauses: never more than the burst and what filled meanwhile.
        #[test]
        fn no_more_passes_than_the_bucket_holds(
            per_minute in 1u32..200, pauses in prop::collection::vec(0u64..5000, 1..300),
        ) {
            let (limiter, clock) = limiter(per_minute, 10);
            let start = clock.elapsed();
            let mut passed = 0u32;
            for pause in pauses {
                clock.advance(Duration::from_millis(pause));
                passed += u32::from(limiter.count(1).is_ok());
                let filled = clock.elapsed().saturating_sub(start).as_secs_f64() * f64::from(per_minute) / 60.0;
                prop_assert!(f64::from(passed) <= f64::from(per_minute) + filled + 1.0);
            }
        }
    }
}
