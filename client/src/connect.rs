//! Reaching a service: the resident one, started if need be, or a private one for this command.
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};
use vitte_proto::v1::InfoRequest;
use vitte_proto::v1::system_service_client::SystemServiceClient;
use vitte_sys::fs::FileLock;
use vitte_sys::rendezvous::{Rendezvous, executable_identity};
use vitte_sys::{Op, SysError, net};

use crate::failure::{Exit, Failure};

/// Longest wait for a service that starts, or for one that ends.
const START_MAX: Duration = Duration::from_secs(15);
/// How often a service that accepts but does not answer is tried again: it is being killed.
const DYING_ATTEMPTS: u32 = 50;
/// How often a starting or ending service is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(2);
/// A wait longer than this is explained.
const SILENT_MAX: Duration = Duration::from_millis(300);
/// Longest wait for the first answer of a service that accepted the connection.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Which service to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The resident one; a private one if that cannot be had.
    Resident,
    /// A private one.
    Private,
}

/// A channel to a service of our own build.
///
/// `say` is told, in one line, why it is a private one although the resident one was asked for.
///
/// # Errors
/// When neither kind of service can be reached.
pub async fn connect(which: Use, places: &Rendezvous, say: &mut dyn FnMut(&str)) -> Result<Channel, Failure> {
    let program = service_program()?;
    if which == Use::Resident {
        match resident(places, &program).await {
            Ok(channel) => return Ok(channel),
            Err(failure) => {
                let help =
                    if failure.help.is_empty() { String::new() } else { format!("; {}", failure.help) };
                say(&format!("working without the service: {}{help}", failure.message));
            }
        }
    }
    private(&program).await
}

/// The resident service, started if need be and of our own build.
///
/// # Errors
/// When there is none to be had.
pub async fn resident(places: &Rendezvous, program: &Path) -> Result<Channel, Failure> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let attempt = async {
            let channel = channel(dial_or_start(places, program)?).await?;
            handshake(channel.clone(), program).await?;
            Ok(channel)
        };
        match attempt.await {
            // It was killed between our connecting and its answer, and its socket may take a moment to
            // close: there is a new one to be had.
            Err(Failure { exit, .. }) if exit == Exit::Unavailable as u8 && attempts < DYING_ATTEMPTS => {
                tokio::time::sleep(LOOK_PERIOD).await;
            }
            result => return result,
        }
    }
}

/// Checks that the service is the one that we would start.
async fn handshake(channel: Channel, program: &Path) -> Result<(), Failure> {
    let mut client = SystemServiceClient::new(channel);
    let answer = tokio::time::timeout(HANDSHAKE_MAX, client.info(InfoRequest {})).await;
    let answer =
        answer.map_err(|_| Failure::new(Exit::TryAgain, "the service does not answer").help(RESTART))?;
    let info = answer?.into_inner();
    if info.build_id == executable_identity(program)? {
        return Ok(());
    }
    let message =
        format!("the running service (version {}, process {}) is of another build", info.version, info.pid);
    Err(Failure::new(Exit::Configuration, message).help(RESTART))
}

const RESTART: &str = "`vitte daemon restart` replaces it";

/// Connects to the resident service; starts it if none answers.
///
/// # Errors
/// When its directory may not be used, or it does not start in time.
pub fn dial_or_start(places: &Rendezvous, program: &Path) -> Result<UnixStream, Failure> {
    let began = Instant::now();
    let mut explained = false;
    loop {
        if let Some(socket) = dial(places)? {
            return Ok(socket);
        }
        places.prepare().map_err(|error| place_failure(&error))?;
        // Whoever holds the lock is the service, is starting it, or is the service on its way out.
        match FileLock::try_exclusive(&places.lock())? {
            Some(lock) => start(places, program, lock)?,
            None if began.elapsed() > START_MAX => {
                return Err(Failure::new(
                    Exit::Unavailable,
                    "the service holds its lock but does not answer",
                )
                .help("`vitte daemon logs` says what it does; `vitte daemon restart` replaces it"));
            }
            None => {
                if !explained && began.elapsed() > SILENT_MAX {
                    explained = true;
                    explain("waiting for the service to start or end; Ctrl-C leaves");
                }
                std::thread::sleep(LOOK_PERIOD);
            }
        }
    }
}

