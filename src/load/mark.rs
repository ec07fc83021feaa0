//! What a message of ours carries, so that whoever receives it can tell whose it is and how long it took.

use memchr::memmem::Finder;

/// The length of a mark.
pub const MARK_BYTES: usize = 40;

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The room that it was sent to.
    pub(super) room: u32,
    /// Who sent it.
    pub(super) caller: u16,
    /// Its number among what that caller sent to that room, from 1.
    pub(super) number: u32,
    /// When it should have been sent, in nanoseconds since the generator began.
    pub(super) due_ns: u64,
}

/// Writes and finds the marks of one run: `~` and the run, the room, the caller, the number and the
/// moment in hexadecimal digits, and `~`.
pub(super) struct Marks {
    begin: String,
    finder: Finder<'static>,
}

impl Marks {
    /// The marks of the run that this number names.
    pub(super) fn of(run: u32) -> Self {
        let begin = format!("~{run:08x}");
        Self { finder: Finder::new(begin.as_bytes()).into_owned(), begin }
    }

    /// A text of `bytes` bytes, or a mark's if that is more, with this mark.
    pub(super) fn text(&self, mark: Mark, bytes: usize) -> String {
        let Mark { room, caller, number, due_ns } = mark;
        let marked = format!("{}{room:06x}{caller:04x}{number:08x}{due_ns:012x}~", self.begin);
        format!("{marked:x<bytes$}")
    }

    /// The first mark in a text and what follows it; none where nothing of this run is in it.
    pub(super) fn find<'t>(&self, text: &'t [u8]) -> Option<(Mark, &'t [u8])> {
        let rest = text.get(self.finder.find(text)? + self.begin.len()..)?;
        let (room, rest) = rest.split_at_checked(6)?;
        let (caller, rest) = rest.split_at_checked(4)?;
        let (number, rest) = rest.split_at_checked(8)?;
        let (due, rest) = rest.split_at_checked(12)?;
        let rest = rest.strip_prefix(b"~")?;
        let mark = Mark {
            room: u32::try_from(hexadecimal(room)?).ok()?,
            caller: u16::try_from(hexadecimal(caller)?).ok()?,
            number: u32::try_from(hexadecimal(number)?).ok()?,
            due_ns: hexadecimal(due)?,
        };
        Some((mark, rest))
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mark_is_found_wherever_it_stands(
            room in 0u32..1 << 24, caller in any::<u16>(), number in any::<u32>(), due_ns in 0u64..1 << 48,
            bytes in 0usize..500, before in "[a-z~0-9]{0,40}",
        ) {
            let (marks, mark) = (Marks::of(7), Mark { room, caller, number, due_ns });
            let text = marks.text(mark, bytes);
            prop_assert_eq!(text.len(), bytes.max(MARK_BYTES));
            let twice = format!("{{{before}\"{text}\"}}{text}");
            let (found, rest) = marks.find(twice.as_bytes()).unwrap();
            prop_assert_eq!((found, marks.find(rest).map(|(mark, _)| mark)), (mark, Some(mark)));
            prop_assert!(Marks::of(8).find(text.as_bytes()).is_none());
        }

        #[test]
        fn anything_is_searched_without_panic(text in "~?(00000007)?[0-9a-g~]{0,40}") {
            Marks::of(7).find(text.as_bytes());
        }
    }
}
