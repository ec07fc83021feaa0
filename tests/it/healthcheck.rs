//! `roomcast healthcheck`, which containers ask.

use crate::harness::tls::Authority;
use crate::harness::{Child, TestApp};

/// Asks the hub with these settings; returns whether it was found up, and what was said.
async fn check(environment: &[(&str, &str)]) -> (bool, String) {
    let (status, output) = Child::start(&["healthcheck"], environment).ended().await;
    assert!(!output.contains("panicked"), "{output}");
    (status.success(), output)
}

fn port(app: &TestApp) -> &str {
    app.base.rsplit_once(':').unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_answers_is_up_and_one_that_is_gone_is_not() {
    let app = TestApp::start().await;
    let port = port(&app).to_owned();
    // On every interface, as in a container.
    for host in ["127.0.0.1", "0.0.0.0"] {
        let (up, output) = check(&[("HOST", host), ("PORT", &port)]).await;
        assert!(up && output.contains(&format!("127.0.0.1:{port} is up")), "{output}");
    }
    app.stop().await;
    let (up, output) = check(&[("PORT", &port)]).await;
    assert!(!up && output.contains(&port), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_hub_is_not_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let (up, output) = check(&[("PORT", &port)]).await;
    assert!(!up && output.contains("within 5 s"), "{output}");
    let (up, output) = check(&[("PORT", "0")]).await;
    assert!(!up && output.contains("PORT"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_speaks_tls_is_asked_in_tls() {
    let authority = Authority::new();
    authority.install(&authority.issue());
    let (cert, key) = (authority.cert_path(), authority.key_path());
    let app = TestApp::with(|config| {
        config.server.tls_cert = Some(cert.clone());
        config.server.tls_key = Some(key.clone());
    })
    .await;
    // Its certificate is for a name that nobody told the command.
    let port = port(&app).to_owned();
    let tls = [("TLS_CERT", cert.to_str().unwrap()), ("TLS_KEY", key.to_str().unwrap()), ("PORT", &port)];
    let (up, output) = check(&tls).await;
    assert!(up && output.contains("is up"), "{output}");
    let (up, output) = check(&[("PORT", &port)]).await;
    assert!(!up && output.contains(&port), "{output}");
}
