//! Emails over SMTP: a server on a real socket, with STARTTLS, a certificate and a password.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::start_with;
use crate::harness::tls::Authority;
use crate::harness::{TestApp, eventually};

/// What a server was handed.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    pub(super) recipient: String,
    pub(super) data: String,
    encrypted: bool,
}

/// A server of emails, which wants TLS and a password first.
pub(super) struct MailServer {
    port: u16,
    pub(super) mails: Arc<Mutex<Vec<Mail>>>,
    task: JoinHandle<()>,
}

impl MailServer {
    pub(super) async fn start(authority: &Authority) -> Self {
        let pair = authority.issue();
        let certificates =
            CertificateDer::pem_slice_iter(pair.cert.as_bytes()).collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(certificates, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::<Mutex<Vec<Mail>>>::default();
        let kept = Arc::clone(&mails);
        #[expect(clippy::disallowed_methods, reason = "it ends with the server")]
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                #[expect(clippy::disallowed_methods, reason = "it ends with its peer")]
                tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&kept)));
            }
        });
        Self { port, mails, task }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, mails: Arc<Mutex<Vec<Mail>>>) {
    let mut stream = BufStream::new(stream);
    say(&mut stream, "220 localhost").await;
    if converse(&mut stream, &mails, false).await == Next::Encrypt {
        let Ok(stream) = acceptor.accept(stream.into_inner()).await else { return };
        converse(&mut BufStream::new(stream), &mails, true).await;
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Encrypt,
    End,
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), line: &str) {
    // Who asks may be gone.
    drop(stream.write_all(format!("{line}\r\n").as_bytes()).await);
    drop(stream.flush().await);
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    mails: &Mutex<Vec<Mail>>,
    encrypted: bool,
) -> Next {
    let (mut authenticated, mut recipient) = (false, String::new());
    let mut line = String::new();
    loop {
        line.clear();
        if !stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
            return Next::End;
        }
        let command = line.trim_end().to_owned();
        let verb = command.split([' ', ':']).next().unwrap().to_ascii_uppercase();
        let reply = match (verb.as_str(), encrypted) {
            ("EHLO", false) => "250-localhost\r\n250 STARTTLS".to_owned(),
            ("EHLO", true) => "250-localhost\r\n250 AUTH PLAIN".to_owned(),
            ("STARTTLS", false) => {
                say(stream, "220 go ahead").await;
                return Next::Encrypt;
            }
            ("AUTH", true) => {
                let given = STANDARD.decode(command.rsplit(' ').next().unwrap()).unwrap();
                authenticated = given == b"\0hub\0p@ss";
                if authenticated { "235 welcome" } else { "535 no" }.to_owned()
            }
            ("MAIL", _) if !authenticated => "530 who are you".to_owned(),
            ("RCPT", _) if command.contains("nobody@") => "550 there is nobody".to_owned(),
            ("RCPT", _) if command.contains("later@") => "451 later".to_owned(),
            ("RCPT", _) => {
                command.clone_into(&mut recipient);
                "250 ok".to_owned()
            }
            ("DATA", _) => {
                say(stream, "354 go ahead").await;
                let mut data = String::new();
                while !data.ends_with("\r\n.\r\n") {
                    if !stream.read_line(&mut data).await.is_ok_and(|length| length > 0) {
                        return Next::End;
                    }
                }
                mails.lock().push(Mail { recipient: recipient.clone(), data, encrypted });
                "250 taken".to_owned()
            }
            ("QUIT", _) => {
                say(stream, "221 bye").await;
                return Next::End;
            }
            ("MAIL" | "RSET" | "NOOP", _) => "250 ok".to_owned(),
            _ => "502 what".to_owned(),
        };
        say(stream, &reply).await;
    }
}

fn mail(to: &str) -> Value {
    json!({ "to": to, "channel": "email", "body": "Lunch is ready\nin the kitchen" })
}

