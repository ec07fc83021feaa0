//! Circuit breakers: a gateway that fails time after time is left alone for a while, then tried with one message.
//!
//! A node keeps its own, in memory: what a node finds out about a gateway holds for its own way there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use metrics::gauge;
use parking_lot::Mutex;
use serde::Serialize;

use crate::telemetry::metric;
use crate::types::OrgId;

/// Failures in a row after which a breaker opens.
const FAILURES: u32 = 5;

/// How long it stays open.
const OPEN: Duration = Duration::from_secs(30);

/// How long a trial may take before another is made: longer than a gateway may take.
const TRIAL: Duration = Duration::from_secs(20);

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Messages go through.
    Closed,
    /// The gateway failed time after time: messages wait.
    Open,
    /// One message is tried, and decides.
    HalfOpen,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Trial { until: Instant },
}

/// The breakers of a node. Those that are closed and have seen no failure take no room.
#[derive(Default)]
pub(super) struct Breakers(Mutex<Known>);

#[derive(Default)]
struct Known {
    states: HashMap<(OrgId, &'static str), State>,
    /// How many are not closed, of each gateway.
    open: HashMap<&'static str, u32>,
}

impl Known {
    /// Sets a breaker; `None` is closed, with no failure.
    fn set(&mut self, org: OrgId, gateway: &'static str, state: Option<State>) {
        let is_open =
            |state: Option<State>| state.is_some_and(|state| !matches!(state, State::Closed { .. }));
        let before = match state {
            Some(state) => self.states.insert((org, gateway), state),
            None => self.states.remove(&(org, gateway)),
        };
        let open = self.open.entry(gateway).or_default();
        *open = open.saturating_sub(u32::from(is_open(before))) + u32::from(is_open(state));
        gauge!(metric::BREAKERS_OPEN, "gateway" => gateway).set(f64::from(*open));
    }
}

impl Breakers {
    /// Whether a message may be tried; how long to wait, where not.
    pub(super) fn admit(&self, org: OrgId, gateway: &'static str, now: Instant) -> Result<(), Duration> {
        let mut known = self.0.lock();
        match known.states.get(&(org, gateway)).copied() {
            None | Some(State::Closed { .. }) => Ok(()),
            Some(State::Open { until } | State::Trial { until }) if now < until => Err(until - now),
            Some(State::Open { .. } | State::Trial { .. }) => {
                known.set(org, gateway, Some(State::Trial { until: now + TRIAL }));
                Ok(())
            }
        }
    }

    /// Notes how an attempt went.
    pub(super) fn record(&self, org: OrgId, gateway: &'static str, failed: bool, now: Instant) {
        let mut known = self.0.lock();
        let state = known.states.get(&(org, gateway)).copied();
        match state {
            None if !failed => {}
            _ if !failed => known.set(org, gateway, None),
            None => known.set(org, gateway, Some(State::Closed { failures: 1 })),
            Some(State::Closed { failures }) if failures + 1 < FAILURES => {
                known.set(org, gateway, Some(State::Closed { failures: failures + 1 }));
            }
            Some(State::Closed { .. } | State::Trial { .. }) => {
                known.set(org, gateway, Some(State::Open { until: now + OPEN }));
            }
            // It was under way when the breaker opened.
            Some(State::Open { .. }) => {}
        }
    }

    pub(super) fn state(&self, org: OrgId, gateway: &'static str, now: Instant) -> BreakerState {
        match self.0.lock().states.get(&(org, gateway)) {
            None | Some(State::Closed { .. }) => BreakerState::Closed,
            Some(State::Open { until }) if now < *until => BreakerState::Open,
            Some(State::Open { .. } | State::Trial { .. }) => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_tries_once_and_closes() {
        let (breakers, org, now) = (Breakers::default(), OrgId::new(), Instant::now());
        for _ in 0..FAILURES {
            assert_eq!(breakers.admit(org, "x", now), Ok(()));
            breakers.record(org, "x", true, now);
        }
        assert_eq!(breakers.state(org, "x", now), BreakerState::Open);
        assert_eq!(breakers.admit(org, "x", now), Err(OPEN));
        assert_eq!(breakers.admit(OrgId::new(), "x", now), Ok(()), "others are none the worse for it");
        assert_eq!(breakers.admit(org, "y", now), Ok(()));
        let later = now + OPEN;
        assert_eq!(breakers.state(org, "x", later), BreakerState::HalfOpen);
        assert_eq!(breakers.admit(org, "x", later), Ok(()));
        assert!(breakers.admit(org, "x", later).is_err(), "one is tried");
        breakers.record(org, "x", true, later);
        assert_eq!(breakers.state(org, "x", later), BreakerState::Open);
        assert_eq!(breakers.admit(org, "x", later + OPEN), Ok(()));
        assert_eq!(breakers.admit(org, "x", later + OPEN + TRIAL), Ok(()), "a trial that never ended");
        breakers.record(org, "x", false, later + OPEN);
        assert_eq!(breakers.state(org, "x", later + OPEN), BreakerState::Closed);
        let known = breakers.0.lock();
        assert!(known.states.is_empty() && known.open.values().all(|open| *open == 0));
    }

    #[test]
    fn a_success_ends_a_row_of_failures() {
        let (breakers, org, now) = (Breakers::default(), OrgId::new(), Instant::now());
        for round in 0..3 * FAILURES {
            breakers.record(org, "x", round % FAILURES != 0, now);
        }
        assert_eq!(breakers.state(org, "x", now), BreakerState::Closed);
    }
}
