//! How fast one socket sends. Its bucket is one number, since there are many sockets and most are idle.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Limit;

/// How many frames a minute a socket may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRate {
    /// What one frame takes out of a minute, in nanoseconds.
    interval: u64,
}

/// One minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

impl FrameRate {
    /// So many frames a minute; `None` where 0, which is no limit.
    pub(crate) fn per_minute(frames: u32) -> Option<Self> {
        NonZeroU32::new(frames).map(|frames| Self { interval: MINUTE / u64::from(frames.get()) })
    }
}

/// A socket's bucket: when it is full again, in nanoseconds of the app's time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace(u64);

impl Pace {
    /// Takes a frame; false where it is one too many.
    pub(crate) fn take(&mut self, rate: FrameRate, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let full_at = self.0.max(now).saturating_add(rate.interval);
        let within = full_at - now <= MINUTE;
        if within {
            self.0 = full_at;
        } else {
            Limit::Frames.count_refusal();
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_frames_may_come_at_once_and_then_as_the_bucket_fills() {
        for frames in [1, 7, 120, 1_000_000] {
            let (rate, mut pace) = (FrameRate::per_minute(frames).unwrap(), Pace::default());
            let start = Duration::from_hours(5);
            for _ in 0..frames {
                assert!(pace.take(rate, start));
            }
            assert!(!pace.take(rate, start), "{frames}");
            let next = start + Duration::from_nanos(rate.interval);
            assert!(pace.take(rate, next));
            assert!(!pace.take(rate, next));
        }
        assert!(FrameRate::per_minute(0).is_none());
    }
}
