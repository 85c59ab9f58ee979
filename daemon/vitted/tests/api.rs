//! The real `vitted` over a socket pair, spoken to by a bare tonic client: the API's promises that do
//! not need a compiled program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::Private;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt;
use vitte_proto::v1;
use vitte_proto::v1::build_service_client::BuildServiceClient;
use vitte_proto::v1::operation_service_client::OperationServiceClient;
use vitte_proto::v1::run_service_client::RunServiceClient;
use vitte_proto::v1::system_service_client::SystemServiceClient;
use vitte_proto::v1::workspace_service_client::WorkspaceServiceClient;

#[tokio::test]
async fn health_reflection_and_status_answer() {
    let (service, channel) = Private::start().await;
    let mut health = HealthClient::new(channel.clone());
    for name in ["", "vitte.v1.RunService"] {
        let answer = health.check(HealthCheckRequest { service: name.into() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }

    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel.clone());
    let mut answers =
        reflection.server_reflection_info(tokio_stream::iter([list])).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        answers.next().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services");
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["System", "Workspace", "Build", "Run", "Operation"] {
        assert!(names.contains(&format!("vitte.v1.{name}Service").as_str()), "{names:?}");
    }

    let mut system = SystemServiceClient::new(channel.clone());
    let status = system.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(
        (status.state(), status.pid, status.connections),
        (v1::ServiceState::Serving, service.child.id(), 1)
    );
    let clients = system.list_clients(v1::ListClientsRequest::default()).await.unwrap().into_inner().clients;
    assert_eq!(clients[0].pid, std::process::id());
    let config = system.get_config(v1::GetConfigRequest {}).await.unwrap().into_inner();
    assert!(
        config
            .settings
            .iter()
            .any(|setting| setting.name == "service.drain_seconds" && setting.value == "10")
    );
    drop((health, reflection, answers, system, channel));
    service.must_end().await;
}

#[tokio::test]
async fn every_error_has_its_reason() {
    let (service, channel) = Private::start().await;
    let reason = |status: tonic::Status| {
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.domain, "vitte");
        (status.code(), info.reason)
    };
    let expected = |code: Code, reason: &str| (code, reason.to_owned());

    let mut operations = OperationServiceClient::new(channel.clone());
    let request = v1::GetOperationRequest { name: "operations/7".into() };
    let error = operations.get_operation(request).await.unwrap_err();
    assert_eq!(reason(error), expected(Code::NotFound, "UNKNOWN_RESOURCE"));
    let request = v1::GetOperationRequest { name: "seven".into() };
    let error = operations.get_operation(request).await.unwrap_err();
    assert_eq!(reason(error), expected(Code::InvalidArgument, "INVALID_FIELD"));

    let mut build = BuildServiceClient::new(channel.clone());
    let error = build.check(v1::CheckRequest::default()).await.unwrap_err();
    assert_eq!(reason(error), expected(Code::InvalidArgument, "INVALID_FIELD"));

    let mut run = RunServiceClient::new(channel.clone());
    let stdin = v1::RunRequest { input: Some(v1::run_request::Input::Signal(2)) };
    let error = run.run(tokio_stream::iter([stdin])).await.unwrap_err();
    assert_eq!(reason(error), expected(Code::InvalidArgument, "INVALID_FIELD"));
    drop((operations, build, run, channel));
    service.must_end().await;
}

#[tokio::test]
async fn a_failed_operation_ends_with_its_event_and_its_status() {
    let (service, channel) = Private::start().await;
    let entry = service.home.path().join("nowhere.vit").to_str().unwrap().to_owned();
    let options = Some(v1::BuildOptions { entry, ..Default::default() });
    let request = v1::BuildRequest { options, request_id: "once".into(), ..Default::default() };
    let mut build = BuildServiceClient::new(channel.clone());
    let mut names = Vec::new();
    // The second call joins the first: same operation, same events.
    for _ in 0..2 {
        let mut events = build.build(request.clone()).await.unwrap().into_inner();
        let mut sequence = 0;
        let error = loop {
            match events.next().await.unwrap() {
                Ok(response) => {
                    let event = response.event.unwrap();
                    sequence += 1;
                    assert_eq!(event.sequence, sequence);
                    names.push(event.operation);
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), Code::NotFound, "{error:?}");
        assert!(error.get_details_error_info().is_some());
    }
    names.dedup();
    assert_eq!(names.len(), 1);
    let mut operations = OperationServiceClient::new(channel.clone());
    let request = v1::GetOperationRequest { name: names.remove(0) };
    let operation = operations.get_operation(request).await.unwrap().into_inner().operation.unwrap();
    assert_eq!(operation.result(), v1::OperationResult::Failed);
    drop((build, operations, channel));
    service.must_end().await;
}

#[tokio::test]
async fn programs_of_a_restricted_workspace_do_not_run() {
    let (service, channel) = Private::start().await;
    let root = service.home.path().to_str().unwrap().to_owned();
    let mut workspaces = WorkspaceServiceClient::new(channel.clone());
    let request =
        v1::OpenWorkspaceRequest { root, trust: v1::Trust::Restricted.into(), ..Default::default() };
    let workspace = workspaces.open_workspace(request).await.unwrap().into_inner().workspace.unwrap();
    let barrier = v1::WaitForFileSystemRequest { name: workspace.name.clone(), timeout: None };
    assert_eq!(workspaces.wait_for_file_system(barrier).await.unwrap().into_inner().clock, 1);

    let options = Some(v1::BuildOptions { workspace: workspace.name, ..Default::default() });
    let start = v1::RunStart { options, ..Default::default() };
    let start = v1::RunRequest { input: Some(v1::run_request::Input::Start(start)) };
    let mut run = RunServiceClient::new(channel.clone());
    let error = run.run(tokio_stream::iter([start])).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert_eq!(error.get_details_error_info().unwrap().reason, "WORKSPACE_NOT_TRUSTED");
    drop((workspaces, run, channel));
    service.must_end().await;
}

#[tokio::test]
async fn shutdown_ends_the_service() {
    let (service, channel) = Private::start().await;
    let mut system = SystemServiceClient::new(channel);
    let answer = system.shutdown(v1::ShutdownRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.pid, service.child.id());
    service.must_end().await;
}
