//! The stream under a connection, with TLS or without.
//!
//! [`Incoming`] speaks HTTP; [`Stream`] is what remains of it for a socket, which reads and writes without
//! waiting and is told by the kernel when it may. A plain one costs what the bare TCP stream does.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::ceiling::Open;
use super::line::Line;

/// A TCP stream whose peer has to take what is written: a write that makes no progress for `limit` fails, as
/// long as nobody has taken the line over.
pub(super) struct Timed {
    io: TcpStream,
    line: Line,
    limit: Option<Duration>,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    pub(super) fn new(io: TcpStream, line: Line, limit: Duration) -> Self {
        Self { io, line, limit: Some(limit), stalled: None }
    }

    /// Leaves the peer to whoever has taken the line over.
    fn heed_line(&mut self) {
        if self.limit.is_some()
            && let Some(silence) = self.line.taken_over()
        {
            (self.limit, self.stalled) = (None, None);
            #[cfg(target_os = "linux")]
            if let Err(error) = socket2::SockRef::from(&self.io).set_tcp_user_timeout(Some(silence)) {
                tracing::debug!(%error, "a peer that vanishes will be noticed late");
            }
        }
    }

    fn bound<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.heed_line();
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.bound(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.heed_line();
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.bound(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A connection that speaks HTTP.
pub(crate) struct Incoming {
    io: IncomingIo,
    open: Open,
}

enum IncomingIo {
    Plain(Timed),
    Tls(Box<TlsStream<Timed>>),
}

impl Incoming {
    pub(super) fn plain(io: Timed, open: Open) -> Self {
        Self { io: IncomingIo::Plain(io), open }
    }

    pub(super) fn tls(io: TlsStream<Timed>, open: Open) -> Self {
        Self { io: IncomingIo::Tls(Box::new(io)), open }
    }

    /// What a socket goes on with.
    pub(crate) fn into_stream(self) -> Stream {
        let io = match self.io {
            IncomingIo::Plain(timed) => Io::Plain(timed.io),
            IncomingIo::Tls(tls) => {
                let (timed, session) = tls.into_inner();
                // What came with the handshake may be decrypted already.
                Io::Tls(Box::new(Tls { io: timed.io, session, may_hold_input: true, sent: 0 }))
            }
        };
        Stream { io, _open: self.open }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.io {
            IncomingIo::Plain(io) => Pin::new(io).poll_read(cx, buf),
            IncomingIo::Tls(io) => Pin::new(io.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            IncomingIo::Plain(io) => Pin::new(io).poll_write(cx, buf),
            IncomingIo::Tls(io) => Pin::new(io.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            IncomingIo::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            IncomingIo::Tls(io) => Pin::new(io.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            IncomingIo::Plain(io) => io.is_write_vectored(),
            IncomingIo::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            IncomingIo::Plain(io) => Pin::new(io).poll_flush(cx),
            IncomingIo::Tls(io) => Pin::new(io.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            IncomingIo::Plain(io) => Pin::new(io).poll_shutdown(cx),
            IncomingIo::Tls(io) => Pin::new(io.as_mut()).poll_shutdown(cx),
        }
    }
}

/// A socket's stream. Nothing here waits: what cannot be done now is [`io::ErrorKind::WouldBlock`], and
/// [`tcp`](Self::tcp) says when it can.
pub(crate) struct Stream {
    io: Io,
    _open: Open,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

struct Tls {
    io: TcpStream,
    session: ServerConnection,
    /// Whether there may be input that was decrypted and not read, of which the kernel knows nothing.
    may_hold_input: bool,
    /// Bytes that the kernel took.
    sent: u64,
}

impl Stream {
    /// What to wait at for input, where [`has_input`](Self::has_input) says no, and for room to write.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match &self.io {
            Io::Plain(io) => io,
            Io::Tls(tls) => &tls.io,
        }
    }

    /// Whether there may be something to read without waiting for the kernel.
    pub(crate) fn has_input(&self) -> bool {
        match &self.io {
            Io::Plain(_) => false,
            Io::Tls(tls) => tls.may_hold_input,
        }
    }

    /// Whether something that was written, or TLS itself has to say, waits for room.
    pub(crate) fn has_unsent(&self) -> bool {
        match &self.io {
            Io::Plain(_) => false,
            Io::Tls(tls) => tls.session.wants_write(),
        }
    }

    /// Bytes that the kernel took, of all the `written`: TLS holds some back.
    pub(crate) fn sent(&self, written: u64) -> u64 {
        match &self.io {
            Io::Plain(_) => written,
            Io::Tls(tls) => tls.sent,
        }
    }

    /// Reads what is there; 0 is the end.
    pub(crate) fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.io {
            Io::Plain(io) => io.try_read(buf),
            Io::Tls(tls) => tls.try_read(buf),
        }
    }

    /// Writes what there is room for.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.io {
            Io::Plain(io) => io.try_write(bytes),
            Io::Tls(tls) => tls.try_write_vectored(&[IoSlice::new(bytes)]),
        }
    }

    /// The same in one call of what lies in several places, which costs the kernel a little more.
    pub(crate) fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.io {
            Io::Plain(io) => io.try_write_vectored(slices),
            Io::Tls(tls) => tls.try_write_vectored(slices),
        }
    }

    /// Sends what waits for room.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(_) => Ok(()),
            Io::Tls(tls) => tls.try_flush(),
        }
    }

