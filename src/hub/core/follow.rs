//! How the cursor moves. What others say of the log is a hint: it is appended where it fits, and never believed
//! where it contradicts what the room has. Only the log itself, when it is read, tells that it was replaced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache::BLOCK;
use super::{Core, Diverged, Ended, Entry, LogRead, Mark, Open, Sweep, Taken, Told, Wake, Work};
use crate::activity::Head;
use crate::config::Protection;
use crate::hub::protocol::CloseCode;
use crate::types::{ActivityId, EpochId, Seq};

/// Most entries that wait for what is missing before them. What does not fit is read from the log.
const MAX_EARLY: usize = 256;

/// Most bytes of such entries, but for a first one that has more.
const MAX_EARLY_BYTES: usize = 256 << 10;

/// How long what is missing may come by itself before it is read.
pub const REORDER_WINDOW: Duration = Duration::from_millis(20);

/// How long after one look at the log that a hint made necessary the next one is due: hints of an earlier
/// life of the log may come in any number.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What was said of the log and is not appended yet.
#[derive(Default)]
pub(super) struct Hints {
    /// Entries that came before what is missing in front of them, and when.
    early: BTreeMap<Seq, (Arc<Entry>, Instant)>,
    /// The furthest position that something told of without bringing the entry there.
    known: Option<Known>,
    /// A position that was told before the room was open.
    unplaced: Option<(EpochId, Seq, Instant)>,
    /// Something contradicted what the room has.
    doubt: Option<Doubt>,
    /// When the log was last looked at.
    looked_at: Option<Instant>,
    /// What is missing now, for the counts.
    gap: Option<Gap>,
}

struct Known {
    seq: Seq,
    /// When it was last moved.
    told_at: Instant,
    /// When it is to be read, if it has not come by itself.
    due: Instant,
}

/// The log may have been replaced. Only a look at the place where the room then stood tells: where the log went
/// on from another entry, what follows that looks as it should.
struct Doubt {
    mark: Mark,
    /// When to look.
    due: Instant,
}

struct Gap {
    by: Told,
    read: bool,
}

/// What happened since it was last asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Gaps in what was heard of.
    pub gaps: u64,
    /// Gaps whose entries came by themselves.
    pub came: u64,
    /// Gaps that were read from the log.
    pub read: u64,
    /// What the sweep found and nobody had told of.
    pub catches: u64,
}

impl Hints {
    /// Bytes of entries that wait.
    pub(super) fn bytes(&self) -> usize {
        self.early.values().map(|(entry, _)| entry.cost()).sum()
    }

    fn keep(&mut self, entry: Arc<Entry>, now: Instant) {
        let seq = entry.seq();
        let fits = self.early.len() < MAX_EARLY && self.bytes() + entry.cost() <= MAX_EARLY_BYTES;
        if fits || self.early.is_empty() {
            self.early.insert(seq, (entry, now));
        } else {
            self.raise(seq, now, now + REORDER_WINDOW);
        }
    }

    /// Notes that the log goes as far as `seq`.
    fn raise(&mut self, seq: Seq, now: Instant, due: Instant) {
        match &mut self.known {
            Some(known) => {
                known.due = known.due.min(due);
                if seq > known.seq {
                    (known.seq, known.told_at) = (seq, now);
                }
            }
            None => self.known = Some(Known { seq, told_at: now, due }),
        }
    }

    /// Forgets the entries that wait, and remembers that they are there to be read.
    pub(super) fn forget(&mut self) {
        for (seq, (_, at)) in std::mem::take(&mut self.early) {
            self.raise(seq, at, at + REORDER_WINDOW);
        }
    }

    fn doubt(&mut self, mark: Mark, now: Instant) {
        let due = self.looked_at.map_or(now, |at| now.max(at + LOOK_AGAIN));
        self.doubt.get_or_insert(Doubt { mark, due });
    }

    /// What is missing after `cursor`: up to where, and when it is to be read.
    fn missing(&self, cursor: Seq) -> Option<(Seq, Instant)> {
        let known = self.known.as_ref().filter(|known| known.seq > cursor);
        let first = self.early.first_key_value();
        let until = first.map(|(seq, _)| seq.previous()).or_else(|| Some(known?.seq))?;
        let window = first.map(|(_, (_, at))| *at + REORDER_WINDOW);
        let due = window.into_iter().chain(known.map(|known| known.due)).min()?;
        // At most a block, so that one read stays short.
        (until > cursor).then(|| (until.min(cursor.plus(BLOCK)), due))
    }

    /// Forgets what was said before the log was found to end at `head`: it is of another life.
    fn refute(&mut self, head: Seq, read_at: Instant) {
        self.early.retain(|seq, (_, at)| *seq <= head || *at > read_at);
        if let Some(known) = &mut self.known
            && known.told_at <= read_at
        {
            known.seq = known.seq.min(head);
        }
    }

    /// The log was looked at there: it is the one that the room follows.
    fn settle_doubt(&mut self, before: Mark) {
        self.doubt.take_if(|doubt| doubt.mark == before);
    }
}

