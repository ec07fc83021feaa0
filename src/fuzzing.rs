//! What the fuzz targets in `fuzz/` run: one function for each parser of what comes from outside, which takes
//! any bytes and panics where something does not hold that should hold for all of them.
//!
//! No part of the interface: it exists with the feature `fuzzing`, and in our own tests, where each function
//! meets its seeds and some random bytes.
#![expect(clippy::missing_panics_doc, reason = "to panic is how they say what they found")]

mod bodies;
mod frames;
mod messages;
mod tokens;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use ipnet::IpNet;

use crate::activity::{ActivityType, FeedQuery};
use crate::auth::OrganisationKey;
use crate::http::client_address::{FORWARDED_FOR, client_of};
use crate::http::{Fields, PageQuery, json, request_id};
use crate::hub::bus::{BusKeys, Message as Heard, message};
use crate::load::fuzz;
use crate::types::{
    ActivityId, CreditReason, Email, InvalidText, InviteId, Message, NewPassword, NodeId, OrgId,
    OrganisationName, Password, PersonName, PlanCode, Slug, UserId,
};
use crate::{backup, idempotency};

pub use bodies::bodies;
pub use frames::{client_frames, frames};
pub use messages::{prices, recipients, templates};
pub use tokens::{access_tokens, opaque_tokens};

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its file in `fuzz/fuzz_targets` and its folder in `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 20] = [
    ("access_tokens", access_tokens),
    ("archives", archives),
    ("bodies", bodies),
    ("bus_messages", bus_messages),
    ("client_frames", client_frames),
    ("forwarded_addresses", forwarded_addresses),
    ("frames", frames),
    ("handshakes", handshakes),
    ("idempotency_keys", idempotency_keys),
    ("ids", ids),
    ("json_documents", json_documents),
    ("opaque_tokens", opaque_tokens),
    ("prices", prices),
    ("queries", queries),
    ("recipients", recipients),
    ("request_ids", request_ids),
    ("server_answers", server_answers),
    ("server_frames", server_frames),
    ("templates", templates),
    ("texts", texts),
];

/// The headers of an HTTP message, one a line; what is none is left out, as a server would refuse it before.
fn headers(lines: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
        let value = HeaderValue::from_bytes(value.trim().as_bytes());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            headers.append(name, value);
        }
    }
    headers
}

/// A message of another node: nothing is read that is not marked, and what can be read when it is, is written
/// again, and read as the same.
pub fn bus_messages(data: &[u8]) {
    let (own, other, org) = (NodeId::new(), NodeId::new(), OrgId::new());
    let keys = BusKeys::derive("roomcast", b"a key that marks nothing but this", None);
    assert!(message::decode(&keys, own, org, data).is_err(), "nobody marked it");
    let mut marked = data.to_vec();
    keys.mark(org, &mut marked);
    if let Ok(message) = message::decode(&keys, own, org, &marked) {
        let written = message::encode(&keys, other, org, &message);
        assert!(written.len() <= message::MAX_MESSAGE);
        let read = message::decode(&keys, own, org, &written);
        let head = matches!(read, Ok(Heard::Head { .. })) && data.len() > message::MAX_MESSAGE / 2;
        assert!(read == Ok(message) || head, "it is read as another");
        assert_eq!(message::decode(&keys, other, org, &written), Err(message::Unread::Own));
    }
}

/// The pairs of a query string, read as a request's are.
fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let uri: Uri = format!("/?{query}").parse().ok()?;
    Query::<Vec<(String, String)>>::try_from_uri(&uri).ok().map(|Query(pairs)| pairs)
}

/// The headers `x-forwarded-for`, one a line: nobody is taken for whom no proxy named.
pub fn forwarded_addresses(data: &[u8]) {
    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let mut headers = HeaderMap::new();
    for value in data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(FORWARDED_FOR, value);
    }
    assert_eq!(client_of(PEER, &headers, &[]), PEER, "a peer that nobody trusts is believed nothing");
    let trusted: Vec<IpNet> =
        ["10.0.0.0/8", "fd00::/8"].iter().filter_map(|network| network.parse().ok()).collect();
    let client = client_of(PEER, &headers, &trusted);
    assert_eq!(client, client.to_canonical(), "an address has one form");
    let text = String::from_utf8_lossy(data);
    let named = |entry: &str| {
        let entry = entry.trim();
        let address = entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()));
        let address =
            address.or_else(|_| entry.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>());
        address.is_ok_and(|address| address.to_canonical() == client)
    };
    assert!(client == PEER || text.split([',', '\n']).any(named), "{client} is not in {text:?}");
}

/// The headers of a handshake, and after an empty line its query.
pub fn handshakes(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (lines, query) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut token = None;
    if let Ok(mut handshake) = crate::hub::ws::upgrade::read(&headers(lines)) {
        token = handshake.token.take();
        let response = handshake.into_response();
        assert!(response.headers().contains_key("sec-websocket-accept"), "an upgrade is accepted by its key");
        assert!(!response.headers().contains_key("sec-websocket-extensions"), "nothing is compressed");
    }
    if let Some(pairs) = pairs(query) {
        drop(crate::hub::parse_wish(pairs, token));
    }
}

/// A JSON document: what is read is written and read again as the same.
pub fn json_documents(data: &[u8]) {
    let Ok(value) = json::parse(data, json::MAX_DEPTH) else { return };
    let text = value.to_string();
    let again = json::parse(text.as_bytes(), json::MAX_DEPTH);
    assert!(again.is_ok_and(|again| again == value), "{text}");
}

/// A query string, as each list reads it.
pub fn queries(data: &[u8]) {
    let Some(pairs) = std::str::from_utf8(data).ok().and_then(pairs) else { return };
    if let Ok(query) = Fields::parse_query::<FeedQuery>(pairs.clone()) {
        assert!((1..=200).contains(&query.limit), "{}", query.limit);
    }
    if let Ok(query) = Fields::parse_query::<PageQuery>(pairs) {
        assert!((1..=200).contains(&query.limit), "{}", query.limit);
    }
}

/// The headers `idempotency-key`, one a line: one good key, none, or a refusal.
pub fn idempotency_keys(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(idempotency::HEADER, value);
        }
    }
    if let Ok(Some(key)) = idempotency::read_key(&headers) {
        assert_eq!(headers.len(), 1, "of several keys none is taken");
        assert!((1..=255).contains(&key.as_str().len()), "{key:?}");
        assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{key:?}");
    }
}

/// A backup: what is unpacked is what its manifest says, under the names that a backup has.
pub fn archives(data: &[u8]) {
    let mut parts = Vec::new();
    let unpacked = backup::Archive::new(data).unpack(|manifest| {
        parts.resize(manifest.parts.len(), Vec::new());
        Ok(parts.iter_mut().collect())
    });
    let Ok(manifest) = unpacked else { return };
    for (part, content) in manifest.parts.iter().zip(&parts) {
        assert!([backup::DATABASE, backup::SIGNING_KEY].contains(&part.name.as_str()), "{}", part.name);
        assert!(u64::try_from(content.len()).is_ok_and(|length| length == part.bytes), "{}", part.name);
    }
}

/// An id, as it stands in a path or a field.
pub fn ids(data: &[u8]) {
    fn one<T: std::str::FromStr + ToString>(text: &str) {
        if let Ok(id) = text.parse::<T>() {
            // In one spelling but for its case.
            assert_eq!(id.to_string(), text.to_ascii_lowercase());
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    one::<ActivityId>(text);
    one::<InviteId>(text);
    one::<OrgId>(text);
    one::<UserId>(text);
}

/// The header `x-request-id`.
pub fn request_ids(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let id = request_id::of(&HeaderMap::from_iter([(request_id::HEADER, value.clone())]));
    assert!((1..=128).contains(&id.len()), "{id}");
    assert!(id.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>".contains(&byte)), "{id}");
    // It is the caller's own, or another of ours.
    assert!(id.as_bytes() == data || uuid::Uuid::try_parse(&id).is_ok(), "{id}");
}

/// An answer that the load tester reads.
pub fn server_answers(data: &[u8]) {
    fuzz::server_answers(data);
}

/// Frames that the load tester reads, behind a byte that says in what pieces they come.
pub fn server_frames(data: &[u8]) {
    fuzz::server_frames(data);
}

/// Texts that people choose: what is taken is within its bounds, can be stored, and is taken again.
pub fn texts(data: &[u8]) {
    fn read<T: TryFrom<String, Error = InvalidText>>(text: &str) -> Option<T> {
        T::try_from(text.to_owned()).ok()
    }
    fn stored<T>(text: &str, max: usize, as_str: impl Fn(&T) -> &str)
    where
        T: TryFrom<String, Error = InvalidText> + PartialEq,
    {
        if let Some(taken) = read::<T>(text) {
            let kept = as_str(&taken);
            assert!((1..=max).contains(&kept.chars().count()) && !kept.contains('\0'), "{kept:?}");
            assert!(read::<T>(kept).as_ref() == Some(&taken), "{kept:?}");
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    stored(text, 254, Email::as_str);
    stored(text, 100, OrganisationName::as_str);
    stored(text, 100, PersonName::as_str);
    stored(text, 50, PlanCode::as_str);
    stored(text, 60, Slug::as_str);
    stored(text, 4096, Message::as_str);
    stored(text, 500, CreditReason::as_str);
    if let Some(name) = read::<OrganisationName>(text) {
        for suffix in [None, Some("1f2e3d")] {
            let slug = Slug::of(&name, suffix);
            assert!(read::<Slug>(slug.as_str()).as_ref() == Some(&slug), "{slug}");
        }
    }
    if read::<NewPassword>(text).is_some() {
        assert!(read::<Password>(text).is_some(), "who chose a password can sign in with it");
    }
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(read::<OrganisationKey>(text).is_none_or(|key| plain(key.as_str())), "{text:?}");
    assert!(read::<ActivityType>(text).is_none_or(|kind| plain(kind.as_str())), "{text:?}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_target_takes_its_seeds_and_has_its_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for (name, target) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is missing in fuzz/Cargo.toml");
            let program = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
            assert!(program.contains(&format!("fuzzing::{name}(data)")), "{program}");
            let seeds: Vec<_> = std::fs::read_dir(folder.join("seeds").join(name)).unwrap().collect();
            assert!(!seeds.is_empty(), "{name} has no seeds");
            for seed in seeds {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }

    #[test]
    fn the_seeds_of_archives_are_backups() {
        for name in ["both", "database"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/archives").join(name);
            let unpacked = backup::Archive::open(&path)
                .unwrap()
                .unpack(|manifest| Ok(manifest.parts.iter().map(|_| Vec::new()).collect::<Vec<_>>()));
            unpacked.unwrap();
        }
    }

    proptest! {
        #[test]
        fn every_target_takes_any_bytes(data in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,100}") {
            for (_, target) in TARGETS {
                target(&data);
                target(text.as_bytes());
            }
        }
    }
}
