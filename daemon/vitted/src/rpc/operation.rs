//! `OperationService`.
use std::sync::Arc;

use tonic::{Request, Response, Status};
use vitte_proto::v1;
use vitte_proto::v1::operation_service_server::OperationService;

use super::page::{number_key, page};
use super::stream::{ResponseStream, events};
use crate::service::Service;

/// The implementation over [`Service`].
#[derive(Clone)]
pub struct OperationsApi(pub Arc<Service>);

#[tonic::async_trait]
impl OperationService for OperationsApi {
    type WatchStream = ResponseStream<v1::WatchResponse>;

    async fn get_operation(
        &self,
        request: Request<v1::GetOperationRequest>,
    ) -> Result<Response<v1::GetOperationResponse>, Status> {
        let operation = self.0.operations.get(&request.into_inner().name)?.describe();
        Ok(Response::new(v1::GetOperationResponse { operation: Some(operation) }))
    }

    async fn list_operations(
        &self,
        request: Request<v1::ListOperationsRequest>,
    ) -> Result<Response<v1::ListOperationsResponse>, Status> {
        let v1::ListOperationsRequest { page_size, page_token } = request.into_inner();
        let all = self.0.operations.list();
        let (items, next_page_token) = page(all, page_size, &page_token, |&(number, _)| number_key(number))?;
        let operations = items.iter().map(|(_, operation)| operation.describe()).collect();
        Ok(Response::new(v1::ListOperationsResponse { operations, next_page_token }))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let v1::WatchRequest { name, after_sequence } = request.into_inner();
        let subscription = self.0.operations.get(&name)?.subscribe(after_sequence);
        Ok(Response::new(events(subscription, |event| v1::WatchResponse { event: Some(event) })))
    }

    async fn cancel_operation(
        &self,
        request: Request<v1::CancelOperationRequest>,
    ) -> Result<Response<v1::CancelOperationResponse>, Status> {
        let operation = self.0.operations.get(&request.into_inner().name)?;
        operation.cancel().cancel();
        Ok(Response::new(v1::CancelOperationResponse { operation: Some(operation.describe()) }))
    }
}
