//! TLS on the hub's own port.

use std::time::Duration;

use roomcast::server::tls::Tls;
use roomcast::types::Audience;
use serde_json::Value;

use crate::harness::app::SIGNING_KEY;
use crate::harness::raw::{Fin, Mask, RawSocket, opcode};
use crate::harness::tls::Authority;
use crate::harness::{Child, Ground, PASSWORD, Person, TestApp, TestDatabase, eventually, within};
use crate::hub::message_to;

/// A server with TLS, and a person whom it knows: signing up is done without.
async fn start(authority: &Authority) -> (TestApp, Person) {
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    (with_tls(app.stop().await, authority).start().await, ana)
}

fn with_tls(mut ground: Ground, authority: &Authority) -> Ground {
    let server = &mut ground.config.server;
    server.tls_cert = Some(authority.cert_path());
    server.tls_key = Some(authority.key_path());
    server.timeouts.certificate_look = Duration::from_millis(20);
    ground
}

/// Asks over a new connection; returns the answer with its head.
async fn get(authority: &Authority, base: &str, path: &str) -> String {
    let mut raw = authority.raw(base).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    raw.write(request.as_bytes()).await;
    raw.rest().await
}

async fn metric(authority: &Authority, base: &str, line: &str) -> f64 {
    let metrics = get(authority, base, "/metrics").await;
    let found = metrics.lines().find_map(|found| found.strip_prefix(line));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}

