//! The growing delay after wrong passwords, account by account.
//!
//! It is the same whether there is an account or not, and it is counted before the password is hashed, so
//! that guesses which come together do not slip by. It never ends a session, and it is short: somebody who
//! keeps guessing makes the account's owner wait for a new sign-in, but not for long.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::limiter::Time;
use super::{Limit, Refusal, Standing};
use crate::types::Email;

/// Wrong passwords that cost nothing: people mistype.
const FREE: u32 = 5;

/// The longest delay.
const LONGEST: Duration = Duration::from_mins(1);

/// How long wrong passwords are remembered after the last.
const REMEMBERED: Duration = Duration::from_mins(15);

/// Emails that are known at most, each of some 50 bytes.
const MAX_EMAILS: usize = 200_000;

/// When to come back where too many emails are known.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// Where too many are known, how often it is looked for some to forget.
const FULL_LOOK: Duration = Duration::from_secs(1);

/// What an email is known by: nobody's address stays in memory.
pub(super) type EmailHash = [u8; 16];

pub(super) fn hash(email: &Email) -> EmailHash {
    let mut hash = EmailHash::default();
    for (to, from) in hash.iter_mut().zip(Sha256::digest(email.as_str())) {
        *to = from;
    }
    hash
}

/// How long after the last of so many wrong passwords the next may be tried: 1, 2, 4 … seconds.
fn delay(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(16)).min(LONGEST),
    }
}

struct Wrong {
    count: u32,
    last_at: Duration,
}

#[derive(Default)]
struct Known {
    wrong: HashMap<EmailHash, Wrong>,
    looked_at: Option<Duration>,
}

impl Known {
    fn forget(&mut self, now: Duration) {
        self.wrong.retain(|_, wrong| wrong.count > 0 && now < wrong.last_at + REMEMBERED);
        let used = self.wrong.len();
        if self.wrong.capacity() > used.saturating_mul(4) {
            self.wrong.shrink_to(used * 2);
        }
    }
}

/// The wrong passwords of all accounts.
pub(super) struct Delays {
    time: Time,
    known: Mutex<Known>,
    max_emails: usize,
}

impl Delays {
    pub(super) fn new(time: Time) -> Self {
        Self { time, known: Mutex::default(), max_emails: MAX_EMAILS }
    }

    /// Counts an attempt as a wrong one until it is known to be right.
    pub(super) fn begin(&self, email: &Email) -> Result<Attempt<'_>, Refusal> {
        let (key, now) = (hash(email), self.time.elapsed());
        let mut known = self.known.lock();
        if known.wrong.len() >= self.max_emails && !known.wrong.contains_key(&key) {
            if known.looked_at.is_none_or(|looked_at| now >= looked_at + FULL_LOOK) {
                known.looked_at = Some(now);
                known.forget(now);
            }
            if known.wrong.len() >= self.max_emails {
                return Err(refuse(FULL_RETRY));
            }
        }
        let wrong = known.wrong.entry(key).or_insert(Wrong { count: 0, last_at: now });
        if now >= wrong.last_at + REMEMBERED {
            wrong.count = 0;
        }
        let wait = (wrong.last_at + delay(wrong.count)).saturating_sub(now);
        if !wait.is_zero() {
            return Err(refuse(wait));
        }
        wrong.count = wrong.count.saturating_add(1);
        wrong.last_at = now;
        Ok(Attempt(Some((self, key))))
    }

    /// Forgets what is long ago; returns how many emails are left.
    pub(super) fn forget(&self) -> usize {
        let mut known = self.known.lock();
        known.forget(self.time.elapsed());
        known.wrong.len()
    }
}

fn refuse(retry_after: Duration) -> Refusal {
    Limit::Account.count_refusal();
    let standing = Standing { limit: FREE, remaining: 0, reset: retry_after };
    Refusal { limit: Limit::Account, standing, retry_after }
}

/// A password that is being tried. It stays counted as wrong unless it is told otherwise.
#[must_use]
pub(crate) struct Attempt<'a>(Option<(&'a Delays, EmailHash)>);

impl Attempt<'_> {
    /// Where nothing is counted.
    pub(super) fn unlimited() -> Self {
        Self(None)
    }

    /// It was right: what was wrong before is forgotten.
    pub(crate) fn was_right(self) {
        if let Some((delays, key)) = self.0 {
            delays.known.lock().wrong.remove(&key);
        }
    }

    /// It was not looked at, so it does not count.
    pub(crate) fn was_not_made(self) {
        if let Some((delays, key)) = self.0
            && let Some(wrong) = delays.known.lock().wrong.get_mut(&key)
        {
            wrong.count = wrong.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Clock;

    fn email(name: &str) -> Email {
        Email::try_from(format!("{name}@example.com")).unwrap()
    }

    fn delays() -> (Delays, Clock) {
        let clock = Clock::default();
        (Delays::new(Time::new(clock.clone())), clock)
    }

    #[test]
    fn the_delay_grows_and_has_an_end() {
        let (delays, clock) = delays();
        for _ in 0..FREE {
            drop(delays.begin(&email("ana")).unwrap());
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let refusal = delays.begin(&email("ana")).err().expect("refused");
            let expected = Duration::from_secs(expected);
            assert!(refusal.retry_after <= expected && refusal.retry_after > expected / 2, "{refusal:?}");
            clock.advance(expected);
            drop(delays.begin(&email("ana")).unwrap());
        }
        assert!(delays.begin(&email("bo")).is_ok(), "others are not concerned");
        clock.advance(REMEMBERED);
        assert_eq!(delays.forget(), 0);
        assert!(delays.begin(&email("ana")).is_ok());
    }

    #[test]
    fn a_right_password_resets_and_one_that_was_not_looked_at_does_not_count() {
        let (delays, _clock) = delays();
        for _ in 0..FREE * 3 {
            delays.begin(&email("ana")).unwrap().was_not_made();
        }
        for _ in 0..3 {
            for _ in 0..FREE - 1 {
                drop(delays.begin(&email("ana")).unwrap());
            }
            delays.begin(&email("ana")).unwrap().was_right();
        }
    }

    #[test]
    fn attempts_that_come_together_are_counted_before_their_outcome() {
        let (delays, _clock) = delays();
        let under_way: Vec<_> = (0..20).filter_map(|_| delays.begin(&email("ana")).ok()).collect();
        assert_eq!(under_way.len(), FREE as usize);
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_is_refused() {
        let (mut delays, clock) = delays();
        delays.max_emails = 3;
        for name in ["a", "b", "c"] {
            drop(delays.begin(&email(name)).unwrap());
        }
        assert!(delays.begin(&email("d")).is_err());
        assert!(delays.begin(&email("a")).is_ok());
        clock.advance(REMEMBERED);
        assert!(delays.begin(&email("d")).is_ok());
    }
}
