//! Runs a command to its end within a time limit.
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit status, or 128 plus the signal that ended it, as a shell counts.
    pub status: i32,
    /// All it wrote to standard output.
    pub stdout: Vec<u8>,
    /// All it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// Standard output as text; bytes that are not UTF-8 show as U+FFFD.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; bytes that are not UTF-8 show as U+FFFD.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Runs `command` with `input` as its standard input.
///
/// The output pipes may outlive the command: a service it started could hold them. Their readers
/// are therefore waited for only within the limit as well.
///
/// # Errors
/// When it cannot be started or does not end within `limit`; it is then killed.
pub fn run(mut command: Command, input: &[u8], limit: Duration) -> Result<Outcome, String> {
    let deadline = Instant::now() + limit;
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A command that does not read its input closes the pipe; that is its right.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let Some(status) =
        wait(&mut child, deadline).map_err(|error| format!("cannot wait for {name}: {error}"))?
    else {
        drop(child.kill());
        drop(child.wait());
        return Err(format!("{name} did not end within {limit:?}"));
    };
    let gather = |reader: Option<Reader>| match reader {
        Some(reader) => reader
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| format!("{name} ended, but something still holds its output after {limit:?}")),
        None => Ok(Vec::new()),
    };
    Ok(Outcome { status: shell_status(status), stdout: gather(stdout)?, stderr: gather(stderr)? })
}

type Reader = std::sync::mpsc::Receiver<Vec<u8>>;

fn collect(mut pipe: impl Read + Send + 'static) -> Reader {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error still counts.
        drop(pipe.read_to_end(&mut bytes));
        drop(sender.send(bytes));
    });
    receiver
}

fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn shell_status(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().unwrap_or(-1)
}
