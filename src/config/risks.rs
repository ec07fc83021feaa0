//! What is allowed and yet unwise, each in a sentence.

use std::net::IpAddr;
use std::time::Duration;

use super::{Config, Registration};
use crate::db::DatabaseUrl;
use crate::hub::bus::RedisUrl;

impl Config {
    /// What is risky about these settings, a sentence each. Nothing of it stops a start.
    pub fn risks(&self) -> Vec<String> {
        let mut risks = Vec::new();
        self.exposure(&mut risks);
        self.secrets(&mut risks);
        self.limits(&mut risks);
        self.lifetimes(&mut risks);
        risks
    }

    /// Who reaches the hub, and what they find.
    fn exposure(&self, risks: &mut Vec<String>) {
        let server = &self.server;
        let public = !server.host.is_loopback();
        let host = server.host;
        if public && server.tls_cert.is_none() && server.trusted_proxies.is_empty() {
            risks.push(format!(
                "HOST={host} is reached from other machines, in plain HTTP: passwords and tokens can be read on the \
                 way. Set TLS_CERT and TLS_KEY, or put a proxy that ends TLS in front and name it in \
                 TRUSTED_PROXIES."
            ));
        }
        if server.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
            risks.push(
                "TRUSTED_PROXIES names the whole internet: anybody can claim any address in X-Forwarded-For and \
                 so pass every limit by address."
                    .to_owned(),
            );
        }
        if server.cors_origins.iter().any(|origin| origin == "*") {
            risks.push(
                "CORS_ORIGINS=* lets the page of any site call the API from a visitor's browser; name the origins \
                 of your own pages."
                    .to_owned(),
            );
        }
        if public && self.telemetry.metrics_token.is_none() {
            risks.push(format!(
                "METRICS_TOKEN is unset and HOST={host}: whoever reaches the hub may read how it is used at \
                 /metrics."
            ));
        }
        if public && self.auth.registration == Registration::Open {
            risks.push(format!(
                "REGISTRATION=open and HOST={host}: whoever reaches the hub may found organisations; set it to \
                 closed once yours exist."
            ));
        }
        if let Ok(DatabaseUrl::Postgres(url)) = self.database_url()
            && let Some(host) = unverified_host(&url)
        {
            risks.push(format!(
                "DATABASE_URL does not check who answers at {host}: add sslmode=verify-full (and sslrootcert for \
                 an authority of your own)."
            ));
        }
        if let Ok(Some(url)) = self.redis_url()
            && let Some(host) = url.hosts().find(|host| !is_near(host))
            && let Some(lacking) = lacking(&url)
        {
            risks.push(format!(
                "REDIS_URL reaches {host} without {lacking}: whoever is on the way, or reaches that Redis, may read the \
                 activities that pass, and say who is online. Use rediss:// and a password."
            ));
        }
    }

    fn secrets(&self, risks: &mut Vec<String>) {
        for (name, secret) in [
            ("JWT_ACCESS_SECRET", &self.auth.jwt_access_secret),
            ("METRICS_TOKEN", &self.telemetry.metrics_token),
        ] {
            if secret.as_ref().is_some_and(|secret| looks_weak(secret.reveal())) {
                risks.push(format!("{name} looks guessable: `openssl rand -hex 32` makes a good one."));
            }
        }
        let (key, previous) = (&self.auth.jwt_access_secret, &self.auth.jwt_access_secret_previous);
        if previous.is_some() && key == previous {
            risks.push(
                "JWT_ACCESS_SECRET_PREVIOUS is JWT_ACCESS_SECRET itself: nothing was rotated.".to_owned(),
            );
        } else if previous.is_some() {
            risks.push(format!(
                "JWT_ACCESS_SECRET_PREVIOUS is still accepted: unset it once the refresh tokens that it marked have \
                 expired ({} after the change).",
                humantime::format_duration(self.auth.refresh_lifetime)
            ));
        }
    }

    fn limits(&self, risks: &mut Vec<String>) {
        let limits = &self.limits;
        let off: Vec<&str> = [
            ("RATE_LIMIT_PER_MINUTE", limits.rate_limit_per_minute == 0),
            ("AUTH_RATE_LIMIT_PER_MINUTE", limits.auth_rate_limit_per_minute == 0),
            ("MAX_SOCKETS_PER_USER", limits.max_sockets_per_user == 0),
            ("HANDSHAKES_PER_MINUTE", limits.handshakes_per_minute == 0),
            ("FRAMES_PER_MINUTE", limits.frames_per_minute == 0),
            ("MAX_BODY_BYTES", limits.max_body_bytes == 0),
            ("SLOW_SOCKET_SECONDS", self.hub.slow_socket_seconds.is_zero()),
        ]
        .into_iter()
        .filter_map(|(name, off)| off.then_some(name))
        .collect();
        if !off.is_empty() {
            risks.push(format!(
                "{} at 0: without a limit one caller can take what the others need.",
                off.join(", ")
            ));
        }
        if self.server.drain_seconds.is_zero() {
            risks.push(
                "DRAIN_SECONDS=0: a stop cuts off requests in flight and all sockets at once, which then come back \
                 at once."
                    .to_owned(),
            );
        }
    }

    fn lifetimes(&self, risks: &mut Vec<String>) {
        let days = self.database.activity_retention_days;
        let kept = Duration::from_hours(24) * days;
        if days > 0 && kept < self.auth.refresh_lifetime {
            risks.push(format!(
                "ACTIVITY_RETENTION_DAYS={days} is shorter than JWT_REFRESH_EXPIRES_IN: who comes back within their \
                 session may have missed what is no longer kept (RESUME_GAP expired)."
            ));
        }
        if self.auth.access_lifetime > self.auth.refresh_lifetime {
            risks.push(
                "JWT_ACCESS_EXPIRES_IN is longer than JWT_REFRESH_EXPIRES_IN: sessions expire before their tokens."
                    .to_owned(),
            );
        }
        if self.auth.access_lifetime > Duration::from_hours(24) {
            risks.push(
                "JWT_ACCESS_EXPIRES_IN is longer than a day: a token that leaks is good for as long, unless its \
                 session is ended."
                    .to_owned(),
            );
        }
    }
}

