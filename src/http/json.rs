//! Reading JSON from outside.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The key under which `serde_json` hands raw JSON around inside. Sent by a client, it would have text
/// parsed anew at its place, past the bound on depth.
const RAW_KEY: &str = "$serde_json::private::RawValue";

/// The most levels that can be allowed: `serde_json` itself stops after these.
pub const MAX_DEPTH: usize = 127;

/// Parses a document of at most `max_depth` levels of arrays and objects in each other, in which no object has
/// a key twice: who else reads it might take the other value.
pub fn parse(text: &[u8], max_depth: usize) -> serde_json::Result<Value> {
    if depth(text) > max_depth {
        return Err(serde::de::Error::custom(format!("more than {max_depth} levels")));
    }
    serde_json::from_slice::<Plain>(text)?;
    serde_json::from_slice(text)
}

/// How deep a document goes. Of what is no JSON it counts what looks like some.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A document without [`RAW_KEY`] or a key that comes twice, walked through and thrown away.
struct Plain;

struct Walk;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = Plain;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_str<E>(self, _: &str) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Plain, A::Error> {
        while seq.next_element::<Plain>()?.is_some() {}
        Ok(Plain)
    }

    /// Numbers come here too where they are kept as text: as a map of that.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == RAW_KEY {
                return Err(A::Error::custom("a key that is reserved"));
            }
            if !seen.insert(key) {
                return Err(A::Error::custom("a key that is given twice"));
            }
            map.next_value::<Plain>()?;
        }
        Ok(Plain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn depth_is_bounded_however_it_is_written() {
        assert!(parse("[".repeat(100_000).as_bytes(), MAX_DEPTH).is_err());
        let inner = serde_json::to_string("[1]").unwrap();
        for key in [RAW_KEY, r"\u0024serde_json::private::RawValue"] {
            let text = format!(r#"{{"data":[{{"{key}":{inner}}}]}}"#);
            assert!(parse(text.as_bytes(), MAX_DEPTH).is_err(), "{text}");
        }
    }

    #[test]
    fn a_document_may_be_as_deep_as_is_said() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for max in [1, 64, MAX_DEPTH] {
            assert!(parse(nested(max).as_bytes(), max).is_ok(), "{max}");
            assert!(parse(nested(max + 1).as_bytes(), max).is_err(), "{max}");
        }
        let text = br#"{"a":[{"b\"":"[[[[{{{{\\"}],"c":[{}],"d":-1.5e3}"#;
        assert!(parse(text, 3).is_ok());
        assert!(parse(text, 2).is_err());
    }

    #[test]
    fn a_key_is_given_once() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"a":1,"c":2,"a":[]}}]"#] {
            assert!(parse(text.as_bytes(), MAX_DEPTH).is_err(), "{text}");
        }
        assert!(parse(br#"{"a":{"a":1.5,"b":1.5},"b":[{"a":1},{"a":1}]}"#, MAX_DEPTH).is_ok());
    }

    #[test]
    fn numbers_and_order_are_kept_as_they_were_written() {
        let text = r#"{"b":1.50,"a":12345678901234567890123,"c":[-0.0,null,true,"x"]}"#;
        assert_eq!(parse(text.as_bytes(), 2).unwrap().to_string(), text);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            drop(parse(&bytes, MAX_DEPTH));
        }
    }
}
