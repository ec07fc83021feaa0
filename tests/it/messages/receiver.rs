//! Servers that messages are handed to: real sockets, which answer as they are told.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What a server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// How a server answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    Redirect(u16, String),
    /// Once it is released, which those who wait are in the order in which they came.
    Held(u16),
}

struct Shared {
    asked: Mutex<Asked>,
    gate: Semaphore,
}

#[derive(Default)]
struct Asked {
    received: Vec<Received>,
    replies: VecDeque<Reply>,
}

/// An HTTP server on a free port, which answers 204 unless it is told otherwise.
pub(crate) struct Receiver {
    pub(crate) base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared { asked: Mutex::default(), gate: Semaphore::new(0) });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        #[expect(clippy::disallowed_methods, reason = "it ends with the receiver")]
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { base, shared, task }
    }

    /// Answers so next, in this order.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.asked.lock().replies.extend(replies);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.asked.lock().received.clone()
    }

    /// Answers so many of those that are held, or will be.
    pub(crate) fn release(&self, count: usize) {
        self.shared.gate.add_permits(count);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let reply = {
        let mut asked = shared.asked.lock();
        let body = String::from_utf8_lossy(&body).into_owned();
        asked.received.push(Received { path: uri.to_string(), headers, body });
        asked.replies.pop_front()
    };
    match reply {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Reply::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Reply::Redirect(status, to)) => {
            (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, to)]).into_response()
        }
        Some(Reply::Held(status)) => {
            shared.gate.acquire().await.unwrap().forget();
            StatusCode::from_u16(status).unwrap().into_response()
        }
    }
}
