//! Reading JSON from outside.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The key under which `serde_json` hands raw JSON around inside. Sent by a client, it would have text
/// parsed anew at its place, past the bound on depth.
const RAW_KEY: &str = "$serde_json::private::RawValue";

/// Parses a document of at most 128 levels, in which no object has a key twice: who else reads it might take
/// the other value.
pub fn parse(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice::<Plain>(text)?;
    serde_json::from_slice(text)
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
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let inner = serde_json::to_string("[1]").unwrap();
        for key in [RAW_KEY, r"\u0024serde_json::private::RawValue"] {
            let text = format!(r#"{{"data":[{{"{key}":{inner}}}]}}"#);
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_given_once() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"a":1,"c":2,"a":[]}}]"#] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(br#"{"a":{"a":1.5,"b":1.5},"b":[{"a":1},{"a":1}]}"#).is_ok());
    }

    #[test]
    fn numbers_and_order_are_kept_as_they_were_written() {
        let text = r#"{"b":1.50,"a":12345678901234567890123,"c":[-0.0,null,true,"x"]}"#;
        assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            drop(parse(&bytes));
        }
    }
}
