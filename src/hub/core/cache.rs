//! What a room remembers of its log: the ring of the newest entries, and aligned blocks of older ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::entry::Entry;
use crate::types::Seq;

/// Entries in a block. Aligned, so that any position in it shares the read.
pub(super) const BLOCK: i64 = 256;

/// The number of a block: the first holds 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockNumber(i64);

impl BlockNumber {
    /// The block that holds `seq`.
    pub(super) fn of(seq: Seq) -> Self {
        Self(seq.previous().get() / BLOCK)
    }

    /// Its first position.
    pub fn first(self) -> Seq {
        Seq::ZERO.plus(self.0 * BLOCK + 1)
    }

    /// Its last position.
    pub fn last(self) -> Seq {
        Seq::ZERO.plus((self.0 + 1) * BLOCK)
    }
}

struct Block {
    /// Contiguous from the block's first position that is kept, in order.
    entries: Vec<Arc<Entry>>,
    bytes: usize,
    used: u64,
}

/// Ring and blocks, bounded together.
pub(super) struct Cache {
    ring: VecDeque<Arc<Entry>>,
    blocks: BTreeMap<BlockNumber, Block>,
    bytes: usize,
    max_bytes: usize,
    /// Counts uses, to find the block that was used least lately.
    uses: u64,
}

impl Cache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { ring: VecDeque::new(), blocks: BTreeMap::new(), bytes: 0, max_bytes, uses: 0 }
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the newest entry, which follows the last one.
    pub(super) fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.cost();
        self.ring.push_back(entry);
        self.shrink_to(self.max_bytes);
    }

    /// Keeps a block that was read, in place of an earlier read of it. Of one that is large only a part is
    /// kept, from the position that is `wanted` on: who needs another part asks for it.
    pub(super) fn insert_block(
        &mut self,
        number: BlockNumber,
        mut entries: Vec<Arc<Entry>>,
        wanted: Option<Seq>,
    ) {
        let mut bytes: usize = entries.iter().map(|entry| entry.cost()).sum();
        let max_bytes = self.max_bytes / 2;
        if bytes > max_bytes {
            entries.retain(|entry| wanted.is_none_or(|wanted| entry.seq() >= wanted));
            bytes = 0;
            let within = entries.iter().take_while(|entry| {
                bytes += entry.cost();
                bytes <= max_bytes
            });
            let kept = within.count().max(1);
            entries.truncate(kept);
            bytes = entries.iter().map(|entry| entry.cost()).sum();
        }
        self.uses += 1;
        if let Some(before) = self.blocks.insert(number, Block { entries, bytes, used: self.uses }) {
            self.bytes -= before.bytes;
        }
        self.bytes += bytes;
        self.shrink_to(self.max_bytes);
    }

    /// The entry at `seq`, if it is remembered.
    pub(super) fn get(&mut self, seq: Seq) -> Option<&Arc<Entry>> {
        let newest = self.ring.front().map(|entry| entry.seq());
        if let Some(first) = newest
            && seq >= first
        {
            return self.ring.get(usize::try_from(seq.since(first)).ok()?);
        }
        self.uses += 1;
        let block = self.blocks.get_mut(&BlockNumber::of(seq))?;
        block.used = self.uses;
        let first = block.entries.first()?.seq();
        block.entries.get(usize::try_from(seq.since(first)).ok()?)
    }

    /// The entry at `seq`, if it is remembered, without noting that it was of use.
    pub(super) fn peek(&self, seq: Seq) -> Option<&Arc<Entry>> {
        let at = |first: Seq| usize::try_from(seq.since(first)).ok();
        match self.ring.front().map(|entry| entry.seq()) {
            Some(first) if seq >= first => self.ring.get(at(first)?),
            Some(_) | None => {
                let entries = &self.blocks.get(&BlockNumber::of(seq))?.entries;
                entries.get(at(entries.first()?.seq())?)
            }
        }
    }

    /// Forgets the block used least lately, then the oldest of the ring, until at most `bytes` are held.
    /// The last block and the newest entry stay: somebody is about to take them.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes && self.blocks.len() > 1 {
            let oldest = self.blocks.iter().min_by_key(|(_, block)| block.used).map(|(number, _)| *number);
            if let Some(block) = oldest.and_then(|number| self.blocks.remove(&number)) {
                self.bytes -= block.bytes;
            }
        }
        while self.bytes > bytes && self.ring.len() > 1 {
            if let Some(entry) = self.ring.pop_front() {
                self.bytes -= entry.cost();
            }
        }
    }

    /// Forgets all blocks.
    pub(super) fn clear_blocks(&mut self) {
        for block in std::mem::take(&mut self.blocks).into_values() {
            self.bytes -= block.bytes;
        }
    }
}
