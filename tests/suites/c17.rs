//! The language tests by way of C: each program under `tests/programs` that runs is built with `--backend c17`, and does
//! what it does otherwise. Some are also compiled with the sanitizers of the C compiler, which find what a run
//! does not show: memory that is used after it was freed or never freed, and what C leaves undefined. With
//! `VITTE_TEST_SANITIZERS=all` all of them are.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use vitte_tests::corpus::{self, Program, Test};
use vitte_tests::home::Home;
use vitte_tests::process;

/// Generous: the machine may be busy and the compiler a debug build.
const LIMIT: Duration = Duration::from_secs(120);
/// Of so many programs one is run with sanitizers, where not all are asked for.
const SANITIZED: usize = 16;
/// What the library of system calls needs is not at hand for a C compiler.
const SYSTEM_CALLS: &str = "VIT_C(\"rt_";

fn main() -> ExitCode {
    if !Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("SKIP c17: there is no `cc` on this machine");
        return ExitCode::SUCCESS;
    }
    let all = std::env::var_os("VITTE_TEST_SANITIZERS").is_some_and(|value| value == "all");
    let every = if all { 1 } else { SANITIZED };
    let run: Arc<Test> = Arc::new(run);
    let sanitize: Arc<Test> = Arc::new(move |program, home| {
        // By its name, so that a new program does not change the choice.
        let number: usize = program.name().bytes().map(usize::from).sum();
        if number.is_multiple_of(every) { sanitize(program, home) } else { Ok(()) }
    });
    corpus::run_suite(Program::running(), &[("c17".to_owned(), run), ("sanitizers".to_owned(), sanitize)])
}

fn run(program: &Program, home: &Home) -> Result<(), String> {
    let mut command = home.vitte();
    command.current_dir(&program.root).args(["run", "--backend", "c17"]).arg(&program.path);
    let arguments = program.arguments()?;
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    program.judge(&process::run(command, &program.input()?, LIMIT)?)
}

fn sanitize(program: &Program, home: &Home) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (source, executable) = (folder.path().join("program.c"), folder.path().join("program"));
    let mut emit = home.vitte();
    emit.current_dir(&program.root).args(["build", "--emit", "c17", "-o"]).arg(&source).arg(&program.path);
    succeed(emit)?;
    let text = std::fs::read_to_string(&source).map_err(|error| error.to_string())?;
    if text.contains(SYSTEM_CALLS) {
        return Ok(());
    }
    compile(&source, &executable)?;
    let mut command = Command::new(&executable);
    command.current_dir(&program.root).args(program.arguments()?);
    let mut outcome = process::run(command, &program.input()?, LIMIT)?;
    let said = outcome.stderr_text();
    if said.contains("Sanitizer") || said.contains("runtime error") {
        return Err(said);
    }
    // The sanitizer's own handlers turn some signals into statuses; a panic ends the process by one.
    if let Some(expected) = program.sidecar_text("status")?.and_then(|text| text.trim().parse().ok())
        && expected >= 128
        && outcome.status != 0
    {
        outcome.status = expected;
    }
    program.judge(&outcome)
}

fn compile(source: &Path, executable: &Path) -> Result<(), String> {
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c17", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]);
    compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    compiler.arg(source).arg("-o").arg(executable).arg("-lm");
    succeed(compiler)
}

fn succeed(command: Command) -> Result<(), String> {
    let outcome = process::run(command, b"", LIMIT)?;
    if outcome.status == 0 { Ok(()) } else { Err(outcome.stderr_text()) }
}
