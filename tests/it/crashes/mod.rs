//! Crashes, full disks and outages: whatever happens, nothing that was acknowledged is lost, what failed says
//! so, and service returns by itself.
//!
//! A [`site::Site`] is the real program on one ground. [`load`] keeps writing to it and enters every answer
//! in a [`ledger`], [`subscriber`]s stay subscribed through all of it, and at the end the log, the state and
//! what was delivered are held to the ledger. What happens at random follows from a seed, which is printed and
//! may be given as `ROOMCAST_TEST_SEED`.

mod disk;
mod full;
mod kill;
mod ledger;
mod load;
mod outage;
mod overload;
pub(crate) mod server;
pub(crate) mod site;
mod starts;
mod subscriber;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::environment::{report, variable};

/// Random numbers that a seed repeats (`SplitMix64`).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// From the seed that is given, else a fresh one; it is printed.
    pub(crate) fn of(test: &str) -> Self {
        Self::new(Self::seed(test))
    }

    /// The seed that is given, else a fresh one; it is printed.
    pub(crate) fn seed(test: &str) -> u64 {
        let seed = match variable("ROOMCAST_TEST_SEED") {
            Some(given) => given.parse().expect("ROOMCAST_TEST_SEED is a number"),
            None => u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()),
        };
        report(&format!("{test}: ROOMCAST_TEST_SEED={seed}"));
        seed
    }

    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below this.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
