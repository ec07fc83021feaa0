//! The least that fans out: one thread, one epoll, one `write` a socket. It keeps nothing, knows nobody, and
//! is what a hub is measured against.
//!
//! Subscribers connect to `/ROOM`, publishers POST to it. Where it coalesces, all that came in one round goes to
//! a socket in one `write`; else each message by itself.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sha1::{Digest as _, Sha1};
use slab::Slab;

const LISTENER: Token = Token(usize::MAX - 1);

struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    /// What the kernel did not take.
    output: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    pending: Vec<u8>,
}

struct Bare {
    peers: Slab<Peer>,
    names: HashMap<String, usize>,
    rooms: Vec<Room>,
    /// Rooms where something is pending.
    dirty: Vec<usize>,
    coalesces: bool,
}

/// Serves for ever; says where on standard output.
pub(crate) fn serve(coalesces: bool) -> Result<()> {
    let mut poll = Poll::new()?;
    // Its queue of connections is as long as the hub's.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(socket.into());
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);
    let mut bare =
        Bare { peers: Slab::new(), names: HashMap::new(), rooms: Vec::new(), dirty: Vec::new(), coalesces };
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 1 << 16]);
    loop {
        poll.poll(&mut events, None::<Duration>)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let entry = bare.peers.vacant_entry();
                    poll.registry().register(
                        &mut stream,
                        Token(entry.key()),
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    entry.insert(Peer { stream, input: Vec::new(), output: Vec::new() });
                }
                continue;
            }
            let Token(key) = event.token();
            if event.is_writable() {
                bare.write(key, &[]);
            }
            if event.is_readable() {
                bare.read(key, &mut buffer)?;
            }
        }
        bare.flush();
    }
}

impl Bare {
    fn read(&mut self, key: usize, buffer: &mut [u8]) -> Result<()> {
        loop {
            let Some(peer) = self.peers.get_mut(key) else { return Ok(()) };
            match peer.stream.read(buffer) {
                Ok(count @ 1..) => {
                    peer.input.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    self.peers.remove(key);
                    self.rooms.iter_mut().for_each(|room| room.members.retain(|member| *member != key));
                    return Ok(());
                }
            }
        }
        while let Some(peer) = self.peers.get_mut(key) {
            let mut input = std::mem::take(&mut peer.input);
            let used = self.answer(key, &input)?;
            input.drain(..used);
            if let Some(peer) = self.peers.get_mut(key) {
                peer.input = input;
            }
            if used == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Answers the request at the start of the input; its length, 0 where it is not whole.
    fn answer(&mut self, key: usize, input: &[u8]) -> Result<usize> {
        let Some(end) = memchr::memmem::find(input, b"\r\n\r\n").map(|end| end + 4) else { return Ok(0) };
        let head = std::str::from_utf8(input.get(..end).unwrap_or_default())?;
        let header = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name));
        let room = self.room(head.split(' ').nth(1).context("no path")?);
        if let Some(key_of_client) = header("Sec-WebSocket-Key: ") {
            let digest =
                Sha1::new().chain_update(key_of_client).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
            let accept = base64::engine::general_purpose::STANDARD.encode(digest.finalize());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            self.write(key, answer.as_bytes());
            if let Some(room) = self.rooms.get_mut(room) {
                room.members.push(key);
            }
            return Ok(end);
        }
        let length: usize = header("Content-Length: ").context("no length")?.parse()?;
        let Some(text) = input.get(end..end + length) else { return Ok(0) };
        if let Some(Room { pending, .. }) = self.rooms.get_mut(room) {
            if pending.is_empty() {
                self.dirty.push(room);
            }
            frame(text, pending);
        }
        if !self.coalesces {
            self.flush();
        }
        self.write(key, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Ok(end + length)
    }

    /// The room of this name.
    fn room(&mut self, name: &str) -> usize {
        if let Some(room) = self.names.get(name) {
            return *room;
        }
        self.names.insert(name.to_owned(), self.rooms.len());
        self.rooms.push(Room::default());
        self.rooms.len() - 1
    }

    fn flush(&mut self) {
        while let Some(dirty) = self.dirty.pop() {
            let Some(room) = self.rooms.get_mut(dirty) else { continue };
            let (members, mut pending) =
                (std::mem::take(&mut room.members), std::mem::take(&mut room.pending));
            for member in &members {
                self.write(*member, &pending);
            }
            pending.clear();
            if let Some(room) = self.rooms.get_mut(dirty) {
                (room.members, room.pending) = (members, pending);
            }
        }
    }

    fn write(&mut self, key: usize, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if !peer.output.is_empty() {
            peer.output.extend_from_slice(bytes);
            if let Ok(count) = peer.stream.write(&peer.output) {
                peer.output.drain(..count);
            }
            return;
        }
        if bytes.is_empty() {
            return;
        }
        let written = peer.stream.write(bytes).unwrap_or_default();
        peer.output.extend_from_slice(bytes.get(written..).unwrap_or_default());
    }
}

fn frame(text: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    if let Ok(length @ 0..126) = u8::try_from(text.len()) {
        out.push(length);
    } else {
        out.push(126);
        out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    }
    out.extend_from_slice(text);
}
