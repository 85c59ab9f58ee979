//! The real `vitte` against the real `vitted`: starting, sharing, losing and replacing the service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::{Home, vitted};

/// A user with an empty home and runtime directory, whose service dies with it.
struct User {
    home: Home,
}

impl User {
    fn new() -> Self {
        Self { home: Home::new() }
    }

    fn runtime(&self) -> PathBuf {
        self.home.path().join("run")
    }

    fn folder(&self) -> PathBuf {
        self.runtime().join("vitte/default")
    }

    fn command(&self, args: &[&str]) -> Command {
        self.home.vitte(args)
    }

    fn vitte(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.vitte(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn pid(&self) -> u32 {
        let status: serde_json::Value =
            serde_json::from_str(&self.ok(&["daemon", "status", "--json"])).unwrap();
        status["pid"].as_u64().unwrap() as u32
    }
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_wrong_flag_is_a_usage_error_with_a_suggestion() {
    let user = User::new();
    for (args, hint) in [
        (vec!["check", "--deny-warning", "a.vit"], "--deny-warnings"),
        (vec!["bulid"], "build"),
        (vec!["run", "-O7", "a.vit"], "0..=3"),
        (vec!["run", "--timeout", "never", "a.vit"], "number of seconds"),
    ] {
        let output = user.vitte(&args);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {output:?}");
        assert!(stderr(&output).contains(hint), "{args:?}: {output:?}");
    }
    assert!(user.ok(&["help", "run"]).contains("Examples"));
    assert!(user.ok(&["run", "--help"]).contains("Examples"));
}

#[test]
fn the_service_starts_serves_and_stops() {
    let user = User::new();
    let status = user.vitte(&["daemon", "status"]);
    assert_eq!((status.status.code(), status.stdout.as_slice()), (Some(69), b"not running\n".as_slice()));
    assert!(user.ok(&["daemon", "start"]).contains("running"));
    assert!(user.ok(&["daemon", "status"]).starts_with("running (version "));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(user.folder()), mode(user.folder().join("vitted.sock"))), (0o700, 0o600));
    let first = user.pid();
    user.ok(&["daemon", "restart"]);
    assert_ne!(user.pid(), first);
    assert!(user.ok(&["daemon", "logs"]).contains("serving"));
    assert!(user.ok(&["daemon", "stop"]).starts_with("stopped"));
    assert!(!user.folder().join("vitted.sock").exists());
    assert_eq!(user.ok(&["daemon", "stop"]), "not running\n");
    assert!(user.ok(&["daemon", "logs", "-n", "1"]).contains("stopped"));
}

#[test]
fn two_clients_at_once_start_one_service() {
    let user = User::new();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            user.command(&["doctor", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for client in clients {
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(stderr(&output), "");
    }
    assert_eq!(user.ok(&["daemon", "logs"]).matches("serving").count(), 1);
}

#[test]
fn a_stale_socket_is_replaced() {
    let user = User::new();
    for folder in [user.runtime().join("vitte"), user.folder()] {
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    }
    drop(UnixListener::bind(user.folder().join("vitted.sock")).unwrap());
    user.ok(&["doctor"]);
    assert!(user.pid() > 0);
}

#[test]
fn a_killed_service_is_replaced_at_once() {
    let user = User::new();
    let rounds = std::env::var("VITTE_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20);
    user.ok(&["daemon", "start"]);
    for round in 0..rounds {
        let pid = user.pid();
        signal(pid, "-KILL");
        let began = Instant::now();
        let output = user.vitte(&["doctor"]);
        assert!(output.status.success() && output.stderr.is_empty(), "round {round}: {output:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "round {round}: {:?}", began.elapsed());
        assert_ne!(user.pid(), pid);
    }
}

#[test]
fn a_socket_path_that_is_too_long_is_named_and_worked_around() {
    let user = User::new();
    let long = user.home.path().join("x".repeat(120));
    fs::create_dir(&long).unwrap();
    let output = user.command(&["daemon", "start"]).env("XDG_RUNTIME_DIR", &long).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(
        stderr(&output).contains("107 bytes") && stderr(&output).contains("XDG_RUNTIME_DIR"),
        "{output:?}"
    );
    let output = user.command(&["doctor"]).env("XDG_RUNTIME_DIR", &long).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
}

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let user = User::new();
    fs::create_dir(user.runtime().join("vitte")).unwrap();
    fs::set_permissions(user.runtime().join("vitte"), Permissions::from_mode(0o755)).unwrap();
    let output = user.vitte(&["daemon", "start"]);
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert!(stderr(&output).contains("0700"), "{output:?}");
    fs::set_permissions(user.runtime().join("vitte"), Permissions::from_mode(0o700)).unwrap();
    user.ok(&["daemon", "start"]);
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let user = User::new();
    let folder = user.runtime().join("vitte");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    if std::os::unix::fs::chown(&folder, Some(65_534), None).is_err() {
        eprintln!("SKIP: only root can give a folder away");
        return;
    }
    let output = user.vitte(&["daemon", "start"]);
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert!(stderr(&output).contains("another user"), "{output:?}");
}

#[test]
fn a_private_service_leaves_no_trace() {
    let user = User::new();
    let doctor = user.ok(&["doctor", "--no-daemon"]);
    assert!(doctor.contains("private"), "{doctor}");
    assert!(!user.runtime().join("vitte").exists());
}

#[test]
fn a_service_of_another_build_is_not_used() {
    let user = User::new();
    user.ok(&["daemon", "start"]);
    let copy = user.home.path().join("vitted");
    fs::copy(vitted(), &copy).unwrap();
    let output = user.command(&["doctor"]).env("VITTED", &copy).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stderr(&output).lines().count(), 1, "{output:?}");
    assert!(
        stderr(&output).contains("another build") && stderr(&output).contains("daemon restart"),
        "{output:?}"
    );
}

#[test]
fn a_missing_service_is_said_so() {
    let user = User::new();
    let output = user.command(&["doctor"]).env("VITTED", "/no/such/vitted").output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(stderr(&output).contains("/no/such/vitted"), "{output:?}");
}

#[test]
fn wrong_settings_are_named() {
    let user = User::new();
    let folder = user.home.path().join(".config/vitte");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "[service]\ncompile_threads = 0\n").unwrap();
    let output = user.vitte(&["daemon", "start"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("service.compile_threads"), "{output:?}");
}

#[test]
fn a_signal_drains_the_service() {
    let user = User::new();
    user.ok(&["daemon", "start"]);
    signal(user.pid(), "-TERM");
    let began = Instant::now();
    while user.folder().join("vitted.sock").exists() {
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(5));
    }
    user.ok(&["doctor"]);
    assert_eq!(user.ok(&["daemon", "logs"]).matches("serving").count(), 2);
}

#[test]
fn homes_have_services_of_their_own() {
    let user = User::new();
    user.ok(&["daemon", "start"]);
    let other = user.home.path().join("other");
    let run = |args: &[&str]| user.command(args).env("VITTE_HOME", &other).output().unwrap();
    assert!(run(&["daemon", "start"]).status.success());
    assert_eq!(fs::read_dir(user.runtime().join("vitte")).unwrap().count(), 2);
    assert!(other.join("state/vitted.log").is_file());
    assert!(run(&["daemon", "stop"]).status.success());
}

#[test]
fn a_new_package_is_made_once() {
    let user = User::new();
    assert!(user.ok(&["new", "demo"]).contains("demo"));
    assert!(user.home.path().join("demo/vitte-package.json").is_file());
    assert_eq!(user.vitte(&["new", "demo"]).status.code(), Some(65));
    assert_eq!(user.vitte(&["new", "Demo"]).status.code(), Some(64));
}
