//! One WebSocket to the server, without any policy.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as WireCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WireError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::close::CloseCode;
use crate::error::{Error, Result};
use crate::options::ConnectOptions;
use crate::protocol::{ClientFrame, Frame};

/// Allocated for every socket. Most frames are smaller, and a load test holds thousands of sockets.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// How long saying goodbye may take; after it the connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What came over a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A frame.
    Frame {
        /// What it means.
        frame: Frame,
        /// The frame as it came, byte for byte.
        text: String,
    },
    /// The end of the socket.
    Closed {
        /// The code of the close frame, or [`CloseCode::LOST`] if there was none.
        code: CloseCode,
        /// The reason in the close frame, or what happened to the link.
        reason: String,
    },
}

/// An open WebSocket.
///
/// Pings of the server are answered while [`recv`](Self::recv) is polled. Dropping a socket cuts the
/// connection; [`close`](Self::close) says goodbye first.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    closed: Option<Received>,
}

impl Socket {
    /// Opens a socket to the server at `base_url`, `http://host[:port][/path]`.
    ///
    /// A server that refuses the token does so after the upgrade, with a close frame.
    /// Fails with [`Error::Refused`] if it answers with an HTTP status instead.
    pub async fn connect(base_url: &str, options: &ConnectOptions) -> Result<Self> {
        let request = options.request(base_url)?;
        // Frames are small and rare in this direction, so each is written at once.
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
        let connecting = connect_async_with_config(request, Some(config), true);
        let (stream, _response) = timeout(options.timeout, connecting)
            .await
            .map_err(|_elapsed| Error::Timeout(options.timeout))??;
        Ok(Self { stream, closed: None })
    }

    /// The next frame, or the end. After the end it answers the same again.
    ///
    /// A frame that cannot be decoded is an error after which the socket goes on. If the future is
    /// dropped, nothing is lost.
    pub async fn recv(&mut self) -> Result<Received> {
        loop {
            if let Some(closed) = &self.closed {
                return Ok(closed.clone());
            }
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return decode(text.as_str()),
                Some(Ok(Message::Binary(_))) => return Err(Error::Binary),
                Some(Ok(Message::Close(frame))) => self.acknowledge(frame).await,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) if is_loss(&error) => self.end(CloseCode::LOST, error.to_string()),
                Some(Err(error)) => {
                    self.end(CloseCode::LOST, error.to_string());
                    return Err(error.into());
                }
                None => self.end(CloseCode::LOST, String::new()),
            }
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        self.send_text(&frame.encode()).await
    }

    /// Sends any text as one frame, whether the server understands it or not.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// Sends a binary frame, which the protocol has no use for.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.send(Message::binary(bytes.to_vec())).await?)
    }

    /// Closes the socket with code 1000 and waits, with a bound, for the server to agree.
    /// What was not received yet is dropped.
    pub async fn close(mut self) {
        let goodbye = async {
            let frame = CloseFrame { code: WireCode::Normal, reason: "".into() };
            if self.stream.close(Some(frame)).await.is_ok() {
                while let Some(Ok(message)) = self.stream.next().await {
                    if message.is_close() {
                        break;
                    }
                }
            }
        };
        // A server that does not answer leaves no other way than to hang up.
        timeout(CLOSE_TIMEOUT, goodbye).await.ok();
    }

    /// Notes the end before it answers the close frame, so that a dropped future does not forget it.
    async fn acknowledge(&mut self, frame: Option<CloseFrame>) {
        match frame {
            Some(frame) => self.end(u16::from(frame.code).into(), frame.reason.to_string()),
            None => self.end(CloseCode::NO_STATUS, String::new()),
        }
        // The answer is a courtesy: the server has ended the socket whether it gets there or not.
        timeout(CLOSE_TIMEOUT, self.stream.flush()).await.ok();
    }

    fn end(&mut self, code: CloseCode, reason: String) {
        self.closed = Some(Received::Closed { code, reason });
    }
}

fn decode(text: &str) -> Result<Received> {
    let text = text.to_owned();
    match Frame::decode(&text) {
        Ok(frame) => Ok(Received::Frame { frame, text }),
        Err(source) => Err(Error::Decode { text, source }),
    }
}

/// Whether the link went away, as opposed to a server that breaks the WebSocket protocol.
fn is_loss(error: &WireError) -> bool {
    matches!(error, WireError::Io(_) | WireError::Protocol(ProtocolError::ResetWithoutClosingHandshake))
}
