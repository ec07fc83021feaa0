//! The room against a model, over arbitrary interleavings of commits, hints that are lost, repeated and
//! reordered, sweeps, joins, leaves, slow turns, retention and evictions.

mod rules;
mod world;

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::Wake;
use world::World;

type Flag = Rc<Cell<bool>>;

impl Wake for Flag {
    fn wake(&self) {
        self.set(true);
    }
}

const USERS: usize = 4;
const SESSIONS: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Commit(usize),
    ChangeRole(usize),
    Remove(usize),
    EndSession(usize, usize),
    Deliver(usize),
    Lose(usize),
    Work,
    SweepBegin,
    SweepEnd,
    Join { user: usize, session: usize, after: Option<u8> },
    Leave(usize),
    Turn(usize),
    Retain(u8),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    prop_oneof![
        8 => (0usize..8).prop_map(Step::Commit),
        1 => (1..USERS).prop_map(Step::ChangeRole),
        1 => (1..USERS).prop_map(Step::Remove),
        1 => (user.clone(), 0..SESSIONS).prop_map(|(user, session)| Step::EndSession(user, session)),
        6 => any::<usize>().prop_map(Step::Deliver),
        2 => any::<usize>().prop_map(Step::Lose),
        3 => Just(Step::Work),
        1 => Just(Step::SweepBegin),
        1 => Just(Step::SweepEnd),
        2 => (user, 0..SESSIONS, any::<Option<u8>>())
            .prop_map(|(user, session, after)| Step::Join { user, session, after }),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => any::<usize>().prop_map(Step::Turn),
        1 => any::<u8>().prop_map(Step::Retain),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn everybody_gets_what_is_for_them_once_in_order(
        history in 0usize..700, steps in prop::collection::vec(step(), 1..160),
    ) {
        let mut world = World::new(history);
        for step in steps {
            world.apply(&step);
        }
        world.settle();
        world.check_rest();
    }
}