impl<W: Wake> Core<W> {
    /// Merges what was said while the room was opened at `open`, whose head was read at `read_at`.
    pub(super) fn merge_hints(&mut self, read_at: Instant) {
        let (Some(open), Some(mark)) = (&self.open, self.mark()) else { return };
        let (epoch, cursor) = (open.epoch, open.cursor);
        let early = std::mem::take(&mut self.hints.early);
        for (entry, at) in early.into_values() {
            if entry.log.epoch != epoch {
                if at > read_at {
                    self.hints.doubt(mark, at);
                }
            } else if entry.seq() > cursor {
                self.hints.keep(entry, at);
            }
        }
        match self.hints.unplaced.take() {
            Some((told, seq, at)) if told == epoch && seq > cursor => self.hints.raise(seq, at, at),
            Some((told, _, at)) if told != epoch && at > read_at => self.hints.doubt(mark, at),
            Some(_) | None => {}
        }
        self.append_early();
        self.note_gap(Told::Bus);
    }

    /// Takes entries that are said to be committed, in whatever order and however often they come.
    pub fn offer(&mut self, entries: impl IntoIterator<Item = Arc<Entry>>, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        for entry in entries {
            self.place(entry, now);
        }
        self.note_gap(Told::Bus);
    }

    fn place(&mut self, entry: Arc<Entry>, now: Instant) {
        let (Some(open), Some(mark)) = (&self.open, self.mark()) else {
            return self.hints.keep(entry, now);
        };
        let seq = entry.seq();
        if entry.log.epoch != open.epoch {
            self.hints.doubt(mark, now);
        } else if seq == open.cursor.next() {
            self.append(entry);
            self.append_early();
        } else if seq > open.cursor {
            if self.broken.lacks(Protection::ReorderWindow) {
                self.append_skipping(entry);
            } else {
                self.hints.keep(entry, now);
            }
        } else {
            if !open.agrees(seq, entry.log.id) {
                self.hints.doubt(mark, now);
            }
            if self.broken.lacks(Protection::DuplicateDrop) {
                self.deliver_again(&entry);
            }
        }
    }

    /// Takes it that the log has come to `seq`, with this entry there.
    pub fn told_of_head(&mut self, epoch: EpochId, seq: Seq, id: ActivityId, now: Instant) {
        match (&self.open, self.mark()) {
            _ if self.ended.is_some() => {}
            (Some(open), Some(mark)) if open.epoch != epoch || !open.agrees(seq, id) => {
                self.hints.doubt(mark, now);
            }
            // The entries themselves are not sent: there is nothing to wait for.
            (Some(open), Some(_)) if seq > open.cursor => self.hints.raise(seq, now, now),
            (Some(_), _) => {}
            (None, _) => self.hints.unplaced = Some((epoch, seq, now)),
        }
        self.note_gap(Told::Bus);
    }

    fn append_early(&mut self) {
        while let Some(open) = &self.open {
            let next = open.cursor.next();
            // What came in two ways is there already.
            while self.hints.early.first_key_value().is_some_and(|(seq, _)| *seq < next) {
                self.hints.early.pop_first();
            }
            let Some((entry, _)) = self.hints.early.remove(&next) else {
                break;
            };
            self.append(entry);
        }
    }

    /// Counts gaps as they come and go.
    fn note_gap(&mut self, by: Told) {
        let Some(open) = &self.open else { return };
        let missing = self.hints.missing(open.cursor).is_some();
        if missing {
            self.hints.gap.get_or_insert_with(|| {
                self.counts.gaps += u64::from(by == Told::Bus);
                Gap { by, read: false }
            });
        } else if let Some(gap) = self.hints.gap.take() {
            match gap {
                Gap { read: true, .. } => self.counts.read += 1,
                Gap { by: Told::Bus, .. } => self.counts.came += 1,
                // The sweep had looked just before it came.
                Gap { .. } => {}
            }
        }
        if self.hints.known.as_ref().is_some_and(|known| known.seq <= open.cursor) {
            self.hints.known = None;
        }
    }

    /// What happened since this was last asked for.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Compares the log's head, read at `read_at`, with where the room stood before that. What is missing is
    /// to be read when it is `due`, unless it has come by itself.
    pub fn sweep(
        &mut self,
        before: Mark,
        head: &Head,
        read_at: Instant,
        due: Instant,
        by: Told,
    ) -> Result<Sweep, Diverged> {
        let Some(open) = self.open.as_mut().filter(|_| self.ended.is_none()) else {
            return Ok(Sweep::Nothing);
        };
        if by == Told::Sweep && self.broken.lacks(Protection::Sweep) {
            open.confirm(read_at, &mut self.connections);
            return Ok(Sweep::Nothing);
        }
        if open.is_replaced(before, head) {
            return Err(self.diverge());
        }
        if head.last_seq == before.seq {
            self.hints.settle_doubt(before);
        }
        Ok(self.learn(head, read_at, due, by))
    }

