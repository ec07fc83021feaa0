//! What goes wrong when: drawn from a seed, so that it can be had again.

use std::fmt;
use std::time::Duration;

use super::NODES;
use crate::crashes::Dice;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// A node's process ends with SIGKILL, and is started again.
    NodeKilled,
    /// A node's process is stopped (SIGSTOP) and goes on (SIGCONT).
    NodePaused,
    /// A node drains (SIGTERM), ends and is started again.
    NodeDrained,
    /// Every connection of a node's clients is cut.
    ClientsDropped,
    /// PostgreSQL ends in good order and is started again.
    PostgresRestarted,
    /// PostgreSQL ends as by a crash and is started again.
    PostgresCrashed,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [
        Self::NodeKilled,
        Self::NodePaused,
        Self::NodeDrained,
        Self::ClientsDropped,
        Self::PostgresRestarted,
        Self::PostgresCrashed,
    ];

    /// Whether the others go on serving meanwhile, so that recovery counts from its beginning.
    pub(super) fn leaves_service(self) -> bool {
        match self {
            Self::NodePaused | Self::PostgresRestarted | Self::PostgresCrashed => false,
            Self::NodeKilled | Self::NodeDrained | Self::ClientsDropped => true,
        }
    }

    /// What it is about.
    pub(super) fn place(self) -> Place {
        match self {
            Self::NodeKilled | Self::NodePaused | Self::NodeDrained | Self::ClientsDropped => Place::Node,
            Self::PostgresRestarted | Self::PostgresCrashed => Place::Postgres,
        }
    }
}

/// What a fault is about; one at a time happens to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Node,
    Postgres,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NodeKilled => "node killed",
            Self::NodePaused => "node paused",
            Self::NodeDrained => "node drained",
            Self::ClientsDropped => "clients dropped",
            Self::PostgresRestarted => "postgres restarted",
            Self::PostgresCrashed => "postgres crashed",
        })
    }
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Counted from the beginning of the schedule.
    pub(super) at: Duration,
    pub(super) kind: Kind,
    /// The node that it is about, where it is about one; `None` is all of them.
    pub(super) node: Option<usize>,
    /// How long it lasts, where that is for us to say.
    pub(super) lasts: Duration,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, kind, node, lasts } = self;
        let node = match (kind.place(), node) {
            (Place::Node, Some(node)) => format!("node {node}"),
            (Place::Node | Place::Postgres, _) => String::new(),
        };
        write!(f, "{:7.2} s  {kind:18} {node:9} for {:.2} s", at.as_secs_f64(), lasts.as_secs_f64())
    }
}

/// How much of it there is.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Over how long faults begin.
    pub(super) window: Duration,
    /// How much lies between one and the next, on average.
    pub(super) spacing: Duration,
    /// The longest that one lasts.
    pub(super) longest: Duration,
    pub(super) kinds: Vec<Kind>,
}

impl Plan {
    /// Every kind comes as often as any other, in an order of its own each time round.
    pub(super) fn draw(&self, seed: u64) -> Vec<Step> {
        let mut dice = Dice::new(seed);
        let (mut steps, mut deck) = (Vec::new(), Vec::new());
        let mut at = Duration::ZERO;
        while at < self.window {
            if deck.is_empty() {
                deck.clone_from(&self.kinds);
            }
            let card = dice.below(deck.len() as u64);
            let kind = deck.swap_remove(usize::try_from(card).unwrap());
            let node = usize::try_from(dice.below(NODES as u64)).unwrap();
            let lasts = part(self.longest, 100 + dice.below(901));
            steps.push(Step { at, kind, node: Some(node), lasts });
            at += part(self.spacing, 500 + dice.below(1001));
        }
        steps
    }
}

/// So many thousandths.
fn part(of: Duration, thousandths: u64) -> Duration {
    Duration::from_micros(u64::try_from(of.as_millis()).unwrap() * thousandths)
}

#[test]
fn a_seed_repeats_its_schedule_and_every_kind_has_its_turn() {
    let plan = Plan {
        window: Duration::from_secs(110),
        spacing: Duration::from_secs(1),
        longest: Duration::from_secs(2),
        kinds: Kind::ALL.to_vec(),
    };
    let steps = plan.draw(7);
    assert_eq!(steps, plan.draw(7));
    assert_ne!(steps, plan.draw(8));
    let counts = Kind::ALL.map(|kind| steps.iter().filter(|step| step.kind == kind).count());
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least > 5 && most - least <= 1, "{counts:?}");
    assert!(steps.iter().all(|step| step.lasts >= plan.longest / 10 && step.lasts <= plan.longest));
    assert!(steps.is_sorted_by_key(|step| step.at));
}
