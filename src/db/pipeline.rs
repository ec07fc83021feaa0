//! Two statements that are sent one behind the other, with no answer in between, and answered in that order. Both answers
//! may come between a look at the first and one at the second, so the second is seen first now and then.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

/// What the second comes to, if the first succeeds. Where the first fails the second is not waited for, and what both were
/// sent on is of no further use.
pub(super) async fn then<T, E>(
    first: impl Future<Output = Result<(), E>>,
    second: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    tokio::select! {
        // In this order they are sent.
        biased;
        done = &mut first => {
            done?;
            second.await
        }
        answer = &mut second => {
            first.await?;
            answer
        }
    }
}

/// What both come to, whatever becomes of the first; that is `None` where it has no answer when the second has.
pub(super) async fn both<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (Option<A>, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut done = None;
    let answered = poll_fn(|cx| {
        // In this order they are sent.
        look(first.as_mut(), &mut done, cx);
        let answer = ready!(second.as_mut().poll(cx));
        look(first.as_mut(), &mut done, cx);
        Poll::Ready(answer)
    });
    let answer = answered.await;
    (done, answer)
}

fn look<F: Future>(first: Pin<&mut F>, done: &mut Option<F::Output>, cx: &mut Context<'_>) {
    if done.is_none()
        && let Poll::Ready(answer) = first.poll(cx)
    {
        *done = Some(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    /// An answer that is not there at the first look.
    async fn late<T>(answer: T) -> T {
        tokio::task::yield_now().await;
        answer
    }

    #[tokio::test]
    async fn the_first_failure_counts_whichever_is_seen_first() {
        assert_eq!(then::<(), _>(late(Err("dead")), ready(Err("failed"))).await, Err("dead"));
        assert_eq!(then::<(), _>(ready(Err("dead")), std::future::pending()).await, Err("dead"));
        assert_eq!(then::<(), _>(late(Ok(())), ready(Err("failed"))).await, Err("failed"));
        assert_eq!(then(late(Ok::<_, ()>(())), ready(Ok(1))).await, Ok(1));
        assert_eq!(then(ready(Ok::<_, ()>(())), late(Ok(1))).await, Ok(1));
    }

    #[tokio::test]
    async fn what_became_of_the_first_is_known_whichever_is_seen_first() {
        assert_eq!(both(late("failed"), ready("rolled back")).await, (Some("failed"), "rolled back"));
        assert_eq!(both(ready("failed"), late("rolled back")).await, (Some("failed"), "rolled back"));
        assert_eq!(both(std::future::pending::<()>(), late("lost")).await, (None, "lost"));
    }
}
