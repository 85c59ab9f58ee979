//! Linking, cross builds, packages and the search for tools, beside what people use today.
//!
//! `cargo bench -p vitte-buildkit --bench kit [-- --smoke] [--only CASE]`
//!
//! Each case runs ours and its peers in turn and prints medians, their ratio and the bar that the ratio must not pass. Peers that
//! are not on this machine are left out, and said so; `nfpm` and `cargo-deb` are found by `VITTE_BENCH_NFPM` and
//! `VITTE_BENCH_CARGO_DEB` too. With `--smoke` everything is small and no bar is kept. Otherwise the exit status is 1 when a
//! bar is passed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use vitte_buildkit::{BuildKit, Toolchains};
use vitte_driver::link::{LinkObject, LinkPlan, Linkers, Toolbox};
use vitte_driver::{BuildRequest, CancellationToken, Driver, TargetName};

struct Bench {
    smoke: bool,
    only: Option<String>,
    missed: Vec<String>,
}

fn main() -> ExitCode {
    let mut bench = Bench { smoke: false, only: None, missed: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // The worker process of the embedded linker.
            "--worker" => return vitte_driver::worker_main(),
            // A process that makes one package.
            "--make" => {
                if let (Some(folder), Some(out)) = (arguments.next(), arguments.next()) {
                    make(Path::new(&folder), Path::new(&out));
                }
                return ExitCode::SUCCESS;
            }
            "--smoke" => bench.smoke = true,
            "--only" => bench.only = arguments.next(),
            // What cargo says to every benchmark.
            _ => {}
        }
    }
    type Case = fn(&mut Bench);
    let cases: [(&str, Case); 5] =
        [("tools", tools), ("link", link), ("targets", targets), ("deb", deb), ("again", again)];
    for (name, case) in cases {
        if bench.only.as_deref().is_none_or(|only| only == name) {
            println!("\n{name}");
            case(&mut bench);
        }
    }
    if bench.missed.is_empty() || bench.smoke {
        return ExitCode::SUCCESS;
    }
    println!("\nmissed: {}", bench.missed.join("; "));
    ExitCode::FAILURE
}

impl Bench {
    fn rounds(&self, count: usize) -> usize {
        if self.smoke { 2 } else { count }
    }

    /// A number beside the most that it may be.
    fn bar(&mut self, what: &str, value: f64, unit: &str, most: f64) {
        let verdict = if value <= most { "ok" } else { "MISSED" };
        println!("  {what:<58}{value:>10.3} {unit:<3} (bar {most} {unit}) {verdict}");
        if value > most {
            self.missed.push(format!("{what}: {value:.3} {unit} for {most}"));
        }
    }
}

