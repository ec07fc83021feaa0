//! Many nodes on one database.

mod alone;
mod delivery;
mod redis;

use roomcast::config::Protection;

use crate::harness::TestApp;
use crate::harness::environment::{not_run, on_postgres};

/// Two nodes on one bus, without these protections; `None` where the database takes one node only.
#[track_caller]
fn pair_without(protections: &'static [Protection]) -> impl Future<Output = Option<[TestApp; 2]>> {
    if !on_postgres() {
        not_run("a SQLite folder takes one node");
    }
    async move {
        if !on_postgres() {
            return None;
        }
        let nodes = TestApp::nodes(2, |config| {
            for protection in protections {
                config.hub.broken = config.hub.broken.without(*protection);
            }
        });
        nodes.await.try_into().ok()
    }
}
