//! Where a subscriber stands in the log, and how frames move it.

use uuid::Uuid;

use crate::protocol::{Frame, GapReason};

/// Where a subscriber stands in the log of its organisation.
///
/// A program that goes on later saves both and gives them as
/// [`ConnectOptions::after`](crate::ConnectOptions::after) and `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The highest `seq` of any frame, PONG included.
    pub seq: i64,
    /// The log that `seq` counts in, once a WELCOME told.
    pub epoch: Option<Uuid>,
}

/// What a frame did to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It says nothing about positions.
    Not,
    /// The socket continues in the log that was known before.
    Continued,
    /// A first start, or one in another log: what was received before no longer counts.
    Restarted,
    /// On, past everything before.
    Forward,
    /// It speaks of what the subscriber has left behind.
    Stale,
}

/// Applies a frame to a position that is not known before the first WELCOME.
///
/// A position goes back only where the server says that the log is another one.
pub(crate) fn advance(position: &mut Option<Position>, frame: &Frame) -> Moved {
    match frame {
        Frame::Welcome(welcome) => match position {
            Some(known) if known.epoch.is_none_or(|epoch| epoch == welcome.epoch) => {
                known.epoch = Some(welcome.epoch);
                Moved::Continued
            }
            _ => {
                *position = Some(Position { seq: welcome.seq, epoch: Some(welcome.epoch) });
                Moved::Restarted
            }
        },
        Frame::Activity(activity) => forward(position, activity.seq),
        // A PONG may repeat a position, and then has nothing new to say.
        Frame::Pong(pong) => forward(position, pong.seq),
        Frame::ResumeGap(gap) => {
            let seq = gap.next_seq.saturating_sub(1);
            if gap.reason == GapReason::Expired {
                return forward(position, seq);
            }
            let epoch = position.and_then(|known| known.epoch);
            *position = Some(Position { seq, epoch });
            Moved::Restarted
        }
        Frame::AuthOk(_)
        | Frame::Error(_)
        | Frame::GoAway(_)
        | Frame::UserOnline(_)
        | Frame::UserOffline(_)
        | Frame::Unknown { .. } => Moved::Not,
    }
}

/// Moves a position on to `seq`, never back.
pub(crate) fn forward(position: &mut Option<Position>, seq: i64) -> Moved {
    match position {
        Some(known) if seq <= known.seq => Moved::Stale,
        Some(known) => {
            known.seq = seq;
            Moved::Forward
        }
        None => {
            *position = Some(Position { seq, epoch: None });
            Moved::Forward
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Pong, ResumeGap};
    use crate::verify::samples::{activity, welcome};

    const OLD: Uuid = Uuid::from_u128(1);
    const NEW: Uuid = Uuid::from_u128(2);

    fn at(seq: i64, epoch: Uuid) -> Position {
        Position { seq, epoch: Some(epoch) }
    }

    fn gap(reason: GapReason, next_seq: i64) -> Frame {
        Frame::ResumeGap(ResumeGap { reason, next_seq })
    }

    #[test]
    fn a_first_welcome_gives_the_position() {
        let mut position = None;
        assert_eq!(advance(&mut position, &welcome(7, OLD, false)), Moved::Restarted);
        assert_eq!(position, Some(at(7, OLD)));
    }

    #[test]
    fn a_saved_position_stays_and_learns_its_epoch() {
        let mut position = Some(Position { seq: 7, epoch: None });
        assert_eq!(advance(&mut position, &welcome(7, OLD, true)), Moved::Continued);
        assert_eq!(position, Some(at(7, OLD)));
    }

    #[test]
    fn a_welcome_does_not_skip_what_was_missed() {
        let mut position = Some(at(7, OLD));
        assert_eq!(advance(&mut position, &welcome(90, OLD, false)), Moved::Continued);
        assert_eq!(position, Some(at(7, OLD)));
    }

    #[test]
    fn another_epoch_starts_anew() {
        let mut position = Some(at(7, OLD));
        assert_eq!(advance(&mut position, &welcome(3, NEW, false)), Moved::Restarted);
        assert_eq!(position, Some(at(3, NEW)));
        assert_eq!(advance(&mut position, &gap(GapReason::EpochChanged, 4)), Moved::Restarted);
        assert_eq!(position, Some(at(3, NEW)));
    }

    #[test]
    fn activities_and_pongs_move_it_forward_only() {
        let mut position = Some(at(7, OLD));
        assert_eq!(advance(&mut position, &activity(9)), Moved::Forward);
        assert_eq!(advance(&mut position, &activity(9)), Moved::Stale);
        assert_eq!(advance(&mut position, &Frame::Pong(Pong { seq: 12 })), Moved::Forward);
        assert_eq!(advance(&mut position, &Frame::Pong(Pong { seq: 11 })), Moved::Stale);
        assert_eq!(advance(&mut position, &activity(10)), Moved::Stale);
        assert_eq!(position, Some(at(12, OLD)));
    }

    #[test]
    fn an_expired_gap_never_goes_back_and_a_replaced_log_may() {
        let mut position = Some(at(7, OLD));
        assert_eq!(advance(&mut position, &gap(GapReason::Expired, 5)), Moved::Stale);
        assert_eq!(advance(&mut position, &gap(GapReason::Expired, 10)), Moved::Forward);
        assert_eq!(position, Some(at(9, OLD)));
        assert_eq!(advance(&mut position, &gap(GapReason::AheadOfLog, 3)), Moved::Restarted);
        assert_eq!(position, Some(at(2, OLD)));
    }
}
