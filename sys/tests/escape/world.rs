//! What stands around a confined program: files, sockets and processes that it must not reach.
use std::io::{self, BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use vitte_sys::process::{Child, Command, Limits, Stdio};
use vitte_sys::sandbox::{Policy, Rung};

use crate::attempts::{self, Attempt, CANNOT, ESCAPED, REFUSED};

const SECRET: &str = "do not read this";

/// Why `rung` cannot be reached here; `None` when it can.
pub fn missing(rung: Rung) -> Option<String> {
    let mut command = Command::new("/bin/true");
    command.sandbox(Policy::new(rung).at_most(rung).system());
    match command.spawn(Limits::default()) {
        Ok(mut child) => {
            let status = child.wait().unwrap();
            assert!(status.success(), "/bin/true on {rung:?}: {status}");
            assert_eq!(child.confinement().rung, rung);
            None
        }
        Err(error) => Some(error.to_string()),
    }
}

struct World {
    folder: tempfile::TempDir,
    victim: Child,
    tcp: TcpListener,
    udp: UdpSocket,
    listener: UnixListener,
    datagrams: UnixDatagram,
    abstract_listener: UnixListener,
    segment: i32,
    stamp: (SystemTime, u32),
}

impl World {
    fn make() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        for name in ["inside", "outside", "outside/empty"] {
            std::fs::create_dir(path(name))?;
        }
        std::fs::write(path("outside/secret"), SECRET)?;
        std::fs::write(path("readable"), SECRET)?;
        std::fs::copy("/bin/true", path("outside/program"))?;
        let mut sleep = Command::new("/bin/sleep");
        sleep.arg("1000").stdin(Stdio::null()).stdout(Stdio::null());
        let victim = sleep.spawn(Limits::default()).map_err(|error| error.source)?;
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let listener = UnixListener::bind(path("outside/socket"))?;
        let datagrams = UnixDatagram::bind(path("outside/datagrams"))?;
        let name = format!("vitte-escape-{}", path("x").display());
        let abstract_listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        datagrams.set_nonblocking(true)?;
        abstract_listener.set_nonblocking(true)?;
        // SAFETY: makes a segment; no memory of ours is touched.
        let segment = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, 0o600) };
        let stamp = stamp(&path("outside/secret"))?;
        Ok(Self { folder, victim, tcp, udp, listener, datagrams, abstract_listener, segment, stamp })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What has changed outside.
    fn damage(&self) -> Option<String> {
        let secret = self.path("outside/secret");
        if std::fs::read_to_string(&secret).ok().as_deref() != Some(SECRET) {
            return Some("the secret has changed".into());
        }
        if stamp(&secret).ok() != Some(self.stamp) {
            return Some("the secret's metadata has changed".into());
        }
        if std::fs::read_to_string(self.path("readable")).ok().as_deref() != Some(SECRET) {
            return Some("the read-only file has changed".into());
        }
        let mut names: Vec<_> = std::fs::read_dir(self.path("outside"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort();
        if names != ["datagrams", "empty", "program", "secret", "socket"] {
            return Some(format!("files outside: {names:?}"));
        }
        if vitte_sys::process::peek_end(self.victim.id()).ok() != Some(None) {
            return Some("the victim has ended".into());
        }
        let mut byte = [0; 1];
        let reached = [
            ("TCP", self.tcp.accept().is_ok()),
            ("UDP", self.udp.recv(&mut byte).is_ok()),
            ("a socket path", self.listener.accept().is_ok()),
            ("a datagram path", self.datagrams.recv(&mut byte).is_ok()),
            ("an abstract socket", self.abstract_listener.accept().is_ok()),
        ];
        reached.iter().find(|(_, reached)| *reached).map(|(what, _)| format!("it reached {what}"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.victim.kill_tree();
        let _ = self.victim.wait();
        // SAFETY: removes the segment made above; nobody here has it mapped.
        unsafe { libc::shmctl(self.segment, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

fn stamp(path: &Path) -> io::Result<(SystemTime, u32)> {
    let metadata = path.metadata()?;
    Ok((metadata.modified()?, metadata.permissions().mode()))
}

/// Tries `attempt` on `rung`: an error when anything got out.
pub fn try_attempt(attempt: &Attempt, rung: Rung) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let world = World::make().map_err(text)?;
    // An open descriptor without the close-on-exec flag, as careless code leaves them.
    let careless = std::fs::File::open(world.path("outside/secret")).map_err(text)?;
    // SAFETY: clears the flag of a descriptor that is ours.
    unsafe { libc::fcntl(careless.as_raw_fd(), libc::F_SETFD, 0) };
    let mut command = Command::new(std::env::current_exe().map_err(text)?);
    let name = format!("vitte-escape-{}", world.path("x").display());
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("VITTE_ATTEMPT", attempt.name)
        .env("INSIDE", world.path("inside"))
        .env("OUTSIDE", world.path("outside"))
        .env("READABLE", world.path("readable"))
        // The supervisor's only child is the program itself.
        .env("VICTIM", child_of(world.victim.id()).unwrap_or(world.victim.id()).to_string())
        .env("SERVICE", std::process::id().to_string())
        .env("TCP_PORT", world.tcp.local_addr().map_err(text)?.port().to_string())
        .env("UDP_PORT", world.udp.local_addr().map_err(text)?.port().to_string())
        .env("ABSTRACT", name)
        .env("SEGMENT", world.segment.to_string())
        .current_dir(world.path("inside"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .sandbox(
            Policy::new(rung).at_most(rung).system().read(world.path("readable")).write(world.path("inside")),
        );
    let mut child = match command.spawn((attempt.limits)()) {
        Ok(child) => child,
        Err(error) => {
            // A limit that this machine cannot hold is refused, not forgotten.
            eprintln!("SKIP {rung:?}::{}: {error}", attempt.name);
            return Ok(());
        }
    };
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    // A program that never ran, or never came as far as the attempt, was not kept in by the sandbox.
    let mut first = String::new();
    output.read_line(&mut first).map_err(text)?;
    if first != attempts::begins(attempt.name) {
        child.kill_tree();
        let status = child.wait().map_err(text)?;
        return Err(format!("the attempt never ran: {status}, it said {first:?}"));
    }
    let mut said = String::new();
    if attempt.left_running {
        // It says the id of a process that it would like to survive; then all of it is killed.
        output.read_line(&mut said).map_err(text)?;
        child.kill_tree();
        let status = child.wait().map_err(text)?;
        if survivors(&world.path("inside")) > 0 {
            return Err(format!("something survived ({status})"));
        }
        return world.damage().map_or(Ok(()), Err);
    }
    output.read_to_string(&mut said).map_err(text)?;
    let status = child.wait().map_err(text)?;
    match status.code() {
        // A signal is how limits and filters end it.
        Some(REFUSED) | None => {}
        Some(ESCAPED) => return Err(format!("escaped: {said}")),
        Some(CANNOT) => eprintln!("SKIP {rung:?}::{}: {}", attempt.name, said.trim()),
        Some(_) => return Err(format!("the attempt itself failed: {status}")),
    }
    world.damage().map_or(Ok(()), Err)
}

/// The first child of a process.
fn child_of(process: u32) -> Option<u32> {
    for _ in 0..100 {
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().ok();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// How many processes work in `folder`, after those that are ending have had a moment.
fn survivors(folder: &Path) -> usize {
    let count = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        processes
            .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
            .count()
    };
    for _ in 0..50 {
        if count() == 0 {
            return 0;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    count()
}
