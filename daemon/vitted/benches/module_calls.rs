//! Calls of modules through the service beside its health check: of an empty function of WebAssembly (bad above
//! 1.10x) and of a native library in a process of its own (bad above 1.35x).
//!
//! All on one connection over a Unix socket, calls interleaved, medians: `cargo bench -p vitted --bench module_calls`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::panic)]

mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::{Running, channel, median};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use vitte_loader::{LoaderConfig, ModuleLoader, NativeOptions};
use vitte_proto::v1;
use vitte_proto::v1::module_service_client::ModuleServiceClient;
use vitte_sys::sandbox::Rung;

const ROUNDS: usize = 10_000;
/// The argument that makes this binary a library's process.
const RUN: &str = "run-library";

/// `(module (func (export "f")))`
const EMPTY: &[u8] =
    b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x05\x01\x01f\0\0\x0a\x04\x01\x02\0\x0b";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(RUN) {
        return vitte_loader::runner_main();
    }
    // `cargo test --benches` only wants to know that it compiles.
    if std::env::args().any(|arg| arg == "--bench") {
        common::run(compare());
    }
    ExitCode::SUCCESS
}

async fn call(
    client: &mut ModuleServiceClient<Channel>,
    module: &str,
    function: &str,
    wave: &str,
) -> Duration {
    let request = v1::CallRequest {
        module: module.to_owned(),
        function: function.to_owned(),
        arguments: Some(v1::call_request::Arguments::Wave(wave.to_owned())),
        ..v1::CallRequest::default()
    };
    let began = Instant::now();
    client.call(request).await.unwrap();
    began.elapsed()
}

async fn compare() {
    let home = tempfile::tempdir().unwrap();
    let modules = ModuleLoader::with_config(LoaderConfig {
        native: Some(NativeOptions {
            command: vec![std::env::current_exe().unwrap().into(), RUN.into()],
            folder: home.path().join("native"),
            memory_bytes_max: 1 << 30,
            rung_min: Rung::Limits,
        }),
        while_busy: vitted::in_place::give_way,
        ..LoaderConfig::default()
    });
    let (empty, table) = (home.path().join("empty.wasm"), home.path().join("c.vitffi"));
    std::fs::write(&empty, EMPTY).unwrap();
    modules.load_file(&empty).unwrap();
    std::fs::write(
        &table,
        "vitffi = 1\nlibrary = 'libc.so.6'\n[functions.abs]\nparams = ['n: int']\nresult = 'int'\n",
    )
    .unwrap();
    let is_native = modules.load_file(&table).is_ok();
    if !is_native {
        println!("SKIP: no libc.so.6");
    }
    let running = Running::begin(home.path(), modules);
    let channel = channel(&running.socket).await;
    let mut health = HealthClient::new(channel.clone());
    let mut client = ModuleServiceClient::new(channel);

    let (mut checks, mut empties, mut natives) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let began = Instant::now();
        health.check(HealthCheckRequest { service: String::new() }).await.unwrap();
        let check = began.elapsed();
        let empty = call(&mut client, "empty", "f", "()").await;
        let native = if is_native { call(&mut client, "c", "abs", "(-7)").await } else { Duration::ZERO };
        // The first calls warm caches and branch predictors up.
        if round > ROUNDS / 10 {
            checks.push(check);
            empties.push(empty);
            natives.push(native);
        }
    }
    running.end().await;
    let (check, empty, native) = (median(checks), median(empties), median(natives));
    let ratio = |time: Duration| time.as_secs_f64() / check.as_secs_f64();
    println!("health check {check:?}");
    println!("empty WebAssembly function {empty:?}, ratio {:.3} (bad above 1.10)", ratio(empty));
    if is_native {
        println!("native library's process {native:?}, ratio {:.3} (bad above 1.35)", ratio(native));
    }
}
