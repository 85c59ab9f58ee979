//! Compilers and linkers of this machine: found once, then known by path, time and size until one of them changes.
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::ReadCache;
use object::read::elf::{Dyn, FileHeader};
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
    /// What the files behind all links said of themselves.
    versions: BTreeMap<PathBuf, (Stamp, String)>,
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
        let (files, versions) = versions(&paths, known);
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
        for (((name, kind, _, reason), path), file) in KNOWN.iter().zip(&paths).zip(files) {
            let version = file.and_then(|file| versions.get(&file)).map(|(_, said)| said.clone());
            if let Some(path) = path {
                stamps.insert(path.clone(), stamp(path));
            }
            all.push(Toolchain {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                path: path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
                version: version.unwrap_or_default(),
                reason: (*reason).to_owned(),
                chosen: false,
                found: path.is_some(),
            });
        }
        Self { searched, all, stamps, versions }
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

type Versions = BTreeMap<PathBuf, (Stamp, String)>;

/// For each tool the file behind all links, and what these files say of themselves. One that looks as it did when it was
/// known is not asked again; several names of one file are one question; all questions are asked at once.
fn versions(paths: &[Option<PathBuf>], known: Option<&Toolchains>) -> (Vec<Option<PathBuf>>, Versions) {
    let files: Vec<Option<PathBuf>> = paths
        .iter()
        .map(|path| path.as_ref().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())))
        .collect();
    let mut versions = Versions::new();
    let mut unknown: BTreeMap<&Path, (Stamp, &Path)> = BTreeMap::new();
    for (file, path) in files.iter().zip(paths).filter_map(|(file, path)| file.as_ref().zip(path.as_ref())) {
        let Some(now) = stamp(file) else { continue };
        match known.and_then(|known| known.versions.get(file)).filter(|(then, _)| *then == now) {
            Some(same) => {
                versions.insert(file.clone(), same.clone());
            }
            None => {
                unknown.entry(file).or_insert((now, path));
            }
        }
    }
    let asked: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> = (unknown.iter())
            .map(|(file, (_, path))| scope.spawn(move || of_libraries(file).or_else(|| version(path))))
            .collect();
        asked.into_iter().map(|asked| asked.join().ok().flatten().unwrap_or_default()).collect()
    });
    for ((file, (stamp, _)), said) in unknown.into_iter().zip(asked) {
        versions.insert(file.to_path_buf(), (stamp, said));
    }
    (files, versions)
}

/// The version of a tool by the library that does its work. To start such a tool takes up to 30 ms, most of which goes into
/// loading that library.
fn of_libraries(file: &Path) -> Option<String> {
    let cache = ReadCache::new(std::fs::File::open(file).ok()?);
    let needed = needed(&cache)?;
    needed.iter().find_map(|library| {
        if let Some(version) = library.strip_prefix("libbfd-").and_then(|rest| rest.split('-').next()) {
            return Some(format!("GNU Binutils {version}"));
        }
        // `libLLVM-14.so.1`, `libLLVM.so.19.1`, `libLLVM.so.22.1-rust-1.95.0-stable`.
        let rest = library.strip_prefix("libLLVM")?;
        let exact = rest.strip_prefix('-').and_then(|rest| exact_llvm(file, rest.split('.').next()?));
        let told = || {
            let number = rest.trim_start_matches(".so.").trim_start_matches('-');
            number.strip_suffix(".so.1").unwrap_or(number).to_owned()
        };
        Some(format!("LLVM {}", exact.unwrap_or_else(told)))
    })
}

/// Names of the shared libraries that an ELF file asks for.
fn needed(cache: &ReadCache<std::fs::File>) -> Option<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(cache).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, cache).ok()?;
    let (dynamic, strings) = sections.dynamic(endian, cache).ok()??;
    let strings = sections.strings(endian, cache, strings).ok()?;
    let names = dynamic.iter().filter(|entry| entry.d_tag(endian) == elf::DT_NEEDED);
    Some(
        names
            .filter_map(|entry| strings.get(entry.d_val(endian) as u32).ok())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    )
}

/// `14.0.6` of the `libLLVM-14.0.6.so` beside a tool of that major version.
fn exact_llvm(file: &Path, major: &str) -> Option<String> {
    let folder = file.parent()?.with_file_name("lib");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_prefix("libLLVM-")?.strip_suffix(".so")?.to_owned()))
        .filter(|version| version.strip_prefix(major).is_some_and(|rest| rest.starts_with('.')))
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
    let mut pause = Duration::from_micros(200);
    while matches!(child.try_wait(), Ok(None)) && started.elapsed() < TIME_MAX {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
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

    /// Where this machine has tools of LLVM or binutils, what their libraries say is what they say.
    #[test]
    fn libraries_tell_the_version_of_their_tools() {
        for name in ["ld.bfd", "ld.lld", "llc", "clang"] {
            let Ok(path) = which::which(name) else { continue };
            let (Some(by_library), Some(said)) =
                (of_libraries(&path.canonicalize().unwrap()), version(&path))
            else {
                continue;
            };
            let number = by_library.rsplit(' ').next().unwrap();
            // `llc` says it on its second line.
            assert!(said.contains(number) || name == "llc", "{by_library}: {said}");
        }
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
        // What a tool said is known although its folder has changed, as long as its file has not.
        let mut claimed = first.clone();
        claimed.versions.values_mut().for_each(|(_, said)| *said = "remembered".to_owned());
        tool(folder.path(), "ld.lld", "LLD 9");
        assert_eq!(mold(&Toolchains::detect(path, None, Some(&claimed))).version, "mold 10.0.1");
        let second = Toolchains::detect(path, None, Some(&first));
        let mut claimed = second.clone();
        claimed.versions.values_mut().for_each(|(_, said)| *said = "remembered".to_owned());
        tool(folder.path(), "wild", "wild 1");
        assert_eq!(mold(&Toolchains::detect(path, None, Some(&claimed))).version, "remembered");
        let third = Toolchains::detect(path, None, Some(&second));
        assert!(third.all.iter().any(|tool| tool.name == "wild" && tool.found));
    }
}
