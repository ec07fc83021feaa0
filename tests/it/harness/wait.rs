//! Waiting for something with a bound. Nothing here waits for a fixed time and hopes.

use std::time::Duration;

/// The longest that anything a test waits for may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// The same for what takes its time by design, or on a machine that has much else to do: an outage, the start
/// of a program in the middle of it.
pub(crate) const LONG: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
pub(super) const INTERVAL: Duration = Duration::from_millis(10);

/// What `work` comes to, which must be within [`LIMIT`].
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, work: F) -> impl Future<Output = F::Output> {
    bounded(LIMIT, what, work)
}

#[track_caller]
fn bounded<F: Future>(limit: Duration, what: &str, work: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or_else(|_elapsed| panic!("{what} did not happen within {limit:?} ({place})"))
    }
}

/// Asks again and again until there is an answer, for at most [`LIMIT`].
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    bounded(LIMIT, what, look_until(look))
}

/// Asks again and again until there is an answer, for at most [`LONG`].
#[track_caller]
pub(crate) fn at_last<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    bounded(LONG, what, look_until(look))
}

async fn look_until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
