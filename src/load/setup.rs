//! What a run needs before it begins: organisations and sessions, over the API as anybody would.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::adapter::Room;
use super::address::Endpoint;
use super::wire::http;

/// How long an answer may take: hashes of passwords wait for each other.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often one request is sent again that was refused for now.
const ATTEMPTS: usize = 100;

/// Who makes rooms at once: commits are shared.
const AT_ONCE: usize = 8;

/// An account that is an admin somewhere.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Its email.
    pub email: String,
    /// Its password.
    pub password: String,
    /// The organisation, by id or slug; else the one used last.
    pub organisation: Option<String>,
}

/// A connection to the API.
pub(super) struct Api<'a> {
    endpoint: &'a Endpoint,
    stream: Option<TcpStream>,
    /// Tells how long it has to wait.
    on_wait: &'a (dyn Fn(Duration) + Sync),
}

/// An answer that is no refusal.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl<'a> Api<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, on_wait: &'a (dyn Fn(Duration) + Sync)) -> Self {
        Self { endpoint, stream: None, on_wait }
    }

    /// Asks until it is not told to wait.
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<Reply> {
        for _ in 0..ATTEMPTS {
            let (reply, wait) = self.ask_once(method, path, token, body)?;
            match (reply.status, wait) {
                (429 | 503, Some(wait)) => {
                    (self.on_wait)(wait);
                    thread::sleep(wait);
                    // The server may have closed it meanwhile.
                    self.stream = None;
                }
                _ => return Ok(reply),
            }
        }
        bail!("{method} {path} was refused {ATTEMPTS} times")
    }

    /// The same, of which nothing but success will do.
    fn must(&mut self, method: &str, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
        let reply = self.ask(method, path, token, body)?;
        let detail = reply.body.get("detail").and_then(Value::as_str).unwrap_or_default();
        ensure!(
            (200..300).contains(&reply.status),
            "{method} {path} was answered with {}: {detail}",
            reply.status
        );
        Ok(reply.body)
    }

    fn ask_once(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<(Reply, Option<Duration>)> {
        let (status, body, wait) = self.send(method, path, token, body)?;
        Ok((Reply { status, body: serde_json::from_slice(&body).unwrap_or_default() }, wait))
    }

    /// Status and body of an answer, and for how long it says to wait.
    fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<(u16, Vec<u8>, Option<Duration>)> {
        let (host, base) = (&self.endpoint.host, self.endpoint.base());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authorisation =
            if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let request = format!(
            "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\n{authorisation}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.write_all(request.as_bytes())?;
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut piece).with_context(|| format!("waiting for {method} {path}"))?;
            ensure!(count > 0, "{host} closed the connection instead of answering {method} {path}");
            bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
            if let Some((answer, _)) = http::read(&bytes)? {
                if !answer.closes {
                    self.stream = Some(stream);
                }
                return Ok((answer.status, answer.body.into_owned(), answer.retry_after));
            }
        }
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        let address = self.endpoint.address;
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)
            .with_context(|| format!("nobody answers at {address}"))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// How often the server has read its database so far, as its metrics tell; none where it does not show them.
