//! `WorkspaceService`.
use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic::{Code, Request, Response, Status};
use vitte_proto::v1;
use vitte_proto::v1::workspace_service_server::WorkspaceService;

use super::page::page;
use crate::convert;
use crate::service::Service;
use crate::status::Refusal;
use crate::workspaces::Trust;

/// Longest wait for the file system when the caller sets none.
const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct WorkspacesApi(pub Arc<Service>);

#[tonic::async_trait]
impl WorkspaceService for WorkspacesApi {
    async fn open_workspace(
        &self,
        request: Request<v1::OpenWorkspaceRequest>,
    ) -> Result<Response<v1::OpenWorkspaceResponse>, Status> {
        let message = request.into_inner();
        let trust = match message.trust() {
            v1::Trust::Unspecified | v1::Trust::Restricted => Trust::Restricted,
            v1::Trust::Trusted => Trust::Trusted,
        };
        let workspace = self.0.workspaces.open(&message.root, message.environment_allow_list, trust)?;
        Ok(Response::new(v1::OpenWorkspaceResponse { workspace: Some(workspace.describe()) }))
    }

    async fn close_workspace(
        &self,
        request: Request<v1::CloseWorkspaceRequest>,
    ) -> Result<Response<v1::CloseWorkspaceResponse>, Status> {
        self.0.workspaces.close(&request.into_inner().name)?;
        Ok(Response::new(v1::CloseWorkspaceResponse {}))
    }

    async fn list_workspaces(
        &self,
        request: Request<v1::ListWorkspacesRequest>,
    ) -> Result<Response<v1::ListWorkspacesResponse>, Status> {
        let v1::ListWorkspacesRequest { page_size, page_token } = request.into_inner();
        let all = self.0.workspaces.list().into_iter().map(|workspace| workspace.describe());
        let (workspaces, next_page_token) =
            page(all, page_size, &page_token, |workspace| workspace.root.clone())?;
        Ok(Response::new(v1::ListWorkspacesResponse { workspaces, next_page_token }))
    }

    async fn wait_for_file_system(
        &self,
        request: Request<v1::WaitForFileSystemRequest>,
    ) -> Result<Response<v1::WaitForFileSystemResponse>, Status> {
        let v1::WaitForFileSystemRequest { name, timeout } = request.into_inner();
        let timeout = timeout.map(|timeout| convert::positive("timeout", timeout)).transpose()?;
        let timeout = timeout.unwrap_or(WAIT_DEFAULT);
        // A name that is not known needs no wait.
        self.0.workspaces.get(&name)?;
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(|| Instant::now() + WAIT_DEFAULT);
        let watcher = self.0.watcher.clone();
        // It may wait for the system, and this thread serves everyone.
        let passed = tokio::task::spawn_blocking(move || watcher.barrier(deadline)).await;
        if !passed.map_err(|error| Refusal::internal(&error.to_string()))? {
            let message = format!("the system did not say within {timeout:.1?} what happened");
            return Err(Refusal::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message).into());
        }
        let clock = self.0.workspaces.barrier(&name)?;
        Ok(Response::new(v1::WaitForFileSystemResponse { clock }))
    }
}
