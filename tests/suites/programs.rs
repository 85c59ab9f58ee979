//! The language tests: each program under `tests/programs` is compiled and run, and what it does
//! is compared with the files beside it. `tests/programs/README.md` describes those files.
#![allow(clippy::print_stderr)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use vitte_tests::home::Home;
use vitte_tests::process::{self, Outcome};
use vitte_tests::{binaries, diff};

/// Generous: the machine may be busy and the compiler a debug build. It ends what never ends.
const LIMIT: Duration = Duration::from_secs(120);
const SIDECARS: [&str; 7] = ["stdout", "stderr", "status", "args", "stdin", "diag", "text"];

/// One program and what is expected of it.
#[derive(Clone)]
struct Case {
    root: PathBuf,
    /// Relative to `root`, as given on the command line.
    program: PathBuf,
}

/// How the client reaches an engine.
#[derive(Clone, Copy)]
enum Through {
    Service,
    NoDaemon,
}

impl Through {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Service => &[],
            Self::NoDaemon => &["--no-daemon"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::NoDaemon => "no-daemon",
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = binaries::tests_folder().join("programs");
    let filter = std::env::var("VITTE_TEST_FILTER").unwrap_or_default();
    let cases = match discover(&root) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("cannot read {}: {error}", root.display());
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
    for case in cases {
        for through in [Through::Service, Through::NoDaemon] {
            let name = format!("{} ({})", case.name(), through.name());
            if !name.contains(&filter) {
                continue;
            }
            let case = case.clone();
            let home = home.clone();
            trials.push(Trial::test(name, move || match &home {
                Some(home) => case.run(home, through).map_err(Failed::from),
                None => Ok(()),
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(home);
    conclusion.exit_code()
}

/// Every program with at least one file of expectations beside it, in order of path. Programs
/// without are modules of others.
fn discover(root: &Path) -> std::io::Result<Vec<Case>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "vit")
                && SIDECARS.iter().any(|sidecar| path.with_extension(sidecar).is_file())
            {
                found.insert(path);
            }
        }
    }
    Ok(found
        .into_iter()
        .filter_map(|path| path.strip_prefix(root).ok().map(Path::to_path_buf))
        .map(|program| Case { root: root.to_path_buf(), program })
        .collect())
}

impl Case {
    /// `topic/name`, or `topic/name` for `topic/name/main.vit`.
    fn name(&self) -> String {
        let name = self.program.with_extension("").to_string_lossy().replace('\\', "/");
        name.strip_suffix("/main").map_or_else(|| name.clone(), str::to_owned)
    }

    fn sidecar(&self, extension: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.root.join(&self.program).with_extension(extension);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    fn sidecar_text(&self, extension: &str) -> Result<Option<String>, String> {
        self.sidecar(extension)?
            .map(|bytes| String::from_utf8(bytes).map_err(|_| format!("the .{extension} file is not UTF-8")))
            .transpose()
    }

    fn run(&self, home: &Home, through: Through) -> Result<(), String> {
        match self.sidecar_text("diag")? {
            Some(expected) => self.check(home, through, &expected),
            None => self.execute(home, through),
        }
    }

    fn execute(&self, home: &Home, through: Through) -> Result<(), String> {
        let status: i32 = match self.sidecar_text("status")? {
            Some(text) => {
                text.trim().parse().map_err(|_| format!("the .status file holds `{}`", text.trim()))?
            }
            None => 0,
        };
        let arguments = self.sidecar_text("args")?.unwrap_or_default();
        let input = self.sidecar("stdin")?.unwrap_or_default();
        let mut command = home.vitte();
        command.current_dir(&self.root).args(through.flags()).arg("run").arg(&self.program);
        if !arguments.is_empty() {
            command.arg("--").args(arguments.lines());
        }
        let outcome = process::run(command, &input, LIMIT)?;
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
        conclude(&problems, &outcome)
    }

    fn check(&self, home: &Home, through: Through, expected: &str) -> Result<(), String> {
        let check = |format: &str| {
            let mut command = home.vitte();
            command
                .current_dir(&self.root)
                .args(through.flags())
                .args(["check", "--error-format", format])
                .arg(&self.program);
            process::run(command, b"", LIMIT)
        };
        let outcome = check("short")?;
        let program = self.program.to_string_lossy();
        let actual: Vec<String> = outcome
            .stdout_text()
            .lines()
            .chain(outcome.stderr_text().lines())
            .filter_map(|line| short_diagnostic(line, &program))
            .collect();
        let wanted: Vec<&str> = expected.lines().collect();
        let mut problems = String::new();
        let same = wanted.len() == actual.len()
            && wanted.iter().zip(&actual).all(|(pattern, text)| glob(pattern.as_bytes(), text.as_bytes()));
        if !same {
            let wanted = wanted.iter().map(|line| format!("{line}\n")).collect::<String>();
            let actual = actual.iter().map(|line| format!("{line}\n")).collect::<String>();
            compare("diagnostics", &wanted, &actual, &mut problems);
        }
        let status = i32::from(expected.lines().any(|line| !line.starts_with("warning ")));
        if outcome.status != status {
            problems.push_str(&format!("status {}, expected {status}\n", outcome.status));
        }
        if let Some(texts) = self.sidecar_text("text")? {
            let human = check("human")?;
            let shown = human.stdout_text() + &human.stderr_text();
            for text in texts.lines().filter(|text| !shown.contains(text)) {
                problems.push_str(&format!("`{text}` is not in the messages:\n{shown}\n"));
            }
        }
        conclude(&problems, &outcome)
    }
}

/// `file:line:column: SEVERITY[CODE]: message` as a line of a `.diag` file, with the file before the
/// place if it is not the program's own.
fn short_diagnostic(line: &str, program: &str) -> Option<String> {
    let mut end = 0;
    // A path may hold colons: the place is the first `:number:number: severity[CODE]:` after it.
    loop {
        end += line.get(end..)?.find(':')?;
        let mut fields = line[end + 1..].splitn(4, ':');
        let (row, column, kind) = (fields.next()?, fields.next()?, fields.next()?.trim());
        let numbers =
            [row, column].iter().all(|field| !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit()));
        let code = kind.strip_suffix(']').and_then(|kind| kind.split_once('['));
        if let (true, Some((severity, code))) = (numbers, code) {
            let file = line[..end].trim_start_matches("./");
            let file = if file == program { String::new() } else { format!("{file}:") };
            let severity = if severity == "error" { String::new() } else { format!("{severity} ") };
            return Some(format!("{severity}{file}{row}:{column} {code}"));
        }
        end += 1;
    }
}

/// Whether `text` fits `pattern`, in which `?` stands for any one byte and `*` for any bytes.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if glob(rest, text) => true,
        (Some((b'*', _)), Some((_, tail))) => glob(pattern, tail),
        (Some((wanted, rest)), Some((byte, tail))) if *wanted == b'?' || wanted == byte => glob(rest, tail),
        _ => false,
    }
}

fn compare(what: &str, expected: &str, actual: &str, problems: &mut String) {
    let shown = diff::unified(expected, actual);
    if !shown.is_empty() {
        problems.push_str(&format!("{what} differs:\n{shown}"));
    }
}

/// The problems, followed by the end of what the command said, which often explains them.
fn conclude(problems: &str, outcome: &Outcome) -> Result<(), String> {
    if problems.is_empty() {
        return Ok(());
    }
    let said = outcome.stderr_text();
    let lines: Vec<&str> = said.lines().collect();
    let end = lines[lines.len().saturating_sub(40)..].join("\n");
    Err(format!("{problems}stderr was:\n{end}"))
}
