//! Leases in Redis: a hash a node and organisation, which is gone when it is not renewed, and a hash of an
//! organisation's nodes. Redis' clock alone tells their age.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context as _, bail};
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

    /// Reads a node's lease; `None` where there is none.
    pub(super) async fn read(&self, org: OrgId, node: NodeId) -> anyhow::Result<Option<Listing>> {
        let commands = self.redis.commands().context("the bus is down")?;
        let mut fields: HashMap<String, String> = commands.hgetall(self.lease_key(org, node)).await?;
        let Some(version) = fields.remove(VERSION) else { return Ok(None) };
        let users = fields.into_iter().map(|(user, seen)| Ok((user.parse()?, parse(&seen)?)));
        Ok(Some((version.parse()?, users.collect::<anyhow::Result<_>>()?)))
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

/// Reads what the script returns: whether the lease was intact, then node, version and age of each other.
fn read_found(found: Vec<Value>) -> anyhow::Result<Written> {
    let mut texts = found.into_iter().map(|value| value.into_string().context("a lease that is no text"));
    let intact = texts.next().context("a script that says nothing")?? == "1";
    let texts: Vec<String> = texts.collect::<anyhow::Result<_>>()?;
    let others = texts.chunks(3).map(|lease| {
        let [node, version, age] = lease else { bail!("a lease that is not whole") };
        Ok(Lease { node: node.parse()?, version: version.parse()?, age: Duration::from_millis(age.parse()?) })
    });
    Ok(Written { intact, others: others.collect::<anyhow::Result<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_a_lease_is_read_as_it_was_written() {
        let seen = Seen { since: Timestamp::from_millis(-7), sockets: u32::MAX };
        assert_eq!(parse(&text(&seen)).unwrap(), seen);
        for bad in ["", "1", "1 ", " 1", "1 -1", "x 1", "1 1 1"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