/// Connects to the resident service; `None` if there is none.
///
/// # Errors
/// When its place cannot be used.
pub fn dial(places: &Rendezvous) -> Result<Option<UnixStream>, Failure> {
    let path = places.socket();
    net::check_socket_path(&path).map_err(|error| place_failure(&error))?;
    match UnixStream::connect(&path) {
        Ok(socket) => {
            // Before a word is said: is it really our own user's service?
            let peer = net::peer_credentials(&socket).map_err(|error| {
                Failure::new(Exit::InputOutput, format!("cannot examine the service: {error}"))
            })?;
            if peer.uid != vitte_sys::process::effective_uid() {
                let message = format!("the service at `{}` belongs to another user", path.display());
                return Err(Failure::new(Exit::NotPermitted, message));
            }
            Ok(Some(socket))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(source) => Err(place_failure(&SysError::new(Op::Connect, &path, source))),
    }
}

fn place_failure(error: &SysError) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NotPermitted,
        io::ErrorKind::InvalidInput => Exit::Configuration,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, error.to_string()).help("set XDG_RUNTIME_DIR to a short path of a folder of your own")
}

/// Starts the service and hands it the lock: from our taking the lock to the service's end nobody else
/// can get it, so two clients at once start one service.
fn start(places: &Rendezvous, program: &Path, lock: FileLock) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::new(Exit::Unavailable, format!("cannot start `{}`: {error}", program.display()))
    };
    let handed_over = lock.give_away()?;
    let (ours, theirs) = io::pipe().map_err(cannot)?;
    let mut command = Command::new(program);
    command
        .args(["--detach", "--lock-stdin"])
        .current_dir("/")
        .stdin(Stdio::from(handed_over))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::null());
    let child = command.spawn().map_err(cannot)?;
    // The command holds our copy of the pipe's other end: without this we would never see its end.
    drop(command);
    let answer = read_line(File::from(OwnedFd::from(ours)), START_MAX).map_err(cannot)?;
    match answer.trim_end() {
        "ready" => Ok(()),
        "" => Err(Failure::new(
            Exit::Unavailable,
            format!("the service (process {}) ended at once", child.id()),
        )
        .help(log_hint(places))),
        why => Err(Failure::new(Exit::Unavailable, why.strip_prefix("failed: ").unwrap_or(why))),
    }
}

fn log_hint(places: &Rendezvous) -> String {
    places.log().map(|log| format!("its log is `{}`", log.display())).unwrap_or_default()
}

/// The first line from `pipe`; empty if it ends before. Waits at most `patience`.
fn read_line(pipe: File, patience: Duration) -> io::Result<String> {
    if !net::wait_readable(&pipe, Some(patience))? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut line = String::new();
    BufReader::new(pipe).read_line(&mut line)?;
    Ok(line)
}

/// A service for this command alone. It ends when the channel does.
async fn private(program: &Path) -> Result<Channel, Failure> {
    let cannot = |error: io::Error| {
        Failure::new(Exit::Unavailable, format!("cannot start `{}`: {error}", program.display()))
    };
    let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
    let mut command = Command::new(program);
    // A group of its own: Ctrl-C is for us to hear, and ours to hand on.
    command.arg("--private").stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).process_group(0);
    command.spawn().map_err(cannot)?;
    drop(command);
    channel(ours).await
}

/// A channel over a connected socket. When the socket closes, so does the channel.
///
/// # Errors
/// When the service does not speak.
pub async fn channel(socket: UnixStream) -> Result<Channel, Failure> {
    let prepared = socket.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(socket));
    let stream = prepared
        .map_err(|error| Failure::new(Exit::InputOutput, format!("cannot use the socket: {error}")))?;
    let stream = Mutex::new(Some(TokioIo::new(stream)));
    let connector = tower::service_fn(move |_: Uri| {
        // One connection only: a service that went away may have taken work with it.
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { stream.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionReset)) }
    });
    Endpoint::from_static("http://localhost")
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .connect_with_connector(connector)
        .await
        .map_err(|error| Failure::new(Exit::Unavailable, format!("the service does not answer: {error}")))
}

/// The service's executable: `VITTED`, else beside our own, else by `PATH`.
///
/// # Errors
/// When there is none.
pub fn service_program() -> Result<PathBuf, Failure> {
    if let Some(program) = std::env::var_os("VITTED").filter(|program| !program.is_empty()) {
        return Ok(program.into());
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("vitted")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("vitted"));
    let found = beside.into_iter().chain(in_path).find(|candidate| vitte_sys::fs::is_executable(candidate));
    found.ok_or_else(|| {
        Failure::new(Exit::Unavailable, "cannot find the service's executable, `vitted`")
            .help("it is usually beside `vitte`; VITTED may name it")
    })
}

fn explain(line: &str) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        // Nobody is there to hear of a closed terminal.
        let _ = writeln!(stderr, "{line}");
    }
}
