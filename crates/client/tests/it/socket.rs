use std::time::Duration;

use roomcast_client::{
    ClientFrame, CloseCode, ConnectOptions, Error, Frame, Pong, Received, Socket, TokenIn,
};
use tokio_tungstenite::tungstenite::Message;

use crate::server::{EPOCH, Peer, Server, activity, within};

async fn connected(server: &Server, options: &ConnectOptions) -> (Socket, Peer) {
    let url = server.url();
    let (socket, peer) = tokio::join!(Socket::connect(&url, options), server.accept());
    (socket.unwrap(), peer)
}

async fn open(server: &Server) -> (Socket, Peer) {
    connected(server, &ConnectOptions::new("t")).await
}

#[tokio::test]
async fn the_handshake_carries_the_options() {
    let server = Server::start().await;
    let options = ConnectOptions::new("a+b").after(7).epoch(EPOCH).with_presence();
    let (_socket, peer) = connected(&server, &options).await;
    assert_eq!(peer.parameter("token"), Some("a%2Bb"));
    assert_eq!(peer.parameter("after"), Some("7"));
    assert_eq!(peer.parameter("epoch"), Some(EPOCH.to_string().as_str()));
    assert_eq!(peer.parameter("presence"), Some("1"));
    assert_eq!(peer.protocols(), None);
}

#[tokio::test]
async fn the_token_can_travel_in_the_subprotocol() {
    let server = Server::start().await;
    let options = ConnectOptions::new("t.o.k").token_in(TokenIn::Subprotocol);
    let (_socket, peer) = connected(&server, &options).await;
    assert_eq!(peer.protocols(), Some("roomcast.v1, bearer.t.o.k"));
    assert_eq!(peer.parameter("token"), None);
}

#[tokio::test]
async fn a_frame_comes_with_its_bytes() {
    let server = Server::start().await;
    let (mut socket, mut peer) = open(&server).await;
    let sent = activity(3);
    peer.send(&sent).await;
    let Received::Frame { frame, text } = within(socket.recv()).await.unwrap() else {
        panic!("closed");
    };
    assert_eq!(text, sent);
    assert_eq!(frame, Frame::decode(&sent).unwrap());
}

#[tokio::test]
async fn pings_are_answered_while_receiving() {
    let server = Server::start().await;
    let (mut socket, mut peer) = open(&server).await;
    peer.send_message(Message::Ping("are you there".into())).await;
    tokio::select! {
        received = within(socket.recv()) => panic!("{received:?}"),
        answer = peer.receive() => assert_eq!(answer, Some(Message::Pong("are you there".into()))),
    }
}

#[tokio::test]
async fn frames_of_every_kind_are_sent() {
    let server = Server::start().await;
    let (mut socket, mut peer) = open(&server).await;
    socket.send(&ClientFrame::Ping).await.unwrap();
    socket.send_text("{bad").await.unwrap();
    socket.send_binary(&[1, 2]).await.unwrap();
    assert_eq!(peer.receive().await, Some(Message::text(r#"{"type":"PING"}"#)));
    assert_eq!(peer.receive().await, Some(Message::text("{bad")));
    assert_eq!(peer.receive().await, Some(Message::binary(vec![1, 2])));
}

#[tokio::test]
async fn a_bad_frame_is_an_error_and_the_socket_goes_on() {
    let server = Server::start().await;
    let (mut socket, mut peer) = open(&server).await;
    peer.send("{bad").await;
    peer.send_message(Message::binary(vec![1])).await;
    peer.pong(5).await;
    let error = within(socket.recv()).await.unwrap_err();
    assert!(matches!(&error, Error::Decode { text, .. } if text == "{bad"), "{error:?}");
    assert!(matches!(within(socket.recv()).await, Err(Error::Binary)));
    let received = within(socket.recv()).await.unwrap();
    assert!(matches!(received, Received::Frame { frame: Frame::Pong(Pong { seq: 5 }), .. }), "{received:?}");
}

#[tokio::test]
async fn a_close_frame_is_told_with_its_code_and_reason_again_and_again() {
    let server = Server::start().await;
    let (mut socket, peer) = open(&server).await;
    let client = async {
        for _ in 0..2 {
            let closed = Received::Closed { code: CloseCode::REMOVED, reason: "removed".into() };
            assert_eq!(within(socket.recv()).await.unwrap(), closed);
        }
    };
    tokio::join!(client, peer.close(4403, "removed"));
}

#[tokio::test]
async fn a_cut_connection_is_lost() {
    let server = Server::start().await;
    let (mut socket, peer) = open(&server).await;
    peer.cut();
    let received = within(socket.recv()).await.unwrap();
    assert!(matches!(received, Received::Closed { code: CloseCode::LOST, .. }), "{received:?}");
}

#[tokio::test]
async fn closing_says_goodbye() {
    let server = Server::start().await;
    let (socket, mut peer) = open(&server).await;
    let goodbye = async {
        let Some(Message::Close(Some(frame))) = peer.receive().await else {
            panic!("no close frame");
        };
        assert_eq!(u16::from(frame.code), 1000);
        assert_eq!(peer.receive().await, None);
    };
    tokio::join!(within(socket.close()), goodbye);
}

#[tokio::test]
async fn a_refused_handshake_tells_status_wait_and_body() {
    let server = Server::start().await;
    let (url, options) = (server.url(), ConnectOptions::new("t"));
    let (connected, ()) = tokio::join!(
        Socket::connect(&url, &options),
        server.refuse("429 Too Many Requests", "Retry-After: 7\r\n", r#"{"code":"x"}"#),
    );
    let Err(Error::Refused { status: 429, retry_after, body }) = connected else {
        panic!("{connected:?}");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert_eq!(body, r#"{"code":"x"}"#);
}

#[tokio::test]
async fn connecting_has_a_bound() {
    let server = Server::start().await;
    let mut options = ConnectOptions::new("t");
    options.timeout = Duration::from_millis(20);
    let connected = within(Socket::connect(&server.url(), &options)).await;
    assert!(matches!(connected, Err(Error::Timeout(_))), "{connected:?}");
}
