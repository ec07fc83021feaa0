//! What a run does.

use std::time::Duration;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Sockets that are held.
    Idle,
    /// One big room.
    Room,
    /// Many small rooms.
    Rooms,
    /// All sockets drop, miss something, and come back at once.
    Storm,
    /// Durable broadcasts, without sockets.
    Publish,
    /// Readers of the activity feed.
    Feed,
    /// All of that at once.
    Mixed,
}

impl Scenario {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Room => "room",
            Self::Rooms => "rooms",
            Self::Storm => "storm",
            Self::Publish => "publish",
            Self::Feed => "feed",
            Self::Mixed => "mixed",
        }
    }
}

/// Who decides when the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Demand {
    /// Nobody: there are none.
    None,
    /// The clock: so many a second, however long the answers take.
    Open(f64),
    /// The answers: each caller sends its next request once the one before is answered.
    Closed,
}

/// What a run does, in numbers.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is measured.
    pub scenario: Scenario,
    /// How many rooms there are.
    pub rooms: usize,
    /// How many sockets there are in all of them.
    pub sockets: usize,
    /// When requests are sent.
    pub demand: Demand,
    /// How many connections send them.
    pub callers: usize,
    /// Which share of the requests reads the feed, from 0 to 1.
    pub reads: f64,
    /// What else is asked of the feed, as `type=X`.
    pub feed_query: Option<String>,
    /// Which share of the sockets drops and comes back, a second.
    pub churn: f64,
    /// What each room has in its log before the measuring begins.
    pub history: u32,
    /// What each room misses while its sockets are away, in a storm.
    pub missed: u32,
    /// The size of a message, in bytes.
    pub payload_bytes: usize,
    /// Sockets opened a second; none is as fast as it goes.
    pub ramp: Option<f64>,
    /// Handshakes that are under way at once, at most.
    pub handshakes: usize,
    /// For how long it measures.
    pub duration: Duration,
    /// How long nothing may happen before what is missing counts as lost.
    pub patience: Duration,
    /// From how many addresses of the loopback sockets connect; none is as many as they need.
    pub source_addresses: Option<u8>,
    /// What all that is random follows from.
    pub seed: u64,
}

/// What is random, from a seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        // Twenty bits of it are plenty.
        let drawn = u32::try_from(self.next() & 0xF_FFFF).unwrap_or_default();
        f64::from(drawn) < probability * f64::from(1u32 << 20)
    }
}
