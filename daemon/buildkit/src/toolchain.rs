//! Compilers and linkers of this machine: found once, then known by path, time and size until one of them changes.
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use vitte_sys::process::{Command, Stdio, Termination, end_group, spawn};

/// Longest wait for a tool's version.
const TIME_MAX: Duration = Duration::from_secs(2);

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// `ld.lld`.
    pub name: String,
    /// `code generator`, `C compiler` or `linker`.
    pub kind: String,
    /// Where it is; empty for what is built in.
    pub path: String,
    /// What it says of itself; empty if it says nothing.
    pub version: String,
    /// Why it is used, or what for.
    pub reason: String,
    /// Whether builds use it when nothing else is asked for.
    pub chosen: bool,
    /// Whether it is there.
    pub found: bool,
}

/// What is searched, in this order: name, kind, file names, what for.
const KNOWN: [(&str, &str, &[&str], &str); 16] = [
    (
        "clang",
        "C compiler",
        &["clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-16", "clang-14"],
        "C sources and `--linker cc`",
    ),
    ("gcc", "C compiler", &["gcc"], "C sources and `--linker cc`"),
    ("gcc aarch64-linux", "C compiler", &["aarch64-linux-gnu-gcc"], "C libraries for aarch64 Linux"),
    ("gcc riscv64-linux", "C compiler", &["riscv64-linux-gnu-gcc"], "C libraries for riscv64 Linux"),
    ("mingw", "C compiler", &["x86_64-w64-mingw32-gcc"], "C libraries for Windows"),
    ("zig", "C compiler", &["zig"], "C libraries for every target"),
    ("cc", "linker", &["cc"], "programs with C libraries: `--linker cc`"),
    ("ld", "linker", &["ld", "ld.bfd"], "`--linker ld`"),
    (
        "ld.lld",
        "linker",
        &["ld.lld", "ld.lld-22", "ld.lld-21", "ld.lld-20", "ld.lld-19", "ld.lld-16", "ld.lld-14"],
        "`--linker ld.lld`",
    ),
    (
        "lld-link",
        "linker",
        &["lld-link", "lld-link-22", "lld-link-19", "lld-link-14"],
        "COFF objects of others",
    ),
    (
        "ld64.lld",
        "linker",
        &["ld64.lld", "ld64.lld-22", "ld64.lld-19", "ld64.lld-14"],
        "Mach-O objects of others",
    ),
    (
        "wasm-ld",
        "linker",
        &["wasm-ld", "wasm-ld-22", "wasm-ld-19", "wasm-ld-14"],
        "WebAssembly objects of others",
    ),
    ("rust-lld", "linker", &[], "`--linker rust-lld`, as any of the four above"),
    ("mold", "linker", &["mold", "ld.mold"], "`--linker mold`"),
    ("wild", "linker", &["wild"], "`--linker wild`"),
    (
        "llvm",
        "code generator",
        &["llc", "llc-22", "llc-19", "llc-14", "llvm-config"],
        "not used: machine code is made by the built-in one",
    ),
];

/// How a file looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    modified_ns: u64,
    size: u64,
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    let modified = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Stamp { modified_ns: modified.as_nanos() as u64, size: data.len() })
}

/// Tools that were found, and what they looked like then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchains {
    /// `PATH` and the homes that were searched.
    searched: String,
    /// In the order in which they are shown.
    pub all: Vec<Toolchain>,
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
}