pub(super) fn database_reads(endpoint: &Endpoint) -> Option<u64> {
    let answer = Api::new(endpoint, &|_| {}).send("GET", "/metrics", "", &Value::Null).ok();
    let (_, body, _) = answer.filter(|(status, ..)| *status == 200)?;
    let text = String::from_utf8(body).ok()?;
    let line = text.lines().find(|line| {
        line.starts_with("roomcast_database_transactions_total{") && line.contains("mode=\"read\"")
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Rooms that may be used, and for how long.
pub(super) struct Ready {
    pub(super) rooms: Vec<Room>,
    /// When the first of their tokens expires.
    pub(super) expires_in: Duration,
}

/// Signs in with each of these. Members will do where nothing is broadcast.
pub(super) fn sign_in(
    endpoint: &Endpoint,
    accounts: &[Credentials],
    only_admins: bool,
    on_wait: &(dyn Fn(Duration) + Sync),
) -> anyhow::Result<Ready> {
    let mut api = Api::new(endpoint, on_wait);
    let sessions = accounts.iter().map(|account| {
        let mut body = json!({ "email": account.email, "password": account.password });
        if let Some(organisation) = &account.organisation {
            body["organisation"] = json!(organisation);
        }
        let session = api.must("POST", "/api/v1/auth/login", "", &body);
        let session = session.with_context(|| format!("signing in as {}", account.email))?;
        let role = session.pointer("/user/role").and_then(Value::as_str).unwrap_or_default();
        let is_admin = role == "ADMIN";
        ensure!(is_admin || !only_admins, "{} is no admin there, and only admins broadcast", account.email);
        session_of(&session).map(|(room, expires_in)| (Room { is_of_member: !is_admin, ..room }, expires_in))
    });
    ready(sessions.collect::<anyhow::Result<_>>()?)
}

/// Makes an account and so many organisations of it, each on the plan that has no limit.
pub(super) fn found(
    endpoint: &Endpoint,
    rooms: usize,
    on_wait: &(dyn Fn(Duration) + Sync),
) -> anyhow::Result<Ready> {
    let mut api = Api::new(endpoint, on_wait);
    let body = json!({
        "organisationName": "Load 1", "name": "Load", "password": random_text()?,
        "email": format!("load-{}@load.invalid", Uuid::now_v7().simple()),
    });
    let first = api.must("POST", "/api/v1/auth/register", "", &body).context("founding an organisation")?;
    let first = session_of(&first)?;
    upgrade(&mut api, &first.0.token)?;
    let token = &first.0.token;
    let more: Vec<anyhow::Result<Vec<_>>> = thread::scope(|scope| {
        let founders: Vec<_> = (0..AT_ONCE.min(rooms - 1))
            .map(|founder| {
                scope.spawn(move || {
                    let mut api = Api::new(endpoint, on_wait);
                    (2 + founder..=rooms)
                        .step_by(AT_ONCE)
                        .map(|room| found_one(&mut api, token, room))
                        .collect()
                })
            })
            .collect();
        let panicked = |_| Err(anyhow::anyhow!("a founder panicked"));
        founders.into_iter().map(|founder| founder.join().unwrap_or_else(panicked)).collect()
    });
    let mut sessions = vec![first];
    for of_one in more {
        sessions.extend(of_one.context("founding organisations")?);
    }
    ready(sessions)
}

fn found_one(api: &mut Api<'_>, token: &str, number: usize) -> anyhow::Result<(Room, Duration)> {
    let name = json!({ "name": format!("Load {number}") });
    let organisation = api.must("POST", "/api/v1/organisations", token, &name)?;
    let id = organisation.get("id").context("an organisation without id")?;
    let session = api.must("POST", "/api/v1/auth/switch", token, &json!({ "organisationId": id }))?;
    let session = session_of(&session)?;
    upgrade(api, &session.0.token)?;
    Ok(session)
}

fn upgrade(api: &mut Api<'_>, token: &str) -> anyhow::Result<()> {
    api.must("PATCH", "/api/v1/organisations/subscription", token, &json!({ "plan": "ENTERPRISE" })).map(drop)
}

fn session_of(session: &Value) -> anyhow::Result<(Room, Duration)> {
    let text = |pointer: &str| {
        let found = session.pointer(pointer).and_then(Value::as_str);
        found.with_context(|| format!("a session without {pointer}: is this Roomcast?"))
    };
    let expires_in = session.get("expiresIn").and_then(Value::as_u64).unwrap_or_default();
    let room = Room {
        organisation_id: text("/organisation/id")?.parse().context("an odd organisation id")?,
        token: text("/accessToken")?.to_owned(),
        ..Room::default()
    };
    Ok((room, Duration::from_secs(expires_in)))
}

fn ready(sessions: Vec<(Room, Duration)>) -> anyhow::Result<Ready> {
    let expires_in = sessions.iter().map(|(_, expires_in)| *expires_in).min().context("nobody signed in")?;
    Ok(Ready { rooms: sessions.into_iter().map(|(room, _)| room).collect(), expires_in })
}

/// 32 characters that nobody can guess.
pub(super) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
