//! The language tests on WebAssembly: each program under `tests/programs` that runs is built for both widths of
//! memory, and run by `node`, whose WASI is nothing of ours. It prints what it prints natively, or it is refused with a
//! diagnostic that names the system calls that WebAssembly has not. So it is with bytecode, lowered to WebAssembly.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use vitte_tests::home::Home;
use vitte_tests::process::{self, Outcome};
use vitte_tests::{binaries, diff};

/// Generous: the machine may be busy and the compiler a debug build.
const LIMIT: Duration = Duration::from_secs(120);
/// Folders of programs that need system calls; others must not be refused.
const MAY_BE_REFUSED: [&str; 1] = ["os"];

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

#[derive(Clone)]
struct Case {
    root: PathBuf,
    program: PathBuf,
    product: Product,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = binaries::tests_folder().join("programs");
    let filter = std::env::var("VITTE_TEST_FILTER").unwrap_or_default();
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_node {
        println!("SKIP running the modules: there is no `node` on this machine; they are only built");
    }
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
    let programs = match discover(&root) {
        Ok(programs) => programs,
        Err(error) => {
            eprintln!("cannot read {}: {error}", root.display());
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for program in programs {
        for product in [Product::Wasm32, Product::Wasm64, Product::Bytecode] {
            let case = Case { root: root.clone(), program: program.clone(), product };
            let name = format!("{} ({})", program.with_extension("").display(), product.name());
            if name.contains(&filter) {
                let home = home.clone();
                trials.push(Trial::test(name, move || match &home {
                    Some(home) => case.run(home, has_node).map_err(Failed::from),
                    None => Ok(()),
                }));
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(home);
    conclusion.exit_code()
}

/// Programs that run, in order of path.
fn discover(root: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let beside = |extension: &str| path.with_extension(extension).is_file();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "vit")
                && !beside("diag")
                && ["stdout", "stderr", "status"].into_iter().any(beside)
                && let Ok(program) = path.strip_prefix(root)
            {
                found.insert(program.to_path_buf());
            }
        }
    }
    Ok(found)
}

impl Case {
    fn sidecar(&self, extension: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root.join(&self.program).with_extension(extension)).ok()
    }

    fn text(&self, extension: &str) -> Option<String> {
        self.sidecar(extension).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn run(&self, home: &Home, has_node: bool) -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = folder.path().join("program");
        let mut build = home.vitte();
        build
            .current_dir(&self.root)
            .args(["build", "--emit", self.product.name(), "-o"])
            .arg(&file)
            .arg(&self.program);
        let built = process::run(build, b"", LIMIT)?;
        if built.status != 0 {
            return self.refused(&built);
        }
        if let Product::Bytecode = self.product {
            let bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
            let verified = vitte_bytecode::load(&bytes).map_err(|report| report.to_string())?;
            let lowered = vitte_bytecode::lower(&verified, vitte_bytecode::InternalExports::No);
            std::fs::write(&file, lowered.wasm).map_err(|error| error.to_string())?;
        }
        let may_run = !NOT_FOR_HOSTS.iter().any(|name| self.program == Path::new(name));
        if !has_node || !may_run {
            return Ok(());
        }
        let mut command = Command::new("node");
        command
            .current_dir(&self.root)
            .args(["--no-warnings", "--experimental-wasm-memory64", "-e", RUNNER])
            .arg(&file)
            .args(self.text("args").unwrap_or_default().lines());
        let outcome = process::run(command, &self.sidecar("stdin").unwrap_or_default(), LIMIT)?;
        let status: i32 = self.text("status").map_or(Ok(0), |text| text.trim().parse()).unwrap_or(-1);
        let mut problems = String::new();
        if outcome.status != status {
            problems.push_str(&format!("status {}, expected {status}\n", outcome.status));
        }
        problems.push_str(&diff::unified(&self.text("stdout").unwrap_or_default(), &outcome.stdout_text()));
        if let Some(expected) = self.text("stderr") {
            problems.push_str(&diff::unified(&expected, &outcome.stderr_text()));
        }
        if problems.is_empty() { Ok(()) } else { Err(format!("{problems}{}", outcome.stderr_text())) }
    }

    /// A program that cannot be built says which functions it wants, and for which target they are not there.
    fn refused(&self, built: &Outcome) -> Result<(), String> {
        let said = built.stderr_text();
        let may = self
            .program
            .components()
            .next()
            .is_some_and(|topic| MAY_BE_REFUSED.iter().any(|name| topic.as_os_str() == *name));
        let messages: Vec<&str> = said.lines().filter(|line| line.starts_with("error[")).collect();
        let are_clear = !messages.is_empty()
            && messages.iter().all(|line| line.starts_with("error[LNK0059]: the program calls "))
            && said.contains("` calls `rt_");
        if may && are_clear && built.status == 2 {
            Ok(())
        } else {
            Err(format!("status {}\n{said}", built.status))
        }
    }
}