impl Toolchains {
    /// What is on `path`, and in the toolchains of `rustup_home`. `known` are the files of an earlier search: what it
    /// found is taken over when no file and no folder of the search has changed since.
    pub fn detect(path: &str, rustup_home: Option<&Path>, known: Option<&Self>) -> Self {
        let searched = format!("{path}\0{}", rustup_home.unwrap_or(Path::new("")).display());
        if let Some(known) = known
            && known.searched == searched
            && known.stamps.iter().all(|(path, then)| stamp(path) == *then)
        {
            return known.clone();
        }
        let folders: Vec<PathBuf> =
            std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
        let mut stamps: BTreeMap<PathBuf, Option<Stamp>> =
            folders.iter().map(|folder| (folder.clone(), stamp(folder))).collect();
        let rust_lld = rustup_home.and_then(|home| {
            stamps.insert(home.join("toolchains"), stamp(&home.join("toolchains")));
            rust_lld(home)
        });
        let find = |files: &[&str]| {
            files.iter().find_map(|file| {
                let mut places = folders.iter().map(|folder| folder.join(file));
                places.find(|path| vitte_sys::fs::is_executable(path))
            })
        };
        let paths: Vec<Option<PathBuf>> = (KNOWN.iter())
            .map(|(name, _, files, _)| if *name == "rust-lld" { rust_lld.clone() } else { find(files) })
            .collect();
        // Each says its version in a process of its own: all at once.
        let versions: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> = (paths.iter())
                .map(|path| path.as_ref().map(|path| scope.spawn(move || version(path).unwrap_or_default())))
                .collect();
            asked
                .into_iter()
                .map(|asked| asked.and_then(|asked| asked.join().ok()).unwrap_or_default())
                .collect()
        });
        let mut all = vec![
            built_in("cranelift", "code generator", "0.135", "makes machine code for every native target"),
            built_in(
                "images",
                "linker",
                "1",
                "lays out programs for this and every other machine in the service itself",
            ),
            built_in(
                "libwild",
                "linker",
                "0.10.0",
                "links object files for this machine: `--linker embedded`",
            ),
        ];
        for (((name, kind, _, reason), path), version) in KNOWN.iter().zip(&paths).zip(versions) {
            if let Some(path) = path {
                stamps.insert(path.clone(), stamp(path));
            }
            all.push(Toolchain {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                path: path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
                version,
                reason: (*reason).to_owned(),
                chosen: false,
                found: path.is_some(),
            });
        }
        Self { searched, all, stamps }
    }

    /// As [`Self::detect`] by this process's environment, kept in `file` between processes.
    pub fn detect_kept(file: &Path) -> Self {
        let known = vitte_sys::fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let path = std::env::var("PATH").unwrap_or_default();
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".rustup"));
        let home = std::env::var_os("RUSTUP_HOME").map(PathBuf::from).or(home);
        let found = Self::detect(&path, home.as_deref(), known.as_ref());
        if known.as_ref() != Some(&found)
            && let Ok(bytes) = serde_json::to_vec(&found)
        {
            // Without it the next search takes longer, and that is all.
            let _ = file.parent().map(vitte_sys::fs::create_directories);
            let _ = vitte_sys::fs::replace(file, &bytes, 0o600, vitte_sys::fs::Durability::Cached);
        }
        found
    }
}

fn built_in(name: &str, kind: &str, version: &str, reason: &str) -> Toolchain {
    Toolchain {
        name: name.to_owned(),
        kind: kind.to_owned(),
        path: String::new(),
        version: version.to_owned(),
        reason: reason.to_owned(),
        chosen: true,
        found: true,
    }
}

/// The newest toolchain's LLD, under the name by which it is `ld.lld`.
fn rust_lld(home: &Path) -> Option<PathBuf> {
    let toolchains = std::fs::read_dir(home.join("toolchains")).ok()?;
    let place = "lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld/ld.lld";
    let mut found: Vec<PathBuf> = toolchains
        .filter_map(Result::ok)
        .map(|entry| entry.path().join(place))
        .filter(|path| vitte_sys::fs::is_executable(path))
        .collect();
    found.sort();
    found.pop()
}

/// The first line of what a tool says of itself.
fn version(path: &Path) -> Option<String> {
    let mut command = Command::new(path);
    let word = if path.file_name().is_some_and(|name| name == "zig") { "version" } else { "--version" };
    command.arg(word).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn(command, Default::default()).ok()?;
    let started = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && started.elapsed() < TIME_MAX {
        std::thread::sleep(Duration::from_millis(1));
    }
    end_group(child.id(), Termination::Kill);
    let status = child.wait().ok()?;
    let mut bytes = Vec::new();
    child.stdout.take()?.take(64 * 1024).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    status.success().then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tool(folder: &Path, name: &str, says: &str) {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn tools_are_found_and_asked_again_only_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        tool(folder.path(), "mold", "mold 9.9");
        let path = folder.path().to_str().unwrap();
        let first = Toolchains::detect(path, None, None);
        let mold = |found: &Toolchains| found.all.iter().find(|tool| tool.name == "mold").unwrap().clone();
        assert_eq!((mold(&first).version.as_str(), mold(&first).found), ("mold 9.9", true));
        assert!(first.all.iter().any(|tool| tool.name == "cranelift" && tool.chosen));
        assert_eq!(Toolchains::detect(path, None, Some(&first)), first);
        tool(folder.path(), "mold", "mold 10.0.1");
        assert_eq!(mold(&Toolchains::detect(path, None, Some(&first))).version, "mold 10.0.1");
        tool(folder.path(), "wild", "wild 1");
        let third = Toolchains::detect(path, None, Some(&first));
        assert!(third.all.iter().any(|tool| tool.name == "wild" && tool.found));
    }
}
