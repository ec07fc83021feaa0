//! Leases in Redis: a hash a node and organisation, which is gone when it is not renewed, and a hash of an
//! organisation's nodes. Redis' clock alone tells their age.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use fred::interfaces::{ClientLike as _, HashesInterface as _, KeysInterface as _};
use fred::types::{CustomCommand, Value};
use fred::util::{redis_keyslot, sha1_hash};

use crate::hub::bus::{News, RedisHandle, Seen};
use crate::hub::core::presence::{Lease, Listing};
use crate::types::{NodeId, OrgId, Timestamp};

/// The field of a lease that is no user.
const VERSION: &str = "version";

/// Renews a lease, changes it where it has the version that the changes follow, and finds the others. In one
/// step: a lease is never seen half changed, and never told to be older than it is.
const WRITE: &str = r"
local nodes, lease = KEYS[1], KEYS[2]
local node, ttl, from, version = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local intact = 1
if from == '0' then
    redis.call('DEL', lease)
elseif redis.call('HGET', lease, 'version') ~= from then
    intact = 0
end
if intact == 1 then
    redis.call('HSET', lease, 'version', version)
    for i = 5, #ARGV, 2 do
        if ARGV[i + 1] == '' then
            redis.call('HDEL', lease, ARGV[i])
        else
            redis.call('HSET', lease, ARGV[i], ARGV[i + 1])
        end
    end
    redis.call('PEXPIRE', lease, ttl)
    redis.call('HSET', nodes, node, string.format('%.0f %s', now, version))
    redis.call('PEXPIRE', nodes, ttl)
