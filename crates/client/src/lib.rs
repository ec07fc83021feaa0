//! A client of Roomcast's socket: it subscribes to the activity log of an organisation, resumes
//! where it stopped, and can verify that nothing was lost, doubled or reordered.
//!
//! - [`Subscription`] is what most programs want: every activity once and in order, across lost
//!   links, drains and expired tokens.
//! - [`Socket`] is one WebSocket without any policy, for tests and tools that look at single frames.
//! - [`Verifier`] watches the frames of one subscriber and tells where the server broke a promise.
//! - [`Glance`] reads of a frame what a verifier needs, for who receives a million of them a second.
//!
//! ```no_run
//! use roomcast_client::{ConnectOptions, Event, RefreshError, Subscription, Token};
//!
//! # async fn refreshed() -> Result<Token, std::io::Error> { Ok(Token::from("fresh")) }
//! # async fn run(saved: Option<i64>) {
//! let mut options = ConnectOptions::new("an access token");
//! options.after = saved; // goes on after what an earlier run took
//!
//! let mut subscription = Subscription::new("http://127.0.0.1:3000", options)
//!     .refresh_with(|| async { refreshed().await.map_err(RefreshError::unavailable) });
//!
//! while let Some(event) = subscription.next().await {
//!     match event {
//!         Event::Activity(activity) => println!("{} {}", activity.seq, activity.kind),
//!         Event::Gap(gap) => println!("reload the feed, it goes on from {}", gap.next_seq),
//!         Event::Disconnected { code, reason } => eprintln!("closed with {code}: {reason}"),
//!         _ => {}
//!     }
//!     // The event was taken, so this is the position to save.
//!     let _position = subscription.position();
//! }
//! # }
//! ```
//!
//! # TLS
//!
//! The crate itself enables no TLS stack. An `https://` address works where the program enables one
//! of tokio-tungstenite's TLS features, and fails with [`Error::Transport`] where it does not.

mod backoff;
mod close;
mod error;
mod glance;
mod options;
mod position;
mod protocol;
mod socket;
mod subscription;
mod token;
mod verify;

pub use backoff::Backoff;
pub use close::{CloseCode, Reconnect};
pub use error::{Error, Result};
pub use glance::Glance;
pub use options::{ConnectOptions, TokenIn};
pub use position::Position;
pub use protocol::{
    Activity, AuthOk, ClientFrame, ErrorNotice, Frame, GapReason, GoAway, Named, Pong, Presence, ResumeGap,
    Welcome,
};
pub use socket::{Received, Socket};
pub use subscription::{Event, Subscription};
pub use token::{BoxError, RefreshError, Token};
pub use verify::{Claim, Comparison, Expected, Verifier, Violation, digest};
