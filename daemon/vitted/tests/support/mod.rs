//! A service of a test's own.
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

/// A private service; it must end when its channel does.
pub struct Private {
    pub child: Child,
    pub home: TempDir,
}

impl Private {
    /// A new one, and a channel to it.
    pub async fn start() -> (Self, Channel) {
        let home = TempDir::new().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vitted"))
            .arg("--private")
            .env("HOME", home.path())
            .env_remove("XDG_STATE_HOME")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = Mutex::new(Some(TokioIo::new(tokio::net::UnixStream::from_std(ours).unwrap())));
        let connector = tower::service_fn(move |_| {
            let stream = stream.lock().unwrap().take();
            async move { stream.ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) }
        });
        let channel =
            Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap();
        (Self { child, home }, channel)
    }

    /// The channel is gone: so must the process be, soon.
    pub async fn must_end(mut self) {
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the private service outlives its client");
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
