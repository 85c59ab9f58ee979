//! A home with a folder of source files, for suites that write their programs themselves.
#![allow(clippy::panic)] // What fails here fails the test that called it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::binaries::{self, Binaries};
use crate::home::Home;
use crate::process::{self, Outcome};

/// Longest time for one command; it ends what never ends.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The smallest program that prints.
pub const HELLO: &str = "proc main() -> int {\n    println(\"hello\")\n    give 0\n}\n";

/// A private service and a folder to work in.
#[derive(Debug)]
pub struct Stage {
    home: Home,
    work: PathBuf,
}

impl Stage {
    /// A new one. The service starts with the first command.
    ///
    /// # Panics
    /// When the binaries cannot be built or the folders cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let home = Home::new(binaries()).unwrap_or_else(|error| panic!("no home: {error}"));
        let work = home.path().join("work");
        std::fs::create_dir(&work).unwrap_or_else(|error| panic!("no folder to work in: {error}"));
        Self { home, work }
    }

    /// The folder that commands run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.work
    }

    /// The home around it.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Writes a file below the folder and makes the folders on the way to it.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, contents))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// A command of the client in the folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.vitte();
        command.current_dir(&self.work).args(arguments);
        command
    }

    /// Runs the client to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn vitte(&self, arguments: &[&str]) -> Outcome {
        end(self.command(arguments))
    }

    /// Fails the test unless the service still serves a good program at once.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_works(&self) {
        self.write("still_works.vit", HELLO);
        let outcome = self.vitte(&["run", "still_works.vit"]);
        assert_eq!(
            (outcome.status, outcome.stdout_text().as_str()),
            (0, "hello\n"),
            "afterwards a good program does not run: {}",
            outcome.stderr_text()
        );
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a command to its end, without input.
///
/// # Panics
/// When it does not end in time.
pub fn end(command: Command) -> Outcome {
    process::run(command, b"", LIMIT).unwrap_or_else(|error| panic!("{error}"))
}

/// The binaries, built once for all tests of a suite.
///
/// # Panics
/// When they cannot be built.
pub fn binaries() -> &'static Binaries {
    static FOUND: OnceLock<Binaries> = OnceLock::new();
    FOUND.get_or_init(|| binaries::find().unwrap_or_else(|error| panic!("{error}")))
}
