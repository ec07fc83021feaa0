//! `roomcast openapi`.

use anyhow::Context as _;

/// Prints the document as JSON.
pub(super) fn run() -> anyhow::Result<()> {
    println!("{}", crate::router::document().to_pretty_json().context("encoding the document")?);
    Ok(())
}
