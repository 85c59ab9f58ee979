//! The real `vitted` under the service manager's protocol: the socket is handed over, and readiness,
//! health and the end are told. `systemd-socket-activate` plays the manager; no running systemd is needed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// The next note that is not about health, which may come at any time.
fn note(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 512];
    loop {
        let length = manager.recv(&mut buffer).unwrap();
        let note = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if note != "WATCHDOG=1" {
            return note;
        }
    }
}

fn kill(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn the_manager_hands_a_socket_over_and_hears_of_us() {
    if Command::new("systemd-socket-activate").arg("--version").output().is_err() {
        eprintln!("SKIP: systemd-socket-activate is not installed");
        return;
    }
    let home = TempDir::new().unwrap();
    let runtime = home.path().join("run");
    let folder = runtime.join("vitte/default");
    for folder in [&runtime, &runtime.join("vitte"), &folder] {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
    }
    let socket = folder.join("vitted.sock");
    let notify = home.path().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let variables = [
        ("HOME", home.path()),
        ("XDG_RUNTIME_DIR", runtime.as_path()),
        ("NOTIFY_SOCKET", notify.as_path()),
        ("WATCHDOG_USEC", std::path::Path::new("200000")),
    ];
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--listen").arg(&socket).arg("--fdname=grpc");
    for (name, value) in variables {
        command.env(name, value).arg(format!("--setenv={name}={}", value.display()));
    }
    let mut child =
        command.arg(env!("CARGO_BIN_EXE_vitted")).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The first connection starts the service; the manager's socket keeps it until then.
    let start = Instant::now();
    let _client = loop {
        match UnixStream::connect(&socket) {
            Ok(client) => break client,
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => {
                let _ = child.kill();
                panic!("nobody listens: {error}");
            }
        }
    };
    assert_eq!(note(&manager), "READY=1");
    assert_eq!(note(&manager), "STATUS=serving");
    let mut buffer = [0; 512];
    for _ in 0..3 {
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"WATCHDOG=1");
    }
    kill(&child, "-TERM");
    assert_eq!(note(&manager), "STOPPING=1");
    assert!(child.wait().unwrap().success());
    assert!(socket.exists(), "the socket is the manager's");
}
