//! What a run was: one page.

use std::fmt;
use std::time::Duration;

use super::access::Changes;
use super::cluster::Cluster;
use super::director::Happened;
use super::house::Tally;
use super::lag::Worst;
use super::schedule::Kind;
use super::{LEAST_PER_SECOND, NODES};

pub(super) struct Report {
    seed: u64,
    lasted: Duration,
    happened: Vec<Happened>,
    changes: Changes,
    tally: Tally,
    /// What the nodes have counted, by what it is called here.
    counted: Vec<(&'static str, u64)>,
    worst: Worst,
}

/// What the nodes count that tells how delivery went.
const METRICS: [(&str, &str); 9] = [
    ("deliveries from memory", "roomcast_deliveries_total{source=\"memory\"}"),
    ("from the log", "roomcast_deliveries_total{source=\"log\"}"),
    ("gaps found", "roomcast_gaps_found_total"),
    ("filled by the bus", "roomcast_gaps_filled_total{source=\"bus\"}"),
    ("filled from the log", "roomcast_gaps_filled_total{source=\"log\"}"),
    ("sweep catches", "roomcast_sweep_catches_total"),
    ("failed sweeps", "roomcast_sweep_failures_total"),
    ("messages of other nodes", "roomcast_bus_received_total"),
    ("times that a bus came up", "roomcast_bus_connects_total"),
];

impl Report {
    pub(super) fn new(
        seed: u64,
        lasted: Duration,
        happened: Vec<Happened>,
        changes: Changes,
        tallies: &[Tally],
        cluster: &Cluster,
    ) -> Self {
        let counted = METRICS.map(|(what, metric)| (what, cluster.counted(metric))).into();
        let tally = tallies.iter().fold(Tally::default(), Tally::plus);
        Self { seed, lasted, happened, changes, tally, counted, worst: Worst::default() }
    }

    /// With who had to wait longest for what was acknowledged.
    pub(super) fn with_worst(self, worst: Worst) -> Self {
        Self { worst, ..self }
    }

    fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.tally.acknowledged).unwrap()) / self.lasted.as_secs_f64()
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Happened> {
        self.happened.iter().filter(move |one| one.step.kind == kind)
    }

    /// Fails where so little happened that it shows nothing.
    pub(super) fn expect_enough(&self, faults: usize, of_each: usize, kinds: &[Kind]) {
        assert!(self.happened.len() >= faults, "{} faults of {faults}", self.happened.len());
        for kind in kinds {
            let count = self.of(*kind).count();
            assert!(count >= of_each, "{kind}: {count} times of {of_each}");
        }
        let rate = self.per_second();
        assert!(rate >= LEAST_PER_SECOND, "{rate:.0} acknowledged a second of {LEAST_PER_SECOND}");
        assert!(self.tally.resolved > 0, "no answer was lost");
        assert!(self.tally.resumes > 0, "nobody has resumed");
        assert!(self.changes.roles > 0 && self.changes.removed > 0, "access has not changed");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { acknowledged, logged, delivered, subscribers, resumes, unknown, resolved, refused } =
            self.tally;
        writeln!(
            f,
            "Chaos: {NODES} nodes, seed {}, {:.0} s of faults",
            self.seed,
            self.lasted.as_secs_f64()
        )?;
        writeln!(
            f,
            "  publishing   {acknowledged} acknowledged ({:.0} a second), all in the log; {unknown} answers lost or \
             unknown, {resolved} messages resolved after that; {refused} refused",
            self.per_second()
        )?;
        writeln!(
            f,
            "  delivery     {delivered} activities of {logged} to {subscribers} subscribers, each once, in order, \
             byte for byte; {resumes} resumes"
        )?;
        let Changes { roles, sessions, came, removed, invites, refused } = self.changes;
        writeln!(
            f,
            "  access       {roles} changes of a role, {sessions} sessions replaced, {came} guests came, {removed} \
             were removed, {invites} invites; {refused} requests after the end refused"
        )?;
        write!(f, "  nodes       ")?;
        for (number, (what, count)) in self.counted.iter().enumerate() {
            write!(f, "{} {count} {what}", if number == 0 { "" } else { "," })?;
        }
        writeln!(
            f,
            "\n  {:20} {:>6} {:>16} {:>8} {:>14}",
            "fault", "times", "worst recovery", "median", "longest delay"
        )?;
        for kind in Kind::ALL {
            let mut recoveries: Vec<Duration> = self.of(kind).map(|one| one.recovery).collect();
            recoveries.sort_unstable();
            let (Some(worst), Some(median)) = (recoveries.last(), recoveries.get(recoveries.len() / 2))
            else {
                continue;
            };
            let (worst, median) = (worst.as_secs_f64(), median.as_secs_f64());
            let delay = self.of(kind).map(|one| one.delay).max().unwrap_or_default().as_secs_f64();
            let times = recoveries.len();
            writeln!(f, "  {kind:20} {times:>6} {worst:>14.2} s {median:>6.2} s {delay:>12.2} s")?;
        }
        let Worst { lag, at, who, story } = &self.worst;
        let (lag, at) = (lag.as_secs_f64(), at.as_secs_f64());
        writeln!(
            f,
            "  the longest delay was {lag:.2} s, at {at:.2} s, of {who}, whose last connections were:"
        )?;
        for line in story {
            writeln!(f, "    {line}")?;
        }
        write!(f, "  {} faults, no violation", self.happened.len())
    }
}
