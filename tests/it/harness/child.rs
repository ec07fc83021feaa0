//! The real program, as a process of its own, with all that it writes.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::client::Client;
use super::environment::isolation;
use super::wait::{at_last, eventually};

/// A running `roomcast`.
pub(crate) struct Child {
    process: std::process::Child,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    /// Where it runs: nothing of the developer's own is read.
    _folder: TempDir,
}

impl Child {
    /// Starts it with these arguments and nothing in its environment but these variables.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::launch(&[], arguments, environment, "", None)
    }

    /// The same, run by another program, which has to become it.
    pub(crate) fn under(wrapper: &[&str], arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::launch(wrapper, arguments, environment, "", None)
    }

    /// The same, with this on its standard input, and in its folder this file `.env`, if any.
    pub(crate) fn start_with(
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: &str,
        dotenv: Option<&str>,
    ) -> Self {
        Self::launch(&[], arguments, environment, input, dotenv)
    }

    fn launch(
        wrapper: &[&str],
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: &str,
        dotenv: Option<&str>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = dotenv {
            std::fs::write(folder.path().join(".env"), text).unwrap();
        }
        let mut words = wrapper.iter().chain(&[env!("CARGO_BIN_EXE_roomcast")]).chain(arguments);
        let mut process = Command::new(words.next().unwrap())
            .args(words)
            .env_clear()
            .env("TENANT_ISOLATION", isolation().name())
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have ended without reading it.
        drop(process.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = Arc::new(Mutex::new(String::new()));
        let stdout = read(process.stdout.take().unwrap(), Arc::clone(&output));
        let stderr = read(process.stderr.take().unwrap(), Arc::clone(&output));
        Self { process, output, readers: vec![stdout, stderr], _folder: folder }
    }

    /// All that it has written so far, to either stream.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until it says where it listens.
    pub(crate) async fn listening(&mut self) -> Client {
        let base = at_last("listening", async || {
            let output = self.output();
            let line = output.lines().find_map(|line| line.strip_prefix("listening on "));
            if line.is_none()
                && let Some(status) = self.process.try_wait().unwrap()
            {
                panic!("it ended with {status}:\n{}", self.output());
            }
            line.map(|base| base.trim().to_owned())
        })
        .await;
        Client::of(base)
    }

    /// Waits until it listens or has ended; whether it listens.
    pub(crate) async fn listens(&mut self) -> bool {
        at_last("listening, or its end", async || {
            let listens = self.output().lines().any(|line| line.starts_with("listening on "));
            let ended = self.process.try_wait().unwrap().is_some();
            (listens || ended).then_some(listens)
        })
        .await
    }

    /// Waits until it has written this.
    pub(crate) async fn expect_output(&self, text: &str) {
        eventually(&format!("writing {text:?}"), async || self.output().contains(text).then_some(())).await;
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it at once, whatever it is doing; returns all that it wrote.
    pub(crate) async fn kill(mut self) -> String {
        self.process.kill().unwrap();
        self.ended().await.1
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; returns its status and all that it wrote.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let process = &mut self.process;
        let status = eventually("the end of the process", async || process.try_wait().unwrap()).await;
        self.read_up(status)
    }

    /// The same of one that takes its time.
    pub(crate) async fn ended_at_last(mut self) -> (ExitStatus, String) {
        let process = &mut self.process;
        let status = at_last("the end of the process", async || process.try_wait().unwrap()).await;
        self.read_up(status)
    }

    fn read_up(&mut self, status: ExitStatus) -> (ExitStatus, String) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.output())
    }

    /// Stops it, which must succeed; returns all that it wrote.
    pub(crate) async fn stop(self) -> String {
        self.terminate();
        let (status, output) = self.ended().await;
        assert!(status.success(), "{status}:\n{output}");
        output
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

fn read(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            output.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
