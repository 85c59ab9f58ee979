//! Where clients come in: the socket under its lock, or one connection that was handed over.
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use vitte_sys::{Op, SysError};
use vitte_sys::fs::FileLock;
use vitte_sys::net::{self, peer_credentials};
use vitte_sys::process::effective_uid;
use vitte_sys::rendezvous::Rendezvous;

use crate::connections::{Connection, Connections};

/// After a failed accept (descriptors ran out): long enough not to spin, short enough not to be felt.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Why the service cannot be reached by anyone.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Somebody else is the service.
    #[error("another service holds `{0}`")]
    Busy(PathBuf),
    /// The directory, the lock or the socket cannot be made or may not be used.
    #[error(transparent)]
    System(#[from] SysError),
    /// What was handed over cannot be used.
    #[error("cannot use the descriptor on standard input")]
    HandedOver(#[source] io::Error),
}

/// The lock of the service, held as long as this lives.
#[derive(Debug)]
pub enum ServiceLock {
    /// We took it.
    Taken(FileLock),
    /// The client that started us took it and handed its descriptor over; the lock belongs to the open file.
    HandedOver(OwnedFd),
}

impl ServiceLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`EndpointError::Busy`] when another process holds it.
    pub fn take(places: &Rendezvous) -> Result<Self, EndpointError> {
        places.prepare()?;
        let path = places.lock();
        FileLock::try_exclusive(&path)?.map(Self::Taken).ok_or(EndpointError::Busy(path))
    }
}

/// The listening socket. Dropping it removes the file, while the lock is still held.
#[derive(Debug)]
pub struct Endpoint {
    listener: UnixListener,
    path: PathBuf,
    lock: ServiceLock,
}

impl Endpoint {
    /// Listens on the service's socket. Whatever socket stands there is stale, since we hold the lock.
    ///
    /// # Errors
    /// When the path is too long or the directory may not be used. Needs a tokio runtime.
    pub fn open(places: &Rendezvous, lock: ServiceLock) -> Result<Self, EndpointError> {
        places.prepare()?;
        let path = places.socket();
        remove_stale(&path)?;
        let listener = tokio_listener(net::listen(&path)?).map_err(EndpointError::HandedOver)?;
        Ok(Self { listener, path, lock })
    }

    /// Accepts connections of our own user for ever, at most `max` at a time.
    pub fn incoming(
        self,
        table: Arc<Connections>,
        max: usize,
    ) -> (impl Stream<Item = io::Result<Connection>>, ServiceLock) {
        let Self { listener, path, lock } = self;
        let state = (listener, SocketFile(path), table, Arc::new(Semaphore::new(max)));
        let stream = futures_util::stream::unfold(state, |(listener, file, table, slots)| async move {
            // The semaphore is never closed, so that a permit always comes.
            let permit = Arc::clone(&slots).acquire_owned().await.ok()?;
            let connection = loop {
                match accept(&listener, &table).await {
                    Ok(Some(connection)) => break connection,
                    Ok(None) => {}
                    Err(error) => {
                        warn!(%error, "cannot accept");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                }
            };
            Some((Ok(connection.holding(permit)), (listener, file, table, slots)))
        });
        (stream, lock)
    }
}

/// Accepts one connection; `None` if it is not our user's.
async fn accept(listener: &UnixListener, table: &Arc<Connections>) -> io::Result<Option<Connection>> {
    let (stream, _) = listener.accept().await?;
    let peer = peer_credentials(&stream)?;
    if peer.uid != effective_uid() {
        warn!(uid = peer.uid, pid = peer.pid, "refused a connection of another user");
        return Ok(None);
    }
    Ok(Some(table.enter(stream, peer)))
}

/// The one connection of a private service. `closed` is cancelled when it ends.
///
/// # Errors
/// When `handed_over` is not a connected Unix socket. Needs a tokio runtime.
pub fn private(
    handed_over: OwnedFd,
    table: &Arc<Connections>,
    closed: CancellationToken,
) -> Result<impl Stream<Item = io::Result<Connection>> + use<>, EndpointError> {
    let connection = (|| {
        let stream = StdStream::from(handed_over);
        let peer = peer_credentials(&stream)?;
        stream.set_nonblocking(true)?;
        Ok(table.enter(UnixStream::from_std(stream)?, peer).ending(closed))
    })();
    let connection = connection.map_err(EndpointError::HandedOver)?;
    // Then nothing, but never the end: the server would take that for a reason to stop.
    Ok(futures_util::StreamExt::chain(
        futures_util::stream::iter([Ok(connection)]),
        futures_util::stream::pending(),
    ))
}

fn tokio_listener(listener: StdListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn remove_stale(path: &Path) -> Result<(), SysError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SysError::new(Op::Remove, path, error)),
    }
}

/// Removes the socket's file when the service stops listening: clients then see at once that they
/// must start another.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever starts next removes what we could not.
        let _ = std::fs::remove_file(&self.0);
    }
}
