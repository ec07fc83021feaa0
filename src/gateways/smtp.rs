//! Messages as emails.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{Delivery, Gateway, Outgoing};

/// How long a server may take over each step.
const STEP: Duration = Duration::from_secs(10);

/// Most characters of a subject: what fits into a line (RFC 5322, 2.1.1).
const MAX_SUBJECT: usize = 70;

/// Hands emails to a server.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// `smtps://` speaks TLS from the start, `smtp://` by STARTTLS, which it insists on unless the URL ends in
    /// `?tls=none`. Fails where the settings cannot be read; the URL is not repeated, because of the password.
    pub(super) fn new(url: &str, from: &str, authorities: Option<&[u8]>) -> anyhow::Result<Self> {
        let expected = "SMTP_URL must be such as smtps://user:password@mail.example.com:465";
        let url = Url::parse(url).ok().context(expected)?;
        let host = url.host_str().context(expected)?.to_owned();
        let tls = || -> anyhow::Result<TlsParameters> {
            let mut parameters = TlsParameters::builder(host.clone());
            if let Some(authorities) = authorities {
                let certificate = Certificate::from_pem(authorities).ok().context("OUTBOUND_CA is no PEM")?;
                parameters = parameters.add_root_certificate(certificate);
            }
            parameters.build_rustls().context("TLS for SMTP")
        };
        let plain = match url.query() {
            None => false,
            Some("tls=none") => true,
            Some(_) => bail!("SMTP_URL takes ?tls=none and nothing else"),
        };
        let (port, tls) = match (url.scheme(), plain) {
            ("smtps", false) => (465, Tls::Wrapper(tls()?)),
            ("smtp", false) => (587, Tls::Required(tls()?)),
            ("smtp", true) => (25, Tls::None),
            _ => bail!(expected),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(STEP));
        if !url.username().is_empty() {
            let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            let password = decoded(url.password().unwrap_or_default());
            builder = builder.credentials(Credentials::new(decoded(url.username()), password));
        }
        let from = from.parse().ok().context("SMTP_FROM must be an address, or `Name <address>`")?;
        Ok(Self { transport: builder.build(), from })
    }

    fn email(&self, message: &Outgoing) -> anyhow::Result<Message> {
        let first = message.body.lines().find(|line| !line.trim().is_empty()).unwrap_or("Message");
        let subject: String =
            first.trim().chars().filter(|letter| !letter.is_control()).take(MAX_SUBJECT).collect();
        let email = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, message.to.parse()?))
            // The same at each attempt, so that a mailbox that has it can tell.
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            // A lone CR is no end of a line, but a server that takes it for one would read what follows as a command.
            .body(message.body.replace("\r\n", "\n").replace('\r', "\n"))?;
        Ok(email)
    }

    async fn hand_over(&self, message: &Outgoing) -> Delivery {
        let email = match self.email(message) {
            Ok(email) => email,
            Err(error) => return Delivery::Rejected(format!("no email can be made of it: {error:#}")),
        };
        match self.transport.send(email).await {
            Ok(response) => Delivery::Sent(format!("SMTP {}", response.code())),
            Err(error) => {
                let said =
                    error.status().map_or_else(|| "no answer".to_owned(), |code| format!("SMTP {code}"));
                if error.is_permanent() {
                    Delivery::Rejected(said)
                } else if error.is_transient() || error.is_tls() {
                    Delivery::Unavailable(said)
                } else {
                    Delivery::Unknown(said)
                }
            }
        }
    }
}

impl Gateway for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn send<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Delivery> {
        self.hand_over(message).boxed()
    }
}
