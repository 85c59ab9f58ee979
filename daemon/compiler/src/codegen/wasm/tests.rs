//! Modules are valid, and do what the programs do natively: run by `node` where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::{WasmWidth, program_wasm};
use crate::base::testing::TestDb;
use crate::base::{OptLevel, Options};

const WIDTHS: [WasmWidth; 2] = [WasmWidth::Wasm32, WasmWidth::Wasm64];

/// Reads a module from a file, runs it, and ends as it ends.
const RUNNER: &str = r"
const { WASI } = require('node:wasi');
const fs = require('fs');
const [file, ...args] = process.argv.slice(1);
const wasi = new WASI({ version: 'preview1', args: ['program', ...args], returnOnExit: true });
const module = new WebAssembly.Module(fs.readFileSync(file));
const instance = new WebAssembly.Instance(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
";

fn module(fixture: &str, opt_level: OptLevel, width: WasmWidth) -> Arc<[u8]> {
    let db = TestDb::new(fixture);
    let program = db.program_with(Options { opt_level, debug_info: true, ..Options::default() });
    let module = program_wasm(&db, program, width).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"));
    validate(&module);
    module
}

fn validate(module: &[u8]) {
    if let Err(error) = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(module) {
        panic!("not valid: {error}");
    }
}

/// The output and the status; `None` without `node`.
fn run(module: &[u8], args: &[&str], stdin: &[u8]) -> Option<(Vec<u8>, Vec<u8>, i32)> {
    let folder = tempfile_folder();
    let file = folder.join("program.wasm");
    std::fs::write(&file, module).unwrap();
    let input = folder.join("stdin");
    std::fs::write(&input, stdin).unwrap();
    let output = Command::new("node")
        .args(["--no-warnings", "--experimental-wasm-memory64", "-e", RUNNER])
        .arg(&file)
        .args(args)
        .stdin(std::fs::File::open(&input).unwrap())
        .output();
    std::fs::remove_dir_all(&folder).unwrap();
    let output = output.ok()?;
    Some((output.stdout, output.stderr, output.status.code().unwrap_or(-1)))
}

fn tempfile_folder() -> PathBuf {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("vitte-wasm-{}-{next}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn check(fixture: &str, stdout: &str, status: i32) {
    for width in WIDTHS {
        for level in [OptLevel::O0, OptLevel::O2] {
            let module = module(fixture, level, width);
            if let Some((out, err, code)) = run(&module, &[], b"") {
                let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
                assert_eq!((&*out, code), (stdout, status), "{width:?} {level:?}: {err}");
            }
        }
    }
}

#[test]
fn hello() {
    check("proc main() -> int { println(\"hello\") give 7 }", "hello\n", 7);
}

#[test]
fn corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs");
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    let mut topics: Vec<_> = std::fs::read_dir(&root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    topics.sort();
    for topic in topics {
        let mut files: Vec<_> = std::fs::read_dir(&topic).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.strip_prefix(&root).unwrap().display().to_string();
            if file.extension().is_none_or(|e| e != "vit") || file.with_extension("diag").exists() || !name.contains(&only) {
                continue;
            }
            let beside = |ext: &str| std::fs::read(file.with_extension(ext)).ok();
            if ["stdout", "status", "stderr"].iter().all(|e| beside(e).is_none()) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let mut fixture = format!("//- {name}\n{text}");
            if let Ok(other) = std::fs::read_to_string(topic.join("scratch.vit")) {
                fixture.push_str(&format!("\n//- {}\n{other}", topic.file_name().unwrap().display().to_string() + "/scratch.vit"));
            }
            for width in WIDTHS {
                let db = TestDb::new(&fixture);
                let program = db.program_with(Options { opt_level: OptLevel::O1, debug_info: true, ..Options::default() });
                let module = match program_wasm(&db, program, width) {
                    Ok(module) => module,
                    Err(diagnostics) => {
                        failed.push(format!("{name} {width:?}: {:?}", diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>()));
                        break;
                    }
                };
                let validated = wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(&module);
                if let Err(error) = validated {
                    std::fs::write("/tmp/bad.wasm", &module).unwrap();
                    failed.push(format!("{name} {width:?}: invalid {error}"));
                    break;
                }
                let args = beside("args").map(|a| String::from_utf8(a).unwrap()).unwrap_or_default();
                let args: Vec<&str> = args.lines().collect();
                let Some((out, err, code)) = run(&module, &args, &beside("stdin").unwrap_or_default()) else { continue };
                let status = beside("status").map_or(0, |s| String::from_utf8(s).unwrap().trim().parse::<i32>().unwrap());
                let same_err = beside("stderr").is_none_or(|e| e == err);
                if out != beside("stdout").unwrap_or_default() || code != status || !same_err {
                    failed.push(format!("{name} {width:?}: status {code} for {status}, out {} stderr {:?}", out == beside("stdout").unwrap_or_default(), String::from_utf8_lossy(&err).chars().take(300).collect::<String>()));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
