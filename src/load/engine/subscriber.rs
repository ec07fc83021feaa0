//! A socket that receives, and proves that it received what it was owed.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use roomcast_client::{Frame, Glance, Verifier};

use super::lanes::Lanes;
use super::tally::Tally;
use crate::load::adapter::{ACCEPT, Adapter, Room};
use crate::load::address::{Endpoint, Sources};
use crate::load::mark::{Mark, Marks};
use crate::load::proof::Proof;
use crate::load::wire::frame::{self, Message};
use crate::load::wire::{Fault, Pumped, http, pump};

/// How far a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Away,
    /// The handshake is not answered yet.
    Upgrading,
    /// The server's first frame is missing.
    Greeting,
    /// It receives.
    Open,
}

/// One subscriber, through all of its sockets.
pub(super) struct Subscriber {
    pub(super) room: u32,
    pub(super) phase: Phase,
    pub(super) proof: Proof,
    /// How often in a row it failed to come in.
    pub(super) failures: u32,
    /// When its socket began.
    pub(super) began_ns: u64,
    stream: Option<TcpStream>,
    /// What came and is not whole yet.
    left: Vec<u8>,
    /// What is still to be sent.
    out: Vec<u8>,
}

/// What became of a socket that something happened to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing that matters to others.
    Same,
    /// It receives from now on.
    Opened,
    /// It is closed, with this code.
    Closed(u16),
    /// The handshake was refused.
    Refused(u16, Option<std::time::Duration>),
}

/// What a subscriber needs of the loop to read.
pub(super) struct Ears<'a> {
    pub(super) adapter: &'a Adapter,
    pub(super) marks: &'a Marks,
    pub(super) tally: &'a mut Tally,
    pub(super) lanes: &'a mut Lanes,
    pub(super) now_ns: u64,
    /// Only what was due since then is timed.
    pub(super) timed_from_ns: u64,
}

impl Subscriber {
    pub(super) fn new(room: u32, proof: Proof) -> Self {
        Self {
            room,
            proof,
            phase: Phase::Away,
            failures: 0,
            began_ns: 0,
            stream: None,
            left: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Begins a socket; what it says is sent once it is connected.
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        index: usize,
        (adapter, endpoint, room, sources): (&Adapter, &Endpoint, &Room, Sources),
        now_ns: u64,
    ) -> Result<(), Fault> {
        let mut stream = connect(endpoint.address, sources, index)?;
        registry.register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        self.left = Vec::new();
        let after = match &self.proof {
            Proof::Log(verifier) => verifier.position(),
            Proof::Numbers(_) => None,
        };
        self.out = adapter.handshake(endpoint, room, after);
        (self.stream, self.phase, self.began_ns) = (Some(stream), Phase::Upgrading, now_ns);
        Ok(())
    }

    /// Drops the socket without a word.
    pub(super) fn drop_socket(&mut self) {
        // Closing a file takes it out of epoll, too.
        self.stream = None;
        self.phase = Phase::Away;
        self.left = Vec::new();
        self.out = Vec::new();
    }

    /// Sends what waits, as far as it goes.
    pub(super) fn write(&mut self) -> Result<(), Fault> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.out.is_empty() {
            match stream.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Most never send again.
        self.out = Vec::new();
        Ok(())
    }

    /// Reads what came. `to_end`: the server has closed.
    pub(super) fn read(
        &mut self,
        mut ears: Ears<'_>,
        buffer: &mut [u8],
        room: &Room,
        to_end: bool,
    ) -> Result<Outcome, Fault> {
        let Self { stream: Some(stream), left, phase, proof, out, .. } = self else {
            return Ok(Outcome::Same);
        };
        let (was, own_room, mut closed, mut refused) = (*phase, self.room, None, None);
        let pumped = pump(stream, left, buffer, to_end, |bytes| {
            let mut used = 0;
            if *phase == Phase::Upgrading {
                let Some((answer, length)) = http::read(bytes)? else { return Ok(0) };
                used = length;
                if answer.status != 101 {
                    refused = Some((answer.status, answer.retry_after));
                    return Ok(bytes.len());
                }
                if answer.accept.as_deref() != Some(ACCEPT) {
                    return Err(Fault::Malformed("an upgrade that is none"));
                }
                ears.adapter.greeting(room, out);
                *phase = if ears.adapter.resumes() { Phase::Greeting } else { Phase::Open };
            }
            let mut is_nonsense = false;
            let count = frame::read(bytes.get(used..).unwrap_or_default(), |message| match message {
                Message::Data(text) => is_nonsense |= !ears.hear(text, own_room, proof, phase),
                Message::Ping(payload) => {
                    ears.tally.heartbeats += 1;
                    frame::pong(payload, out);
                }
                Message::Pong => {}
                Message::Close(code) => closed = Some(code),
            })?;
            if is_nonsense {
                Err(Fault::Malformed("a frame that is not Roomcast's"))
            } else {
                Ok(used + count)
            }
        })?;
        self.write()?;
        Ok(match (refused, closed, pumped) {
            (Some((status, after)), ..) => Outcome::Refused(status, after),
            (None, Some(code), _) => Outcome::Closed(code),
            (None, None, Pumped::Ended) => Outcome::Closed(1006),
            (None, None, Pumped::Drained) if was != Phase::Open && self.phase == Phase::Open => {
                Outcome::Opened
            }
            (None, None, Pumped::Drained) => Outcome::Same,
        })
    }
}

impl Ears<'_> {
    /// Takes what came in one frame; whether it makes sense.
    fn hear(&mut self, text: &[u8], own_room: u32, proof: &mut Proof, phase: &mut Phase) -> bool {
        let mut marked = self.marks.find(text);
        match proof {
            Proof::Log(verifier) => {
                if let Some((mark, _)) = marked {
                    self.time(mark, own_room);
                }
                self.hear_log(text, verifier, phase)
            }
            Proof::Numbers(numbers) => {
                // Some servers put many messages into one frame.
                while let Some((mark, rest)) = marked {
                    self.tally.delivered += 1;
                    numbers.observe(mark.caller, mark.number);
                    self.lanes.heard(mark);
                    self.time(mark, own_room);
                    marked = self.marks.find(rest);
                }
                true
            }
        }
    }

    /// Takes a frame of Roomcast's.
    fn hear_log(&mut self, text: &[u8], verifier: &mut Verifier, phase: &mut Phase) -> bool {
        if let Some(glance) = Glance::of(text) {
            verifier.observe_activity(glance.seq);
            self.tally.delivered += 1;
            return true;
        }
        let Some(frame) = std::str::from_utf8(text).ok().and_then(|text| Frame::decode(text).ok()) else {
            return false;
        };
        match frame {
            Frame::Welcome(_) => *phase = Phase::Open,
            Frame::Pong(_) => self.tally.heartbeats += 1,
            Frame::Activity(_) => self.tally.delivered += 1,
            _ => {}
        }
        verifier.observe(&frame);
        true
    }

    fn time(&mut self, mark: Mark, own_room: u32) {
        self.tally.foreign += u64::from(mark.room != own_room);
        if mark.due_ns >= self.timed_from_ns {
            self.tally.deliveries.note(mark.due_ns, self.now_ns);
        }
    }
}

/// Begins a connection, from a source address of its own where one alone has too few ports.
fn connect(to: SocketAddr, sources: Sources, index: usize) -> std::io::Result<TcpStream> {
    let Some(source) = sources.of(index) else {
        let stream = TcpStream::connect(to)?;
        return Ok(stream);
    };
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(TcpStream::from_std(socket.into())),
    }
}

/// The connection is under way.
const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
