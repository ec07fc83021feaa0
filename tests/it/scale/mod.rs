//! Many sockets and many nodes: the real program, on PostgreSQL.

mod resume;

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
