//! The checker: three nodes as real processes on one PostgreSQL and one Redis, to which everything happens
//! that may happen, in an order that a seed repeats.
//!
//! [`publisher`]s send each message until it is acknowledged, [`subscriber`]s lose their nodes and go on at
//! others, [`access`] changes meanwhile. A [`director`] performs the [`schedule`] and measures recovery. At the
//! end the [`log`] has what was acknowledged and nothing twice, and everybody was sent exactly what the
//! contract gives them, once, in order, with the bytes of the log.
//!
//! The run of `make test` is short; `make chaos` runs for as long as it is told.

mod access;
mod broken;
mod cluster;
mod director;
mod house;
mod lag;
mod log;
mod play;
mod publisher;
mod report;
mod rolling;
mod schedule;
mod stream;
mod subscriber;

use std::time::Duration;

use play::Script;
use schedule::{Kind, Plan};

use crate::crashes::Dice;
use crate::harness::environment::{not_run, report, variable};

/// How many nodes there are.
const NODES: usize = 3;

/// So many broadcasts are acknowledged a second, on average over all faults, or too little happened.
const LEAST_PER_SECOND: f64 = 200.0;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_fails() {
    let script = Script {
        plan: Plan {
            window: Duration::from_secs(25),
            spacing: Duration::from_millis(1_800),
            longest: Duration::from_millis(1_500),
            kinds: Kind::ALL.to_vec(),
        },
        least_faults: 12,
        least_of_each: 1,
        tells: false,
    };
    if script.play(Dice::seed("chaos")).await.is_none() {
        not_run("it starts a PostgreSQL of its own, in the run on PostgreSQL");
    }
}

/// What `make chaos` runs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes ten minutes: make chaos"]
async fn nothing_is_lost_for_long() {
    let seconds: u64 = variable("ROOMCAST_CHAOS_SECONDS").map_or(600, |seconds| seconds.parse().unwrap());
    let script = Script {
        plan: Plan {
            window: Duration::from_secs(seconds),
            spacing: Duration::from_secs(5),
            longest: Duration::from_secs(6),
            kinds: Kind::ALL.to_vec(),
        },
        // In ten minutes 60 faults, and five of each kind.
        least_faults: usize::try_from(seconds / 10).unwrap(),
        least_of_each: usize::try_from(seconds / 120).unwrap(),
        tells: true,
    };
    report(&format!("three nodes for {seconds} s"));
    script.play(Dice::seed("chaos")).await.expect("scripts/chaos starts the servers");
}
