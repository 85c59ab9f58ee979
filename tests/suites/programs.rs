//! The language tests: each program under `tests/programs` is compiled and run, and what it does
//! is compared with the files beside it. `tests/programs/README.md` describes those files.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use vitte_tests::corpus::{self, Program, Test, compare, conclude};
use vitte_tests::home::Home;
use vitte_tests::process;

/// Generous: the machine may be busy and the compiler a debug build. It ends what never ends.
const LIMIT: Duration = Duration::from_secs(120);

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
    let way = |through: Through| -> (String, Arc<Test>) {
        let test = move |program: &Program, home: &Home| match program.sidecar_text("diag")? {
            Some(expected) => check(program, home, through, &expected),
            None => execute(program, home, through),
        };
        (through.name().to_owned(), Arc::new(test))
    };
    corpus::run_suite(Program::all(), &[way(Through::Service), way(Through::NoDaemon)])
}

fn execute(program: &Program, home: &Home, through: Through) -> Result<(), String> {
    let arguments = program.arguments()?;
    let mut command = home.vitte();
    command.current_dir(&program.root).args(through.flags()).arg("run").arg(&program.path);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    program.judge(&process::run(command, &program.input()?, LIMIT)?)
}

fn check(program: &Program, home: &Home, through: Through, expected: &str) -> Result<(), String> {
    let check = |format: &str| {
        let mut command = home.vitte();
        command
            .current_dir(&program.root)
            .args(through.flags())
            .args(["check", "--error-format", format])
            .arg(&program.path);
        process::run(command, b"", LIMIT)
    };
    let outcome = check("short")?;
    let path = program.path.to_string_lossy();
    let actual: Vec<String> = outcome
        .stdout_text()
        .lines()
        .chain(outcome.stderr_text().lines())
        .filter_map(|line| short_diagnostic(line, &path))
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
    if let Some(texts) = program.sidecar_text("text")? {
        let human = check("human")?;
        let shown = human.stdout_text() + &human.stderr_text();
        for text in texts.lines().filter(|text| !shown.contains(text)) {
            problems.push_str(&format!("`{text}` is not in the messages:\n{shown}\n"));
        }
    }
    conclude(&problems, &outcome)
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
