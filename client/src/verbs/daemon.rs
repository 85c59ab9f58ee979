//! `daemon start|stop|restart|status|logs`.
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use prost::Message;
use tonic::transport::Channel;
use vitte_proto::v1;
use vitte_proto::v1::system_service_client::SystemServiceClient;
use vitte_sys::fs::FileLock;
use vitte_sys::rendezvous::Rendezvous;

use super::{block_on, places};
use crate::cli::{Common, DaemonVerb};
use crate::connect::{self, dial, service_program};
use crate::failure::{Exit, Failure};
use crate::quick;
use crate::report::print_line;

/// Longest wait for a service to end. Above its own longest drain.
const STOP_MAX: Duration = Duration::from_secs(60);
/// A wait longer than this is explained.
const SILENT_MAX: Duration = Duration::from_millis(300);
const STATUS: &str = "/vitte.v1.SystemService/Status";

/// `vitte daemon status`, exactly, by the shortest way; `None` if it is something else or not simple.
pub fn quick_status(args: &[OsString]) -> Option<ExitCode> {
    let [_, daemon, status] = args else { return None };
    if daemon != "daemon" || status != "status" {
        return None;
    }
    let places = places();
    let answer = quick::call(dial(&places).ok()??, STATUS)?;
    let status = v1::StatusResponse::decode(answer.as_slice()).ok()?;
    print_line(&describe(&status, &places)).ok()?;
    Some(ExitCode::SUCCESS)
}

/// Does what `verb` asks.
///
/// # Errors
/// When the service cannot be started, stopped or asked.
pub fn run(common: &Common, verb: DaemonVerb) -> Result<u8, Failure> {
    let places = places();
    match verb {
        DaemonVerb::Start => start(&places),
        DaemonVerb::Stop => {
            let line = match stop(&places)? {
                Some(pid) => format!("stopped (process {pid})"),
                None => "not running".to_owned(),
            };
            print_line(&line).map(|()| 0)
        }
        DaemonVerb::Restart => {
            // One that is of another build, or that does not answer properly, is what this is for.
            stop(&places)?;
            start(&places)
        }
        DaemonVerb::Status => status(common, &places),
        DaemonVerb::Logs { lines, follow } => logs(&places, lines, follow),
    }
}

fn start(places: &Rendezvous) -> Result<u8, Failure> {
    let program = service_program()?;
    let status = block_on(async {
        let channel = connect::resident(places, &program).await?;
        Ok(SystemServiceClient::new(channel).status(v1::StatusRequest {}).await?.into_inner())
    })?;
    print_line(&describe(&status, places)).map(|()| 0)
}