/// Milliseconds.
fn timed(what: impl FnOnce()) -> f64 {
    let started = Instant::now();
    what();
    started.elapsed().as_secs_f64() * 1000.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn tools(bench: &mut Bench) {
    let path = std::env::var("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".rustup"));
    let cold = |known: Option<&Toolchains>| Toolchains::detect(&path, home.as_deref(), known);
    let known = cold(None);
    println!("  {} tools are found", known.all.iter().filter(|tool| tool.found).count());
    let times = (0..bench.rounds(15)).map(|_| timed(|| drop(cold(None)))).collect();
    bench.bar("all tools, none known", median(times), "ms", 60.0);
    let times = (0..bench.rounds(200)).map(|_| timed(|| drop(cold(Some(&known))))).collect();
    bench.bar("all tools, nothing changed", median(times), "ms", 0.2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("toolchains.json");
    Toolchains::detect_kept(&file);
    let times = (0..bench.rounds(200)).map(|_| timed(|| drop(Toolchains::detect_kept(&file)))).collect();
    println!("  {:<58}{:>10.3} ms", "the same, read from its file", median(times));
}

/// An object with twenty functions of forty instructions, each of which calls one of the next object.
fn object_of(number: usize, count: usize) -> Vec<u8> {
    const FUNCTIONS: usize = 20;
    let name = |number: usize, function: usize| {
        if (number, function) == (0, 0) { "main".to_owned() } else { format!("f{number}_{function}") }
    };
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let note = object.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
    object.set_section_data(note, Vec::new(), 1);
    for function in 0..FUNCTIONS {
        let name_of = name(number, function);
        let section =
            object.add_section(Vec::new(), format!(".text.{name_of}").into_bytes(), SectionKind::Text);
        let mut code = Vec::new();
        for step in 0..40_u32 {
            // mov eax, imm32
            code.push(0xb8);
            code.extend((step + function as u32).to_le_bytes());
        }
        let call = code.len() as u64 + 1;
        let calls = number + 1 < count;
        if calls {
            code.extend([0xe8, 0, 0, 0, 0]);
        }
        // xor eax, eax; ret
        code.extend([0x31, 0xc0, 0xc3]);
        object.set_section_data(section, code, 16);
        let mut symbol = |name: String, section, scope| {
            object.add_symbol(Symbol {
                name: name.into_bytes(),
                value: 0,
                size: 0,
                kind: SymbolKind::Text,
                scope,
                weak: false,
                section,
                flags: SymbolFlags::None,
            })
        };
        symbol(name_of, SymbolSection::Section(section), SymbolScope::Dynamic);
        if calls {
            let target = symbol(name(number + 1, function), SymbolSection::Undefined, SymbolScope::Unknown);
            let flags = RelocationFlags::Elf { r_type: object::elf::R_X86_64_PLT32 };
            object
                .add_relocation(section, Relocation { offset: call, symbol: target, addend: -4, flags })
                .unwrap();
        }
    }
    object.write().unwrap()
}

/// From objects in memory to an executable in memory by ours; by others from files to a file, page cache warm. All of them keep
/// every section.
fn link(bench: &mut Bench) {
    let count = if bench.smoke { 20 } else { 1000 };
    let objects: Vec<Vec<u8>> = (0..count).map(|number| object_of(number, count)).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for (number, bytes) in objects.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.o")), bytes).unwrap();
        list.push_str(&format!("{number}.o\n"));
    }
    std::fs::write(folder.path().join("list"), list).unwrap();
    let plan = LinkPlan {
        target: vitte_driver::link::HOST_TARGET.to_owned(),
        objects: (objects.into_iter().enumerate())
            .map(|(number, bytes)| LinkObject { name: format!("{number}.o"), bytes: bytes.into() })
            .collect(),
        main: "main".to_owned(),
        ..LinkPlan::default()
    };
    let worker = vec![std::env::current_exe().unwrap().into_os_string(), OsString::from("--worker")];
    let linkers = Linkers::new(worker, Toolbox::from_environment());
    let embedded = linkers.select(None).unwrap();
    let cancel = CancellationToken::new();
    let bytes = embedded.link(&plan, &cancel).unwrap().bytes;
    let program = folder.path().join("ours");
    vitte_sys::fs::replace(&program, &bytes, 0o755, vitte_sys::fs::Durability::Cached).unwrap();
    assert!(Command::new(&program).status().unwrap().success(), "what was linked runs");
    let tools = Toolbox::from_environment();
    let peers: Vec<(&str, PathBuf)> = ["ld.lld", "rust-lld", "mold", "ld"]
        .into_iter()
        .filter_map(|name| {
            let found = tools.find(name);
            if found.is_none() {
                println!("  SKIP {name}: not on this machine");
            }
            Some((name, found?.path))
        })
        .collect();
    let mut ours = Vec::new();
    let mut theirs: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for _ in 0..bench.rounds(15) {
        ours.push(timed(|| drop(embedded.link(&plan, &cancel).unwrap())));
        for ((_, path), times) in peers.iter().zip(&mut theirs) {
            let arguments = [
                "-pie",
                "-dynamic-linker",
                "/lib64/ld-linux-x86-64.so.2",
                "-e",
                "main",
                "-z",
                "now",
                "-o",
                "out",
                "@list",
            ];
            times.push(timed(|| {
                let mut command = Command::new(path);
                assert!(
                    command.args(arguments).current_dir(folder.path()).status().unwrap().success(),
                    "{}",
                    path.display()
                );
            }));
        }
    }
    let ours = median(ours);
    println!("  {count} objects, embedded: {ours:.2} ms");
    let mut fastest = f64::INFINITY;
    for ((name, _), times) in peers.iter().zip(theirs) {
        let theirs = median(times);
        fastest = fastest.min(theirs);
        println!("  {count} objects, {name}: {theirs:.2} ms, ours is {:.2}x", ours / theirs);
    }
    if fastest.is_finite() {
        bench.bar("embedded beside the fastest of the others", ours / fastest, "x", 0.5);
    }
}

const PROGRAM: &str = include_str!("../../../tests/programs/cross/inventory.vit");

fn package(manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    std::fs::write(folder.path().join("src/main.vit"), PROGRAM).unwrap();
    std::fs::write(folder.path().join("vitte-package.json"), manifest).unwrap();
    folder
}

/// The program of the cross suite for all eight targets by one driver, after a change of one number in it.
fn targets(bench: &mut Bench) {
    let folder = package(&manifest("xz", ""));
    let driver = Driver::default();
    let build = |target: &TargetName| {
        let request = BuildRequest {
            entry: Some(folder.path().to_path_buf()),
            cwd: folder.path().to_path_buf(),
            target: Some(target.triple.to_owned()),
            output: Some(folder.path().join("out")),
            ..BuildRequest::default()
        };
        let outcome = driver.build(&request, &|_| {}, &CancellationToken::new()).unwrap();
        assert_eq!(outcome.errors, 0, "{}", target.name);
    };
    let all: Vec<TargetName> =
        TargetName::all().filter(|target| !["vitbc", "wasm32-component"].contains(&target.triple)).collect();
    all.iter().for_each(build);
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); all.len()];
    let mut totals = Vec::new();
    for round in 0..bench.rounds(15) {
        let text = PROGRAM.replacen("generated(1000)", &format!("generated({})", 1001 + round), 1);
        std::fs::write(folder.path().join("src/main.vit"), text).unwrap();
        let mut total = 0.0;
        for (target, times) in all.iter().zip(&mut times) {
            let time = timed(|| build(target));
            times.push(time);
            total += time;
        }
        totals.push(total);
    }
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    // The first of a round finds the change and checks the program for all.
    let native = medians.first().copied().unwrap_or_default();
    for (target, time) in all.iter().zip(&medians) {
        println!("  {:<26}{time:>10.2} ms, {:.2}x of the native one", target.name, time / native);
    }
    bench.bar("all targets after a change", median(totals), "ms", 100.0);
    let slowest = medians.iter().copied().fold(0.0, f64::max);
    bench.bar("the slowest beside the native one", slowest / native, "x", 2.0);
}

