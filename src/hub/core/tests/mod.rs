//! The room against a model, over arbitrary interleavings of commits of two nodes, hints that are lost, repeated,
//! reordered or of an earlier life of the log, a bus that comes and goes, reads and sweeps that begin and end
//! apart, joins, leaves, slow turns, retention, evictions, and logs that are replaced.

mod broken;
mod rules;
mod steps;
mod wakes;
mod world;

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::Wake;
use crate::config::Broken;
use world::World;

type Flag = Rc<Cell<bool>>;

impl Wake for Flag {
    fn wake(&self) {
        self.set(true);
    }
}

const USERS: usize = 4;
const SESSIONS: usize = 2;

/// Who commits: this node, whose room is handed it, or another, which says so over the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    This,
    Other,
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Node, usize),
    ChangeRole(Node, usize),
    Remove(Node, usize),
    EndSession(Node, usize, usize),
    /// The other node tells where the log is instead of what is in it.
    TellHead,
    Deliver(usize),
    DeliverAndForget(usize),
    Lose(usize),
    Bus {
        up: bool,
    },
    Pass(u8),
    /// Half of what the room's task does: it reads, or it takes what it has read.
    Work,
    SweepBegin,
    SweepEnd(usize),
    Join {
        user: usize,
        session: usize,
        after: Option<u8>,
    },
    Resume(usize),
    Leave(usize),
    Turn(usize),
    Retain(u8),
    Forget,
    /// The log is put back to an earlier point of itself.
    Restore {
        back: u8,
        renew: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    let node = || prop_oneof![1 => Just(Node::This), 2 => Just(Node::Other)];
    prop_oneof![
        8 => (node(), 0usize..8).prop_map(|(node, kind)| Step::Commit(node, kind)),
        1 => (node(), 1..USERS).prop_map(|(node, user)| Step::ChangeRole(node, user)),
        1 => (node(), 1..USERS).prop_map(|(node, user)| Step::Remove(node, user)),
        1 => (node(), user.clone(), 0..SESSIONS)
            .prop_map(|(node, user, session)| Step::EndSession(node, user, session)),
        1 => Just(Step::TellHead),
        3 => any::<usize>().prop_map(Step::Deliver),
        4 => any::<usize>().prop_map(Step::DeliverAndForget),
        1 => any::<usize>().prop_map(Step::Lose),
        1 => any::<bool>().prop_map(|up| Step::Bus { up }),
        2 => (1u8..25).prop_map(Step::Pass),
        5 => Just(Step::Work),
        1 => Just(Step::SweepBegin),
        1 => any::<usize>().prop_map(Step::SweepEnd),
        2 => (user, 0..SESSIONS, any::<Option<u8>>())
            .prop_map(|(user, session, after)| Step::Join { user, session, after }),
        2 => any::<usize>().prop_map(Step::Resume),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => any::<usize>().prop_map(Step::Turn),
        1 => any::<u8>().prop_map(Step::Retain),
        1 => Just(Step::Forget),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(back, renew)| Step::Restore { back, renew }),
    ]
}

/// How long the log is at the start, and what happens then.
fn stories() -> impl Strategy<Value = (usize, Vec<Step>)> {
    (0usize..700, prop::collection::vec(step(), 1..160))
}

/// Tells a story to its end, and panics where anybody did not get what is for them, once and in order.
fn tell(history: usize, steps: &[Step], broken: Broken) {
    let mut world = World::new(history, broken);
    for step in steps {
        world.apply(step);
    }
    world.settle();
    world.check_rest();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn everybody_gets_what_is_for_them_once_in_order((history, steps) in stories()) {
        tell(history, &steps, Broken::default());
    }
}
