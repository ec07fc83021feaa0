//! What a run leaves: figures, whether everything came, and how that compares with what was expected.

/// Appends to a text, which cannot fail.
macro_rules! put {
    ($out:expr, $($argument:tt)*) => { $out.push_str(&format!($($argument)*)) };
}

/// Appends a line to a text.
macro_rules! putln {
    ($out:expr, $($argument:tt)*) => {{
        put!($out, $($argument)*);
        $out.push('\n');
    }};
}

mod figures;
mod html;
mod plot;
mod text;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use roomcast_client::{Verifier, Violation};
use serde::Serialize;

pub use self::html::page;
pub use self::text::text;
use super::engine::{Finished, Proven, Times, Window};
use super::expect::Expectations;
use super::plan::{Demand, Plan};
use super::proof::{Numbers, Proof};
use super::watch::Sample;

/// The report, as it is written as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version and commit of this program.
    pub(super) tool: Build,
    /// What is known of the server.
    pub(super) server: Server,
    /// What was done.
    pub(super) run: Run,
    /// What came out, by the names that `--expect` knows; times in milliseconds.
    pub figures: BTreeMap<&'static str, f64>,
    /// How the times spread.
    pub(super) latencies: BTreeMap<&'static str, Latency>,
    /// What subscribers were owed and got.
    pub(super) verdict: Verdict,
    /// What was refused, closed or broken.
    pub(super) trouble: Trouble,
    /// What the generator itself cost.
    pub(super) generator: Generator,
    /// How each expectation fared.
    pub(super) expectations: Vec<Fared>,
    /// Why the run failed, if it did.
    pub problems: Vec<String>,
    /// Sights of the run while it ran.
    pub(super) timeline: Vec<Sample>,
}

/// A version of a program.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Build {
    pub(super) version: Option<String>,
    pub(super) commit: Option<String>,
}

/// What is known of the server.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Server {
    pub(super) url: String,
    /// `roomcast` or `plain`.
    pub(super) kind: &'static str,
    /// Whether the run started it itself.
    pub(super) is_spawned: bool,
    pub(super) build: Build,
    pub(super) database: Option<String>,
    /// How a commit gets to the disk.
    pub(super) durability: Option<String>,
    /// What bounds clients, in words.
    pub(super) limits: String,
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) scenario: &'static str,
    pub(super) rooms: usize,
    pub(super) sockets: usize,
    pub(super) callers: usize,
    /// `open`, `closed` or `none`.
    pub(super) arrivals: &'static str,
    pub(super) requests_per_second: Option<f64>,
    pub(super) reads_share: f64,
    pub(super) churn_per_second: f64,
    pub(super) missed_each: u32,
    pub(super) payload_bytes: usize,
    pub(super) seconds: f64,
    pub(super) ramp_per_second: Option<f64>,
    pub(super) source_addresses: u8,
    pub(super) seed: u64,
}

/// How times spread, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Latency {
    pub(super) count: u64,
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
    /// Percentiles and their times, for a plot.
    pub(super) curve: Vec<(f64, f64)>,
}

/// What subscribers were owed and got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) out_of_order: u64,
    pub(super) foreign: u64,
    pub(super) gaps: u64,
    pub(super) broken_pages: u64,
    /// All promises that were broken, those above and others.
    pub(super) violations: u64,
    /// Sockets that were not open at the end.
    pub(super) gone: u64,
    /// The first of them, in words.
    pub(super) examples: Vec<String>,
}

/// What was refused, closed or broken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trouble {
    /// By status.
    pub(super) refused_requests: BTreeMap<u16, u64>,
    /// By status.
    pub(super) refused_handshakes: BTreeMap<u16, u64>,
    /// By close code.
    pub(super) closed_sockets: BTreeMap<u16, u64>,
    pub(super) broken_connections: BTreeMap<String, u64>,
    pub(super) unsent_requests: u64,
}

/// What the generator itself cost.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Generator {
    /// Share of one core that it used while it measured.
    pub(super) share_of_core: f64,
    /// Its microseconds of CPU for one message that was received.
    pub(super) us_per_delivery: Option<f64>,
    /// How late a request was sent at most, for want of a free caller or of CPU, in milliseconds.
    pub(super) longest_wait_ms: f64,
}

/// How an expectation fared.
#[derive(Debug, Serialize)]
pub(super) struct Fared {
    pub(super) expected: String,
    /// None where nothing of that kind was measured.
    pub(super) found: Option<f64>,
    pub(super) held: bool,
}

/// So many violations are shown.
const EXAMPLES: usize = 10;

/// A generator that uses more of its core than this may be what is slow.
const BUSY_SHARE: f64 = 0.9;

/// Puts a report together.
pub(super) fn report(
    plan: &Plan,
    server: Server,
    source_addresses: u8,
    finished: &Finished,
    timeline: Vec<Sample>,
    expectations: &Expectations,
) -> Report {
    let verdict = verdict(finished);
    let figures = figures::figures(plan, finished, &verdict);
    let fared: Vec<Fared> = expectations
        .0
        .iter()
        .map(|expectation| {
            let found = figures.get(expectation.figure).copied();
            Fared {
                expected: expectation.to_string(),
                found,
                held: found.is_some_and(|found| expectation.holds(found)),
            }
        })
        .collect();
    let tally = &finished.tally;
    Report {
        tool: Build {
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            commit: crate::COMMIT.map(str::to_owned),
        },
        server,
        run: run(plan, source_addresses),
        latencies: latencies(finished),
        problems: problems(&verdict, finished, &fared),
        trouble: Trouble {
            refused_requests: tally.refused_requests.clone(),
            refused_handshakes: tally.refused_handshakes.clone(),
            closed_sockets: tally.closes.clone(),
            broken_connections: tally.faults.clone(),
            unsent_requests: finished.unsent,
        },
        generator: generator(finished),
        expectations: fared,
        figures,
        verdict,
        timeline,
    }
}

