//! Which linkers this machine has.
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vitte_sys::process::{Command, Stdio};

/// How a tool is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolKind {
    /// A C compiler: brings its own startup code and C library.
    CompilerDriver,
    /// A linker of the GNU family, driven directly.
    GnuLinker,
}

/// A linker that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The name by which `--linker` selects it.
    pub name: &'static str,
    /// How it is driven.
    pub kind: ToolKind,
    /// Where it is.
    pub path: PathBuf,
}

/// Where tools are searched.
#[derive(Clone, Debug, Default)]
pub struct Toolbox {
    /// Folders, as in `PATH`.
    pub path: OsString,
    /// Homes of `rustup`, for the LLD that comes with every toolchain.
    pub rustup_homes: Vec<PathBuf>,
}

/// Names of tools, in order of preference, with the file names under which each is searched.
const KNOWN: [(&str, ToolKind, &[&str]); 4] = [
    ("cc", ToolKind::CompilerDriver, &["cc", "gcc", "clang"]),
    (
        "ld.lld",
        ToolKind::GnuLinker,
        &[
            "ld.lld",
            "ld.lld-22",
            "ld.lld-21",
            "ld.lld-20",
            "ld.lld-19",
            "ld.lld-18",
            "ld.lld-17",
            "ld.lld-16",
        ],
    ),
    ("mold", ToolKind::GnuLinker, &["mold", "ld.mold"]),
    ("ld", ToolKind::GnuLinker, &["ld", "ld.bfd"]),
];

/// Every name that `--linker` knows besides a path or a template.
pub(crate) const NAMES: [&str; 6] = ["embedded", "cc", "ld.lld", "mold", "ld", "rust-lld"];

impl Toolbox {
    /// What the environment of this process says.
    pub fn from_environment() -> Self {
        let home = std::env::var_os("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
        let rustup = std::env::var_os("RUSTUP_HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
        Self {
            path: std::env::var_os("PATH").unwrap_or_default(),
            rustup_homes: rustup.or_else(|| home.map(|home| home.join(".rustup"))).into_iter().collect(),
        }
    }

    /// The tool of that name. Each call looks again: tools come and go while a service runs.
    pub fn find(&self, name: &str) -> Option<Tool> {
        if name == "rust-lld" {
            return self.rust_lld().map(|path| Tool { name: "rust-lld", kind: ToolKind::GnuLinker, path });
        }
        let (name, kind, files) = KNOWN.into_iter().find(|(known, ..)| *known == name)?;
        let path = files.iter().find_map(|file| self.search(file))?;
        Some(Tool { name, kind, path })
    }

    /// All tools that are there, in order of preference.
    pub fn all(&self) -> Vec<Tool> {
        NAMES.into_iter().filter_map(|name| self.find(name)).collect()
    }

    /// The first executable of that file name.
    pub fn search(&self, file: &str) -> Option<PathBuf> {
        if self.path.is_empty() {
            return None;
        }
        // Relative entries of PATH would depend on the service's own folder.
        which::which_in_global(file, Some(&self.path)).ok()?.find(|path| path.is_absolute())
    }

    /// The newest toolchain's LLD. It acts as `ld.lld` under that name in `gcc-ld`.
    fn rust_lld(&self) -> Option<PathBuf> {
        let mut found: Vec<PathBuf> = self
            .rustup_homes
            .iter()
            .filter_map(|home| std::fs::read_dir(home.join("toolchains")).ok())
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| entry.path().join("lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld/ld.lld"))
            .filter(|path| vitte_sys::fs::is_executable(path))
            .collect();
        found.sort();
        found.pop()
    }
}

/// First line of `PATH --version`; `None` when it fails or takes more than two seconds.
pub(super) fn version(path: &Path) -> Option<String> {
    const TIME_MAX: Duration = Duration::from_secs(2);
    let mut command = Command::new(path);
    command
        .arg("--version")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = vitte_sys::process::spawn(command, Default::default()).ok()?;
    let started = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && started.elapsed() < TIME_MAX {
        std::thread::sleep(Duration::from_millis(1));
    }
    vitte_sys::process::end_group(child.id(), vitte_sys::process::Termination::Kill);
    let status = child.wait().ok()?;
    let mut bytes = Vec::new();
    child.stdout.take()?.take(64 * 1024).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next()?.trim();
    (status.success() && !line.is_empty()).then(|| line.to_owned())
}
