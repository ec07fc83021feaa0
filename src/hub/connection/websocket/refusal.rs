//! Closing a socket that may not take part.

use std::io;

use bytes::Buf as _;

use crate::hub::connection::CLOSE_TIMEOUT;
use crate::hub::protocol::CloseCode;
use crate::hub::ws::frame;
use crate::hub::ws::reader::{Message, Reader};
use crate::server::stream::Stream;

/// Says why, and waits for the peer's answer: closing before it would make its kernel throw our code away.
pub(in crate::hub) async fn refuse(mut stream: Stream, code: CloseCode) {
    // Neither a peer that is gone nor one that does not answer can be helped.
    if let Ok(Err(error)) = tokio::time::timeout(CLOSE_TIMEOUT, say_close(&mut stream, code)).await {
        tracing::debug!(%error, "a refused peer was gone");
    }
    stream.say_end();
}

async fn say_close(stream: &mut Stream, code: CloseCode) -> io::Result<()> {
    let mut frame = frame::close(code);
    while !frame.is_empty() || stream.has_unsent() {
        let written =
            if frame.is_empty() { stream.try_flush().map(|()| 0) } else { stream.try_write(&frame) };
        match written {
            Ok(length) => frame.advance(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.tcp().writable().await?,
            Err(error) => return Err(error),
        }
    }
    let (mut reader, mut buffer) = (Reader::default(), [0; 256]);
    loop {
        let length = match stream.try_read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.tcp().readable().await?;
                continue;
            }
            read => read?,
        };
        let said = reader.feed(buffer.get(..length).unwrap_or_default(), |message| match message {
            Some(Message::Close) => Err(CloseCode::Normal),
            Some(Message::Text(_) | Message::Binary | Message::Ping(_) | Message::Pong) | None => Ok(()),
        });
        if length == 0 || said.is_err() {
            return Ok(());
        }
    }
}
