//! A socket whose waits have a bound.

use roomcast_client::{
    Activity, ClientFrame, CloseCode, ConnectOptions, ErrorNotice, Frame, Received, Socket, Welcome,
};

use super::feed::Item;
use super::wait::{INTERVAL, within};

/// An activity as it came over a socket.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) activity: Activity,
    /// The frame's bytes.
    pub(crate) text: String,
}

impl Delivered {
    /// The activity in the form in which feeds are looked at.
    pub(crate) fn item(&self) -> Item {
        Item::parse(&self.text)
    }
}

/// An open socket.
pub(crate) struct TestSocket {
    socket: Socket,
    /// The first frame, once it came.
    pub(crate) welcome: Option<Welcome>,
    /// All frames so far, in order.
    pub(crate) frames: Vec<Frame>,
}

impl TestSocket {
    pub(super) async fn open(base: &str, options: ConnectOptions) -> Self {
        let socket = within("the handshake", Socket::connect(base, &options)).await;
        let socket = socket.unwrap_or_else(|error| panic!("the handshake failed: {error:?}"));
        Self { socket, welcome: None, frames: Vec::new() }
    }

    /// The next frame or the end.
    pub(crate) async fn receive(&mut self) -> Received {
        let received = within("a frame", self.socket.recv()).await;
        let received = received.unwrap_or_else(|error| panic!("the socket failed: {error:?}"));
        if let Received::Frame { frame, .. } = &received {
            self.frames.push(frame.clone());
        }
        received
    }

    /// The next frame, with its bytes.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = (Frame, String)> {
        let place = std::panic::Location::caller();
        async move {
            match self.receive().await {
                Received::Frame { frame, text } => (frame, text),
                Received::Closed { code, reason } => {
                    panic!("a frame was expected, the socket was closed: {code} {reason} ({place})")
                }
            }
        }
    }

    /// Takes the WELCOME, which is the first frame.
    pub(crate) async fn expect_welcome(&mut self) -> Welcome {
        let (frame, text) = self.next().await;
        let Frame::Welcome(welcome) = frame else { panic!("WELCOME comes first, not {text}") };
        self.welcome = Some(welcome.clone());
        welcome
    }

    /// The WELCOME that was taken.
    pub(crate) fn welcome(&self) -> &Welcome {
        self.welcome.as_ref().expect("the WELCOME was taken")
    }

    /// The next activity; a PONG may come before it, and nothing else.
    #[track_caller]
    pub(crate) fn next_activity(&mut self) -> impl Future<Output = Delivered> {
        let place = std::panic::Location::caller();
        async move {
            loop {
                match self.next().await {
                    (Frame::Activity(activity), text) => return Delivered { activity, text },
                    (Frame::Pong(_), _) => {}
                    (_, text) => panic!("an activity was expected, not {text} ({place})"),
                }
            }
        }
    }

    /// The next activity, which must be of this type.
    #[track_caller]
    pub(crate) fn expect_activity(&mut self, kind: &str) -> impl Future<Output = Delivered> {
        let place = std::panic::Location::caller();
        let next = self.next_activity();
        async move {
            let delivered = next.await;
            assert_eq!(delivered.activity.kind, kind, "{} ({place})", delivered.text);
            delivered
        }
    }

    /// Takes frames until the server closes, which must be with this code. Returns the activities before.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, expected: CloseCode) -> impl Future<Output = Vec<Delivered>> {
        let place = std::panic::Location::caller();
        async move {
            let mut before = Vec::new();
            loop {
                match self.receive().await {
                    Received::Frame { frame: Frame::Activity(activity), text } => {
                        before.push(Delivered { activity, text });
                    }
                    Received::Frame { .. } => {}
                    Received::Closed { code, reason } => {
                        assert_eq!(code, expected, "{reason} ({place})");
                        return before;
                    }
                }
            }
        }
    }

    /// Takes frames until the server closes because this user is no member any more. A handshake that comes
    /// later may also be told that its session has ended.
    pub(crate) async fn expect_removed(&mut self) {
        loop {
            if let Received::Closed { code, reason } = self.receive().await {
                let removed = [CloseCode::REMOVED, CloseCode::UNAUTHENTICATED];
                assert!(removed.contains(&code), "{code} {reason}");
                return;
            }
        }
    }

    /// Takes the ERROR that is the next frame.
    pub(crate) async fn expect_error(&mut self) -> ErrorNotice {
        match self.next().await {
            (Frame::Error(notice), _) => notice,
            (_, text) => panic!("an ERROR was expected, not {text}"),
        }
    }

    /// Sends a PING; returns the activities that come before its PONG, and the seq of that.
    pub(crate) async fn ping(&mut self) -> (Vec<Delivered>, i64) {
        self.send(&ClientFrame::Ping).await;
        let mut before = Vec::new();
        loop {
            match self.next().await {
                (Frame::Activity(activity), text) => before.push(Delivered { activity, text }),
                (Frame::Pong(pong), _) => return (before, pong.seq),
                (_, text) => panic!("activities and a PONG were expected, not {text}"),
            }
        }
    }

    /// Everything that this socket is sent up to `seq`. The end is a PONG that says so: what was addressed
    /// to this socket and did not come before it is lost.
    pub(crate) async fn up_to(&mut self, seq: i64) -> Vec<Delivered> {
        within("a PONG that covers the marker", async {
            let mut delivered = Vec::new();
            loop {
                let (before, covered) = self.ping().await;
                delivered.extend(before);
                if covered >= seq {
                    return delivered;
                }
                tokio::time::sleep(INTERVAL).await;
            }
        })
        .await
    }

    /// Fails unless exactly activities of these types come, in this order, up to `seq`.
    #[track_caller]
    pub(crate) fn expect_only(&mut self, seq: i64, kinds: &[&str]) -> impl Future<Output = Vec<Delivered>> {
        let place = std::panic::Location::caller();
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        async move {
            let delivered = self.up_to(seq).await;
            let found: Vec<&str> = delivered.iter().map(|one| one.activity.kind.as_str()).collect();
            assert_eq!(found, kinds, "({place})");
            delivered
        }
    }

    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        within("sending", self.socket.send(frame)).await.unwrap();
    }

    /// Sends any text as a frame.
    pub(crate) async fn send_text(&mut self, text: &str) {
        within("sending", self.socket.send_text(text)).await.unwrap();
    }

    /// Sends a binary frame.
    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        within("sending", self.socket.send_binary(bytes)).await.unwrap();
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        within("closing", self.socket.close()).await;
    }
}
