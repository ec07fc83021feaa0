//! A subscription that survives what happens to its sockets.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::backoff::Backoff;
use crate::close::{CloseCode, Reconnect};
use crate::error::{Error, Result};
use crate::options::ConnectOptions;
use crate::position::{self, Moved, Position};
use crate::protocol::{Activity, ClientFrame, Frame, ResumeGap, Welcome};
use crate::socket::{Received, Socket};
use crate::token::{Refresh, RefreshError, Refreshing, Token};
use crate::verify::Verifier;

/// A longer `Retry-After` is taken for a mistake.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);

/// So many heartbeats without a frame mean that the link is dead.
const SILENT_HEARTBEATS: u32 = 2;

/// What happens to a subscription.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A socket is open. Where `resumed` is false though a position was known, a gap follows.
    Connected(Welcome),
    /// An activity, each once and in order.
    Activity(Activity),
    /// A PONG: everything up to here was delivered.
    Position {
        /// The `seq` of the PONG.
        seq: i64,
    },
    /// Activities are out of reach: reload the feed.
    Gap(ResumeGap),
    /// A frame that has no place in the log: presence, `AUTH_OK`, `ERROR`, `GOAWAY`, or an
    /// unknown one.
    Other(Frame),
    /// The socket was closed or lost. What follows is [`CloseCode::reconnect`].
    Disconnected {
        /// The code of the close frame, or [`CloseCode::LOST`].
        code: CloseCode,
        /// The reason given, or what happened to the link.
        reason: String,
    },
    /// Connecting, refreshing the token or understanding a frame failed. What follows is
    /// [`Error::reconnect`].
    Failed(Error),
}

/// A subscription to the activity log of one organisation.
///
/// It connects when it is first polled, and again as often as needed with `after` and `epoch`, so
/// that every activity arrives once and in order. It keeps the link alive only while
/// [`next`](Self::next) is polled.
#[must_use = "it does nothing until it is polled"]
pub struct Subscription {
    /// Where the nodes are.
    base_urls: Vec<String>,
    /// Which of them is used now.
    node: usize,
    options: ConnectOptions,
    backoff: Backoff,
    refresh: Option<Refresh>,
    verifier: Option<Verifier>,
    position: Option<Position>,
    /// Ends of sockets and failed attempts in a row, without an activity or a PONG in between.
    failures: u32,
    state: State,
}

/// What is under way lives here and not in the future of `next`, so that dropping the future loses
/// nothing: least of all a refresh, whose answer cannot be had twice.
enum State {
    Waiting { until: Instant, refresh: bool },
    Refreshing(Refreshing),
    Connecting(Pin<Box<dyn Future<Output = Result<Box<Link>>> + Send>>),
    Open(Box<Link>),
    Ended,
}

/// An open socket and how long it may stay silent.
struct Link {
    socket: Socket,
    /// Until the WELCOME the connect timeout, then a multiple of the heartbeat.
    patience: Option<Duration>,
    heard_at: Instant,
}

/// What the present state came to.
enum Outcome {
    Waited { refresh: bool },
    Refreshed(std::result::Result<Token, RefreshError>),
    Connected(Result<Box<Link>>),
    Received(Result<Received>),
}

impl Subscription {
    /// A subscription at the server at `base_url`, starting where the options say.
    pub fn new(base_url: impl Into<String>, options: ConnectOptions) -> Self {
        let position = options.after.map(|seq| Position { seq, epoch: options.epoch });
        Self {
            base_urls: vec![base_url.into()],
            node: 0,
            options,
            backoff: Backoff::default(),
            refresh: None,
            verifier: None,
            position,
            failures: 0,
            state: State::Waiting { until: Instant::now(), refresh: false },
        }
    }

    /// Names another node of the same hub. Whenever a socket ends or none can be opened, the next node in
    /// the order in which they were named takes its turn.
    pub fn or_at(mut self, base_url: impl Into<String>) -> Self {
        self.base_urls.push(base_url.into());
        self
    }

    /// Sets how to get a fresh token when the server closes with 4401, and at the start if the
    /// options hold none. Without it, 4401 ends the subscription.
    ///
    /// A call that has begun runs on across dropped futures of [`next`](Self::next), and no second
    /// one begins before it has ended.
    pub fn refresh_with<F, R>(mut self, mut refresh: F) -> Self
    where
        F: FnMut() -> R + Send + 'static,
        R: Future<Output = std::result::Result<Token, RefreshError>> + Send + 'static,
    {
        self.refresh = Some(Box::new(move || Box::pin(refresh())));
        self
    }

