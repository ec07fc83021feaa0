//! A real nginx with `deploy/nginx.conf`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use super::tunnel::Tunnel;
use super::{is_installed, read};
use crate::harness::eventually;

/// The name that the shipped file has, and the certificate too.
const NAME: &str = "hub.example.com";

/// nginx in front of a hub. It ends when it is dropped.
pub(super) struct Nginx {
    process: Child,
    /// Where it speaks TLS.
    address: SocketAddr,
    /// Where it speaks none.
    pub(super) plain: SocketAddr,
    certificate: CertificateDer<'static>,
    folder: TempDir,
}

impl Nginx {
    /// With the shipped configuration; `None`, and said so, where there is no nginx.
    pub(super) async fn before(hub: &str) -> Option<Self> {
        Self::with(hub, &[]).await
    }

    /// The same after replacements, each of which has to find something to replace.
    #[track_caller]
    pub(super) fn with(
        hub: &str,
        changes: &'static [(&'static str, &'static str)],
    ) -> impl Future<Output = Option<Self>> {
        let installed = is_installed("nginx");
        let hub = hub.trim_start_matches("http://").to_owned();
        async move {
            if !installed {
                return None;
            }
            // Somebody may take a port before nginx does.
            for _ in 0..10 {
                if let Some(nginx) = Self::try_start(&hub, changes).await {
                    return Some(nginx);
                }
            }
            panic!("nginx found no free port in ten tries");
        }
    }

    async fn try_start(hub: &str, changes: &[(&str, &str)]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let (address, plain) = (free_address(), free_address());
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(file("hub.crt"), key.cert.pem()).unwrap();
        std::fs::write(file("hub.key"), key.signing_key.serialize_pem()).unwrap();
        let live = format!("/etc/letsencrypt/live/{NAME}");
        let mut site = read("deploy/nginx.conf");
        let mut replace = |from: &str, to: &str| {
            assert!(site.contains(from), "deploy/nginx.conf has no {from:?}");
            site = site.replace(from, to);
        };
        replace("server 127.0.0.1:3000;", &format!("server {hub};"));
        replace("listen 443 ssl;", &format!("listen {address} ssl;"));
        replace("listen 80;", &format!("listen {plain};"));
        replace("listen [::]:443 ssl;", "");
        replace("listen [::]:80;", "");
        replace(&format!("{live}/fullchain.pem"), &file("hub.crt"));
        replace(&format!("{live}/privkey.pem"), &file("hub.key"));
        replace("/var/log/nginx/roomcast.log", &file("access.log"));
        for (from, to) in changes {
            replace(from, to);
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {};\n", file(kind))).concat();
        let main = format!(
            "daemon off; master_process off; pid {}; events {{}}\nhttp {{\n{temporary}{site}\n}}\n",
            file("pid")
        );
        std::fs::write(file("nginx.conf"), main).unwrap();
        let log = std::fs::File::create(file("stderr.log")).unwrap();
        let mut process = Command::new("nginx")
            .args(["-p", &file(""), "-e", &file("error.log"), "-c", &file("nginx.conf")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let is_up = eventually("nginx to listen or to end", async || {
            if let Some(status) = process.try_wait().unwrap() {
                let log = std::fs::read_to_string(file("stderr.log")).unwrap();
                assert!(log.contains("in use"), "nginx ended with {status}: {log}");
                return Some(false);
            }
            [address, plain].iter().all(|address| TcpStream::connect(address).is_ok()).then_some(true)
        })
        .await;
        let certificate = key.cert.der().clone();
        is_up.then_some(Self { process, address, plain, certificate, folder })
    }

    /// A client that comes from this address of the machine, through TLS.
    pub(super) async fn client_from(&self, source: Ipv4Addr) -> Tunnel {
        Tunnel::open(source, self.address, NAME, self.certificate.clone()).await
    }

    /// All that it has written to its logs.
    pub(super) fn logs(&self) -> String {
        let names = ["access.log", "error.log", "stderr.log"];
        names.map(|name| std::fs::read_to_string(self.folder.path().join(name)).unwrap()).concat()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended, which the test will have noticed.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
