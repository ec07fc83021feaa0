//! Two hubs on one PostgreSQL and one Redis.

use anyhow::{Context as _, Result};

use super::bench::{Bench, Found, load, serve};

const ROOM: &str = "room --self-serve --sockets 100 --rate 50 --callers 4 --duration 8s";

/// How much later a message arrives that was published on the other node.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Found>> {
    let (Some(postgres), Some(redis)) = (&bench.postgres, &bench.redis_url) else { return Ok(Vec::new()) };
    let (database, folder) = (postgres.create()?, tempfile::tempdir()?);
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", redis),
        // Of hubs that are gone with this run.
        ("JWT_ACCESS_SECRET", "a secret of two hubs that nobody else reaches"),
    ];
    let (here, there) = (serve(&folder, &settings)?, serve(&folder, &settings)?);
    let p50 = |publish: &str| -> Result<f64> {
        let target = ["--url", &here.address, "--publish-url", publish];
        load(ROOM, &target, &["p50"])?.first().copied().context("no p50")
    };
    let (same, other) = (p50(&here.address)?, p50(&there.address)?);
    Ok(vec![Found::alone(other).over(same)])
}
