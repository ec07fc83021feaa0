//! What is measured, and what it has to reach.

use anyhow::Result;

use super::bench::{Bench, Found, Writer};
use super::{feed, nodes};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What it must reach, and should: on SQLite, on PostgreSQL.
    pub(crate) must: [f64; 2],
    pub(crate) aim: [f64; 2],
    /// Whether less is better.
    pub(crate) is_cost: bool,
}

/// Rows that the same runs measure, once.
pub(crate) struct Group {
    pub(crate) rows: Vec<Row>,
    pub(crate) measure: fn(&Bench) -> Result<Vec<Found>>,
}

fn at_most(name: &'static str, must: f64, aim: f64) -> Row {
    Row { name, must: [must; 2], aim: [aim; 2], is_cost: true }
}

fn at_least(name: &'static str, must: f64, aim: f64) -> Row {
    Row { name, must: [must; 2], aim: [aim; 2], is_cost: false }
}

const ROOM: &str = "room --sockets 10000 --rate 10 --duration 10s";
/// As many messages wait as when the budgets were set: each more would only let the writer coalesce more.
const SATURATED: &str = "room --sockets 10000 --closed --callers 16 --duration 5s --patience 60s";
const ROOMS: &str = "rooms --rooms 1000 --sockets 10000 --closed --duration 5s --patience 60s";
const GROWN: &str = "room --sockets 18000 --rate 5 --duration 10s";
const SMALL: &str = "room --sockets 1000 --rate 90 --duration 10s";
const STORM: &str = "storm --sockets 5000 --missed 1000 --handshakes 1024 --patience 60s";

pub(crate) fn groups() -> Vec<Group> {
    let mut groups = sockets();
    groups.extend(broadcasts());
    groups.push(Group {
        rows: vec![
            at_most("ms until 5,000 sockets are back with 1,000 missed each", 3000.0, 1500.0),
            at_most("the same: database reads", 20.0, 20.0),
        ],
        measure: |bench| bench.hub(STORM, &["return", "reads"]),
    });
    groups.push(Group {
        rows: vec![at_most("ms added by a second node over Redis, p50", 1.5, 0.7)],
        measure: nodes::measure,
    });
    groups.push(Group {
        rows: vec![
            at_most("ms for a page of 50 of the log of 10,000,000, p99", 5.0, 2.0),
            at_most("the same for a type with 50 matches", 5.0, 2.0),
            at_most("the same for a member who may see 1 in 100,000", 5.0, 2.0),
        ],
        measure: feed::measure,
    });
    groups
}

fn sockets() -> Vec<Group> {
    vec![
        Group {
            rows: vec![at_most("KiB per idle socket, 18,000 in 1,000 rooms", 5.0, 2.0)],
            measure: |bench| bench.hub("idle --sockets 18000 --rooms 1000 --duration 5s", &["kib/socket"]),
        },
        Group {
            rows: vec![at_most("CPU ms to accept 10,000 sockets", 1000.0, 500.0)],
            measure: |bench| bench.hub("idle --sockets 10000 --duration 1s", &["cpu/10000-sockets"]),
        },
        Group {
            rows: vec![
                at_least("room of 10,000, 10/s: deliveries per CPU second, of the writer's", 0.65, 0.85),
                at_most("the same: p99, of the writer's", 2.0, 1.3),
            ],
            measure: |bench| bench.beside(Writer::Plain, ROOM, &["delivered/cpu-s", "p99"]),
        },
        Group {
            rows: vec![at_least(
                "the same room, saturated: deliveries a second, of the coalescing writer's",
                0.5,
                0.8,
            )],
            measure: |bench| bench.beside(Writer::Coalescing, SATURATED, &["delivered/s"]),
        },
        Group {
            rows: vec![at_least(
                "1,000 rooms of 10, saturated: deliveries a second, of the writer's",
                0.25,
                0.5,
            )],
            measure: |bench| bench.beside(Writer::Plain, ROOMS, &["delivered/s"]),
        },
        Group {
            rows: vec![at_least("growth: deliveries per CPU second, 18,000 sockets of 1,000", 0.8, 0.95)],
            measure: |bench| {
                let (grown, small) = (bench.hub(GROWN, FANNED)?, bench.hub(SMALL, FANNED)?);
                Ok(grown.iter().zip(&small).map(|(grown, small)| grown.of(small.value)).collect())
            },
        },
    ]
}

const FANNED: &[&str] = &["delivered/cpu-s"];

fn broadcasts() -> Vec<Group> {
    vec![
        Group {
            rows: vec![Row {
                name: "durable broadcasts a second, 64 callers",
                must: [8000.0, 4000.0],
                aim: [20_000.0, 10_000.0],
                is_cost: false,
            }],
            measure: |bench| bench.hub("publish --duration 5s", &["published/s"]),
        },
        Group {
            rows: vec![at_most("ms of a lone broadcast over the database's own sync, p50", 0.3, 0.1)],
            measure: |bench| {
                let found = bench.hub("publish --callers 1 --duration 3s", &["publish.p50"])?;
                let sync_ms = bench.sync_ms()?;
                Ok(found.iter().map(|found| found.over(sync_ms)).collect())
            },
        },
    ]
}
