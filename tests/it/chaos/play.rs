//! One run, from the first node to the report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::{Access, Changes};
use super::cluster::{Cluster, KeepLogs};
use super::director::{Director, Happened, forward};
use super::house::{Crowd, Fault, House};
use super::publisher::Pace;
use super::report::Report;
use super::schedule::{Plan, Step};
use crate::harness::LONG;
use crate::harness::environment::{report, variable};

/// What is sent together a second: more than the least, to make up for outages.
const PER_SECOND: u64 = 320;

/// How many publish in each organisation: enough that those who wait, for a dead node or on a busy machine, are not
/// all. What comes at one moment shares a commit.
const PUBLISHERS: usize = 80;

/// What happens in a run, and what has to have happened at its end.
pub(super) struct Script {
    pub(super) plan: Plan,
    pub(super) least_faults: usize,
    pub(super) least_of_each: usize,
    /// Whether it says how it goes.
    pub(super) tells: bool,
}

impl Script {
    /// Plays it; fails with all that helps to see why. `None` where there is no PostgreSQL to play on.
    pub(super) async fn play(self, seed: u64) -> Option<()> {
        let cluster = Arc::new(Cluster::start(&seed.to_string(), &[]).await?);
        let _logs = KeepLogs(Arc::clone(&cluster));
        let nodes = cluster.clients();
        let acme = House::found(&nodes, "Acme", Crowd::Many, LONG).await;
        let bolt = House::found(&nodes, "Bolt", Crowd::Few, LONG).await;
        let houses = Arc::new(vec![acme, bolt]);
        let steps = self.plan.draw(seed);
        let director = Director::new(&cluster, &houses, self.tells);
        let mut stage = Stage::start(&cluster, &houses, seed);
        let (happened, lasted, changes) = {
            let _tell = Tell { seed, director: Arc::clone(&director) };
            let lasted = stage.during(&director, &steps).await;
            let changes = stage.stop().await;
            for node in &cluster.nodes {
                node.expect_ready().await;
            }
            (director.happened(), lasted, changes)
        };
        let worst = director.lag.worst();
        drop(director);
        cluster.take_counts().await;
        let houses = Arc::into_inner(houses).expect("nobody else uses them any more");
        let mut tallies = Vec::new();
        for house in houses {
            match house.check(&nodes[0]).await {
                Ok(tally) => tallies.push(tally),
                Err(faults) => fail(seed, &faults, &happened),
            }
        }
        cluster.stop().await;
        let outcome = Report::new(seed, lasted, happened, changes, &tallies, &cluster).with_worst(worst);
        report(&outcome.to_string());
        if let Some(file) = variable("ROOMCAST_CHAOS_REPORT") {
            std::fs::write(file, outcome.to_string()).unwrap();
        }
        outcome.expect_enough(self.least_faults, self.least_of_each, &self.plan.kinds);
        Some(())
    }
}

/// All who publish and change access.
struct Stage {
    publishers: JoinSet<()>,
    access: JoinSet<Changes>,
    stop: CancellationToken,
    cluster: Arc<Cluster>,
}

impl Stage {
    fn start(cluster: &Arc<Cluster>, houses: &Arc<Vec<House>>, seed: u64) -> Self {
        let nodes = cluster.clients();
        let (stop, pace) = (CancellationToken::new(), Arc::new(Pace::new(PER_SECOND)));
        let mut publishers = JoinSet::new();
        for house in houses.iter() {
            for publisher in house.publishers(&nodes, PUBLISHERS, &pace, &stop) {
                publishers.spawn(publisher.publish());
            }
        }
        let mut access = JoinSet::new();
        access.spawn(Access::new(nodes, houses, 0, seed).run(stop.clone()));
        Self { publishers, access, stop, cluster: Arc::clone(cluster) }
    }

    /// Performs the schedule; returns how long that took. Fails if a writer does.
    async fn during(&mut self, director: &Arc<Director>, steps: &[Step]) -> Duration {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        let mut playing = std::pin::pin!(director.run(steps));
        loop {
            tokio::select! {
                () = &mut playing => return started.elapsed(),
                _ = ticks.tick() => self.cluster.take_counts().await,
                Some(done) = self.publishers.join_next() => {
                    forward(done);
                    panic!("a publisher has ended by itself");
                }
                Some(done) = self.access.join_next() => {
                    forward(done);
                    panic!("nobody changes access any more");
                }
            }
        }
    }

    /// Stops them once everything that they have begun is acknowledged.
    async fn stop(mut self) -> Changes {
        self.stop.cancel();
        while let Some(done) = self.publishers.join_next().await {
            forward(done);
        }
        forward(self.access.join_next().await.unwrap())
    }
}

/// Says what was going on where the test fails.
struct Tell {
    seed: u64,
    director: Arc<Director>,
}

impl Drop for Tell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            report(&format!("seed {}; what has happened:", self.seed));
            for happened in self.director.happened() {
                report(&format!("  {}", happened.step));
            }
        }
    }
}

/// Fails with what somebody was sent against the contract, and what happened around it.
fn fail(seed: u64, faults: &[Fault], happened: &[Happened]) -> ! {
    const AROUND: i64 = 2_000;
    let mut lines = vec![format!("seed {seed}: {} violations", faults.len())];
    for Fault { seq, what, story } in faults {
        lines.push(what.clone());
        let near = |one: &&Happened| one.seqs.0 - AROUND <= *seq && *seq <= one.seqs.1 + AROUND;
        for Happened { step, seqs, .. } in happened.iter().filter(near) {
            lines.push(format!("    {step} (from {} to {})", seqs.0, seqs.1));
        }
        let last = story.len().saturating_sub(20);
        lines.extend(story.iter().skip(last).map(|line| format!("    its socket {line}")));
    }
    panic!("{}", lines.join("\n"));
}
