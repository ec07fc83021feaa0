//! Does what a schedule says, and measures how long it takes until everybody has everything again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, Semaphore};

use super::NODES;
use super::cluster::Cluster;
use super::house::House;
use super::lag::Lag;
use super::schedule::{Kind, Step};
use crate::crashes::server::Shutdown;
use crate::harness::environment::report;
use crate::harness::proxy::Mode;

/// How late a slow Redis is: longer than a room waits for what is missing.
const DELAY: Duration = Duration::from_millis(150);

/// A fault as it happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    pub(super) step: Step,
    /// Since the schedule began.
    pub(super) began: Duration,
    /// How much was acknowledged to the first organisation by then.
    pub(super) seqs: (i64, i64),
    pub(super) recovery: Duration,
    /// The longest that an acknowledged message took to everybody, from the beginning to the recovery.
    pub(super) delay: Duration,
}

pub(super) struct Director {
    cluster: Arc<Cluster>,
    houses: Arc<Vec<House>>,
    started: Instant,
    /// One fault at a time happens to a node, and one node is always left.
    turns: [Turn<()>; NODES],
    may_be_away: Semaphore,
    happened: Mutex<Vec<Happened>>,
    pub(super) lag: Lag,
    /// Whether each fault is told when it is over.
    tells: bool,
}

impl Director {
    pub(super) fn new(cluster: &Arc<Cluster>, houses: &Arc<Vec<House>>, tells: bool) -> Arc<Self> {
        let started = Instant::now();
        Arc::new(Self {
            cluster: Arc::clone(cluster),
            houses: Arc::clone(houses),
            started,
            lag: Lag::new(started),
            turns: Default::default(),
            may_be_away: Semaphore::new(NODES - 1),
            happened: Mutex::default(),
            tells,
        })
    }

    /// Begins every fault at its time; returns when everybody has recovered from the last.
    pub(super) async fn run(&self, steps: &[Step]) {
        let mut running: FuturesUnordered<_> = steps
            .iter()
            .map(|step| async {
                tokio::time::sleep_until((self.started + step.at).into()).await;
                self.perform(*step).await;
            })
            .collect();
        let all = async { while running.next().await.is_some() {} };
        tokio::select! {
            () = all => {}
            () = self.lag.watch(&self.houses) => {}
        }
    }

    /// What has happened so far, in the order in which it began.
    pub(super) fn happened(&self) -> Vec<Happened> {
        let mut happened = self.happened.lock().clone();
        happened.sort_by_key(|one| one.began);
        happened
    }

    async fn perform(&self, step: Step) {
        let node = step.node.unwrap_or_default();
        let is_node = matches!(step.kind, Kind::NodeKilled | Kind::NodePaused | Kind::NodeDrained);
        let _turn = if is_node { Some(self.turns[node].lock().await) } else { None };
        let _away = if is_node { Some(self.may_be_away.acquire().await.unwrap()) } else { None };
        let (began, seqs) = (self.started.elapsed(), self.highest());
        let (ended, recovered) = if step.kind.leaves_service() {
            let fault = async {
                self.fault(step).await;
                self.started.elapsed()
            };
            tokio::join!(fault, self.recovered(&seqs))
        } else {
            self.fault(step).await;
            let ended = self.started.elapsed();
            (ended, self.recovered(&self.highest()).await)
        };
        let from = if step.kind.leaves_service() { began } else { ended };
        let delay = self.lag.longest(began, recovered.max(ended));
        let recovery = recovered.saturating_sub(from);
        let first = (seqs[0], self.highest()[0]);
        self.happened.lock().push(Happened { step, began, seqs: first, recovery, delay });
        if self.tells {
            let acknowledged: usize = self.houses.iter().map(|house| house.ledger.count()).sum();
            report(&format!(
                "{step}, recovered in {:.2} s; {acknowledged} acknowledged",
                recovery.as_secs_f64()
            ));
        }
    }

    async fn fault(&self, step: Step) {
        let Step { kind, node, lasts, .. } = step;
        let node = &self.cluster.nodes[node.unwrap_or_default()];
        match kind {
            Kind::NodeKilled => node.kill(lasts).await,
            Kind::NodePaused => node.pause(lasts).await,
            Kind::NodeDrained => node.drain(lasts).await,
            Kind::ClientsDropped => node.proxy.cut(),
            Kind::RedisRestarted => self.cluster.restart_redis(lasts / 4).await,
            Kind::RedisFlushed => self.cluster.flush_redis().await,
            Kind::RedisSilent => self.cluster.spoil_redis(step.node, Mode::Blackhole, lasts).await,
            Kind::RedisDelayed => self.cluster.spoil_redis(step.node, Mode::Delay(DELAY), lasts).await,
            Kind::RedisRefused => self.cluster.spoil_redis(step.node, Mode::Refuse, lasts).await,
            Kind::PostgresRestarted => self.cluster.restart_postgres(Shutdown::Fast, lasts / 4).await,
            Kind::PostgresCrashed => self.cluster.restart_postgres(Shutdown::Immediate, lasts / 4).await,
        }
    }

    fn highest(&self) -> Vec<i64> {
        self.houses.iter().map(|house| house.ledger.highest()).collect()
    }

    /// Waits until everybody has everything up to here; when that is.
    async fn recovered(&self, seqs: &[i64]) -> Duration {
        for (house, seq) in self.houses.iter().zip(seqs) {
            house.up_to(*seq).await;
        }
        self.started.elapsed()
    }
}

/// Hands on the panic of a task.
pub(super) fn forward<T>(done: Result<T, tokio::task::JoinError>) -> T {
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
