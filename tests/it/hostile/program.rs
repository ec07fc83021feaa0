//! The real program, whose log is read at the end.

use std::ops::Deref;

use crate::harness::{Child, Client, TestDatabase};

/// A running hub. What it writes must not tell of a panic, which a single connection's end would hide.
pub(super) struct Program {
    child: Child,
    client: Client,
    _database: TestDatabase,
}

impl Deref for Program {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Program {
    pub(super) async fn start() -> Self {
        let database = TestDatabase::create().await;
        let url = database.url_text();
        let environment = [
            ("DATABASE_URL", url.as_str()),
            ("JWT_ACCESS_SECRET", "a key for tests that signs nothing of worth"),
            ("PORT", "0"),
            ("RATE_LIMIT_PER_MINUTE", "0"),
            ("AUTH_RATE_LIMIT_PER_MINUTE", "0"),
            ("HANDSHAKES_PER_MINUTE", "0"),
            ("FRAMES_PER_MINUTE", "0"),
            // Sockets that never answer a close would be waited for after the whole window.
            ("DRAIN_SECONDS", "0"),
            ("RUST_BACKTRACE", "1"),
        ];
        let mut child = Child::start(&["serve"], &environment);
        let client = child.listening().await;
        Self { child, client, _database: database }
    }

    /// Stops it, which must succeed.
    pub(super) async fn stop(self) {
        let output = self.child.stop().await;
        for trouble in ["panicked", " ERROR "] {
            assert!(!output.contains(trouble), "{output}");
        }
    }
}
