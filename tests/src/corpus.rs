//! The language tests under `tests/programs`: which there are, and what is expected of each.
//! `tests/programs/README.md` describes the files beside a program.
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::home::Home;
use crate::process::Outcome;
use crate::{binaries, diff};

/// Extensions of the files that say what is expected.
const SIDECARS: [&str; 7] = ["stdout", "stderr", "status", "args", "stdin", "diag", "text"];

/// One program and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// The folder of all programs, in which commands run.
    pub root: PathBuf,
    /// Relative to `root`, as given on the command line.
    pub path: PathBuf,
}

impl Program {
    /// Every program with at least one file of expectations beside it, in order of path. Programs without are
    /// modules of others.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn all() -> std::io::Result<Vec<Self>> {
        let root = binaries::tests_folder().join("programs");
        let mut found = BTreeSet::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "vit")
                    && SIDECARS.iter().any(|sidecar| path.with_extension(sidecar).is_file())
                    && let Ok(path) = path.strip_prefix(&root)
                {
                    found.insert(Self { root: root.clone(), path: path.to_path_buf() });
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Those of [`Program::all`] that are run, not only checked.
    ///
    /// # Errors
    /// As [`Program::all`].
    pub fn running() -> std::io::Result<Vec<Self>> {
        let mut all = Self::all()?;
        all.retain(|program| !program.root.join(&program.path).with_extension("diag").is_file());
        Ok(all)
    }

    /// `topic/name`, or `topic/name` for `topic/name/main.vit`.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.path.with_extension("").to_string_lossy().replace('\\', "/");
        name.strip_suffix("/main").map_or_else(|| name.clone(), str::to_owned)
    }

    /// The first folder of its path.
    #[must_use]
    pub fn topic(&self) -> String {
        self.path
            .components()
            .next()
            .map_or_else(String::new, |topic| topic.as_os_str().to_string_lossy().into_owned())
    }

    /// The file beside it with that extension; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sidecar(&self, extension: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.root.join(&self.path).with_extension(extension);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// As [`Program::sidecar`], as text.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn sidecar_text(&self, extension: &str) -> Result<Option<String>, String> {
        self.sidecar(extension)?
            .map(|bytes| String::from_utf8(bytes).map_err(|_| format!("the .{extension} file is not UTF-8")))
            .transpose()
    }

    /// Its arguments.
    ///
    /// # Errors
    /// As [`Program::sidecar_text`].
    pub fn arguments(&self) -> Result<Vec<String>, String> {
        Ok(self.sidecar_text("args")?.unwrap_or_default().lines().map(String::from).collect())
    }

    /// What it reads from standard input.
    ///
    /// # Errors
    /// As [`Program::sidecar`].
    pub fn input(&self) -> Result<Vec<u8>, String> {
        Ok(self.sidecar("stdin")?.unwrap_or_default())
    }

    /// Compares what a run did with what is expected.
    ///
    /// # Errors
    /// What differs, followed by the end of what the run said, which often explains it.
    pub fn judge(&self, outcome: &Outcome) -> Result<(), String> {
        let status: i32 = match self.sidecar_text("status")? {
            Some(text) => {
                text.trim().parse().map_err(|_| format!("the .status file holds `{}`", text.trim()))?
            }
            None => 0,
        };
        let mut problems = String::new();
        if outcome.status != status {
            problems.push_str(&format!("status {}, expected {status}\n", outcome.status));
        }
        let expected = self.sidecar_text("stdout")?.unwrap_or_default();
        compare("stdout", &expected, &outcome.stdout_text(), &mut problems);
        // Without expectations standard error is free: warnings and progress stand there too.
        if let Some(expected) = self.sidecar_text("stderr")? {
            compare("stderr", &expected, &outcome.stderr_text(), &mut problems);
        }
        conclude(&problems, outcome)
    }
}

/// Adds the difference of two texts, if there is one.
pub fn compare(what: &str, expected: &str, actual: &str, problems: &mut String) {
    let shown = diff::unified(expected, actual);
    if !shown.is_empty() {
        problems.push_str(&format!("{what} differs:\n{shown}"));
    }
}

/// The problems, followed by the end of what the command said.
///
/// # Errors
/// When there are any.
pub fn conclude(problems: &str, outcome: &Outcome) -> Result<(), String> {
    if problems.is_empty() {
        return Ok(());
    }
    let said = outcome.stderr_text();
    let lines: Vec<&str> = said.lines().collect();
    let end = lines[lines.len().saturating_sub(40)..].join("\n");
    Err(format!("{problems}stderr was:\n{end}"))
}

/// One way to test a program.
pub type Test = dyn Fn(&Program, &Home) -> Result<(), String> + Send + Sync;

/// Runs a suite over programs: each in every one of `ways`, which have names. `VITTE_TEST_FILTER` is part of the names
/// of those that are wanted. All share one home.
#[must_use]
#[allow(clippy::print_stderr)] // a suite has no other way to say why it cannot begin
pub fn run_suite(programs: std::io::Result<Vec<Program>>, ways: &[(String, Arc<Test>)]) -> ExitCode {
    let arguments = Arguments::from_args();
    let filter = std::env::var("VITTE_TEST_FILTER").unwrap_or_default();
    let programs = match programs {
        Ok(programs) => programs,
        Err(error) => {
            eprintln!("cannot read the programs: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Listing must not build or start anything.
    let home = if arguments.list {
        None
    } else {
        let made = binaries::find().and_then(|found| Home::new(&found).map_err(|error| error.to_string()));
        match made {
            Ok(home) => Some(Arc::new(home)),
            Err(error) => {
                eprintln!("cannot prepare the service under test: {error}");
                return ExitCode::FAILURE;
            }
        }
    };
    let mut trials = Vec::new();
    for program in programs {
        for (way, test) in ways {
            let name = format!("{} ({way})", program.name());
            if !name.contains(&filter) {
                continue;
            }
            let (program, home, test) = (program.clone(), home.clone(), Arc::clone(test));
            trials.push(Trial::test(name, move || match &home {
                Some(home) => test(&program, home).map_err(Failed::from),
                None => Ok(()),
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(home);
    conclusion.exit_code()
}
