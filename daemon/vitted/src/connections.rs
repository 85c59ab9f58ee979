//! Who is connected, and the end of the last connection.
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::server::Connected;
use vitte_sys::net::PeerCredentials;

use crate::authority::AuthorityAdapter;

/// A connected client.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Number of the connection, from 1.
    pub id: u64,
    /// Who it is.
    pub peer: PeerCredentials,
    /// Since when.
    pub connected_at: SystemTime,
}

/// The table of connected clients.
#[derive(Debug, Default)]
pub struct Connections {
    table: Mutex<BTreeMap<u64, Client>>,
    last: AtomicU64,
}

impl Connections {
    /// Enters a connection; it leaves the table when the result is dropped.
    pub fn enter(self: &Arc<Self>, stream: UnixStream, peer: PeerCredentials) -> Connection {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Client { id, peer, connected_at: SystemTime::now() };
        self.lock().insert(id, client);
        Connection {
            stream: AuthorityAdapter::new(stream),
            client,
            _entry: TableEntry { table: Arc::clone(self), id },
            _permit: None,
            _last: None,
        }
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All, oldest first.
    pub fn list(&self) -> Vec<Client> {
        self.lock().values().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct TableEntry {
    table: Arc<Connections>,
    id: u64,
}

impl Drop for TableEntry {
    fn drop(&mut self) {
        self.table.lock().remove(&self.id);
    }
}

/// A connection of a client whose credentials were checked.
pub struct Connection {
    stream: AuthorityAdapter<UnixStream>,
    client: Client,
    _entry: TableEntry,
    _permit: Option<OwnedSemaphorePermit>,
    _last: Option<DropGuard>,
}

impl Connection {
    /// Gives `permit` back when the connection ends.
    #[must_use]
    pub fn holding(self, permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(permit), ..self }
    }

    /// Cancels `token` when the connection ends.
    #[must_use]
    pub fn ending(self, token: CancellationToken) -> Self {
        Self { _last: Some(token.drop_guard()), ..self }
    }
}

impl Connected for Connection {
    type ConnectInfo = Client;

    fn connect_info(&self) -> Client {
        self.client
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, out)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
