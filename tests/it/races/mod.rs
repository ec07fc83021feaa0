//! What holds however requests interleave.

mod admins;
mod removal;
mod seats;
mod sessions;

use futures_util::future::join_all;

use crate::harness::Answer;

/// Awaits all of them at once, each on a task of its own; returns what they answered.
pub(crate) async fn at_once(
    calls: Vec<impl IntoFuture<Output = Answer, IntoFuture: Send + 'static>>,
) -> Vec<Answer> {
    let calls = calls.into_iter().map(|call| {
        #[expect(clippy::disallowed_methods, reason = "joined right below")]
        tokio::spawn(call.into_future())
    });
    join_all(calls.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).collect()
}

/// How many answers have this status.
fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
