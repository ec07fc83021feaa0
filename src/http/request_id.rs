//! The id of a request.
tokio::task_local! { pub(crate) static CURRENT: String; }
/// The id of the request that the present task answers.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}