/// A hub that hands its emails over there.
pub(super) async fn hub_with(
    server: &MailServer,
    authority: &Authority,
    password: &str,
    change: impl FnOnce(&mut roomcast::config::Config),
) -> TestApp {
    start_with(|config| {
        let url = format!("smtp://hub:{password}@localhost:{}", server.port);
        config.messages.smtp_url = Some(url.parse().unwrap());
        config.messages.smtp_from = Some("Acme <hub@example.com>".to_owned());
        config.messages.outbound_ca = Some(authority.root_path());
        change(config);
    })
    .await
}

async fn hub(server: &MailServer, authority: &Authority, password: &str) -> TestApp {
    hub_with(server, authority, password, |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_is_handed_over_encrypted_and_under_its_own_name() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub(&server, &authority, "p%40ss").await;
    let acme = app.organisation("Acme").create().await;
    let message = app.send_message(&acme.admin, &mail("Bo@Example.com")).await;
    let sent = app.message_once(&acme.admin, &message["id"], "SENT").await;
    assert_eq!(
        (&sent["attempts"][0]["gateway"], &sent["attempts"][0]["detail"]),
        (&json!("smtp"), &json!("SMTP 250"))
    );
    let mails = server.mails.lock().clone();
    let [taken] = &mails[..] else { panic!("{mails:?}") };
    assert!(taken.encrypted && taken.recipient.contains("<bo@example.com>"), "{taken:?}");
    let id = message["id"].as_str().unwrap();
    for part in [
        "From: Acme <hub@example.com>".to_owned(),
        "Subject: Lunch is ready\r\n".to_owned(),
        format!("Message-ID: <{id}@example.com>"),
        "Lunch is ready\r\nin the kitchen".to_owned(),
    ] {
        assert!(taken.data.contains(&part), "{part:?} in {}", taken.data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_fails_and_what_it_puts_off_is_tried_again() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub(&server, &authority, "p%40ss").await;
    let acme = app.organisation("Acme").create().await;
    let message = app.send_message(&acme.admin, &mail("nobody@example.com")).await;
    let failed = app.message_once(&acme.admin, &message["id"], "FAILED").await;
    assert_eq!(
        (&failed["attempts"][0]["outcome"], &failed["attempts"][0]["detail"]),
        (&json!("REJECTED"), &json!("SMTP 550"))
    );
    let message = app.send_message(&acme.admin, &mail("later@example.com")).await;
    let put_off = eventually("an attempt that is over", async || {
        let message = app.message(&acme.admin, &message["id"]).await;
        (message["attempts"][0]["outcome"] == "UNAVAILABLE").then_some(message)
    })
    .await;
    assert_eq!(put_off["status"], "QUEUED");
    assert!(server.mails.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_to_who_is_not_the_server() {
    let authority = Authority::new();
    let server = MailServer::start(&Authority::new()).await;
    let app = hub(&server, &authority, "p%40ss").await;
    let acme = app.organisation("Acme").create().await;
    let message = app.send_message(&acme.admin, &mail("bo@example.com")).await;
    let attempted = eventually("an attempt that is over", async || {
        let message = app.message(&acme.admin, &message["id"]).await;
        message["attempts"][0]["outcome"].is_string().then_some(message)
    })
    .await;
    assert_ne!(attempted["attempts"][0]["outcome"], "SENT");
    assert!(server.mails.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_carriage_return_of_a_body_stands_alone_in_an_email() {
    let authority = Authority::new();
    let server = MailServer::start(&authority).await;
    let app = hub(&server, &authority, "p%40ss").await;
    let acme = app.organisation("Acme").create().await;
    let mut body = mail("bo@example.com");
    body["body"] = "Lunch\r.\r\nMAIL FROM:<eve@example.com>".into();
    let message = app.send_message(&acme.admin, &body).await;
    app.message_once(&acme.admin, &message["id"], "SENT").await;
    let mails = server.mails.lock().clone();
    let [taken] = &mails[..] else { panic!("{mails:?}") };
    assert!(!taken.data.replace("\r\n", "").contains('\r'), "{:?}", taken.data);
    assert!(taken.data.contains("Lunch\r\n..\r\nMAIL FROM"), "{:?}", taken.data);
}
