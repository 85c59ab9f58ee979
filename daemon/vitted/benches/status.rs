//! A status call through all the middleware beside a bare tonic echo of the same payload; more than
//! 1.1x would be bad.
//!
//! Both servers in this process, each on a Unix socket, calls interleaved, medians:
//! `cargo bench -p vitted --bench status`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::{Running, channel, median};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use vitte_loader::ModuleLoader;
use vitte_proto::v1;
use vitte_proto::v1::system_service_client::SystemServiceClient;
use vitte_proto::v1::system_service_server::{SystemService, SystemServiceServer};

const ROUNDS: usize = 20_000;

/// Answers every status call with the same message, and nothing else.
struct Echo(v1::StatusResponse);

type NoLogs = tokio_stream::Empty<Result<v1::LogsResponse, Status>>;

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented(""))
}

#[tonic::async_trait]
impl SystemService for Echo {
    type LogsStream = NoLogs;
    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
    async fn info(&self, _: Request<v1::InfoRequest>) -> Result<Response<v1::InfoResponse>, Status> {
        nothing()
    }
    async fn list_clients(
        &self,
        _: Request<v1::ListClientsRequest>,
    ) -> Result<Response<v1::ListClientsResponse>, Status> {
        nothing()
    }
    async fn get_config(
        &self,
        _: Request<v1::GetConfigRequest>,
    ) -> Result<Response<v1::GetConfigResponse>, Status> {
        nothing()
    }
    async fn logs(&self, _: Request<v1::LogsRequest>) -> Result<Response<NoLogs>, Status> {
        nothing()
    }
    async fn doctor(&self, _: Request<v1::DoctorRequest>) -> Result<Response<v1::DoctorResponse>, Status> {
        nothing()
    }
    async fn shutdown(
        &self,
        _: Request<v1::ShutdownRequest>,
    ) -> Result<Response<v1::ShutdownResponse>, Status> {
        nothing()
    }
}

async fn time(client: &mut SystemServiceClient<Channel>) -> Duration {
    let began = Instant::now();
    client.status(v1::StatusRequest {}).await.unwrap();
    began.elapsed()
}

fn main() {
    // `cargo test --benches` only wants to know that it compiles.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    common::run(compare());
}

async fn compare() {
    let home = tempfile::tempdir().unwrap();
    let running = Running::begin(home.path(), ModuleLoader::new());
    let mut ours = SystemServiceClient::new(channel(&running.socket).await);

    let echo_path = home.path().join("echo.sock");
    let listener = UnixListenerStream::new(UnixListener::bind(&echo_path).unwrap());
    let payload = ours.status(v1::StatusRequest {}).await.unwrap().into_inner();
    let echoing = Server::builder().add_service(SystemServiceServer::new(Echo(payload)));
    let echoing = tokio::spawn(echoing.serve_with_incoming(listener));
    let mut theirs = SystemServiceClient::new(channel(&echo_path).await);

    let (mut ours_times, mut theirs_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (a, b) = (time(&mut ours).await, time(&mut theirs).await);
        // The first calls warm caches and branch predictors up.
        if round > ROUNDS / 10 {
            ours_times.push(a);
            theirs_times.push(b);
        }
    }
    running.end().await;
    echoing.abort();
    let (ours, theirs) = (median(ours_times), median(theirs_times));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("status {ours:?}, bare echo {theirs:?}, ratio {ratio:.3} (bad above 1.1)");
}
