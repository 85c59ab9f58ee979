//! A service in this process on a Unix socket, and clients of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use vitte_driver::Driver;
use vitte_loader::ModuleLoader;
use vitte_loader::plugin::Plugins;
use vitte_store::Store;
use vitte_sys::rendezvous::{Environment, Rendezvous};
use vitted::config::Config;
use vitted::endpoint::{Endpoint as Listening, ServiceLock};
use vitted::server;
use vitted::service::{Identity, Service};
use vitted::watcher::{Watcher, WatcherOptions};

/// The service, which is asked to end and waited for by [`Running::end`].
pub struct Running {
    pub socket: PathBuf,
    stopping: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    /// Begins to serve `modules` on a socket in `home`.
    pub fn begin(home: &Path, modules: ModuleLoader) -> Self {
        let environment = Environment { runtime_dir: Some(home.into()), ..Environment::default() };
        let places = Rendezvous::new(&environment);
        let plugins = Plugins::new(modules.clone(), None);
        let service = Service::new(
            Config::load(None, None).unwrap(),
            Identity::default(),
            Driver::new(Vec::new()),
            std::sync::Arc::new(Store::without()),
            modules,
            plugins,
            Watcher::new(WatcherOptions::default()),
        )
        .unwrap();
        let listening = Listening::open(&places, ServiceLock::take(&places).unwrap()).unwrap();
        let (incoming, lock) = listening.incoming(service.connections.clone(), 16);
        let stopping = service.stopping.clone();
        let serving = tokio::spawn(async move {
            server::serve(service, incoming).await.unwrap();
            drop(lock);
        });
        Self { socket: places.socket(), stopping, serving }
    }

    pub async fn end(self) {
        self.stopping.cancel();
        self.serving.await.unwrap();
    }
}

/// A connection to the socket at `path`.
pub async fn channel(path: &Path) -> Channel {
    let path = path.to_path_buf();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(hyper_util::rt::TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
}

/// Runs `work` in a runtime of two threads.
pub fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .unwrap()
        .block_on(work);
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