    /// Takes it from the log itself how far that goes.
    fn learn(&mut self, head: &Head, read_at: Instant, due: Instant, by: Told) -> Sweep {
        let Some(open) = &mut self.open else {
            return Sweep::Nothing;
        };
        open.first_seq = open.first_seq.max(head.first_seq);
        self.hints.refute(head.last_seq, read_at);
        let sweep = if head.last_seq > open.cursor {
            open.awaited.get_or_insert((head.last_seq, read_at));
            self.hints.raise(head.last_seq, read_at, due);
            Sweep::Behind
        } else {
            open.confirm(read_at, &mut self.connections);
            Sweep::Nothing
        };
        self.note_gap(by);
        sweep
    }

    /// Takes what was read of the log from the mark `before` on, its entry included, as far as `to`. What is
    /// missing then is to be read when it is `due`.
    pub fn read_on(&mut self, before: Mark, to: Seq, read: LogRead, due: Instant) -> Result<Taken, Diverged> {
        let LogRead { entries, head, read_at } = read;
        let Some(open) = self.open.as_ref().filter(|_| self.ended.is_none()) else {
            return Ok(Taken::Whole);
        };
        let at_mark = entries.first().filter(|entry| entry.seq() == before.seq);
        let contradicts = at_mark.is_some_and(|entry| Some(entry.log.id) != before.id)
            || entries.iter().any(|entry| !open.agrees(entry.seq(), entry.log.id));
        if contradicts || open.is_replaced(before, &head) {
            return Err(self.diverge());
        }
        if head.first_seq > before.seq.next() {
            // With them went what they changed about access: only a room that opens anew can tell that.
            self.ended = Some(Ended::Outrun);
            self.close_all(CloseCode::ServiceRestart);
            return Ok(Taken::Outrun);
        }
        self.hints.looked_at = Some(read_at);
        self.hints.settle_doubt(before);
        let following = entries.into_iter().filter(|entry| entry.seq() > before.seq);
        let following: Vec<Arc<Entry>> = following.collect();
        if !is_whole(&following, before.seq.next(), to.min(head.last_seq)) {
            return Ok(Taken::Holes);
        }
        if to > before.seq {
            self.note_read();
        }
        self.offer(following, read_at);
        self.learn(&head, read_at, due, Told::Asked);
        Ok(Taken::Whole)
    }

    /// Counts that what is missing was read.
    fn note_read(&mut self) {
        if let Some(gap) = &mut self.hints.gap
            && !std::mem::replace(&mut gap.read, true)
        {
            self.counts.gaps += u64::from(gap.by != Told::Bus);
            self.counts.catches += u64::from(gap.by == Told::Sweep);
        }
    }

    pub(super) fn diverge(&mut self) -> Diverged {
        if let Some(open) = &self.open {
            self.ended = Some(Ended::Diverged(open.epoch));
        }
        self.close_all(CloseCode::ServiceRestart);
        Diverged
    }

    /// What the room's task has to do now, if anything.
    pub fn work(&self, now: Instant) -> Option<Work> {
        match self.ended {
            Some(Ended::Diverged(epoch)) => return Some(Work::RenewEpoch(epoch)),
            Some(Ended::Unused | Ended::Outrun) => return None,
            None => {}
        }
        let (open, mark) = (self.open.as_ref()?, self.mark()?);
        // What everybody waits for, and who may enter, goes before what some replay.
        if let Some((to, due)) = self.hints.missing(open.cursor)
            && due <= now
        {
            return Some(Work::ReadOn(mark, to));
        }
        if let Some(doubt) = self.hints.doubt.as_ref().filter(|doubt| doubt.due <= now) {
            return Some(Work::ReadOn(doubt.mark, doubt.mark.seq));
        }
        open.wanted.keys().next().map(|block| Work::ReadBlock(*block, mark))
    }

    /// When there is work that is not due yet, if nothing else happens.
    pub fn next_due(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|_| self.ended.is_none())?;
        let missing = self.hints.missing(open.cursor).map(|(_, due)| due);
        missing.into_iter().chain(self.hints.doubt.as_ref().map(|doubt| doubt.due)).min()
    }
}

/// Whether these are all entries from `first` to `last`, in order.
pub(super) fn is_whole(entries: &[Arc<Entry>], first: Seq, last: Seq) -> bool {
    let count = usize::try_from(last.next().since(first)).unwrap_or(0);
    let numbered = entries.iter().zip(0..).all(|(entry, index)| entry.seq() == first.plus(index));
    entries.len() == count && numbered
}

impl Open {
    /// Whether this head, read after the mark was made, is another log's.
    pub(super) fn is_replaced(&self, before: Mark, head: &Head) -> bool {
        head.epoch != before.epoch
            || self.epoch != before.epoch
            || head.last_seq < before.seq
            || (head.last_seq == before.seq && head.last_id != before.id)
    }

    /// Whether the entry at `seq` may be this one, as far as the room remembers.
    pub(super) fn agrees(&self, seq: Seq, id: ActivityId) -> bool {
        if seq == self.cursor {
            return self.cursor_id == Some(id);
        }
        self.cache.peek(seq).is_none_or(|entry| entry.log.id == id)
    }
}
