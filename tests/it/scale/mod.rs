//! Many sockets and many nodes: the real program.

mod peers;
mod resume;
mod writes;

use reqwest::Method;

use crate::harness::app::SIGNING_KEY;
use crate::harness::{Child, Client, TestDatabase};

/// A node on this database, with its limits off and these settings besides.
async fn node(database: &TestDatabase, settings: &[(&str, &str)]) -> (Child, Client) {
    let url = database.url_text();
    let mut environment =
        vec![("DATABASE_URL", url.as_str()), ("JWT_ACCESS_SECRET", SIGNING_KEY), ("PORT", "0")];
    for limit in [
        "RATE_LIMIT_PER_MINUTE",
        "AUTH_RATE_LIMIT_PER_MINUTE",
        "HANDSHAKES_PER_MINUTE",
        "FRAMES_PER_MINUTE",
        "MAX_SOCKETS_PER_USER",
    ] {
        environment.push((limit, "0"));
    }
    environment.extend(settings);
    let mut node = Child::start(&[], &environment);
    let client = node.listening().await;
    (node, client)
}

/// The value of a counter in `/metrics`, of all its labels together where none are named.
async fn counted(client: &Client, series: &str) -> u64 {
    let metrics = client.anonymous().at(Method::GET, "/metrics").await.expect_status(200);
    let lines = metrics.text.lines().filter_map(|line| line.strip_prefix(series));
    let values = lines.filter(|rest| rest.starts_with([' ', '{'])).filter_map(|rest| rest.rsplit(' ').next());
    values.map(|value| value.parse::<u64>().unwrap()).sum()
}

/// How many sockets are open.
async fn sockets(client: &Client) -> u64 {
    counted(client, "roomcast_sockets").await
}

/// Bytes of memory that a process holds.
fn resident(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}
