//! A stream of events whose waits have a bound.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use roomcast_client::{CloseCode, Frame, Welcome};

use super::caller::Call;
use super::client::Client;
use super::events::{Parser, Said};
use super::organisation::Person;
use super::socket::Delivered;
use super::wait::within;

/// Longer than any test: a stream goes on.
const ENDLESS: Duration = Duration::from_hours(1);

/// What opens a stream.
#[derive(Clone)]
pub(crate) struct StreamOptions {
    token: String,
    in_query: bool,
    query: Vec<(&'static str, String)>,
    last_event_id: Option<String>,
}

impl StreamOptions {
    /// At the head, with this token in a header.
    pub(crate) fn new(token: &str) -> Self {
        Self { token: token.to_owned(), in_query: false, query: Vec::new(), last_event_id: None }
    }

    /// With the token in the query, as browsers have to.
    pub(crate) fn token_in_query(mut self) -> Self {
        self.in_query = true;
        self
    }

    pub(crate) fn after(self, seq: i64) -> Self {
        self.parameter("after", seq)
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests write literals")]
    pub(crate) fn parameter(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests write literals")]
    pub(crate) fn last_event_id(mut self, id: impl ToString) -> Self {
        self.last_event_id = Some(id.to_string());
        self
    }

    fn query(&self) -> String {
        let token = self.in_query.then_some(("token", &self.token));
        let pairs = token.into_iter().chain(self.query.iter().map(|(name, value)| (*name, value)));
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

/// What came next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Streamed {
    /// A frame, with its bytes and its id.
    Frame {
        frame: Frame,
        text: String,
        id: Option<String>,
    },
    /// The event `CLOSE`.
    Closed(CloseCode),
    Comment,
    /// The answer is over; `true` where it ended as answers do, between two events.
    Ended(bool),
}

/// An open stream.
pub(crate) struct TestStream {
    response: Response,
    parser: Parser,
    waiting: VecDeque<Said>,
    welcome: Option<Welcome>,
}

impl TestStream {
    /// Takes an answer, which must be a stream.
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, parser: Parser::default(), waiting: VecDeque::new(), welcome: None }
    }

    /// What comes next, comments and the end included, however long it takes. Safe to drop.
    pub(crate) async fn receive(&mut self) -> Streamed {
        loop {
            if let Some(said) = self.waiting.pop_front() {
                return parse(said);
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.waiting.extend(self.parser.feed(&bytes)),
                Ok(None) => return Streamed::Ended(self.parser.is_between_events()),
                Err(_cut) => return Streamed::Ended(false),
            }
        }
    }

    /// The next frame, with its bytes.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = (Frame, String)> {
        let place = std::panic::Location::caller();
        within("an event", async move {
            loop {
                match self.receive().await {
                    Streamed::Frame { frame, text, .. } => return (frame, text),
                    Streamed::Comment => {}
                    other => panic!("a frame was expected, not {other:?} ({place})"),
                }
            }
        })
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

    /// Everything that comes until its position is `seq` or more.
    pub(crate) async fn up_to(&mut self, seq: i64) -> Vec<Delivered> {
        let mut delivered = Vec::new();
        while self.position() < seq {
            match self.next().await {
                (Frame::Activity(activity), text) => delivered.push(Delivered { activity, text }),
                (Frame::Pong(_), _) => {}
                (_, text) => panic!("an activity was expected, not {text}"),
            }
        }
        delivered
    }

    /// Takes frames until the event CLOSE, which must have this code, and the end of the answer after it. Returns
    /// the activities before.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, expected: CloseCode) -> impl Future<Output = Vec<Delivered>> {
        let place = std::panic::Location::caller();
        within("the close", async move {
            let mut before = Vec::new();
            loop {
                match self.receive().await {
                    Streamed::Frame { frame: Frame::Activity(activity), text, .. } => {
                        before.push(Delivered { activity, text });
                    }
                    Streamed::Frame { .. } | Streamed::Comment => {}
                    Streamed::Closed(code) => {
                        assert_eq!(code, expected, "({place})");
                        let end = self.receive().await;
                        assert!(matches!(end, Streamed::Ended(true)), "CLOSE is the last: {end:?} ({place})");
                        return before;
                    }
                    Streamed::Ended(_) => panic!("CLOSE comes before the end ({place})"),
                }
            }
        })
    }

    /// What a browser would come back with.
    pub(crate) fn last_id(&self) -> &str {
        &self.parser.last_id
    }

    /// The same as a number.
    pub(crate) fn position(&self) -> i64 {
        self.last_id().parse().expect("a position came")
    }

    /// How long a browser was told to wait before it comes back.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.parser.retry.map(Duration::from_millis)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.response.headers().get(name)?.to_str().unwrap())
    }
}

fn parse(said: Said) -> Streamed {
    let event = match said {
        Said::Comment(_) => return Streamed::Comment,
        Said::Event(event) => event,
    };
    match event.name.as_str() {
        "message" => {
            let frame = Frame::decode(&event.data);
            let frame = frame.unwrap_or_else(|error| panic!("{error}: {}", event.data));
            Streamed::Frame { frame, text: event.data, id: event.id }
        }
        "CLOSE" => {
            let close: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            assert!(close["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{close}");
            let code =
                close["code"].as_u64().and_then(|code| code.try_into().ok()).expect("CLOSE has a code");
            Streamed::Closed(CloseCode(code))
        }
        other => panic!("not an event of this protocol: {other}"),
    }
}

impl Client {
    /// Opens a stream that starts at the head, and takes its WELCOME.
    pub(crate) async fn stream(&self, person: &Person) -> TestStream {
        self.stream_with(&StreamOptions::new(&person.access_token)).await
    }

    /// Opens a stream that resumes after `seq`, and takes its WELCOME.
    pub(crate) async fn resume_stream(&self, person: &Person, seq: i64) -> TestStream {
        self.stream_with(&StreamOptions::new(&person.access_token).last_event_id(seq)).await
    }

    /// Opens a stream and takes its WELCOME.
    pub(crate) async fn stream_with(&self, options: &StreamOptions) -> TestStream {
        let mut stream = self.try_stream(options).await.expect("somebody answers");
        stream.expect_welcome().await;
        stream
    }

    /// Opens a stream; `None` where nobody answers.
    pub(crate) async fn try_stream(&self, options: &StreamOptions) -> Option<TestStream> {
        let answering = self.ask_stream(options).into_response(ENDLESS);
        Some(TestStream::of(within("the answer", answering).await?))
    }

    /// Opens a stream and takes its WELCOME; `None` where there are too many.
    pub(crate) async fn take_place(&self, options: &StreamOptions) -> Option<TestStream> {
        let answering = self.ask_stream(options).into_response(ENDLESS);
        let response = within("the answer", answering).await.expect("somebody answers");
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        let mut stream = TestStream::of(response);
        stream.expect_welcome().await;
        Some(stream)
    }

    /// The request for a stream, for those that are refused.
    pub(crate) fn ask_stream(&self, options: &StreamOptions) -> Call {
        let caller = if options.in_query { self.anonymous() } else { self.with_token(&options.token) };
        let mut call = caller.get(format!("/stream{}", options.query()));
        if let Some(id) = &options.last_event_id {
            call = call.header("last-event-id", id);
        }
        call
    }
}
