//! The language tests on WebAssembly: each program under `tests/programs` that runs is built for both widths of
//! memory, and run by `node`, whose WASI is nothing of ours. It prints what it prints natively, or it is refused with a
//! diagnostic that names the system calls that WebAssembly has not. So it is with bytecode, lowered to WebAssembly.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use vitte_tests::corpus::{self, Program, Test};
use vitte_tests::home::Home;
use vitte_tests::process::{self, Outcome};

/// Generous: the machine may be busy and the compiler a debug build.
const LIMIT: Duration = Duration::from_secs(120);
/// Folders of programs that need system calls; others must not be refused.
const MAY_BE_REFUSED: [&str; 1] = ["os"];

/// Programs that call functions of the C library which are none of ours, and must be refused.
const CALL_C: [&str; 1] = ["unsafe/calls_c.vit"];

/// Programs that are built but not run: they make links to absolute paths, which hosts of WASI refuse.
const NOT_FOR_HOSTS: [&str; 1] = ["os/directories.vit"];

/// Runs the module that is named first with the arguments that follow.
const RUNNER: &str = r"
const { WASI } = require('node:wasi');
const fs = require('node:fs');
const [file, ...args] = process.argv.slice(1);
const preopens = { '/': '/', '.': '.' };
const wasi = new WASI({ version: 'preview1', args: ['program', ...args], env: process.env, preopens, returnOnExit: true });
const module = new WebAssembly.Module(fs.readFileSync(file));
const instance = new WebAssembly.Instance(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
";

#[derive(Clone, Copy)]
enum Product {
    Wasm32,
    Wasm64,
    Bytecode,
}

impl Product {
    fn name(self) -> &'static str {
        match self {
            Self::Wasm32 => "wasm32",
            Self::Wasm64 => "wasm64",
            Self::Bytecode => "vbc",
        }
    }
}

fn main() -> ExitCode {
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_node {
        println!("SKIP running the modules: there is no `node` on this machine; they are only built");
    }
    let way = |product: Product| -> (String, Arc<Test>) {
        (product.name().to_owned(), Arc::new(move |program, home| run(program, product, home, has_node)))
    };
    let ways = [Product::Wasm32, Product::Wasm64, Product::Bytecode].map(way);
    corpus::run_suite(Program::running(), &ways)
}

fn run(program: &Program, product: Product, home: &Home, has_node: bool) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("program");
    let mut build = home.vitte();
    build
        .current_dir(&program.root)
        .args(["build", "--emit", product.name(), "-o"])
        .arg(&file)
        .arg(&program.path);
    let built = process::run(build, b"", LIMIT)?;
    if built.status != 0 {
        return refused(program, &built);
    }
    if let Product::Bytecode = product {
        let bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
        let verified = vitte_bytecode::load(&bytes).map_err(|report| report.to_string())?;
        let lowered = vitte_bytecode::lower(&verified, vitte_bytecode::InternalExports::No);
        std::fs::write(&file, lowered.wasm).map_err(|error| error.to_string())?;
    }
    let may_run = !NOT_FOR_HOSTS.iter().any(|name| program.path == Path::new(name));
    if !has_node || !may_run {
        return Ok(());
    }
    let mut command = Command::new("node");
    command
        .current_dir(&program.root)
        .args(["--no-warnings", "--experimental-wasm-memory64", "-e", RUNNER])
        .arg(&file)
        .args(program.arguments()?);
    program.judge(&process::run(command, &program.input()?, LIMIT)?)
}

/// A program that cannot be built says which functions it wants, and for which target they are not there.
fn refused(program: &Program, built: &Outcome) -> Result<(), String> {
    let said = built.stderr_text();
    let calls_c = CALL_C.iter().any(|name| program.path == Path::new(name));
    let system = MAY_BE_REFUSED.contains(&program.topic().as_str()) && said.contains("` calls `rt_");
    let messages: Vec<&str> = said.lines().filter(|line| line.starts_with("error[")).collect();
    let are_clear = !messages.is_empty()
        && messages.iter().all(|line| line.starts_with("error[LNK0059]: the program calls "));
    if (system || calls_c) && are_clear && built.status == 2 {
        Ok(())
    } else {
        Err(format!("status {}\n{said}", built.status))
    }
}
