//! The gRPC server: all services, health and reflection, over any source of connections.
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;
use tracing::info;
use vitte_proto::FILE_DESCRIPTOR_SET;
use vitte_proto::v1::build_service_server::BuildServiceServer;
use vitte_proto::v1::cache_service_server::CacheServiceServer;
use vitte_proto::v1::module_service_server::ModuleServiceServer;
use vitte_proto::v1::operation_service_server::OperationServiceServer;
use vitte_proto::v1::package_service_server::PackageServiceServer;
use vitte_proto::v1::plugin_service_server::PluginServiceServer;
use vitte_proto::v1::run_service_server::RunServiceServer;
use vitte_proto::v1::system_service_server::SystemServiceServer;
use vitte_proto::v1::watch_service_server::WatchServiceServer;
use vitte_proto::v1::workspace_service_server::WorkspaceServiceServer;

use crate::connections::Connection;
use crate::middleware::RequestSpans;
use crate::rpc::{
    Build, CacheApi, ModulesApi, OperationsApi, PackagesApi, PluginsApi, Run, System, WatchApi, WorkspacesApi,
};
use crate::service::Service;

/// How long clients may take to close their connections once all work has ended.
const GOODBYE_MAX: Duration = Duration::from_millis(500);
/// Calls that one connection may have open at once.
const STREAMS_MAX: u32 = 256;
/// Flow-control window of a stream in bytes: lets program output run at full speed.
const STREAM_WINDOW: u32 = 1 << 20;
/// Flow-control window of a connection in bytes.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Why the server ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
    /// Our own descriptors do not decode.
    #[error("reflection cannot be offered")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves until `service.stopping` is cancelled, then drains: no new connections and no new work, what
/// runs gets its limit, then the connections close.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    service: Arc<Service>,
    incoming: impl Stream<Item = io::Result<Connection>>,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    report_serving(&health).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let router = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .layer(RequestSpans)
        .add_service(SystemServiceServer::new(System(Arc::clone(&service))))
        .add_service(WorkspaceServiceServer::new(WorkspacesApi(Arc::clone(&service))))
        .add_service(BuildServiceServer::new(Build(Arc::clone(&service))))
        .add_service(RunServiceServer::new(Run(Arc::clone(&service))))
        .add_service(WatchServiceServer::new(WatchApi(Arc::clone(&service))))
        .add_service(OperationServiceServer::new(OperationsApi(Arc::clone(&service))))
        .add_service(CacheServiceServer::new(CacheApi(Arc::clone(&service))))
        .add_service(ModuleServiceServer::new(ModulesApi(Arc::clone(&service))))
        .add_service(PackageServiceServer::new(PackagesApi(Arc::clone(&service))))
        .add_service(PluginServiceServer::new(PluginsApi(Arc::clone(&service))))
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let server = router.serve_with_incoming_shutdown(incoming, service.stopping.clone().cancelled_owned());
    let drain = async {
        service.stopping.cancelled().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        info!(running = service.operations.running(), "draining");
        service.drain().await;
    };
    with_goodbye(server, drain).await?;
    info!("stopped");
    Ok(())
}

/// Runs `server` until it ends; once `drain` has ended, only a moment longer. Idle clients of a drained
/// service need no patience.
async fn with_goodbye<E>(
    server: impl Future<Output = Result<(), E>>,
    drain: impl Future<Output = ()>,
) -> Result<(), E> {
    tokio::pin!(server, drain);
    tokio::select! {
        ended = &mut server => {
            ended?;
            // All connections are gone, so whatever still runs was left to run on.
            drain.await;
            Ok(())
        }
        () = &mut drain => timeout(GOODBYE_MAX, server).await.unwrap_or(Ok(())),
    }
}

async fn report_serving(health: &HealthReporter) {
    health.set_serving::<SystemServiceServer<System>>().await;
    health.set_serving::<WorkspaceServiceServer<WorkspacesApi>>().await;
    health.set_serving::<BuildServiceServer<Build>>().await;
    health.set_serving::<RunServiceServer<Run>>().await;
    health.set_serving::<WatchServiceServer<WatchApi>>().await;
    health.set_serving::<OperationServiceServer<OperationsApi>>().await;
    health.set_serving::<CacheServiceServer<CacheApi>>().await;
    health.set_serving::<ModuleServiceServer<ModulesApi>>().await;
    health.set_serving::<PackageServiceServer<PackagesApi>>().await;
    health.set_serving::<PluginServiceServer<PluginsApi>>().await;
}
