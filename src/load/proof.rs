//! What a subscriber received, beside what it should have.

use std::cmp::Ordering;

use roomcast_client::Verifier;
use uuid::Uuid;

/// How it is proved that a subscriber got everything.
pub(super) enum Proof {
    /// By the `seq` of the one log that it follows.
    Log(Verifier),
    /// By the numbers that each caller gave to what it said in the room, where a server knows no order but that
    /// in which it was told.
    Numbers(Numbers),
}

impl Proof {
    /// Of an admin of an organisation, who may see everything.
    pub(super) fn of_log(organisation_id: Uuid) -> Self {
        Self::Log(Verifier::new(organisation_id).seeing_all())
    }

    /// Of a room that so many callers speak in.
    pub(super) fn of_numbers(callers: usize) -> Self {
        Self::Numbers(Numbers { last: vec![0; callers].into_boxed_slice(), ..Numbers::default() })
    }

    /// How far it is: at this place of the log, or after so many messages.
    pub(super) fn reached(&self) -> i64 {
        match self {
            Self::Log(verifier) => verifier.position().map_or(0, |position| position.seq),
            Self::Numbers(numbers) => i64::try_from(numbers.received).unwrap_or(i64::MAX),
        }
    }
}

/// The last number of each caller, and what was wrong with others.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    last: Box<[u32]>,
    /// Whether it is in its room: it has heard something there.
    pub(super) is_in: bool,
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) out_of_order: u64,
}

impl Numbers {
    /// Takes a message. Numbers begin with 1, and each is one more than the one before of its caller; 0 is only
    /// a greeting.
    pub(super) fn observe(&mut self, caller: u16, number: u32) {
        self.is_in = true;
        if number == 0 {
            return;
        }
        let Some(last) = self.last.get_mut(usize::from(caller)) else { return };
        self.received += 1;
        match number.cmp(last) {
            Ordering::Greater => {
                self.lost += u64::from(number - *last - 1);
                *last = number;
            }
            Ordering::Equal => self.doubled += 1,
            Ordering::Less => self.out_of_order += 1,
        }
    }

    /// How many never came, where each caller's last was the number in `owed`.
    pub(super) fn behind(&self, owed: impl IntoIterator<Item = u32>) -> u64 {
        self.last.iter().zip(owed).map(|(last, owed)| u64::from(owed.saturating_sub(*last))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_an_order_of_its_own() {
        let Proof::Numbers(mut numbers) = Proof::of_numbers(2) else { unreachable!() };
        for (caller, number) in [(1, 0), (1, 1), (0, 1), (1, 2), (0, 0), (0, 2), (0, 3)] {
            numbers.observe(caller, number);
        }
        assert_eq!((numbers.received, numbers.lost, numbers.doubled, numbers.out_of_order), (5, 0, 0, 0));
        assert_eq!((numbers.behind([3, 2]), numbers.behind([4, 5])), (0, 4));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let Proof::Numbers(mut numbers) = Proof::of_numbers(1) else { unreachable!() };
        for number in [1, 4, 4, 2] {
            numbers.observe(0, number);
        }
        assert_eq!((numbers.lost, numbers.doubled, numbers.out_of_order), (2, 1, 1));
        // Of a caller that there is not.
        numbers.observe(1, 1);
        assert_eq!(numbers.received, 4);
    }
}