fn manifest(compression: &str, files: &str) -> String {
    format!(
        r#"{{"schema": "vitte.package.manifest.v1", "name": "bench-kit", "version": "1.0.0", "kind": "binary",
        "entry": "src/main.vit", "dependencies": {{}}, "tests": [], "license": "MIT", "description": "a package to measure",
        "package": {{"maintainer": "Ada <ada@example.org>", "deb_compression": "{compression}", "files": [{files}]}}}}"#
    )
}

/// What packages hold: this program itself, which is machine code as any, and a text.
fn payload(folder: &Path, smoke: bool) -> Vec<(PathBuf, String)> {
    let mut program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    program.truncate(if smoke { 300_000 } else { 24 << 20 });
    let text: String =
        (0..if smoke { 2000 } else { 200_000 }).map(|line| format!("line {line} of a text\n")).collect();
    std::fs::write(folder.join("program"), program).unwrap();
    std::fs::write(folder.join("text"), text).unwrap();
    ["program", "text"].map(|name| (folder.join(name), format!("/usr/share/bench-kit/{name}"))).into()
}

/// Makes a package of files alone, and gives the size of the .deb.
fn make(folder: &Path, out: &Path) -> u64 {
    let kit = BuildKit::new().in_folder(folder).formats(["deb"]).source_date(Some("1700000000".into()));
    let made = kit.package("").unwrap().build_and_export(out).unwrap();
    made.files
        .iter()
        .find(|file| file.path.extension().is_some_and(|end| end == "deb"))
        .map_or(0, |file| file.size)
}