    /// Sets how long to wait between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Shows every frame to a verifier, those included that are dropped as duplicates.
    pub fn verify_with(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Where this subscription stands. Save it after the last event was taken.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The verifier, where one was given.
    pub fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// The next event, or none once the subscription has ended for good.
    ///
    /// If the future is dropped, nothing is lost.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let outcome = match &mut self.state {
                State::Waiting { until, refresh } => {
                    sleep_until(*until).await;
                    Outcome::Waited { refresh: *refresh }
                }
                State::Refreshing(refreshing) => Outcome::Refreshed(refreshing.await),
                State::Connecting(connecting) => Outcome::Connected(connecting.await),
                State::Open(link) => Outcome::Received(link.recv().await),
                State::Ended => return None,
            };
            // No await from here on: what was awaited is gone and must be taken.
            if let Some(event) = self.take(outcome) {
                return Some(event);
            }
        }
    }

    /// Asks for a PONG, which comes as [`Event::Position`].
    ///
    /// Fails with [`Error::NotConnected`] while no socket is open.
    pub async fn ping(&mut self) -> Result<()> {
        self.send(&ClientFrame::Ping).await
    }

    /// Uses another token from now on, for the open socket as well, if there is one.
    /// The answer comes as [`Event::Other`].
    pub async fn authenticate(&mut self, token: impl Into<Token>) -> Result<()> {
        let token = token.into();
        self.options.token = Some(token.clone());
        match self.send(&ClientFrame::Auth(token)).await {
            Err(Error::NotConnected) => Ok(()),
            sent => sent,
        }
    }

    /// Ends the subscription and says goodbye to the server.
    pub async fn close(&mut self) {
        if let State::Open(link) = std::mem::replace(&mut self.state, State::Ended) {
            link.socket.close().await;
        }
    }

    async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        match &mut self.state {
            State::Open(link) => link.socket.send(frame).await,
            _ => Err(Error::NotConnected),
        }
    }

    fn take(&mut self, outcome: Outcome) -> Option<Event> {
        match outcome {
            Outcome::Waited { refresh } => {
                self.begin(refresh);
                None
            }
            Outcome::Refreshed(Ok(token)) => {
                self.options.token = Some(token);
                self.connect();
                None
            }
            Outcome::Refreshed(Err(error)) => Some(self.fail(error.into())),
            Outcome::Connected(Ok(link)) => {
                self.state = State::Open(link);
                None
            }
            Outcome::Connected(Err(error)) | Outcome::Received(Err(error)) => Some(self.fail(error)),
            Outcome::Received(Ok(Received::Frame { frame, text })) => self.deliver(frame, &text),
            Outcome::Received(Ok(Received::Closed { code, reason })) => {
                self.schedule(code.reconnect(), Duration::ZERO);
                Some(Event::Disconnected { code, reason })
            }
        }
    }

    fn begin(&mut self, refresh: bool) {
        let needed = refresh || self.options.token.is_none();
        match &mut self.refresh {
            Some(start) if needed => self.state = State::Refreshing(start()),
            _ => self.connect(),
        }
    }

    fn connect(&mut self) {
        let base_url = self.base_urls.get(self.node).cloned().unwrap_or_default();
        let mut options = self.options.clone();
        if let Some(position) = self.position {
            options.after = Some(position.seq);
            options.epoch = position.epoch;
        }
        self.state = State::Connecting(Box::pin(async move {
            let socket = Socket::connect(&base_url, &options).await?;
            Ok(Box::new(Link::new(socket, options.timeout)))
        }));
    }

    fn deliver(&mut self, frame: Frame, text: &str) -> Option<Event> {
        if let Some(verifier) = &mut self.verifier {
            verifier.observe_text(&frame, text);
        }
        if let State::Open(link) = &mut self.state {
            link.heard(&frame);
        }
        let moved = position::advance(&mut self.position, &frame);
        match frame {
            Frame::Welcome(welcome) => Some(Event::Connected(welcome)),
            Frame::ResumeGap(gap) => Some(Event::Gap(gap)),
            Frame::Activity(activity) => {
                self.failures = 0;
                (moved == Moved::Forward).then_some(Event::Activity(activity))
            }
            Frame::Pong(pong) => {
                self.failures = 0;
                Some(Event::Position { seq: pong.seq })
            }
            other => Some(Event::Other(other)),
        }
    }

    fn fail(&mut self, error: Error) -> Event {
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.schedule(error.reconnect(), asked);
        Event::Failed(error)
    }

    /// Plans the next attempt, no sooner than after `asked`. "At once" holds for the first time only:
    /// a server that ends every socket before it is of use must not be called in a busy loop.
    fn schedule(&mut self, reconnect: Reconnect, asked: Duration) {
        let wait = match reconnect {
            Reconnect::Never => None,
            Reconnect::RefreshToken if self.refresh.is_none() => None,
            Reconnect::AtOnce | Reconnect::RefreshToken if self.failures == 0 => Some(asked),
            Reconnect::AtOnce | Reconnect::RefreshToken | Reconnect::BackOff => {
                Some(asked + self.backoff.delay(self.failures))
            }
        };
        self.failures = self.failures.saturating_add(1);
        // A token that one node does not take is taken by none.
        if reconnect != Reconnect::RefreshToken {
            self.node = (self.node + 1) % self.base_urls.len();
        }
        self.state = wait.map_or(State::Ended, |wait| State::Waiting {
            until: Instant::now() + wait,
            refresh: reconnect == Reconnect::RefreshToken,
        });
    }
}

impl Link {
    fn new(socket: Socket, timeout: Duration) -> Self {
        Self { socket, patience: Some(timeout), heard_at: Instant::now() }
    }

    /// Like [`Socket::recv`], but a link that stays silent for too long is lost.
    async fn recv(&mut self) -> Result<Received> {
        let Some(patience) = self.patience else {
            return self.socket.recv().await;
        };
        // What has arrived is received even if the caller comes back late: the deadline is looked
        // at second.
        timeout_at(self.heard_at + patience, self.socket.recv()).await.unwrap_or_else(|_elapsed| {
            let reason = format!("nothing received for {patience:?}");
            Ok(Received::Closed { code: CloseCode::LOST, reason })
        })
    }

    fn heard(&mut self, frame: &Frame) {
        self.heard_at = Instant::now();
        if let Frame::Welcome(welcome) = frame {
            let heartbeat = Duration::from_secs(welcome.heartbeat_seconds);
            // No heartbeat is announced as 0, and then silence says nothing.
            self.patience = (!heartbeat.is_zero()).then(|| heartbeat.saturating_mul(SILENT_HEARTBEATS));
        }
    }
}
