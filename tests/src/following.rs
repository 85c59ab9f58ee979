//! A client that goes on running, and what it says meanwhile.
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::stage::LIMIT;

/// A command that runs; killed when dropped. Its methods panic where a test fails.
#[derive(Debug)]
pub struct Following {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Lines of both streams, in the order in which they came.
    lines: Receiver<String>,
    /// Those that were taken.
    pub seen: Vec<String>,
}

#[allow(clippy::unwrap_used, clippy::panic)] // the end of a test
impl Following {
    /// Starts `command`. If its standard input is to be a pipe, [`Following::say`] writes to that.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        read_lines(child.stdout.take().unwrap(), sender.clone());
        read_lines(child.stderr.take().unwrap(), sender);
        let stdin = child.stdin.take();
        Self { child, stdin, lines, seen: Vec::new() }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// For each of `wanted` the next line that holds all its needles; other lines are passed over. They may come in any
    /// order, because those of one stream may overtake those of the other.
    ///
    /// # Panics
    /// When they do not come within [`LIMIT`].
    #[track_caller]
    pub fn lines(&mut self, wanted: &[&[&str]]) -> Vec<String> {
        let deadline = Instant::now() + LIMIT;
        let mut found: Vec<Option<String>> = vec![None; wanted.len()];
        while found.iter().any(Option::is_none) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(error) => panic!("no lines with {wanted:?} ({error}) in\n{}", self.seen.join("\n")),
            };
            self.seen.push(line.clone());
            let fits = |needles: &[&str]| needles.iter().all(|needle| line.contains(needle));
            let place = (0..wanted.len()).find(|&place| found[place].is_none() && fits(wanted[place]));
            if let Some(place) = place {
                found[place] = Some(line);
            }
        }
        found.into_iter().flatten().collect()
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// When that is no pipe, or closed.
    pub fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Its exit status; `None` for a signal.
    ///
    /// # Panics
    /// When it does not end within [`LIMIT`].
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the client does not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stream: impl Read + Send + 'static, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}
