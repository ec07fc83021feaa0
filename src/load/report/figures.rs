//! The figures of a run, by the names that `--expect` knows.

#![expect(clippy::cast_precision_loss, reason = "counts of a run, shown to a few digits")]

use std::collections::BTreeMap;

use super::{Verdict, ms};
use crate::load::engine::{Finished, Times};
use crate::load::plan::{Plan, Scenario};

/// What one has of the other; none where there is nothing to divide by.
pub(super) fn ratio(count: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

/// All figures that this run has.
pub(super) fn figures(plan: &Plan, finished: &Finished, verdict: &Verdict) -> BTreeMap<&'static str, f64> {
    let mut figures = BTreeMap::new();
    let mut put = |name: &'static str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            figures.insert(name, value);
        }
    };
    let Finished { tally, measured, opening, returning, .. } = finished;
    let main = main_latency(plan.scenario, finished);
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
        put(name, at(main, quantile));
    }
    put("publish.p50", at(&tally.publishes, 0.5));
    put("publish.p99", at(&tally.publishes, 0.99));
    put("feed.p50", at(&tally.pages, 0.5));
    put("feed.p99", at(&tally.pages, 0.99));
    put("open.p99", at(&tally.openings, 0.99));
    put("return", returning.map(|window| ms(window.length_ns / 1000)));
    put("reads", tally.return_reads.map(|reads| reads as f64));
    put("lost", Some(verdict.lost as f64));
    put("doubled", Some(verdict.doubled as f64));
    put("out-of-order", Some(verdict.out_of_order as f64));
    put("foreign", Some(verdict.foreign as f64));
    put("violations", Some(verdict.violations as f64));
    let failed = tally.refused_requests.values().sum::<u64>() + finished.unsent + lost_requests(finished);
    put("failed", Some(failed as f64));
    put("closed", Some(tally.closes.values().sum::<u64>() as f64));
    put("sockets", Some(tally.open as f64));
    let per_second = |count: u64, length_ns: u64| ratio(count, length_ns).map(|per_ns| per_ns * 1e9);
    if plan.sockets > 0 {
        put("opened/s", per_second(plan.sockets as u64, opening.length_ns));
        put("delivered", Some(measured.delivered as f64));
        put("delivered/s", per_second(measured.delivered, measured.length_ns));
        if measured.delivered > 0 {
            put("delivered/cpu-s", ratio(measured.delivered * 1000, measured.cpu_ms));
        }
        let grown = match finished.memory_kib {
            [Some(before), _, Some(at_end)] => ratio(at_end.saturating_sub(before), plan.sockets as u64),
            _ => None,
        };
        put("kib/socket", grown);
        if finished.memory_kib[0].is_some() {
            put("cpu/10000-sockets", ratio(opening.cpu_ms * 10_000, plan.sockets as u64));
        }
    }
    put(
        "published/s",
        per_second(measured.acknowledged, measured.length_ns).filter(|_| tally.acknowledged > 0),
    );
    put("read/s", per_second(measured.read, measured.length_ns).filter(|_| tally.read > 0));
    put("generator", ratio(measured.own_cpu_ns, measured.length_ns));
    figures
}

/// Requests whose answer never came.
fn lost_requests(finished: &Finished) -> u64 {
    finished.tally.faults.get("no answer").copied().unwrap_or_default()
}

/// What a scenario is about.
fn main_latency(scenario: Scenario, finished: &Finished) -> &Times {
    let tally = &finished.tally;
    match scenario {
        Scenario::Idle => &tally.openings,
        Scenario::Room | Scenario::Rooms | Scenario::Mixed => &tally.deliveries,
        Scenario::Storm => &tally.returns,
        Scenario::Publish => &tally.publishes,
        Scenario::Feed => &tally.pages,
    }
}

fn at(times: &Times, quantile: f64) -> Option<f64> {
    let histogram = times.histogram();
    (!histogram.is_empty()).then(|| ms(histogram.value_at_quantile(quantile)))
}