fn files_alone(compression: &str, payload: &[(PathBuf, String)]) -> tempfile::TempDir {
    let files: Vec<String> = payload
        .iter()
        .map(|(path, target)| {
            let name = path.file_name().unwrap().to_str().unwrap();
            format!(r#"{{"source": "{name}", "target": "{target}"}}"#)
        })
        .collect();
    let manifest = manifest(compression, &files.join(", ")).replacen(
        "\"package\": {",
        "\"package\": {\"program\": false, ",
        1,
    );
    let folder = package(&manifest);
    for (path, _) in payload {
        std::fs::copy(path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// A tool by its variable, or on `PATH`.
fn peer(variable: &str, name: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from).or_else(|| which::which(name).ok());
    if found.is_none() {
        println!("  SKIP {name}: not on this machine, and {variable} does not name it");
    }
    found
}

fn quietly(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Ours in a new process each time, as the others are, so that nothing is remembered.
fn in_a_process(folder: &Path, out: &Path) -> f64 {
    let this = std::env::current_exe().unwrap();
    timed(|| {
        let mut command = Command::new(this);
        command.arg("--make").arg(folder).arg(out);
        assert!(quietly(&mut command));
    })
}

fn deb(bench: &mut Bench) {
    let scratch = tempfile::tempdir().unwrap();
    let payload = payload(scratch.path(), bench.smoke);
    let out = scratch.path().join("dist");
    if let Some(nfpm) = peer("VITTE_BENCH_NFPM", "nfpm") {
        let folder = files_alone("zstd", &payload);
        let contents: String = payload
            .iter()
            .map(|(path, target)| format!("  - src: {}\n    dst: {target}\n", path.display()))
            .collect();
        let config = format!(
            "name: bench-kit\narch: amd64\nversion: 1.0.0\nmaintainer: Ada <ada@example.org>\ndescription: a package to measure\n\
             deb:\n  compression: zstd\ncontents:\n{contents}"
        );
        std::fs::write(scratch.path().join("nfpm.yaml"), config).unwrap();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let target = scratch.path().join("nfpm.deb");
        for _ in 0..bench.rounds(9) {
            ours.push(in_a_process(folder.path(), &out));
            theirs.push(timed(|| {
                let mut command = Command::new(&nfpm);
                command
                    .args(["package", "-p", "deb", "-f", "nfpm.yaml", "-t"])
                    .arg(&target)
                    .current_dir(scratch.path());
                assert!(quietly(&mut command));
            }));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "  zstd: {ours:.0} ms, {} bytes; nfpm {theirs:.0} ms, {} bytes",
            make(folder.path(), &out),
            size(&target)
        );
        bench.bar(".deb by zstd beside nfpm", ours / theirs, "x", 1.0);
    }
    let folder = files_alone("xz", &payload);
    let ours = median((0..bench.rounds(3)).map(|_| in_a_process(folder.path(), &out)).collect());
    let bytes = make(folder.path(), &out);
    println!("  xz: {ours:.0} ms, {bytes} bytes");
    if let Some(cargo_deb) = peer("VITTE_BENCH_CARGO_DEB", "cargo-deb") {
        let crate_folder = scratch.path().join("crate");
        std::fs::create_dir_all(crate_folder.join("src")).unwrap();
        let assets: Vec<String> = payload
            .iter()
            .map(|(path, target)| {
                format!("[\"{}\", \"{}\", \"644\"]", path.display(), target.trim_start_matches('/'))
            })
            .collect();
        let manifest = format!(
            "[package]\nname = \"bench-kit\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"a package to measure\"\n\
             license = \"MIT\"\nauthors = [\"Ada <ada@example.org>\"]\n[workspace]\n[package.metadata.deb]\ndepends = \"\"\nassets = [{}]\n",
            assets.join(", ")
        );
        std::fs::write(crate_folder.join("Cargo.toml"), manifest).unwrap();
        std::fs::write(crate_folder.join("src/main.rs"), "fn main() {}\n").unwrap();
        let target = scratch.path().join("cargo.deb");
        let run = || {
            let mut command = Command::new(&cargo_deb);
            command.args(["--no-build", "--no-strip", "-o"]).arg(&target).current_dir(&crate_folder);
            assert!(quietly(&mut command));
        };
        let theirs = median((0..bench.rounds(3)).map(|_| timed(run)).collect());
        println!("  cargo-deb: {theirs:.0} ms, {} bytes", size(&target));
        bench.bar(".deb by xz beside cargo-deb", ours / theirs, "x", 0.5);
        bench.bar("its size beside cargo-deb's", bytes as f64 / size(&target) as f64, "x", 1.0);
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map(|data| data.len()).unwrap_or_default()
}

/// The same package by the same process, after a change of one file.
fn again(bench: &mut Bench) {
    let scratch = tempfile::tempdir().unwrap();
    let payload = payload(scratch.path(), bench.smoke);
    let folder = files_alone("xz", &payload);
    let out = scratch.path().join("dist");
    let first = timed(|| assert!(make(folder.path(), &out) > 0));
    let mut times = Vec::new();
    for round in 0..bench.rounds(5) {
        let text = format!("changed {round}\n");
        std::fs::write(folder.path().join("text"), text).unwrap();
        times.push(timed(|| assert!(make(folder.path(), &out) > 0)));
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("  first {first:.0} ms, again {:.0} ms", median(times.clone()));
    bench.bar("a package again after a change of one file", median(times) / first, "x", 0.2);
}
