//! What each step of a story does to the world.

use std::time::Duration;

use super::world::{Hint, World, role};
use super::{Step, USERS};
use crate::hub::core::*;
use crate::types::{AccessEffect, Audience, EpochId, Role, Seq};

impl World {
    fn deliver(&mut self, hint: &Hint) {
        match hint {
            Hint::Entry(entry) => {
                self.core.offer([Entry::live(entry, self.now)], self.now);
            }
            Hint::Head(epoch, seq, id) => self.core.told_of_head(*epoch, *seq, *id, self.now),
        }
    }

    pub(super) fn apply(&mut self, step: &Step) {
        // Nothing happens at one moment with anything else.
        self.now += Duration::from_micros(1);
        match *step {
            Step::Commit(node, kind) => {
                let audience = self.audience(kind);
                self.commit(node, audience, None);
            }
            Step::ChangeRole(node, user) => {
                let user = self.users[user];
                if let Some(role) = role(&self.life().log, user, self.head_seq()) {
                    let role = if role == Role::Admin { Role::Member } else { Role::Admin };
                    self.commit(node, Audience::Everyone, Some(AccessEffect::RoleChanged { user, role }));
                }
            }
            Step::Remove(node, user) => {
                let user = self.users[user];
                if role(&self.life().log, user, self.head_seq()).is_some() {
                    self.commit(node, Audience::Everyone, Some(AccessEffect::UserRemoved { user }));
                }
            }
            Step::EndSession(node, user, session) => {
                let session = self.sessions[user][session];
                let audience = Audience::AdminsAnd(self.users[user]);
                self.commit(node, audience, Some(AccessEffect::SessionEnded { session }));
            }
            Step::TellHead => {
                if let Some(id) = self.head().last_id {
                    self.hints.push(Hint::Head(self.life().epoch, self.head_seq(), id));
                }
            }
            Step::Bus { up } => {
                self.bus_up = up;
                if up {
                    self.sweep_begin();
                } else {
                    self.hints.clear();
                }
            }
            Step::Pass(ms) => self.now += Duration::from_millis(ms.into()),
            Step::Work => drop(self.work()),
            Step::SweepBegin => self.sweep_begin(),
            Step::Join { user, session, after } if self.is_open() => self.join(user, session, after),
            // Only what every room has seen is old enough to go.
            Step::Retain(count) if self.is_open() => {
                let until = self.cursor().min(self.head_seq()).previous();
                self.first_seq = self.first_seq.plus(i64::from(count % 16)).min(until).max(self.first_seq);
            }
            Step::Forget => self.core.forget(),
            Step::Restore { back, renew } if self.is_open() => self.restore(back, renew),
            Step::Join { .. } | Step::Retain(_) | Step::Restore { .. } => {}
            Step::Deliver(which) | Step::DeliverAndForget(which) | Step::Lose(which) => {
                self.hint(step, which);
            }
            Step::SweepEnd(which) | Step::Resume(which) | Step::Leave(which) | Step::Turn(which) => {
                self.pick(step, which);
            }
        }
    }

    fn hint(&mut self, step: &Step, which: usize) {
        if self.hints.is_empty() {
            return;
        }
        let which = which % self.hints.len();
        let hint = self.hints[which].clone();
        if !matches!(step, Step::Deliver(_)) {
            self.hints.swap_remove(which);
        }
        if !matches!(step, Step::Lose(_)) {
            self.deliver(&hint);
        }
    }

    fn pick(&mut self, step: &Step, which: usize) {
        match *step {
            Step::SweepEnd(_) if !self.sweeps.is_empty() => {
                let sweep = self.sweeps.swap_remove(which % self.sweeps.len());
                self.sweep_end(&sweep);
            }
            Step::Resume(_) if !self.away.is_empty() && self.is_open() => {
                let away = self.away.swap_remove(which % self.away.len());
                self.join_as(&away.join);
            }
            Step::Leave(_) if !self.peers.is_empty() => {
                let peer = self.peers.swap_remove(which % self.peers.len());
                self.core.leave(peer.key, self.now);
            }
            Step::Turn(_) if !self.peers.is_empty() => {
                let index = which % self.peers.len();
                if self.peers[index].flag.get() && self.peers[index].closed.is_none() {
                    self.turn(index);
                }
            }
            _ => {}
        }
    }

    /// Puts the log back to an earlier point, with a new epoch, or with the one that it had.
    fn restore(&mut self, back: u8, renew: bool) {
        let oldest = self.first_seq.max(Seq::ZERO.plus(i64::try_from(USERS).unwrap()));
        let head = if renew { self.head_seq() } else { self.cursor().min(self.head_seq()) };
        let end = head.get() - i64::from(back % 32) - 1;
        let Some(end) = Seq::new(end).filter(|end| *end >= oldest) else { return };
        let mut life = self.life().clone();
        life.log.retain(|entry| entry.seq <= end);
        if renew {
            life.epoch = EpochId::new();
        } else {
            // Nothing of what is under way names the life that it is of.
            self.hints.clear();
            self.bounded = Some(self.bounded.map_or(self.cursor(), |bound| bound.min(self.cursor())));
        }
        self.lives.push(life);
    }
}
