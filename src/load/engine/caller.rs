//! A connection that asks: broadcasts, and pages of the feed.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use roomcast_client::Glance;

use crate::load::adapter::{ACCEPT, Adapter};
use crate::load::address::Endpoint;
use crate::load::feed;
use crate::load::wire::{Fault, Pumped, http, pump};

/// What to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// A message into a room that counts for nothing, so that all there hear something.
    Greet(u32),
    /// A broadcast into a room.
    Publish(u32),
    /// A page of a room's feed.
    Read(u32),
}

/// A page of the feed: what lies before this, or the end of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) before: Option<i64>,
    /// Whether it has all that there is, so that it may have no holes.
    pub(super) is_of_all: bool,
}

/// A request that is to be sent, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) due_ns: u64,
    pub(super) task: Task,
}

/// How far a caller is.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// It waits for something to do.
    Idle,
    /// Its request is not answered yet.
    Busy(Job),
    /// It was told to wait.
    Resting,
}

/// One caller with one connection.
pub(super) struct Caller {
    pub(super) state: State,
    /// Whether it stands in the list of those that are free.
    pub(super) is_listed: bool,
    /// The page that it asked for.
    pub(super) page: Option<Page>,
    stream: Option<TcpStream>,
    /// Over a socket, how much may be sent before the server has agreed to it.
    until_upgrade: Option<usize>,
    left: Vec<u8>,
    out: Vec<u8>,
    written: usize,
}

/// How a request ended.
pub(super) enum Answered {
    /// With this status, and in what it acknowledges this place in the log.
    With {
        status: u16,
        retry_after: Option<Duration>,
        limit: Option<u32>,
        /// Of a page of the feed, its newest.
        seq: Option<i64>,
        /// Whether a page of the feed is as it should be.
        is_whole: bool,
    },
    /// It is not known.
    Lost,
}

impl Caller {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            is_listed: true,
            page: None,
            stream: None,
            until_upgrade: None,
            left: Vec::new(),
            out: Vec::new(),
            written: 0,
        }
    }

    /// Sends a request that `write` appends, over a new connection if there is none.
    pub(super) fn send(
        &mut self,
        (registry, token): (&Registry, Token),
        (adapter, endpoint): (&Adapter, &Endpoint),
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        if self.stream.is_none() {
            let mut stream = TcpStream::connect(endpoint.address)?;
            stream.set_nodelay(true)?;
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            self.stream = Some(stream);
            self.until_upgrade = None;
            self.left.clear();
            if adapter.publishes_by_socket() {
                self.out.extend(adapter.publisher_handshake(endpoint));
                self.until_upgrade = Some(self.out.len());
            }
        }
        write(&mut self.out);
        self.write()
    }

    /// Sends what waits, as far as it goes.
    pub(super) fn write(&mut self) -> Result<(), Fault> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let end = self.until_upgrade.unwrap_or(self.out.len());
        while let Some(rest @ [_, ..]) = self.out.get(self.written..end) {
            match stream.write(rest) {
                Ok(count) => self.written += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if end == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        Ok(())
    }

    /// Whether all that it had to say is said.
    pub(super) fn has_written(&self) -> bool {
        self.out.is_empty()
    }

    /// Reads what came: the answer to its request, if it is whole.
    pub(super) fn read(
        &mut self,
        adapter: &Adapter,
        buffer: &mut [u8],
        to_end: bool,
    ) -> Result<Option<Answered>, Fault> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let (mut answered, mut closes, until_upgrade) = (None, false, &mut self.until_upgrade);
        let by_socket = adapter.publishes_by_socket();
        let page = self.page.take();
        let pumped = pump(stream, &mut self.left, buffer, to_end, |bytes| {
            if by_socket && until_upgrade.is_none() {
                // What a server says to its publishers is of no interest.
                return Ok(bytes.len());
            }
            let Some((answer, length)) = http::read(bytes)? else { return Ok(0) };
            if by_socket {
                if answer.accept.as_deref() != Some(ACCEPT) {
                    return Err(Fault::Malformed("an upgrade that is none"));
                }
                *until_upgrade = None;
                return Ok(bytes.len());
            }
            closes = answer.closes;
            let (seq, is_whole) = match page {
                Some(page) => feed::judge(&answer.body, page.before, page.is_of_all),
                None => (Glance::of(&answer.body).map(|glance| glance.seq), true),
            };
            answered = Some(Answered::With {
                status: answer.status,
                retry_after: answer.retry_after,
                limit: answer.limit,
                seq,
                is_whole,
            });
            Ok(length)
        })?;
        if answered.is_none() {
            self.page = page;
        }
        if pumped == Pumped::Ended || closes {
            self.hang_up();
            if answered.is_none() && matches!(self.state, State::Busy(_)) {
                answered = Some(Answered::Lost);
            }
        }
        Ok(answered)
    }

    /// Drops the connection.
    pub(super) fn hang_up(&mut self) {
        self.stream = None;
        self.out.clear();
        self.written = 0;
    }
}