end
local found = {intact}
local all = redis.call('HGETALL', nodes)
for i = 1, #all, 2 do
    local at, held = string.match(all[i + 1], '^(%d+) (%d+)$')
    local age = at and math.max(now - at, 0) or ttl
    if age >= ttl then
        redis.call('HDEL', nodes, all[i])
    elseif all[i] ~= node then
        found[#found + 1] = all[i]
        found[#found + 1] = held
        found[#found + 1] = string.format('%.0f', age)
    end
end
return found
";

static WRITE_HASH: LazyLock<String> = LazyLock::new(|| sha1_hash(WRITE));

/// What came of writing a lease.
pub(super) struct Written {
    /// Whether it had the version that the news follow. Where not, nothing was written.
    pub(super) intact: bool,
    /// The leases of the other nodes.
    pub(super) others: Vec<Lease>,
}

/// The leases in Redis.
#[derive(Clone)]
pub(super) struct LeaseStore {
    redis: RedisHandle,
}

impl LeaseStore {
    pub(super) fn new(redis: RedisHandle) -> Self {
        Self { redis }
    }

    /// Renews a node's lease for this long, with what has changed of it, and finds the others'.
    pub(super) async fn write(&self, org: OrgId, news: &News, lease: Duration) -> anyhow::Result<Written> {
        let commands = self.redis.commands().context("the bus is down")?;
        let keys = [self.nodes_key(org), self.lease_key(org, news.node)];
        let slot = redis_keyslot(keys[0].as_bytes());
        let mut arguments: Vec<Value> = vec!["2".into()];
        arguments.extend(keys.map(Value::from));
        let header = [news.node.to_string(), lease.as_millis().to_string()];
        arguments.extend(header.map(Value::from));
        arguments.extend([news.from, news.version].map(|version| Value::from(version.to_string())));
        for (user, seen) in &news.changes {
            arguments
                .extend([user.to_string(), seen.as_ref().map(text).unwrap_or_default()].map(Value::from));
        }
        let run = async |command: &'static str, script: &str| {
            let mut all = vec![Value::from(script)];
            all.extend(arguments.iter().cloned());
            commands.custom::<Vec<Value>, Value>(CustomCommand::new_static(command, slot, false), all).await
        };
        let found = match run("EVALSHA", &WRITE_HASH).await {
            Err(error) if error.details().starts_with("NOSCRIPT") => run("EVAL", WRITE).await,
            found => found,
        };
        read_found(found?)
    }

    /// Whether there is somewhere to keep them now.
    pub(super) fn is_up(&self) -> bool {
        self.redis.commands().is_some()
    }

    /// Reads a node's lease; `None` where there is none.
    pub(super) async fn read(&self, org: OrgId, node: NodeId) -> anyhow::Result<Option<Listing>> {
        let commands = self.redis.commands().context("the bus is down")?;
        let fields: HashMap<Bytes, Bytes> = commands.hgetall(self.lease_key(org, node)).await?;
        Ok(read_lease(&fields))
    }

    /// Gives up a node's lease.
    pub(super) async fn release(&self, org: OrgId, node: NodeId) -> anyhow::Result<()> {
        let commands = self.redis.commands().context("the bus is down")?;
        commands.del::<(), _>(self.lease_key(org, node)).await?;
        commands.hdel::<(), _, _>(self.nodes_key(org), node.to_string()).await?;
        Ok(())
    }

    /// All keys of an organisation lie in one slot of a cluster: the braces see to that.
    fn nodes_key(&self, org: OrgId) -> String {
        self.redis.key(&format!("presence:{{{org}}}:nodes"))
    }

    fn lease_key(&self, org: OrgId, node: NodeId) -> String {
        self.redis.key(&format!("presence:{{{org}}}:{node}"))
    }
}

/// A user of a lease as text: since when, and how many sockets.
fn text(seen: &Seen) -> String {
    format!("{} {}", seen.since.as_millis(), seen.sockets)
}

fn parse(text: &str) -> anyhow::Result<Seen> {
    let (since, sockets) = text.split_once(' ').context("a user of a lease without sockets")?;
    Ok(Seen { since: Timestamp::from_millis(since.parse()?), sockets: sockets.parse()? })
}

/// Reads a lease. What no node of this version writes is passed over: it is not to hide everybody else.
fn read_lease(fields: &HashMap<Bytes, Bytes>) -> Option<Listing> {
    let version = str::from_utf8(fields.get(VERSION.as_bytes())?).ok()?.parse().ok()?;
    let users = fields.iter().filter_map(|(user, seen)| {
        let (user, seen) = (str::from_utf8(user).ok()?, str::from_utf8(seen).ok()?);
        Some((user.parse().ok()?, parse(seen).ok()?))
    });
    Some((version, users.collect()))
}

/// Reads what the script returns: whether the lease was intact, then node, version and age of each other.
fn read_found(found: Vec<Value>) -> anyhow::Result<Written> {
    let mut found = found.into_iter().map(Value::into_string);
    let intact = found.next().flatten().context("a script that says nothing")? == "1";
    let found: Vec<Option<String>> = found.collect();
    let others = found.chunks(3).filter_map(|lease| {
        // As above: what is no node's is passed over.
        let [Some(node), Some(version), Some(age)] = lease else { return None };
        let age = Duration::from_millis(age.parse().ok()?);
        Some(Lease { node: node.parse().ok()?, version: version.parse().ok()?, age })
    });
    Ok(Written { intact, others: others.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UserId;

    #[test]
    fn a_user_of_a_lease_is_read_as_it_was_written() {
        let seen = Seen { since: Timestamp::from_millis(-7), sockets: u32::MAX };
        assert_eq!(parse(&text(&seen)).unwrap(), seen);
        for bad in ["", "1", "1 ", " 1", "1 -1", "x 1", "1 1 1"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_no_node_wrote_hides_nobody() {
        let (user, seen) = (UserId::new(), Seen { since: Timestamp::from_millis(1), sockets: 2 });
        let mut fields: HashMap<Bytes, Bytes> = HashMap::from([
            (VERSION.into(), "7".into()),
            (user.to_string().into(), text(&seen).into()),
            ("nobody".into(), text(&seen).into()),
            (UserId::new().to_string().into(), "much".into()),
            (UserId::new().to_string().into(), Bytes::from_static(b"\xff")),
            (Bytes::from_static(b"\xff"), "".into()),
        ]);
        assert_eq!(read_lease(&fields), Some((7, HashMap::from([(user, seen)]))));
        fields.insert(VERSION.into(), "seven".into());
        assert_eq!(read_lease(&fields), None);
        let node = NodeId::new();
        let words = [
            "1",
            "nobody",
            "1",
            "1",
            &node.to_string(),
            "18446744073709551616",
            "1",
            &node.to_string(),
            "3",
            "4",
        ];
        let found = read_found(words.into_iter().map(Value::from).collect()).unwrap();
        assert_eq!(found.others, [Lease { node, version: 3, age: Duration::from_millis(4) }]);
        assert!(found.intact && read_found(Vec::new()).is_err());
    }
}
