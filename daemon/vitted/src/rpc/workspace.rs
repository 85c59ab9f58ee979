//! `WorkspaceService`.
use std::sync::Arc;

use tonic::{Request, Response, Status};
use vitte_proto::v1;
use vitte_proto::v1::workspace_service_server::WorkspaceService;

use super::page::page;
use crate::service::Service;
use crate::workspaces::Trust;

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
        let clock = self.0.workspaces.barrier(&request.into_inner().name)?;
        Ok(Response::new(v1::WaitForFileSystemResponse { clock }))
    }
}
