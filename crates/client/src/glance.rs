//! What a verifier needs of a frame, without the rest.

/// The kind and the `seq` of an activity, found at the start of its bytes.
///
/// The server writes `type` and `seq` first, so that this costs the same for a long activity as for a short
/// one, and nothing is allocated. It is a glance and no decoding: that the rest is JSON, it does not know.
///
/// ```
/// use roomcast_client::Glance;
///
/// let glance = Glance::of(br#"{"type":"USER_JOINED","seq":7,"id":"..."}"#).expect("an activity");
/// assert_eq!((glance.kind, glance.seq), ("USER_JOINED", 7));
/// assert_eq!(Glance::of(br#"{"type":"PONG","payload":{"seq":7}}"#), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance<'a> {
    /// What happened.
    pub kind: &'a str,
    /// Its place in the log.
    pub seq: i64,
}

impl<'a> Glance<'a> {
    /// The activity that these bytes begin with; none where they are another frame, or written in another
    /// way: then [`Frame::decode`](crate::Frame::decode) tells.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(br#"{"type":""#)?;
        let end = rest.iter().position(|byte| !is_of_kind(*byte))?;
        let (kind, rest) = rest.split_at(end);
        let rest = rest.strip_prefix(br#"","seq":"#)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = rest.split_at(digits);
        if !matches!(rest.first(), Some(b',' | b'}')) || bytes.last() != Some(&b'}') {
            return None;
        }
        Some(Self { kind: std::str::from_utf8(kind).ok()?, seq: number_of(number)? })
    }
}

fn is_of_kind(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// A number as JSON writes it, without sign and leading zeros.
fn number_of(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || (digits.len() > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    digits.iter().try_fold(0i64, |number, digit| {
        number.checked_mul(10)?.checked_add(i64::from(digit.checked_sub(b'0')?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::Frame;

    fn decoded(text: &str) -> Option<(String, i64)> {
        match Frame::decode(text) {
            Ok(Frame::Activity(activity)) => Some((activity.kind, activity.seq)),
            _ => None,
        }
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_the_decoder() {
        for text in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"type":"#,
            r#"{"type":"X"}"#,
            r#"{"type":"X","seq":}"#,
            r#"{"type":"X","seq":01}"#,
            r#"{"type":"X","seq":-1}"#,
            r#"{"type":"X","seq":1.5}"#,
            r#"{"type":"X","seq":1e5}"#,
            r#"{"type":"X","seq":1"#,
            r#"{"type":"X\n","seq":1}"#,
            r#"{"type":"X","seq":9223372036854775808}"#,
            r#"{"seq":1,"type":"X"}"#,
            r#"{"type":"PONG","payload":{"seq":1}}"#,
        ] {
            assert_eq!(Glance::of(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_sees_what_the_decoder_reads(
            kind in "[A-Z_]{1,30}", seq in 0i64.., message in "\\PC{0,100}", spaced in any::<bool>(),
        ) {
            let frame = json!({
                "type": kind, "seq": seq, "id": uuid::Uuid::nil(), "actor": null, "target": null,
                "payload": {"message": message}, "createdAt": "2026-11-21T00:00:00.000Z",
            });
            let text = if spaced { format!("{frame:#}") } else { frame.to_string() };
            let seen = Glance::of(text.as_bytes()).map(|glance| (glance.kind.to_owned(), glance.seq));
            if !spaced {
                prop_assert_eq!(&seen, &Some((kind, seq)));
            }
            prop_assert!(seen.is_none() || seen == decoded(&text));
        }

        #[test]
        fn any_bytes_are_looked_at_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Glance::of(&bytes);
        }
    }
}
