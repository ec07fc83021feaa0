//! What each caller said in each room, for servers that keep no log: their order is that of each caller.

use crate::load::mark::Mark;

/// One caller in one room.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    /// The number of the last message.
    sent: u32,
    /// The number of the last one that was acknowledged.
    owed: u32,
    /// How many have the last one.
    heard: u32,
}

/// All of them; none where the server keeps a log.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    of_callers: Vec<Lane>,
    callers: usize,
    /// How many sockets a room has, and how many rooms have one more.
    members: usize,
    fuller_rooms: usize,
    /// Whether a message that all have is what answers its caller.
    answers: bool,
    answered: Vec<usize>,
}

impl Lanes {
    /// Of so many callers in so many rooms with so many sockets. `answers`: whoever says something goes on when
    /// all have it.
    pub(super) fn new(rooms: usize, callers: usize, sockets: usize, answers: bool) -> Self {
        Self {
            of_callers: vec![Lane::default(); rooms * callers],
            callers,
            members: sockets / rooms,
            fuller_rooms: sockets % rooms,
            answers,
            answered: Vec::new(),
        }
    }

    fn of(&mut self, room: u32, caller: usize) -> Option<&mut Lane> {
        (caller < self.callers).then(|| self.of_callers.get_mut(room as usize * self.callers + caller))?
    }

    /// The number of what this caller says next.
    pub(super) fn next(&mut self, room: u32, caller: usize) -> u32 {
        self.of(room, caller).map_or(0, |lane| {
            lane.heard = 0;
            lane.sent += 1;
            lane.sent
        })
    }

    /// What it said was refused: its next message has the same number.
    pub(super) fn refused(&mut self, room: u32, caller: usize) {
        if let Some(lane) = self.of(room, caller) {
            lane.sent -= 1;
        }
    }

    /// What it said last is owed to all.
    pub(super) fn accepted(&mut self, room: u32, caller: usize) {
        if let Some(lane) = self.of(room, caller) {
            lane.owed = lane.sent;
        }
    }

    /// One more has this.
    pub(super) fn heard(&mut self, mark: Mark) {
        if !self.answers || mark.number == 0 {
            return;
        }
        let members = self.members + usize::from((mark.room as usize) < self.fuller_rooms);
        let caller = usize::from(mark.caller);
        let Some(lane) = self.of(mark.room, caller) else { return };
        lane.heard += u32::from(lane.sent == mark.number);
        if lane.heard as usize == members {
            lane.heard = 0;
            self.answered.push(caller);
        }
    }

    /// Whether a message that all have is what answers its caller.
    pub(super) fn answers(&self) -> bool {
        self.answers
    }

    /// A caller whose last message all have.
    pub(super) fn take_answered(&mut self) -> Option<usize> {
        self.answered.pop()
    }

    /// What is owed to those in a room, by caller.
    pub(super) fn owed_in(&self, room: u32) -> impl Iterator<Item = u32> {
        self.of_callers.iter().skip(room as usize * self.callers).take(self.callers).map(|lane| lane.owed)
    }
}