/// The host of a URL of PostgreSQL that is not this machine, where the certificate of whoever answers there
/// is not checked.
fn unverified_host(url: &str) -> Option<String> {
    let (plain, query) = url.split_once('?').unwrap_or((url, ""));
    let verified = ["sslmode=verify-full", "sslmode=verify-ca"];
    if query.split('&').any(|pair| verified.contains(&pair)) {
        return None;
    }
    if query.contains('@') {
        return Some("a host that cannot be told from its password".to_owned());
    }
    let authority = plain.split_once("://")?.1.split('/').next()?;
    let hosts = authority.rsplit('@').next()?;
    let remote = |host: &&str| {
        let name = match host.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        // A percent sign begins the path of a socket on this machine.
        !name.is_empty() && !name.starts_with('%') && !is_near(name)
    };
    hosts.split(',').find(remote).map(str::to_owned)
}

/// Whether it is this machine.
fn is_near(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What keeps others from this Redis, and is not there.
fn lacking(url: &RedisUrl) -> Option<&'static str> {
    match (url.has_tls(), url.has_password()) {
        (true, true) => None,
        (true, false) => Some("a password"),
        (false, true) => Some("TLS"),
        (false, false) => Some("TLS and without a password"),
    }
}

/// Whether a secret was rather made up than drawn: few different characters, a repetition, or a word that
/// people put where a secret should be.
fn looks_weak(secret: &str) -> bool {
    const WORDS: [&str; 8] =
        ["secret", "password", "changeme", "change-me", "change_me", "example", "roomcast", "12345678"];
    let mut bytes = secret.as_bytes().to_vec();
    let length = bytes.len();
    let repeats = (1..=length / 2)
        .any(|period| secret.bytes().zip(secret.bytes().skip(period)).all(|(one, other)| one == other));
    bytes.sort_unstable();
    bytes.dedup();
    let lower = secret.to_ascii_lowercase();
    bytes.len() < 8 || repeats || WORDS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn risks(arguments: &[&str]) -> Vec<String> {
        let arguments = std::iter::once("roomcast").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).unwrap().config.risks()
    }

    const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn the_embedded_default_is_not_risky() {
        assert_eq!(risks(&[]), Vec::<String>::new());
        let behind = ["--host", "0.0.0.0", "--trusted-proxies", "10.0.0.0/8", "--metrics-token", KEY];
        let closed = ["--registration", "closed"];
        assert_eq!(risks(&[&behind[..], &closed[..]].concat()), Vec::<String>::new());
    }

    #[test]
    fn each_risk_names_its_setting() {
        for (arguments, named) in [
            (&["--host", "0.0.0.0"][..], &["HOST=0.0.0.0", "METRICS_TOKEN", "REGISTRATION"][..]),
            (&["--host", "::"], &["HOST=::", "METRICS_TOKEN", "REGISTRATION"]),
            (&["--trusted-proxies", "0.0.0.0/0"], &["TRUSTED_PROXIES"]),
            (&["--cors-origins", "*"], &["CORS_ORIGINS"]),
            (
                &["--rate-limit-per-minute", "0", "--max-body-bytes", "0"],
                &["RATE_LIMIT_PER_MINUTE, MAX_BODY_BYTES"],
            ),
            (&["--drain-seconds", "0"], &["DRAIN_SECONDS"]),
            (&["--activity-retention-days", "3"], &["ACTIVITY_RETENTION_DAYS"]),
            (&["--access-lifetime", "30d"], &["longer than JWT_REFRESH", "longer than a day"]),
            (&["--jwt-access-secret", "a-secret-that-somebody-made-up-1"], &["JWT_ACCESS_SECRET"]),
            (&["--jwt-access-secret", KEY, "--jwt-access-secret-previous", KEY], &["PREVIOUS"]),
            (&["--jwt-access-secret-previous", KEY], &["PREVIOUS"]),
            (&["--database-url", "postgres://u:p@db.example/x?sslmode=require"], &["db.example"]),
            (&["--database-url", "postgres://u:p?x@db.example/x"], &["cannot be told from its password"]),
            (
                &["--redis-url", "redis://cache.example"],
                &["cache.example without TLS and without a password"],
            ),
            (&["--redis-url", "redis://:p@cache.example"], &["cache.example without TLS:"]),
            (&["--redis-url", "rediss://cache.example"], &["cache.example without a password:"]),
            (
                &["--redis-url", "redis-sentinel://u:p@localhost?sentinelServiceName=m&node=cache.example:1"],
                &["cache.example without TLS:"],
            ),
            (&["--redis-url", "redis-cluster://[::1]?node=10.0.0.1:2"], &["10.0.0.1 without TLS and"]),
        ] {
            let risks = risks(arguments);
            assert_eq!(risks.len(), named.len(), "{arguments:?}: {risks:?}");
            for (risk, name) in risks.iter().zip(named) {
                assert!(risk.contains(name), "{name}: {risk}");
            }
        }
    }

    #[test]
    fn a_database_that_is_near_or_checked_is_not_risky() {
        for url in [
            "postgres://localhost/x",
            "postgres://u:p@127.0.0.1:5432/x",
            "postgres://[::1]/x",
            "postgres:///x",
            "postgres://%2Frun%2Fpostgresql/x",
            "postgres://db.example/x?sslmode=verify-full&sslrootcert=/ca.pem",
        ] {
            assert_eq!(unverified_host(url), None, "{url}");
        }
        assert_eq!(unverified_host("postgres://localhost,db.example:5/x").as_deref(), Some("db.example:5"));
    }

    #[test]
    fn a_redis_that_is_near_or_guarded_is_not_risky() {
        for url in [
            "redis://localhost",
            "redis://127.0.0.1:7/2",
            "redis-cluster://[::1]?node=localhost:2",
            "rediss://:p@cache.example",
        ] {
            assert_eq!(risks(&["--redis-url", url]), Vec::<String>::new(), "{url}");
        }
    }

    #[test]
    fn a_drawn_secret_is_not_weak() {
        assert!(!looks_weak(KEY));
        assert!(!looks_weak("qLh0Jm7vYw5Xo1bT9cRzKd3FsEiUaP2g"));
        for weak in [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "0123456789abcdef0123456789abcdef",
            "MySuperSecretKey-of-2026-for-prod",
        ] {
            assert!(looks_weak(weak), "{weak}");
        }
    }
}
