//! Server-sent events (WHATWG HTML, section 9.2), the server's side: how a frame is put as an event.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;

use super::protocol::CloseCode;
use crate::types::Seq;

/// What an event needs besides its data, at most: a position of 19 digits and the names of its fields. Data of more
/// lines than one, which our frames are not, needs more.
const MAX_FRAMING: usize = 4 + 19 + 1 + 6 + 2;

/// Shows that the stream lives: a comment.
pub(crate) const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");

/// A frame as an unnamed event, which is what `EventSource.onmessage` gets. With `position` the client comes back
/// after that.
pub(crate) fn message(position: Option<Seq>, json: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(MAX_FRAMING + json.len());
    if let Some(seq) = position {
        event.put_slice(format!("id: {seq}\n").as_bytes());
    }
    put_data(&mut event, json);
    event.freeze()
}

/// The last event.
pub(crate) fn close(code: CloseCode) -> Bytes {
    #[derive(Serialize)]
    struct Close {
        code: u16,
        reason: &'static str,
    }
    let json = serde_json::to_vec(&Close { code: code.code(), reason: code.reason() });
    let mut event = BytesMut::from(b"event: CLOSE\n".as_slice());
    put_data(&mut event, &json.unwrap_or_default());
    event.freeze()
}

/// How long a browser waits before it comes back by itself.
pub(crate) fn retry(millis: u64) -> Bytes {
    format!("retry: {millis}\n\n").into()
}

/// The data, a field for each of its lines, and the end of the event.
fn put_data(event: &mut BytesMut, data: &[u8]) {
    let mut rest = data;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        event.put_slice(b"data: ");
        event.put_slice(line);
        event.put_u8(b'\n');
        rest = match after {
            [] => break,
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
        };
    }
    event.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What a client makes of one event, as the standard has it: its id and its data.
    fn parse(event: &str) -> (Option<String>, String) {
        let (mut id, mut data) = (None, Vec::new());
        let block = event.strip_suffix("\n\n").unwrap();
        for line in block.split(['\n', '\r']) {
            match line.split_once(": ").unwrap() {
                ("id", value) => id = Some(value.to_owned()),
                ("data", value) => data.push(value),
                other => panic!("not a field of ours: {other:?}"),
            }
        }
        (id, data.join("\n"))
    }

    #[test]
    fn events_look_as_the_standard_has_them() {
        assert_eq!(message(Seq::new(42), b"{}").as_ref(), b"id: 42\ndata: {}\n\n");
        assert_eq!(message(None, b"{}").as_ref(), b"data: {}\n\n");
        assert_eq!(message(None, b"{\r\n}\n").as_ref(), b"data: {\ndata: }\ndata: \n\n");
        assert_eq!(message(Seq::new(i64::MAX), b"").len(), MAX_FRAMING);
        let close = close(CloseCode::Removed);
        let expected = "event: CLOSE\ndata: {\"code\":4403,\"reason\":\"removed from the organisation\"}\n\n";
        assert_eq!(close.as_ref(), expected.as_bytes());
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = "[\\PC\\r\\n\\t\u{85}\u{2028}:\"]{0,30}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..6).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_frame_comes_out_as_it_went_in(value in json(), seq in proptest::option::of(0..=i64::MAX)) {
            let position = seq.and_then(Seq::new);
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n")] {
                let event = message(position, text.as_bytes());
                let (id, data) = parse(std::str::from_utf8(&event).unwrap());
                prop_assert_eq!(id, seq.map(|seq| seq.to_string()));
                prop_assert_eq!(&serde_json::from_str::<Value>(&data).unwrap(), &value);
                // Ours are compact: they come out byte by byte.
                prop_assert_eq!(data == text, !text.contains('\r'));
            }
        }
    }
}
