//! Hashing passwords with argon2id (RFC 9106), on threads of its own: a hash keeps a core busy for tens
//! of milliseconds, and neither requests nor sockets may wait for that.

use anyhow::Context as _;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, PasswordHash};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Code, Error, Result};
use crate::types::Password;

enum Job {
    Hash(Password, oneshot::Sender<anyhow::Result<String>>),
    Verify(Password, String, oneshot::Sender<anyhow::Result<bool>>),
}

/// A pool of threads that hash. They end when the last clone is dropped.
#[derive(Clone)]
pub struct Hasher {
    jobs: mpsc::Sender<Job>,
    /// Checked in place of the hash of an account that does not exist, so that it takes as long.
    decoy: std::sync::Arc<str>,
}

impl Hasher {
    /// Starts a thread a core. At most `max_waiting` hashes wait for one; where more would, it is 503.
    pub fn start(max_waiting: usize) -> anyhow::Result<Self> {
        let (jobs, queue) = mpsc::channel(max_waiting);
        let queue = std::sync::Arc::new(parking_lot::Mutex::new(queue));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for number in 0..threads {
            let queue = std::sync::Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("hasher-{number}"))
                .spawn(move || {
                    loop {
                        let Some(job) = queue.lock().blocking_recv() else {
                            return;
                        };
                        run(job);
                    }
                })
                .context("starting a thread for hashing")?;
        }
        Ok(Self { jobs, decoy: hash("")?.into() })
    }

    /// The hash of a password, with its salt and parameters, to be stored.
    pub async fn hash(&self, password: Password) -> Result<String> {
        self.ask(|reply| Job::Hash(password, reply)).await
    }

    /// Whether `password` is the one with this hash. Where there is no hash, it takes as long and is not.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.to_string());
        let same = self.ask(|reply| Job::Verify(password, stored, reply)).await?;
        Ok(same && exists)
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<anyhow::Result<T>>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .try_send(job(reply))
            .map_err(|_| Error::refused(Code::Overloaded, "Too many sign-ins at once. Try again shortly."))?;
        let answer = answer.await.context("a hashing thread ended")?;
        Ok(answer?)
    }
}

fn run(job: Job) {
    // A caller that went away does not want the answer.
    match job {
        Job::Hash(password, reply) => drop(reply.send(hash(password.reveal()))),
        Job::Verify(password, stored, reply) => drop(reply.send(verify(password.reveal(), &stored))),
    }
}

fn hash(password: &str) -> anyhow::Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| anyhow::anyhow!("hashing a password: {error}"))?.to_string())
}

fn verify(password: &str, stored: &str) -> anyhow::Result<bool> {
    let stored = PasswordHash::new(stored).map_err(|error| anyhow::anyhow!("a stored hash: {error}"))?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::try_from(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let hasher = Hasher::start(1).unwrap();
        let stored = hasher.hash(password("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(hasher.verify(password("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!hasher.verify(password("wrong horse"), Some(stored)).await.unwrap());
        assert!(!hasher.verify(password("correct horse"), None).await.unwrap());
    }
}
