//! Programs for other machines, run: the language's own tests are built for each target and must print under an emulator what
//! they print here. What cannot run here is read by tools that are not ours.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]
mod common;
mod wasi; // a host for modules

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use common::worker_command;
use vitte_driver::link::Toolbox;
use vitte_driver::{BuildRequest, CancellationToken, Driver, Event};

/// Not a test: what the embedded linker's worker process runs.
#[test]
#[ignore = "the worker process of the other tests"]
fn worker() {
    vitte_driver::worker_main();
}

/// Programs of each topic that say something about a machine: calls, floats, memory, files, and how programs end.
const PROGRAMS: [&str; 16] = [
    "cross/inventory",
    "floats/arithmetic",
    "floats/f32",
    "floats/printing",
    "floats/special_values",
    "large/bank",
    "large/json",
    "large/lru_cache",
    "large/matrices",
    "large/sudoku",
    "large/tokenizer",
    "os/bytes",
    "os/descriptors",
    "os/simple",
    "io/lines",
    "strings/conversions",
];

/// What the machine or its emulator has not: these are about processes, locks or other things of a real Linux.
const LINUX_ONLY: [&str; 3] = ["os/descriptors", "os/simple", "io/lines"];

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs").canonicalize().unwrap()
}

/// All programs that run, with `VITTE_CROSS_ALL`; else those above that are there.
fn chosen() -> Vec<String> {
    let root = programs();
    if std::env::var_os("VITTE_CROSS_ALL").is_none() {
        let there = |name: &&&str| root.join(name).with_extension("vit").is_file();
        return PROGRAMS.iter().filter(there).map(|name| (*name).to_owned()).collect();
    }
    let mut found = Vec::new();
    for topic in std::fs::read_dir(&root).unwrap() {
        let topic = topic.unwrap().path();
        let Ok(files) = std::fs::read_dir(&topic) else { continue };
        for file in files {
            let file = file.unwrap().path();
            let is_program = file.extension().is_some_and(|extension| extension == "stdout");
            if is_program && file.with_extension("vit").is_file() {
                let name = file.with_extension("");
                found.push(name.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn driver() -> &'static Driver {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    DRIVER.get_or_init(|| Driver::with_tools(worker_command(), Toolbox::from_environment()))
}

/// The program at `output`, or the diagnostics.
fn build(entry: &Path, target: &str, output: &Path) -> Result<PathBuf, Vec<String>> {
    let told = std::sync::Mutex::new(Vec::new());
    let sink = |event: Event| {
        if let Event::Diagnostic(diagnostic) = event {
            told.lock()
                .unwrap()
                .push(format!("{}: {} {:?}", diagnostic.code, diagnostic.message, diagnostic.notes));
        }
    };
    let request = BuildRequest {
        entry: Some(entry.into()),
        cwd: programs(),
        target: Some(target.into()),
        output: Some(output.into()),
        ..BuildRequest::default()
    };
    let outcome = driver().build(&request, &sink, &CancellationToken::new());
    match outcome {
        Ok(outcome) if outcome.errors == 0 => Ok(outcome.executable.unwrap()),
        Ok(_) => Err(told.into_inner().unwrap()),
        Err(error) => panic!("{}: {error}", entry.display()),
    }
}

fn has(tool: &str) -> bool {
    which::which(tool).is_ok()
}

/// The loader of wine, which Debian keeps outside of `PATH`.
fn wine() -> Option<PathBuf> {
    let places = ["/usr/lib/wine/wine64", "/usr/bin/wine64"];
    places.iter().map(PathBuf::from).find(|path| path.is_file())
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(String::from).collect()
}

fn run(mut command: Command, program: &Path) -> Output {
    let stdin = std::fs::File::open(program.with_extension("stdin"))
        .unwrap_or_else(|_| std::fs::File::open("/dev/null").unwrap());
    command
        .args(lines(&program.with_extension("args")))
        .stdin(stdin)
        .current_dir(programs())
        .output()
        .unwrap()
}

/// Builds and runs every program; `skipped` are built only if they can be.
fn check(target: &str, skipped: &[&str], start: impl Fn(&Path) -> Command) {
    check_by(target, skipped, |executable, program| {
        let output = run(start(executable), program);
        let ended = output.status.code().unwrap_or_else(|| {
            use std::os::unix::process::ExitStatusExt;
            128 + output.status.signal().unwrap_or_default()
        });
        (ended, output.stdout, output.stderr)
    });
}

/// The same, with who runs a program and gives its status, output and errors.
fn check_by(target: &str, skipped: &[&str], run: impl Fn(&Path, &Path) -> (i32, Vec<u8>, Vec<u8>)) {
    let folder = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    let mut ran = 0;
    for name in chosen() {
        let program = programs().join(&name).with_extension("vit");
        let executable = match build(&program, target, &folder.path().join("program.exe")) {
            Ok(executable) => executable,
            Err(told) if told.iter().all(|line| line.starts_with("LNK0059")) => continue,
            Err(told) => panic!("{name}: {told:#?}"),
        };
        if skipped.contains(&name.as_str()) {
            continue;
        }
        let (ended, stdout, stderr) = run(&executable, &program);
        let wanted = std::fs::read(program.with_extension("stdout")).unwrap_or_default();
        let status = lines(&program.with_extension("status")).first().map_or(0, |line| line.parse().unwrap());
        let printed = String::from_utf8_lossy(&stdout).replace("\r\n", "\n");
        if printed.as_bytes() != wanted || ended != status {
            let errors = String::from_utf8_lossy(&stderr).into_owned();
            failed.push(format!("{name}: status {ended} for {status}\n{printed}\n{errors}"));
        }
        ran += 1;
    }
    assert!(failed.is_empty(), "{} of {ran} failed:\n{}", failed.len(), failed.join("\n\n"));
    eprintln!("{target}: {ran} programs ran");
    assert!(ran > 5);
}

#[test]
fn aarch64_linux_programs_print_what_they_print_here() {
    if !has("qemu-aarch64") {
        eprintln!("SKIP: there is no `qemu-aarch64`; apt-get install qemu-user");
        return;
    }
    check("aarch64-linux", &[], |program| {
        let mut command = Command::new("qemu-aarch64");
        command.arg(program);
        command
    });
}

#[test]
fn riscv64_linux_programs_print_what_they_print_here() {
    if !has("qemu-riscv64") {
        eprintln!("SKIP: there is no `qemu-riscv64`; apt-get install qemu-user");
        return;
    }
    check("riscv64-linux", &[], |program| {
        let mut command = Command::new("qemu-riscv64");
        command.arg(program);
        command
    });
}

#[test]
fn windows_programs_print_what_they_print_here() {
    let Some(wine) = wine() else {
        eprintln!("SKIP: there is no `wine64`; apt-get install wine64");
        return;
    };
    // Its registry and folders, made once; not in anybody's home.
    let prefix = std::env::temp_dir().join("vitte-cross-wine");
    std::fs::create_dir_all(&prefix).unwrap();
    check("x86_64-windows", &LINUX_ONLY, |program| {
        let mut command = Command::new(&wine);
        command.arg(program).env("WINEPREFIX", &prefix).env("WINEDEBUG", "-all");
        command
    });
}

/// Under wasmtime in this process, with memories of both widths.
fn check_wasm(target: &str) {
    check_by(target, &LINUX_ONLY, |module, program| {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("tmp")).unwrap();
        let stdin = std::fs::read(program.with_extension("stdin")).unwrap_or_default();
        let args = lines(&program.with_extension("args"));
        let ended = wasi::run(&std::fs::read(module).unwrap(), &args, stdin, root.path());
        (ended.status, ended.stdout, ended.stderr)
    });
}

#[test]
fn wasm32_programs_print_what_they_print_here() {
    check_wasm("wasm32");
}

#[test]
fn wasm64_programs_print_what_they_print_here() {
    check_wasm("wasm64");
}

/// Who reads the file is the library that other tools are made with, and the tools of LLVM.
fn read_by_others(executable: &Path, bytes: &[u8]) {
    use object::{Object, ObjectSection};
    let file = object::File::parse(bytes).unwrap();
    assert_eq!((file.format(), file.kind()), (object::BinaryFormat::MachO, object::ObjectKind::Executable));
    assert!(file.is_64() && file.is_little_endian() && file.entry() != 0);
    let text = file.section_by_name("__text").unwrap();
    assert!(text.size() > 1000 && !text.data().unwrap().is_empty());
    let imports = file.imports().unwrap();
    assert!(imports.iter().any(|import| import.name() == b"_write"), "{imports:?}");
    assert!(imports.iter().all(|import| import.library().ends_with(b"libSystem.B.dylib")), "{imports:?}");
    // The entry of a Mach-O file is an offset.
    let (start, size) = text.file_range().unwrap();
    assert!((start..start + size).contains(&file.entry()), "the program begins in its text");
    // Debian has it in the folder of its version alone.
    let beside =
        (13..30).rev().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin/llvm-otool")));
    let otool = which::which("llvm-otool").ok().or_else(|| beside.into_iter().find(|path| path.is_file()));
    let Some(otool) = otool else {
        eprintln!("SKIP: there is no `llvm-otool`; apt-get install llvm");
        return;
    };
    let otool = |flag: &str| {
        let output = Command::new(&otool).arg(flag).arg(executable).output().unwrap();
        assert!(output.status.success(), "{flag}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(otool("-L").contains("/usr/lib/libSystem.B.dylib"));
    let commands = otool("-l");
    for wanted in ["LC_MAIN", "LC_CODE_SIGNATURE", "LC_BUILD_VERSION", "LC_LOAD_DYLINKER", "__LINKEDIT"] {
        assert!(commands.contains(wanted), "{wanted}\n{commands}");
    }
    assert!(otool("-h").contains("0xfeedfacf"));
}

/// What macOS would refuse can be seen without it: the signature covers every page, tools of LLVM read the headers, and
/// every name is imported from the one library.
#[test]
fn macos_programs_are_whole_and_signed() {
    use sha2::{Digest, Sha256};
    let folder = tempfile::tempdir().unwrap();
    let program = programs().join("cross/inventory.vit");
    for (target, cpu) in [("aarch64-apple-darwin", 0x0100_000c), ("x86_64-macos", 0x0100_0007)] {
        let executable = build(&program, target, &folder.path().join("inventory")).unwrap();
        let bytes = std::fs::read(&executable).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4), word(12)), (0xfeed_facf, cpu, 2));
        let mut at = 32;
        let mut signature = None;
        for _ in 0..word(16) {
            if word(at) == 0x1d {
                signature = Some((word(at + 8) as usize, word(at + 12) as usize));
            }
            at += word(at + 4) as usize;
        }
        assert_eq!(at, 32 + word(20) as usize, "the commands fill their place");
        let (start, size) = signature.unwrap();
        assert_eq!(start + size, bytes.len());
        let big = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let directory = start + big(start + 16) as usize;
        assert_eq!((big(start), big(directory), big(directory + 12)), (0xfade_0cc0, 0xfade_0c02, 0x2_0002));
        assert_eq!(big(directory + 32) as usize, start, "everything before the signature is signed");
        let hashes = directory + big(directory + 16) as usize;
        for (page, contents) in bytes[..start].chunks(4096).enumerate() {
            let known = &bytes[hashes + page * 32..][..32];
            assert_eq!(known, Sha256::digest(contents).as_slice(), "page {page}");
        }
        read_by_others(&executable, &bytes);
        if !has("llvm-objdump") {
            eprintln!("SKIP: there is no `llvm-objdump`; apt-get install llvm");
            continue;
        }
        let objdump = |arguments: &[&str]| {
            let output = Command::new("llvm-objdump").args(arguments).arg(&executable).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let bound = objdump(&["--macho", "--bind"]);
        assert!(
            bound.contains("_write") && bound.contains("_open") && bound.contains("libSystem"),
            "{bound}"
        );
        assert!(objdump(&["--macho", "--rebase"]).contains("pointer"));
        assert!(objdump(&["--macho", "--private-headers"]).contains("LC_MAIN"));
        assert!(objdump(&["--macho", "--dylibs-used"]).contains("/usr/lib/libSystem.B.dylib"));
        assert!(objdump(&["-d", "--no-show-raw-insn"]).len() > 10_000);
    }
}

/// The same program and target give the same bytes in another folder and by another driver; different targets differ.
#[test]
fn equal_programs_give_equal_bytes_for_each_target() {
    let text = std::fs::read(programs().join("large/bank.vit")).unwrap();
    let mut known: Vec<Vec<u8>> = Vec::new();
    for target in ["aarch64-linux", "riscv64-linux", "x86_64-windows", "aarch64-macos", "x86_64-macos"] {
        let made: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join("bank.vit"), &text).unwrap();
                let request = BuildRequest {
                    entry: Some("bank.vit".into()),
                    cwd: folder.path().into(),
                    target: Some(target.into()),
                    output: Some("out".into()),
                    ..BuildRequest::default()
                };
                let outcome = Driver::default().build(&request, &|_| {}, &CancellationToken::new()).unwrap();
                std::fs::read(outcome.executable.unwrap()).unwrap()
            })
            .collect();
        assert!(made[0] == made[1], "{target}");
        assert!(!known.contains(&made[0]));
        known.push(made[0].clone());
    }
}

#[test]
fn targets_that_cannot_be_had_are_refused_with_the_reason() {
    for (target, reason) in [("aarch64-pc-windows-msvc", "UNSUPPORTED_TARGET"), ("pdp11", "UNKNOWN_TARGET")] {
        let request = BuildRequest {
            entry: Some(programs().join("large/bank.vit")),
            cwd: programs(),
            target: Some(target.into()),
            ..BuildRequest::default()
        };
        let told = Driver::default().build(&request, &|_| {}, &CancellationToken::new()).unwrap_err();
        assert!(format!("{told:?}").contains(reason), "{told:?}");
    }
}
