//! Points at which a test has the program die, as if it were killed there. Debug builds only: a release knows neither the
//! variable nor the points.

/// Dies here where `ROOMCAST_CRASH_AT` says so.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "it is no setting: no flag, no .env, no help")]
pub fn crash_point(name: &str) {
    static AT: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("ROOMCAST_CRASH_AT").ok());
    if AT.as_deref() == Some(name) {
        // No destructor runs, and nothing is told to anybody.
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub const fn crash_point(_: &str) {}