    /// Says as the last thing that nothing more follows, if there is room for it.
    pub(crate) fn say_end(&mut self) {
        if let Io::Tls(tls) = &mut self.io {
            tls.session.send_close_notify();
            // The peer knows from the protocol above that this was the end.
            drop(tls.try_flush());
        }
    }
}

impl Tls {
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.read_decrypted(buf);
        let read = match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.decrypt_more(buf),
            read => read,
        };
        // A full buffer may have left something.
        self.may_hold_input = matches!(read, Ok(length) if length > 0 && length == buf.len());
        read
    }

    fn read_decrypted(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.session.reader().read(buf)
    }

    fn decrypt_more(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.session.read_tls(&mut Tcp(&self.io))? == 0 {
            return Ok(0);
        }
        if let Err(error) = self.session.process_new_packets() {
            // The alert that tells the peer why is worth one try.
            drop(self.try_flush());
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        self.read_decrypted(buf)
    }

    fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // What was taken before goes first, so that no more than one write is ever held back.
        self.try_flush()?;
        let length = self.session.writer().write_vectored(slices)?;
        match self.try_flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(length),
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            let length = self.session.write_tls(&mut Tcp(&self.io))?;
            if length == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.sent += length as u64;
        }
        Ok(())
    }
}

/// A TCP stream as TLS reads and writes it: what cannot be done now is an error.
struct Tcp<'a>(&'a TcpStream);

impl io::Read for Tcp<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }
}

impl io::Write for Tcp<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_takes_a_line_over_hears_of_peers_that_vanish_and_not_of_those_that_stall() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let line = Line::default();
        let mut timed = Timed::new(stream, line.clone(), Duration::from_millis(20));
        let acknowledged_within =
            |timed: &Timed| socket2::SockRef::from(&timed.io).tcp_user_timeout().unwrap();
        timed.write_all(b"an answer that ends").await.unwrap();
        assert_eq!(acknowledged_within(&timed), None);
        line.take_over(Duration::from_mins(1));
        timed.write_all(b"an answer that does not").await.unwrap();
        assert_eq!(acknowledged_within(&timed), Some(Duration::from_mins(1)));
        let more = vec![0; 1 << 20];
        let stalled = async { while timed.write_all(&more).await.is_ok() {} };
        assert!(tokio::time::timeout(Duration::from_millis(200), stalled).await.is_err(), "it does not fail");
    }
}