/// Asks the service to end and waits until it has; its process id, or `None` if there was none.
fn stop(places: &Rendezvous) -> Result<Option<u32>, Failure> {
    let pid = match dial(places)? {
        None => None,
        Some(socket) => Some(block_on(async {
            let channel = connect::channel(socket).await?;
            Ok(SystemServiceClient::new(channel).shutdown(v1::ShutdownRequest::default()).await?.into_inner())
        })?),
    };
    if !places.lock().exists() {
        return Ok(None);
    }
    let began = Instant::now();
    let mut explained = false;
    // The lock is the service's life: once it is ours, the service is gone.
    loop {
        if FileLock::try_exclusive(&places.lock())?.is_some() {
            return Ok(pid.map(|answer| answer.pid));
        }
        if began.elapsed() > STOP_MAX {
            return Err(Failure::new(Exit::TryAgain, "the service does not end")
                .help("`vitte daemon logs` says what it waits for"));
        }
        if !explained && began.elapsed() > SILENT_MAX && io::stderr().is_terminal() {
            explained = true;
            let running = pid.as_ref().map_or(0, |answer| answer.operations_running);
            let _ = writeln!(io::stderr(), "waiting for {running} running operations; Ctrl-C leaves");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn status(common: &Common, places: &Rendezvous) -> Result<u8, Failure> {
    let Some(socket) = dial(places)? else {
        let line = if common.json { r#"{"state":"stopped"}"# } else { "not running" };
        print_line(line)?;
        return Ok(Exit::Unavailable as u8);
    };
    let (status, info) = block_on(async {
        let mut client = SystemServiceClient::new(connect::channel(socket).await?);
        let status = client.status(v1::StatusRequest {}).await?.into_inner();
        Ok((status, client.info(v1::InfoRequest {}).await?.into_inner()))
    })?;
    if common.json {
        let line = serde_json::json!({
            "state": state(&status),
            "version": status.version,
            "pid": status.pid,
            "uptime_seconds": status.uptime.unwrap_or_default().seconds,
            "connections": status.connections,
            "operations_running": status.operations_running,
            "operations_finished": status.operations_finished,
            "workspaces": status.workspaces,
            "watched_folders": status.watched_folders,
            "watch_overflows": status.watch_overflows,
            "watch_troubles": status.watch_troubles.iter().map(trouble_json).collect::<Vec<_>>(),
            "watch_troubles_hidden": status.watch_troubles_hidden,
            "socket": info.socket,
            "log": info.log,
            "build_id": info.build_id,
            "resident_bytes": info.resident_bytes,
            "memory_budget_bytes": info.memory_budget_bytes,
            "workspaces_in_memory": info.workspaces_in_memory,
            "workspaces_forgotten": info.workspaces_forgotten,
        });
        print_line(&line.to_string())?;
        return Ok(0);
    }
    print_line(&describe(&status, places))?;
    print_line(&describe_memory(&info))?;
    if common.verbose {
        let v1::InfoResponse { build_id, log, .. } = info;
        print_line(&format!("log     {log}\nbuild   {build_id}"))?;
    }
    Ok(0)
}

fn describe_memory(info: &v1::InfoResponse) -> String {
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1048576.0);
    let mut text = format!("memory  {}", mebibytes(info.resident_bytes));
    if info.memory_budget_bytes > 0 {
        text += &format!(" of a budget of {}", mebibytes(info.memory_budget_bytes));
    }
    let workspaces = if info.workspaces_in_memory == 1 { "workspace" } else { "workspaces" };
    text += &format!(", {} {workspaces}", info.workspaces_in_memory);
    if info.workspaces_forgotten > 0 {
        text += &format!(", {} forgotten for want of room", info.workspaces_forgotten);
    }
    text
}

fn state(status: &v1::StatusResponse) -> &'static str {
    match status.state() {
        v1::ServiceState::Serving => "running",
        v1::ServiceState::Draining => "draining",
        v1::ServiceState::Unspecified => "unknown",
    }
}

fn describe(status: &v1::StatusResponse, places: &Rendezvous) -> String {
    let v1::StatusResponse { version, pid, uptime, operations_running, operations_finished, .. } = status;
    let seconds = uptime.unwrap_or_default().seconds;
    let uptime = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    };
    let state = state(status);
    let mut text = format!(
        "{state} (version {version}, process {pid}, for {uptime}): {operations_running} operations running, \
         {operations_finished} finished\nsocket  {}",
        places.socket().display()
    );
    for v1::WatchTrouble { path, reason, help } in &status.watch_troubles {
        let path = if path.is_empty() { "everything" } else { path };
        text.push_str(&format!("\nnot watched  {path}: {reason}\n       help  {help}"));
    }
    if status.watch_troubles_hidden > 0 {
        text.push_str(&format!("\nnot watched  {} more folders", status.watch_troubles_hidden));
    }
    text
}

fn trouble_json(trouble: &v1::WatchTrouble) -> serde_json::Value {
    let v1::WatchTrouble { path, reason, help } = trouble;
    serde_json::json!({"path": path, "reason": reason, "help": help})
}

/// The log, from the service, or from the file when there is no service to ask.
fn logs(places: &Rendezvous, lines: u32, follow: bool) -> Result<u8, Failure> {
    let Some(socket) = dial(places)? else {
        let path = places.log().ok_or_else(|| Failure::new(Exit::BadInput, "there is no log"))?;
        let bytes = vitte_sys::fs::read(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        for line in &all[all.len().saturating_sub(lines as usize)..] {
            print_line(line)?;
        }
        return Ok(0);
    };
    block_on(async {
        let channel: Channel = connect::channel(socket).await?;
        let request = v1::LogsRequest { tail_lines: lines, follow };
        let mut stream = SystemServiceClient::new(channel).logs(request).await?.into_inner();
        while let Some(v1::LogsResponse { lines }) = stream.message().await? {
            for line in lines {
                print_line(&line)?;
            }
        }
        Ok(0)
    })
}
