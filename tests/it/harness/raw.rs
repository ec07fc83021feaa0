//! A WebSocket byte by byte, for what no decent client does.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::wait::within;

/// A frame's opcode (RFC 6455, section 5.2).
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// Whether a frame is the last of its message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fin {
    Last,
    More,
}

/// Whether a frame is masked, as a client's has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    Masked,
    Bare,
}

/// What bytes come and go over.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection that was upgraded, or refused to be.
pub(crate) struct RawSocket {
    stream: Box<dyn Duplex>,
    /// What was read and not taken.
    buffer: Vec<u8>,
}

impl RawSocket {
    /// Connects; `receive_buffer` bounds what the kernel takes for a peer that does not read.
    pub(crate) async fn connect(base: &str, receive_buffer: Option<u32>) -> Self {
        let (_scheme, address) = base.split_once("://").unwrap();
        let address = address.parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = within("connecting", socket.connect(address)).await.unwrap();
        Self::over(stream)
    }

    /// Connects from this address of the loopback's.
    pub(crate) async fn connect_from(base: &str, from: &str) -> Self {
        let (_scheme, address) = base.split_once("://").unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        Self::over(within("connecting", socket.connect(address.parse().unwrap())).await.unwrap())
    }

    /// Goes on over any stream.
    pub(crate) fn over(stream: impl Duplex + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new() }
    }

    /// Connects and asks for an upgrade with this query and these further header lines; fails unless it is
    /// granted. Returns the answer's head, too.
    pub(crate) async fn upgrade(
        base: &str,
        query: &str,
        headers: &str,
        receive_buffer: Option<u32>,
    ) -> (Self, String) {
        let mut socket = Self::connect(base, receive_buffer).await;
        let head = socket.upgrade_here(query, headers).await;
        (socket, head)
    }

    /// Asks for an upgrade; fails unless it is granted. Returns the answer's head.
    pub(crate) async fn upgrade_here(&mut self, query: &str, headers: &str) -> String {
        self.upgrade_and_send(query, headers, &[]).await
    }

    /// The same, with bytes that follow the request in one write, before its answer.
    pub(crate) async fn upgrade_and_send(&mut self, query: &str, headers: &str, early: &[u8]) -> String {
        let request = format!(
            "GET /ws{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        self.write(&[request.as_bytes(), early].concat()).await;
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The nonce of RFC 6455, section 1.3, and its answer.
        let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        assert!(head.to_lowercase().contains(&accept.to_lowercase()), "{head}");
        head
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within("writing", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends bytes that the server may not want to hear to the end.
    pub(crate) async fn write_most(&mut self, bytes: &[u8]) {
        // An error says that it has hung up, which is no fault.
        drop(within("writing", self.stream.write_all(bytes)).await);
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub(crate) async fn finish(&mut self) {
        // The server may be gone already.
        drop(self.stream.shutdown().await);
    }

    /// The next HTTP answer, its head and its body; `None` where the connection ended instead.
    pub(crate) async fn answer(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
                let lower = head.to_lowercase();
                let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length = length.map_or(0, |length| length.parse().unwrap());
                while self.buffer.len() < length {
                    assert!(self.read_more().await, "the connection ended within an answer: {head}");
                }
                let body: Vec<u8> = self.buffer.drain(..length).collect();
                return Some(head + &String::from_utf8(body).unwrap());
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// The head of an HTTP answer.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.read_more().await, "the connection ended before the head of an answer");
        }
    }

    /// Waits until this has come; it is still to be read.
    pub(crate) async fn until(&mut self, text: &str) {
        while !self.buffer.windows(text.len()).any(|window| window == text.as_bytes()) {
            assert!(self.read_more().await, "the connection ended before {text}");
        }
    }

    /// All that comes until the server ends the connection, which it must.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read_more().await {}
        String::from_utf8(std::mem::take(&mut self.buffer)).unwrap()
    }

    /// Reads a byte; whether there was one.
    pub(crate) async fn sip(&mut self) -> bool {
        if !self.buffer.is_empty() {
            self.buffer.remove(0);
            return true;
        }
        within("reading a byte", self.stream.read(&mut [0])).await.is_ok_and(|length| length > 0)
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, opcode: u8, payload: &[u8], fin: Fin, mask: Mask) {
        self.write(&Self::frame(opcode, payload, fin, mask)).await;
    }

    /// The bytes of a frame.
    pub(crate) fn frame(opcode: u8, payload: &[u8], fin: Fin, mask: Mask) -> Vec<u8> {
        let mut frame = vec![if fin == Fin::Last { 0x80 | opcode } else { opcode }];
        let masked = if mask == Mask::Masked { 0x80 } else { 0 };
        match u16::try_from(payload.len()) {
            Ok(length @ 0..=125) => frame.push(masked | u8::try_from(length).unwrap()),
            Ok(length) => {
                frame.push(masked | 0x7E);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(masked | 0x7F);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        if mask == Mask::Masked {
            let key = [0x37, 0xfa, 0x21, 0x3d];
            frame.extend(key);
            frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            frame.extend(payload);
        }
        frame
    }

    /// The next frame: its opcode and payload; `None` where the connection ended.
    pub(crate) async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// The next text message; a ping may come before it.
    pub(crate) async fn next_text(&mut self) -> String {
        loop {
            match self.next().await {
                Some((opcode::TEXT, payload)) => return String::from_utf8(payload).unwrap(),
                Some((opcode::PING, _)) => {}
                other => panic!("a text frame was expected, not {other:?}"),
            }
        }
    }

    /// Takes frames until the server closes; returns its code, or `None` where it just hung up.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.next().await? {
                (opcode::CLOSE, payload) => {
                    let code = payload.first_chunk::<2>().expect("a close frame has a code");
                    return Some(u16::from_be_bytes(*code));
                }
                (opcode::TEXT | opcode::PING | opcode::PONG, _) => {}
                other => panic!("not a frame of this protocol: {other:?}"),
            }
        }
    }

    /// One whole frame of the server, which never masks nor fragments.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second, rest @ ..] = self.buffer.as_slice() else {
            return None;
        };
        assert_eq!(first & 0xF0, 0x80, "one message is one frame, without extensions");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (length, header) = match second {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).unwrap(), 10),
            short => (usize::from(*short), 2),
        };
        let opcode = first & 0x0F;
        if self.buffer.len() < header + length {
            return None;
        }
        let payload = self.buffer.drain(..header + length).skip(header).collect();
        Some((opcode, payload))
    }

    /// Reads once; whether there was anything. A connection that was reset has ended, too.
    async fn read_more(&mut self) -> bool {
        let reading = self.stream.read_buf(&mut self.buffer);
        within("reading", reading).await.is_ok_and(|length| length > 0)
    }
}