fn run(plan: &Plan, source_addresses: u8) -> Run {
    let (arrivals, requests_per_second) = match plan.demand {
        Demand::None => ("none", None),
        Demand::Open(rate) => ("open", Some(rate)),
        Demand::Closed => ("closed", None),
    };
    Run {
        scenario: plan.scenario.name(),
        rooms: plan.rooms,
        sockets: plan.sockets,
        callers: plan.callers,
        arrivals,
        requests_per_second,
        reads_share: plan.reads,
        churn_per_second: plan.churn,
        missed_each: plan.missed,
        payload_bytes: plan.payload_bytes,
        seconds: plan.duration.as_secs_f64(),
        ramp_per_second: plan.ramp,
        source_addresses,
        seed: plan.seed,
    }
}

/// What all verifiers say together. Who is behind the end of the log once nothing comes any more has lost
/// the rest.
fn verdict(finished: &Finished) -> Verdict {
    let mut verdict = Verdict {
        foreign: finished.tally.foreign,
        broken_pages: finished.tally.broken_pages,
        ..Verdict::default()
    };
    for Proven { proof, behind, is_open } in &finished.proven {
        verdict.gone += u64::from(!is_open);
        verdict.lost += behind;
        verdict.violations += u64::from(*behind > 0);
        match proof {
            Proof::Log(verifier) => verdict.add_log(verifier),
            Proof::Numbers(numbers) => verdict.add_numbers(numbers),
        }
        if *behind > 0 {
            verdict.show(|| format!("the last {behind} of what one was owed never came"));
        }
    }
    verdict.violations += finished.tally.foreign + finished.tally.broken_pages;
    verdict
}

impl Verdict {
    fn add_log(&mut self, verifier: &Verifier) {
        self.received += verifier.activities();
        self.gaps += verifier.gaps();
        self.lost += verifier.lost();
        self.violations += verifier.violation_count();
        for violation in verifier.violations() {
            match violation {
                Violation::Doubled { .. } => self.doubled += 1,
                Violation::OutOfOrder { .. } | Violation::BeforeStart { .. } => self.out_of_order += 1,
                Violation::WrongOrganisation { .. } => self.foreign += 1,
                _ => {}
            }
            self.show(|| violation.to_string());
        }
    }

    fn add_numbers(&mut self, numbers: &Numbers) {
        let Numbers { received, lost, doubled, out_of_order, .. } = numbers;
        self.received += received;
        self.lost += lost;
        self.doubled += doubled;
        self.out_of_order += out_of_order;
        let violations = lost + doubled + out_of_order;
        self.violations += violations;
        if violations > 0 {
            self.show(|| format!("one saw {lost} lost, {doubled} doubled, {out_of_order} out of order"));
        }
    }

    fn show(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

/// Why a run failed. An announced gap is no broken promise, but nobody measures with one.
fn problems(verdict: &Verdict, finished: &Finished, fared: &[Fared]) -> Vec<String> {
    let counted = [
        (verdict.lost, "lost"),
        (verdict.doubled, "doubled"),
        (verdict.out_of_order, "out of order"),
        (verdict.foreign, "of a foreign organisation"),
        (verdict.broken_pages, "pages of the feed with holes"),
        (verdict.gaps, "gaps announced"),
        (verdict.gone, "sockets that did not come back"),
        (finished.unsent, "requests never sent"),
    ];
    let mut problems: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if problems.is_empty() && verdict.violations > 0 {
        problems.push(format!("{} promises broken", verdict.violations));
    }
    problems.extend(fared.iter().filter(|fared| !fared.held).map(|fared| match fared.found {
        Some(found) => format!("expected {}, found {}", fared.expected, text::short(found)),
        None => format!("expected {}, of which nothing was measured", fared.expected),
    }));
    problems
}

fn latencies(finished: &Finished) -> BTreeMap<&'static str, Latency> {
    let tally = &finished.tally;
    let all = [
        ("delivery", &tally.deliveries),
        ("publish", &tally.publishes),
        ("feed", &tally.pages),
        ("open", &tally.openings),
        ("return", &tally.returns),
    ];
    all.into_iter().filter_map(|(name, times)| Some((name, latency(times)?))).collect()
}

fn latency(times: &Times) -> Option<Latency> {
    let histogram = times.histogram();
    (!histogram.is_empty()).then(|| Latency {
        count: histogram.len(),
        min: ms(histogram.min()),
        mean: histogram.mean() / 1000.0,
        p50: ms(histogram.value_at_quantile(0.5)),
        p90: ms(histogram.value_at_quantile(0.9)),
        p99: ms(histogram.value_at_quantile(0.99)),
        p999: ms(histogram.value_at_quantile(0.999)),
        max: ms(histogram.max()),
        curve: curve(histogram),
    })
}

/// Percentiles, closer to each other towards 100, and their times.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let quantiles = histogram.iter_quantiles(4);
    quantiles.map(|step| (step.quantile_iterated_to() * 100.0, ms(step.value_iterated_to()))).collect()
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "an hour has fewer microseconds than a float has digits")]
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn generator(finished: &Finished) -> Generator {
    let Window { length_ns, own_cpu_ns, delivered, .. } = finished.measured;
    Generator {
        share_of_core: figures::ratio(own_cpu_ns, length_ns).unwrap_or_default(),
        us_per_delivery: figures::ratio(own_cpu_ns, delivered).map(|ns| ns / 1000.0),
        longest_wait_ms: ms(finished.tally.longest_wait_ns / 1000),
    }
}
