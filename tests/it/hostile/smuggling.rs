//! HTTP, byte by byte: requests that two servers would read differently, that do not end, that are too large.

use serde_json::json;

use super::operations::Document;
use super::program::Program;
use crate::harness::raw::RawSocket;
use crate::harness::{PASSWORD, Person, TestApp, within};

/// The head of a broadcast, without its end.
fn broadcast(person: &Person) -> String {
    format!(
        "POST /api/v1/organisations/broadcast HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n",
        person.access_token
    )
}

/// A body, and the chunk that carries it.
fn message() -> (String, String) {
    let body = json!({ "message": "smuggled" }).to_string();
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    (body, chunk)
}

/// The status of the next answer; `None` where the connection ended without one.
async fn status(socket: &mut RawSocket) -> Option<u16> {
    let answer = socket.answer().await?;
    Some(answer.get(9..12).unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_could_be_read_in_two_ways_is_refused() {
    let program = Program::start().await;
    let ana = program.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = program.head(&ana).await;
    let (body, chunk) = message();
    let length = body.len();
    let ambiguous = [
        format!("Content-Length: {length}\r\nContent-Length: {}\r\n\r\n{body}", length - 1),
        format!("Content-Length: {length}, {}\r\n\r\n{body}", length + 1),
        format!("Content-Length: +{length}\r\n\r\n{body}"),
        format!("Content-Length: -{length}\r\n\r\n{body}"),
        format!("Content-Length: 0x{length:x}\r\n\r\n{body}"),
        format!("Content-Length: {length} {length}\r\n\r\n{body}"),
        format!("Content-Length:\r\n\r\n{body}"),
        format!("Content-Length: 99999999999999999999\r\n\r\n{body}"),
        format!("Content-Length : {length}\r\n\r\n{body}"),
        format!("X: a\r\n Content-Length: {length}\r\n\r\n{body}"),
        format!("X: a\0b\r\nContent-Length: {length}\r\n\r\n{body}"),
        format!("Transfer-Encoding: identity\r\n\r\n{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: xchunked\r\n\r\n{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding : chunked\r\n\r\n{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: \x0bchunked\r\n\r\n{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\n\r\n+{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\n\r\n0x{chunk}0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}XX0\r\n\r\n"),
        format!(
            "Transfer-Encoding: chunked\r\n\r\n{:x};{}\r\n{body}\r\n0\r\n\r\n",
            length,
            "a".repeat(100_000)
        ),
    ];
    for rest in ambiguous {
        let mut socket = RawSocket::connect(&program.base, None).await;
        socket.write_most(format!("{}{rest}", broadcast(&ana)).as_bytes()).await;
        let first = status(&mut socket).await;
        assert!(first.is_none_or(|status| (400..500).contains(&status)), "{first:?}: {rest:.200}");
        // What follows it is not taken for a request.
        socket.write_most(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(status(&mut socket).await, None, "{rest:.200}");
    }
    assert_eq!(program.head(&ana).await, head);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_request_with_a_length_and_chunks_is_never_a_request() {
    let program = Program::start().await;
    let ana = program.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let (body, chunk) = message();
    let smuggled = format!("{}Content-Length: {}\r\n\r\n{body}", broadcast(&ana), body.len());
    for framing in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunk.len() + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunk.len() + 5),
        "Transfer-Encoding: chunked\r\n".to_owned(),
    ] {
        let head = program.head(&ana).await;
        let mut socket = RawSocket::connect(&program.base, None).await;
        let request = format!("{}{framing}\r\n{chunk}0\r\n\r\n{smuggled}", broadcast(&ana));
        socket.write_most(request.as_bytes()).await;
        // A server in front may have seen the end elsewhere: the connection ends with the answer (RFC 9112,
        // section 6.1).
        assert_eq!(status(&mut socket).await, Some(201));
        assert_eq!(status(&mut socket).await, None);
        assert_eq!(program.head(&ana).await, head + 1, "{framing}");
    }
    // A version that knows no chunks.
    let mut socket = RawSocket::connect(&program.base, None).await;
    let old = broadcast(&ana).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let head = program.head(&ana).await;
    socket.write_most(format!("{old}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n").as_bytes()).await;
    let refused = status(&mut socket).await;
    assert!(refused.is_none_or(|status| status == 400), "{refused:?}");
    assert_eq!(program.head(&ana).await, head);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_early_does_nothing() {
    let program = Program::start().await;
    let ana = program.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let head = program.head(&ana).await;
    let (body, chunk) = message();
    for rest in [
        format!("Content-Length: {}\r\n\r\n{body}", body.len() + 1),
        format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n"),
        format!("Transfer-Encoding: chunked\r\n\r\n{}", chunk.get(..chunk.len() - 4).unwrap()),
        format!("Transfer-Encoding: chunked\r\n\r\n{chunk}ffff\r\n"),
        String::new(),
    ] {
        let mut socket = RawSocket::connect(&program.base, None).await;
        socket.write(format!("{}{rest}", broadcast(&ana)).as_bytes()).await;
        socket.finish().await;
        let answered = status(&mut socket).await;
        assert!(answered.is_none_or(|status| status == 400), "{answered:?}: {rest}");
    }
    assert_eq!(program.head(&ana).await, head);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_refused_by_every_operation_that_takes_a_body() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let head = app.head(&acme.admin).await;
    for operation in Document::load().operations().iter().filter(|operation| operation.method != "GET") {
        for token in [None, Some(&acme.admin.access_token)] {
            let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
            let start = format!(
                "{} {} HTTP/1.1\r\nHost: x\r\n{}Content-Type: application/json\r\n",
                operation.method,
                operation.somewhere(),
                authorization.unwrap_or_default()
            );
            // Told before it has come, by its length; or as soon as it is too long, where that is not known.
            let chunk = format!("{:x}\r\n{}\r\n", 300_000, " ".repeat(300_000));
            for rest in ["Content-Length: 10485760\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
                let mut socket = RawSocket::connect(&app.base, None).await;
                socket.write(format!("{start}{rest}").as_bytes()).await;
                socket.write_most(chunk.as_bytes()).await;
                assert_eq!(status(&mut socket).await, Some(413), "{start}{rest}");
            }
        }
    }
    assert_eq!(app.head(&acme.admin).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_refused_and_never_unpacked() {
    let app = TestApp::start().await;
    let acme = app.organisation("Acme").create().await;
    let body = json!({ "message": "hello" });
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"] {
        let call = app.as_user(&acme.admin).post("/organisations/broadcast").json(&body);
        call.header("content-encoding", coding).await.expect_problem(415, "not_json");
    }
    let call = app.as_user(&acme.admin).post("/organisations/broadcast").json(&body);
    call.header("content-encoding", "identity").await.expect_status(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_ends_its_connection_and_nothing_else() {
    let program = Program::start().await;
    // Larger than a head may be, and smaller than what the library would hold.
    let head = "a".repeat(64 * 1024);
    let long = "a".repeat(1 << 20);
    let many = "X: a\r\n".repeat(5000);
    let requests: [&[u8]; 13] = [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client's hello \r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /health z HTTP/1.1\r\n\r\n",
        b"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G\xffT /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n: x\r\n\r\n",
        &[b"GET /healthz HTTP/1.1\r\nX: ", head.as_bytes(), b"\r\n\r\n"].concat(),
        &[b"GET /healthz HTTP/1.1\r\nX: ", long.as_bytes(), b"\r\n\r\n"].concat(),
        &[b"GET /healthz HTTP/1.1\r\n", many.as_bytes(), b"\r\n"].concat(),
        &[b"GET /", long.as_bytes(), b" HTTP/1.1\r\nHost: x\r\n\r\n"].concat(),
    ];
    for request in requests {
        let mut socket = RawSocket::connect(&program.base, None).await;
        socket.write_most(request).await;
        let answered = status(&mut socket).await;
        let what = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        assert!(
            answered.is_none_or(|status| (400..500).contains(&status) || status == 505),
            "{answered:?}: {what}"
        );
        assert_eq!(status(&mut socket).await, None, "{what}");
    }
    // Odd, and allowed.
    for request in
        ["GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nGET /healthz HTTP/1.1\r\n\r\n"]
    {
        let mut socket = RawSocket::connect(&program.base, None).await;
        socket.write(request.as_bytes()).await;
        assert_eq!(status(&mut socket).await, Some(200), "{request}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_hold_up_neither_others_nor_a_stop() {
    let program = Program::start().await;
    let ana = program.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let query = format!("?token={}", ana.access_token);
    let mut held = Vec::new();
    for part in ["", "G", "GET /healthz HTTP/1.1\r\nHost", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        for _ in 0..50 {
            let mut socket = RawSocket::connect(&program.base, None).await;
            socket.write(part.as_bytes()).await;
            held.push(socket);
        }
    }
    let upgraded = async |bytes: &[u8]| {
        let (mut socket, _) = RawSocket::upgrade(&program.base, &query, "", None).await;
        socket.write(bytes).await;
        socket
    };
    // The beginning of a frame, of a message, and a side that is closed.
    for bytes in [&b"\x81"[..], b"\x81\xfe\x0f\xff\0\0\0\0abc", b"\x01\x80\0\0\0\0"] {
        held.push(upgraded(bytes).await);
    }
    let mut half_closed = upgraded(b"").await;
    half_closed.finish().await;
    within("an answer beside them", async {
        program.as_user(&ana).get("/auth/me").await.expect_status(200);
    })
    .await;
    // The one whose other side has hung up is let go.
    within("its end", async { while half_closed.next().await.is_some() {} }).await;
    program.stop().await;
}