async fn socket(authority: &Authority, base: &str, person: &Person) -> RawSocket {
    let mut raw = authority.raw(base).await;
    raw.upgrade_here(&format!("?token={}", person.access_token), "").await;
    assert!(raw.next_text().await.contains(r#""type":"WELCOME""#));
    raw
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_requests_and_sockets() {
    let authority = Authority::new();
    authority.install(&authority.issue());
    let (app, ana) = start(&authority).await;
    assert!(app.base.starts_with("https://"), "{}", app.base);
    let answer = get(&authority, &app.base, "/healthz").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");

    let mut raw = socket(&authority, &app.base, &ana).await;
    // More than the kernel and TLS hold, all of it in order.
    let text = |number| format!("{number:04}{}", "🐎".repeat(4000));
    let head = app.append_many(&ana, 500, |number| message_to(Audience::Everyone, text(number))).await.get();
    let mut seq = head - 500;
    while seq < head {
        let frame: Value = serde_json::from_str(&raw.next_text().await).unwrap();
        if frame["type"] == "BROADCAST_MESSAGE" {
            assert_eq!(frame["seq"], seq + 1);
            seq += 1;
        }
    }
    raw.send(opcode::CLOSE, &1000_u16.to_be_bytes(), Fin::Last, Mask::Masked).await;
    assert_eq!(raw.close_code().await, Some(1000));
    assert_eq!(raw.rest().await, "");

    let mut refused = authority.raw(&app.base).await;
    refused.upgrade_here("?token=nonsense", "").await;
    assert_eq!(refused.close_code().await, Some(4401));
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_come_with_the_handshake_are_not_lost() {
    let authority = Authority::new();
    authority.install(&authority.issue());
    let (app, ana) = start(&authority).await;
    // One record with more than HTTP takes of it: the rest is decrypted already, and the kernel knows of none.
    let ping = format!(r#"{{"type":"PING"{}}}"#, " ".repeat(3000));
    let ping = RawSocket::frame(opcode::TEXT, ping.as_bytes(), Fin::Last, Mask::Masked);
    let last = RawSocket::frame(opcode::TEXT, br#"{"type":"SHOUT"}"#, Fin::Last, Mask::Masked);
    let mut raw = authority.raw(&app.base).await;
    let early = [ping.repeat(4), last].concat();
    raw.upgrade_and_send(&format!("?token={}", ana.access_token), "", &early).await;
    while !raw.next_text().await.contains(r#""code":"bad_frame""#) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_reads_is_closed() {
    let authority = Authority::new();
    authority.install(&authority.issue());
    let app = TestApp::start().await;
    let ana = app.register("Acme", "Ana", "ana@example.com", PASSWORD).await;
    let mut ground = with_tls(app.stop().await, &authority);
    ground.config.hub.slow_socket_seconds = Duration::from_secs(1);
    let app = ground.start().await;
    let slow = socket(&authority, &app.base, &ana).await;
    let mut quick = socket(&authority, &app.base, &ana).await;
    let text = |number| format!("{number:04}{}", "🐎".repeat(4000));
    let flooding = app.append_many(&ana, 1000, |number| message_to(Audience::Everyone, text(number)));
    let (head, ()) = tokio::join!(flooding, async {
        for _ in 0..1000 {
            quick.next_text().await;
        }
    });
    assert!(head.get() >= 1000);
    eventually("the end of the slow one", async || (app.app.sockets.len() == 1).then_some(())).await;
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_serves_new_connections_and_a_broken_one_none() {
    const REFUSED: &str = r#"roomcast_tls_reloads_total{outcome="refused"}"#;
    let authority = Authority::new();
    let (first, second, third) = (authority.issue(), authority.issue(), authority.issue());
    authority.install(&first);
    let (app, ana) = start(&authority).await;
    let served = async || authority.served(&app.base).await;
    let mut old = socket(&authority, &app.base, &ana).await;
    assert_eq!(served().await, first.der());

    authority.install(&second);
    eventually("the new certificate", async || (served().await == second.der()).then_some(())).await;
    // Who is connected stays.
    old.send(opcode::TEXT, br#"{"type":"PING"}"#, Fin::Last, Mask::Masked).await;
    assert!(old.next_text().await.contains(r#""type":"PONG""#));

    let before = metric(&authority, &app.base, REFUSED).await;
    let refused = async |times: f64| {
        let refused = async || metric(&authority, &app.base, REFUSED).await >= before + times;
        eventually("its refusal", async || refused().await.then_some(())).await;
        assert_eq!(served().await, second.der(), "the old one stays");
    };
    std::fs::write(authority.cert_path(), "no certificate").unwrap();
    refused(1.0).await;
    // The key is another's.
    std::fs::write(authority.cert_path(), &third.cert).unwrap();
    refused(2.0).await;
    std::fs::remove_file(authority.key_path()).unwrap();
    refused(3.0).await;

    authority.install(&third);
    eventually("the mended certificate", async || (served().await == third.der()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_speak_tls_is_told_and_who_says_nothing_is_cut() {
    let authority = Authority::new();
    authority.install(&authority.issue());
    let mut ground = with_tls(Ground::create().await, &authority);
    ground.config.server.timeouts.tls_handshake = Duration::from_millis(500);
    let app = ground.start().await;
    let mut plain = RawSocket::connect(&app.base, None).await;
    plain.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = plain.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
    assert!(body.contains("https://"), "{answer}");
    // A handshake that never goes on holds nobody up.
    let mut silent = RawSocket::connect(&app.base, None).await;
    let mut half = RawSocket::connect(&app.base, None).await;
    half.write(&[0x16, 3, 1]).await;
    assert!(get(&authority, &app.base, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(silent.rest().await, "");
    within("the end of half a handshake", half.rest()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let authority = Authority::new();
    let ground = with_tls(Ground::create().await, &authority);
    let (good, other) = (authority.issue(), authority.issue());
    let refused = |cert: &str, key: &str, words: &[&str]| {
        std::fs::write(authority.cert_path(), cert).unwrap();
        std::fs::write(authority.key_path(), key).unwrap();
        let error = Tls::load(&ground.config.server).err().unwrap_or_else(|| panic!("{words:?}: it is used"));
        let error = format!("{error:#}");
        for word in words {
            assert!(error.contains(word), "{word:?} in {error}");
        }
    };
    let error = format!("{:#}", Tls::load(&ground.config.server).err().unwrap());
    assert!(error.contains("TLS_CERT: cannot read") && error.contains("hub.crt"), "{error}");
    refused("", &good.key, &["TLS_CERT", "hub.crt", "BEGIN CERTIFICATE"]);
    refused(&good.key, &good.key, &["TLS_CERT", "BEGIN CERTIFICATE"]);
    refused("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", &good.key, &["TLS_CERT", "PEM"]);
    refused(&good.cert, &good.cert, &["TLS_KEY", "hub.key", "private key"]);
    refused(&good.cert, &other.key, &["TLS_KEY", "is not the key of"]);
    authority.install(&good);
    assert!(Tls::load(&ground.config.server).unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_https_and_looks_again_at_sighup() {
    let authority = Authority::new();
    let (first, second) = (authority.issue(), authority.issue());
    authority.install(&first);
    let database = TestDatabase::create().await;
    let (cert, key) = (authority.cert_path(), authority.key_path());
    let url = database.url_text();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_ACCESS_SECRET", SIGNING_KEY),
        ("PORT", "0"),
        ("TLS_CERT", cert.to_str().unwrap()),
        ("TLS_KEY", key.to_str().unwrap()),
    ];
    let mut child = Child::start(&[], &environment);
    let client = child.listening().await;
    assert_eq!(authority.served(&client.base).await, first.der());
    child.signal("-HUP");
    child.expect_output("have not changed").await;
    authority.install(&second);
    child.signal("-HUP");
    child.expect_output("served with the new certificate").await;
    assert_eq!(authority.served(&client.base).await, second.der());
    std::fs::write(&key, "nothing").unwrap();
    child.signal("-HUP");
    child.expect_output("cannot be used").await;
    assert_eq!(authority.served(&client.base).await, second.der());
    child.stop().await;
}
