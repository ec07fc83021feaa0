//! How much of what outsiders cause is entered in the platform's audit.
//!
//! Anybody may try an email at the platform's sign-in, and any member may name another organisation than their own.
//! Were each time entered, they could fill the directory. What is not entered is counted, and the log has a line of
//! each request all the same.

use std::num::NonZeroU32;

use super::Limit;
use super::delays::{EmailHash, hash};
use super::limiter::{Limiter, Time};
use crate::types::{Email, OrgId};

/// Entries an hour about one email, or about one organisation.
const OF_EACH: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// Entries an hour of one kind. Apart, so that the one does not hide the other.
const OF_ALL: NonZeroU32 = NonZeroU32::MIN.saturating_add(599);

/// What an outsider did.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outsider<'a> {
    /// Tried to be the administrator with this email. It is the same whether there is one or not: that is nobody's
    /// to learn.
    Tried(&'a Email),
    /// Named another organisation than this one, their own.
    Mismatched(OrgId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Attempt,
    Mismatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Email(EmailHash),
    Organisation(OrgId),
}

/// Counts them.
pub(super) struct Outsiders {
    of_each: Limiter<Whose>,
    of_all: Limiter<Kind>,
}

impl Outsiders {
    pub(super) fn new(time: &Time) -> Self {
        Self {
            of_each: Limiter::hourly(Limit::Audit, OF_EACH, time.clone()),
            of_all: Limiter::hourly(Limit::Audit, OF_ALL, time.clone()),
        }
    }

    /// Whether it is to be entered.
    pub(super) fn count(&self, outsider: Outsider<'_>) -> bool {
        let (kind, whose) = match outsider {
            Outsider::Tried(email) => (Kind::Attempt, Whose::Email(hash(email))),
            Outsider::Mismatched(org) => (Kind::Mismatch, Whose::Organisation(org)),
        };
        self.of_each.count(whose).is_ok() && self.of_all.count(kind).is_ok()
    }

    pub(super) fn forget(&self) -> usize {
        self.of_each.forget() + self.of_all.forget()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::types::Clock;

    #[test]
    fn each_has_a_bound_and_all_of_a_kind_have_one() {
        let clock = Clock::default();
        let outsiders = Outsiders::new(&Time::new(clock.clone()));
        let own = OrgId::new();
        let entered = (0..200).filter(|_| outsiders.count(Outsider::Mismatched(own))).count();
        assert_eq!(entered, 60);
        let others = (0..2_000).filter(|_| outsiders.count(Outsider::Mismatched(OrgId::new()))).count();
        assert_eq!(others, 540, "organisations can be founded");
        let email = Email::try_from("pat@example.com".to_owned()).unwrap();
        let tried = (0..200).filter(|_| outsiders.count(Outsider::Tried(&email))).count();
        assert_eq!(tried, 60, "the other kind is not concerned");
        clock.advance(Duration::from_hours(1) + Duration::from_millis(1));
        assert!(outsiders.count(Outsider::Mismatched(own)) && outsiders.count(Outsider::Tried(&email)));
    }
}
