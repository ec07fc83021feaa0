//! Waiting for something with a bound. Nothing here waits for a fixed time and hopes.

use std::time::Duration;

/// The longest that anything a test waits for may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);

/// What `work` comes to, which must be within [`LIMIT`].
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, work: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        let done = tokio::time::timeout(LIMIT, work).await;
        done.unwrap_or_else(|_elapsed| panic!("{what} did not happen within {LIMIT:?} ({place})"))
    }
}

/// Asks again and again until there is an answer, for at most [`LIMIT`].
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    within(what, async move {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    })
}
