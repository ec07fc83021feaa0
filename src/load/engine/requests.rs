//! The requests of a run: which, by whom, and what their answers say.

use mio::Token;
use mio::event::Event;

use super::caller::{Answered, Caller, Job, Page, State, Task};
use super::pace::Wake;
use super::{CALLERS, Engine};
use crate::load::adapter::read_feed;
use crate::load::mark::Mark;

/// How long a caller rests that was refused without being told for how long.
const REST_NS: u64 = 100_000_000;

impl Engine<'_> {
    /// Sends so many messages into each room, and waits until they are acknowledged.
    pub(super) fn burst(&mut self, each: u32) -> anyhow::Result<()> {
        let now_ns = self.now_ns();
        let rooms = u32::try_from(self.heads.len())?;
        for _ in 0..each {
            let jobs = (0..rooms).map(|room| Job { due_ns: now_ns, task: Task::Publish(room) });
            self.waiting.extend(jobs);
        }
        self.until("broadcasting", |engine| (engine.busy == 0 && engine.waiting.is_empty(), None))
    }

    /// Something is to be asked, since `due_ns`.
    pub(super) fn demand(&mut self, due_ns: u64) {
        let task = self.task();
        self.waiting.push_back(Job { due_ns, task });
    }

    fn task(&mut self) -> Task {
        let room = u32::try_from(self.dice.below(self.heads.len())).unwrap_or_default();
        if self.plan.reads > 0.0 && self.dice.happens(self.plan.reads) {
            Task::Read(room)
        } else {
            Task::Publish(room)
        }
    }

    /// From now on each answer brings on the next request.
    pub(super) fn close_loop(&mut self) {
        self.is_closed_loop = true;
        for index in std::mem::take(&mut self.idle) {
            self.callers[index].is_listed = false;
            if let State::Idle = self.callers[index].state {
                self.ask_again(index);
            }
        }
    }

    /// The next request of a caller in a closed loop.
    fn ask_again(&mut self, index: usize) {
        let job = Job { due_ns: self.now_ns(), task: self.task() };
        self.start(index, job);
    }

    /// Gives what waits to who is free.
    pub(super) fn dispatch(&mut self) {
        while !self.waiting.is_empty() {
            let Some(index) = self.idle.pop() else { return };
            self.callers[index].is_listed = false;
            if let Some(job) = self.waiting.pop_front() {
                self.start(index, job);
            }
        }
    }

    /// What a caller does that has nothing to do.
    fn next(&mut self, index: usize) {
        if self.is_closed_loop {
            self.ask_again(index);
        } else if !self.callers[index].is_listed {
            self.callers[index].is_listed = true;
            self.idle.push(index);
        }
    }

    fn start(&mut self, index: usize, job: Job) {
        let now_ns = self.now_ns();
        if self.is_measuring {
            self.tally.longest_wait_ns = self.tally.longest_wait_ns.max(now_ns.saturating_sub(job.due_ns));
        }
        self.tally.sent += 1;
        self.busy += 1;
        let (site, payload) = (self.site, self.plan.payload_bytes);
        let page = match job.task {
            Task::Read(room) => Some(Page {
                before: self.place_in(room),
                is_of_all: self.plan.feed_query.is_none() && !site.rooms[room as usize].is_of_member,
            }),
            Task::Publish(_) | Task::Greet(_) => None,
        };
        let caller = &mut self.callers[index];
        caller.state = State::Busy(job);
        let (marks, lanes) = (&self.marks, &mut self.lanes);
        caller.page = page;
        let by = (self.poll.registry(), Token(CALLERS + index));
        let query = self.plan.feed_query.as_deref();
        let sent = caller.send(by, (&site.adapter, &site.publish), |out| match job.task {
            Task::Publish(room) | Task::Greet(room) => {
                let number = if let Task::Greet(_) = job.task { 0 } else { lanes.next(room, index) };
                let caller = u16::try_from(index).unwrap_or(u16::MAX);
                let text = marks.text(Mark { room, caller, number, due_ns: job.due_ns }, payload);
                site.adapter.publish(&site.publish, &site.rooms[room as usize], &text, out);
            }
            Task::Read(room) => {
                let before = page.and_then(|page| page.before);
                read_feed(&site.publish, &site.rooms[room as usize], before, query, out);
            }
        });
        match sent {
            Ok(()) => self.is_said(index),
            Err(fault) => self.failed(index, &fault),
        }
    }

    /// A place in the log of a room, as far as it is known; none is its end.
    fn place_in(&mut self, room: u32) -> Option<i64> {
        let head = self.heads[room as usize];
        let end = usize::try_from(head).unwrap_or_default();
        (end > 0).then(|| i64::try_from(self.dice.below(end)).unwrap_or_default() + 2)
    }

    /// Over a socket nothing is acknowledged: what is said is said. What else there is to say is said in the
    /// next round.
    fn is_said(&mut self, index: usize) {
        if let State::Busy(job) = self.callers[index].state
            && self.site.adapter.publishes_by_socket()
            && (!self.lanes.answers() || matches!(job.task, Task::Greet(_)))
            && self.callers[index].has_written()
        {
            self.busy -= 1;
            self.callers[index].state = State::Resting;
            self.succeeded(index, job, None);
            self.agenda.add(self.now_ns(), Wake::Caller(index));
        }
    }

    /// In a closed loop a caller over a socket goes on when all have what it said.
    pub(super) fn heard_by_all(&mut self, index: usize) {
        if let State::Busy(job) = self.callers[index].state {
            self.busy -= 1;
            self.callers[index].state = State::Idle;
            self.succeeded(index, job, None);
            self.next(index);
        }
    }

    pub(super) fn hear_caller(&mut self, index: usize, event: &Event) {
        let Self { callers, buffer, site, .. } = self;
        let Some(caller) = callers.get_mut(index) else { return };
        let ends = event.is_read_closed() || event.is_error();
        let written = if event.is_writable() { caller.write() } else { Ok(()) };
        let heard = written.and_then(|()| {
            let answer =
                if event.is_readable() || ends { caller.read(&site.adapter, buffer, ends)? } else { None };
            // What was held back until the server agreed.
            caller.write()?;
            Ok(answer)
        });
        match heard {
            Ok(Some(answer)) => self.answered(index, &answer),
            Ok(None) => self.is_said(index),
            Err(fault) => self.failed(index, &fault),
        }
    }

    fn failed(&mut self, index: usize, fault: &crate::load::wire::Fault) {
        self.tally.fault(fault);
        self.callers[index].hang_up();
        if let State::Busy(_) = self.callers[index].state {
            self.answered(index, &Answered::Lost);
        }
    }

    fn answered(&mut self, index: usize, answer: &Answered) {
        let State::Busy(job) = self.callers[index].state else { return };
        self.callers[index].state = State::Idle;
        self.busy -= 1;
        match *answer {
            Answered::With { status: 200..=299, limit, seq, is_whole, .. } => {
                self.tally.request_limit = limit.or(self.tally.request_limit);
                self.tally.broken_pages += u64::from(!is_whole);
                self.succeeded(index, job, seq);
                self.next(index);
            }
            Answered::With { status, retry_after, limit, .. } => {
                self.tally.request_limit = limit.or(self.tally.request_limit);
                *self.tally.refused_requests.entry(status).or_default() += 1;
                if let Task::Publish(room) = job.task {
                    self.lanes.refused(room, index);
                }
                let rest_ns = retry_after.map(|after| u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
                self.refused(index, job, rest_ns);
            }
            Answered::Lost => {
                self.tally.fault(&"no answer");
                self.refused(index, job, None);
            }
        }
    }

    fn succeeded(&mut self, index: usize, job: Job, seq: Option<i64>) {
        let now_ns = self.now_ns();
        match job.task {
            Task::Publish(room) => {
                let head = &mut self.heads[room as usize];
                *head = if self.site.adapter.resumes() { seq.unwrap_or(0).max(*head) } else { *head + 1 };
                self.lanes.accepted(room, index);
                self.tally.acknowledged += 1;
                if self.is_measuring {
                    self.tally.publishes.note(job.due_ns, now_ns);
                }
            }
            Task::Greet(_) => {}
            Task::Read(room) => {
                // It tells how long the log is, where nothing else did.
                let head = &mut self.heads[room as usize];
                *head = seq.unwrap_or(0).max(*head);
                self.tally.read += 1;
                if self.is_measuring {
                    self.tally.pages.note(job.due_ns, now_ns);
                }
            }
        }
    }

    /// Who is refused rests, as long as it is told; what prepares a run is asked for again.
    fn refused(&mut self, index: usize, job: Job, rest_ns: Option<u64>) {
        self.callers[index].state = State::Resting;
        if !self.is_measuring {
            self.waiting.push_back(job);
        }
        let at_ns = self.now_ns() + rest_ns.unwrap_or(REST_NS);
        self.agenda.add(at_ns, Wake::Caller(index));
    }

    /// A caller may ask again.
    pub(super) fn rested(&mut self, index: usize) {
        if let Caller { state: state @ State::Resting, .. } = &mut self.callers[index] {
            *state = State::Idle;
            self.next(index);
        }
    }
}
