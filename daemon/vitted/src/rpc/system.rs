//! `SystemService`.
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Request, Response, Status};
use tracing::info;
use vitte_proto::v1;
use vitte_proto::v1::system_service_server::SystemService;

use super::page::{number_key, page};
use super::stream::ResponseStream;
use crate::convert;
use crate::memory::resident_bytes;
use crate::operation::duration;
use crate::service::Service;
use crate::status::Refusal;
use crate::watcher::{Trouble, WatcherStatus};

/// Most bytes of the log that are searched for its last lines, and read at once when following.
const LOG_READ_MAX: u64 = 1 << 20;
/// How often a followed log is looked at.
const LOG_PERIOD: Duration = Duration::from_millis(200);
/// The version of this service.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct System(pub Arc<Service>);

#[tonic::async_trait]
impl SystemService for System {
    type LogsStream = ResponseStream<v1::LogsResponse>;

    async fn info(&self, _: Request<v1::InfoRequest>) -> Result<Response<v1::InfoResponse>, Status> {
        let identity = &self.0.identity;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let memory = self.0.driver.memory_use();
        Ok(Response::new(v1::InfoResponse {
            version: VERSION.to_owned(),
            build_id: identity.build_id.clone(),
            pid: std::process::id(),
            socket: text(&identity.socket),
            log: text(&identity.log),
            started_at: Some(self.0.began_at.into()),
            resident_bytes: resident_bytes().unwrap_or_default(),
            memory_budget_bytes: self.0.config.memory_bytes.unwrap_or_default(),
            workspaces_in_memory: memory.workspaces,
            workspaces_forgotten: memory.forgotten,
        }))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        let service = &self.0;
        let state = if service.stopping.is_cancelled() {
            v1::ServiceState::Draining
        } else {
            v1::ServiceState::Serving
        };
        let WatcherStatus { folders, overflows, troubles, troubles_hidden } = service.watcher.status();
        let troubles = troubles.into_iter().map(|Trouble { path, reason, help }| v1::WatchTrouble {
            path: path.to_string_lossy().into_owned(),
            reason,
            help,
        });
        Ok(Response::new(v1::StatusResponse {
            version: VERSION.to_owned(),
            pid: std::process::id(),
            uptime: Some(duration(service.began.elapsed())),
            state: state.into(),
            connections: service.connections.len() as u64,
            operations_running: service.operations.running(),
            operations_finished: service.operations.finished(),
            workspaces: service.workspaces.len() as u64,
            watched_folders: folders,
            watch_overflows: overflows,
            watch_troubles: troubles.collect(),
            watch_troubles_hidden: troubles_hidden,
        }))
    }

    async fn list_clients(
        &self,
        request: Request<v1::ListClientsRequest>,
    ) -> Result<Response<v1::ListClientsResponse>, Status> {
        let v1::ListClientsRequest { page_size, page_token } = request.into_inner();
        let all = self.0.connections.list();
        let (clients, next_page_token) = page(all, page_size, &page_token, |client| number_key(client.id))?;
        let clients = clients.into_iter().map(|client| v1::ClientConnection {
            id: client.id,
            pid: client.peer.pid.try_into().unwrap_or_default(),
            uid: client.peer.uid,
            connected_at: Some(client.connected_at.into()),
        });
        Ok(Response::new(v1::ListClientsResponse { clients: clients.collect(), next_page_token }))
    }

    async fn get_config(
        &self,
        _: Request<v1::GetConfigRequest>,
    ) -> Result<Response<v1::GetConfigResponse>, Status> {
        let config = &self.0.config;
        let source = |name| config.sources.get(name).copied().unwrap_or("default").to_owned();
        let settings = config.values().into_iter();
        let settings =
            settings.map(|(name, value)| v1::Setting { name: name.to_owned(), value, source: source(name) });
        let path = config.path.as_ref().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Response::new(v1::GetConfigResponse { path, settings: settings.collect() }))
    }

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let v1::LogsRequest { tail_lines, follow } = request.into_inner();
        let path = self.0.identity.log.clone();
        if path.as_os_str().is_empty() {
            let refusal = Refusal::new(Code::FailedPrecondition, "NO_LOG", "this service keeps no log");
            return Err(refusal.help("set `HOME` or `XDG_STATE_HOME` before it starts").into());
        }
        let tail_lines = if tail_lines == 0 { 100 } else { tail_lines as usize };
        let (lines, offset) =
            self.0.ask(move |_| tail(&path, tail_lines)).await?.map_err(|error| log_error(&error))?;
        let first = futures_util::stream::iter([Ok(v1::LogsResponse { lines })]);
        if !follow {
            return Ok(Response::new(Box::pin(first)));
        }
        let state = (Arc::clone(&self.0), offset);
        let rest = futures_util::stream::unfold(state, |(service, offset)| async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LOG_PERIOD) => {}
                    () = service.stopping.cancelled() => return None,
                }
                let path = service.identity.log.clone();
                match service.ask(move |_| read_from(&path, offset)).await {
                    Ok(Ok((lines, _))) if lines.is_empty() => {}
                    Ok(Ok((lines, offset))) => {
                        return Some((Ok(v1::LogsResponse { lines }), (service, offset)));
                    }
                    Ok(Err(error)) => return Some((Err(log_error(&error).into()), (service, offset))),
                    Err(refusal) => return Some((Err(refusal.into()), (service, offset))),
                }
            }
        });
        Ok(Response::new(Box::pin(futures_util::StreamExt::chain(first, rest))))
    }

    async fn doctor(&self, _: Request<v1::DoctorRequest>) -> Result<Response<v1::DoctorResponse>, Status> {
        let findings = self.0.ask(|driver| driver.doctor()).await?;
        Ok(Response::new(v1::DoctorResponse {
            findings: findings.into_iter().map(convert::finding).collect(),
        }))
    }

    async fn shutdown(
        &self,
        request: Request<v1::ShutdownRequest>,
    ) -> Result<Response<v1::ShutdownResponse>, Status> {
        let operations_running = self.0.operations.running();
        info!(operations_running, request_id = request.into_inner().request_id, "asked to shut down");
        self.0.stopping.cancel();
        Ok(Response::new(v1::ShutdownResponse { pid: std::process::id(), operations_running }))
    }
}

fn log_error(error: &io::Error) -> Refusal {
    Refusal::new(Code::FailedPrecondition, "IO_ERROR", format!("cannot read the log: {error}"))
}

/// The last `count` lines of the file, and where they end.
fn tail(path: &PathBuf, count: usize) -> io::Result<(Vec<String>, u64)> {
    let length = fs::metadata(path)?.len();
    let (mut lines, end) = read_from(path, length.saturating_sub(LOG_READ_MAX))?;
    lines.drain(..lines.len().saturating_sub(count));
    Ok((lines, end))
}

/// The whole lines after `offset`, and where they end. A file that has shrunk is read from its start.
fn read_from(path: &PathBuf, offset: u64) -> io::Result<(Vec<String>, u64)> {
    let mut file = File::open(path)?;
    let offset = if file.metadata()?.len() < offset { 0 } else { offset };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(LOG_READ_MAX).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    let text = String::from_utf8_lossy(&bytes[..whole]);
    Ok((text.lines().map(str::to_owned).collect(), offset + whole as u64))
}
