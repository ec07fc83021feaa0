//! Who is owed what: the turns that connections take, and what they are told.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::connections::Position;
use super::follow::is_whole;
use super::{
    BlockNumber, ConnectionKey, Core, Diverged, Entry, GapReason, LogRead, Mark, ResumeGap, TELL_AFTER,
    TELL_SLACK, TURN_BYTES, TURN_FRAMES, TURN_LOOKS, Taken, Turn, Wake, is_stale,
};
use crate::types::Seq;

impl<W: Wake> Core<W> {
    /// Wakes the peers that have not been told their position for [`TELL_AFTER`] entries.
    pub(super) fn wake_those_to_tell(&mut self) {
        let Some(open) = &mut self.open else { return };
        let cursor = open.cursor;
        if cursor < open.next_tell {
            return;
        }
        let mut earliest = cursor.plus(TELL_AFTER);
        self.connections.for_each(|connection| {
            let due = connection.told.plus(TELL_AFTER);
            if due > cursor {
                earliest = earliest.min(due);
            } else if connection.position == Position::CaughtUp {
                connection.position = Position::Behind(cursor);
                connection.waker.wake();
            }
        });
        open.next_tell = earliest.max(cursor.plus(TELL_SLACK));
    }

    /// Takes a block that was read as far as the room was `before`; empty where retention has removed it meanwhile. Nothing is taken of a log that is another one by now.
    pub fn block_read(
        &mut self,
        number: BlockNumber,
        before: Mark,
        read: LogRead,
    ) -> Result<Taken, Diverged> {
        let Some(open) = self.open.as_mut().filter(|_| self.ended.is_none()) else {
            return Ok(Taken::Whole);
        };
        let LogRead { entries, head, .. } = read;
        let agree = |entry: &Arc<Entry>| open.agrees(entry.seq(), entry.log.id);
        if open.is_replaced(before, &head) || !entries.iter().all(agree) {
            return Err(self.diverge());
        }
        let until = number.last().min(before.seq);
        if !is_whole(&entries, number.first().max(head.first_seq), until) {
            return Ok(Taken::Holes);
        }
        let wanted = open.wanted.remove(&number);
        open.first_seq = open.first_seq.max(head.first_seq);
        if !entries.is_empty() {
            open.cache.insert_block(number, entries, wanted);
        }
        self.connections.for_each(|connection| {
            if let Position::Behind(seq) = connection.position
                && BlockNumber::of(seq.next()) <= number
            {
                connection.waker.wake();
            }
        });
        Ok(Taken::Whole)
    }

    /// Up to where everything that is for this connection has been taken.
    pub fn position(&mut self, key: ConnectionKey) -> Seq {
        let cursor = self.open.as_ref().map_or(Seq::ZERO, |open| open.cursor);
        let Some(connection) = self.connections.get_mut(key) else {
            return Seq::ZERO;
        };
        let position = match connection.position {
            Position::CaughtUp => cursor,
            Position::Behind(seq) => seq,
        };
        connection.told = connection.told.max(position);
        position
    }

    /// A connection's turn: what is next for it, at most [`TURN_FRAMES`] and [`TURN_BYTES`]. It is caught
    /// up again only here, under the room's lock, when nothing remains.
    pub fn take(&mut self, key: ConnectionKey, now: Instant) -> Turn {
        let Some(connection) = self.connections.get_mut(key) else {
            return Turn::Wait;
        };
        if let Some(call) = connection.take_call() {
            return Turn::Called(call);
        }
        if connection.watch.is_none() {
            return self.take_entries(key, now);
        }
        self.take_in_turns(key, now)
    }

    /// What is next of the log.
    pub(super) fn take_entries(&mut self, key: ConnectionKey, now: Instant) -> Turn {
        let (Some(open), Some(connection)) = (&mut self.open, self.connections.get_mut(key)) else {
            return Turn::Wait;
        };
        let Position::Behind(mut position) = connection.position else {
            return Turn::Wait;
        };
        if is_stale(open.confirmed_at, now) {
            open.held_back = true;
            return Turn::Wait;
        }
        let mut needs_block = false;
        let (mut entries, mut bytes) = (SmallVec::new(), 0);
        let roles = open.access.roles_of(connection.user);
        let looked_until = position.plus(i64::try_from(TURN_LOOKS).unwrap_or(i64::MAX)).min(open.cursor);
        while position < looked_until {
            let seq = position.next();
            if seq < open.first_seq {
                if entries.is_empty() {
                    connection.position = Position::Behind(open.first_seq.previous());
                    return Turn::Gap(ResumeGap { reason: GapReason::Expired, next_seq: open.first_seq });
                }
                break;
            }
            let Some(entry) = open.cache.get(seq) else {
                let wanted = open.wanted.entry(BlockNumber::of(seq)).or_insert(seq);
                *wanted = seq.min(*wanted);
                needs_block = true;
                break;
            };
            let role = roles.map(|roles| roles.seen_at(seq));
            if role.is_some_and(|role| entry.log.audience.includes(connection.user, role)) {
                let length = entry.log.json.len();
                if entries.len() == TURN_FRAMES || (bytes > 0 && bytes + length > TURN_BYTES) {
                    break;
                }
                bytes += length;
                entries.push(Arc::clone(entry));
                connection.told = seq;
            }
            position = seq;
        }
        connection.position =
            if position < open.cursor { Position::Behind(position) } else { Position::CaughtUp };
        open.all_behind &= connection.position != Position::CaughtUp;
        let due = position.since(connection.told) >= TELL_AFTER;
        let told = due.then_some(position);
        if let Some(told) = told {
            connection.told = told;
        }
        if entries.is_empty() && told.is_none() {
            // It stopped after many entries that were for others: its next turn goes on from there.
            if connection.position != Position::CaughtUp && !needs_block {
                connection.waker.wake();
            }
            return Turn::Wait;
        }
        let more = connection.position != Position::CaughtUp || connection.watch.is_some();
        Turn::Send { entries, told, more }
    }
}
