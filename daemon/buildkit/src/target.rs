//! The machines that programs are made for, described.
use target_lexicon::{BinaryFormat, PointerWidth, Triple};
use vitte_driver::{Product, TargetName};

use crate::error::Error;

/// A target as `vitte targets` shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TargetInfo {
    /// The name that `--target` takes.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// Triple.
    pub triple: String,
    /// `elf`, `macho`, `coff`, `wasm` or `vitbc`.
    pub format: String,
    /// Bits of a pointer.
    pub pointer_width: u8,
    /// What programs run on: `glibc`, `static`, `libSystem`, `kernel32`, `wasi-p1`, `loader`.
    pub libc: String,
    /// What is asked of the processor.
    pub features: String,
    /// Whether it is this machine.
    pub host: bool,
    /// What runs its programs here: empty for this machine; the emulator or engine otherwise.
    pub runner: String,
    /// Where that is; empty if it is not there.
    pub runner_path: String,
    /// The one command that brings what is missing; empty if nothing is.
    pub missing: String,
}

/// All targets, the host first. Every one of them is built here without anything else; what may be missing is a way to run
/// its programs.
pub fn targets() -> Vec<TargetInfo> {
    TargetName::all().map(describe).collect()
}

/// The target of that name.
pub(crate) fn find(name: &str) -> Result<TargetName, Error> {
    Ok(TargetName::find(name)?)
}

fn describe(target: TargetName) -> TargetInfo {
    let triple: Triple = target.triple.parse().unwrap_or_else(|_| Triple::unknown());
    let architecture = target.triple.split('-').next().unwrap_or_default();
    let (format, libc) = match (target.product, triple.binary_format) {
        (Product::Wasm(_), _) => ("wasm", "wasi-p1"),
        (Product::Bytecode, _) => ("vitbc", "loader"),
        (Product::Component | Product::Package(_), _) => ("component", "loader"),
        (Product::Executable, _) => ("elf", "glibc"),
        (_, BinaryFormat::Macho) => ("macho", "libSystem"),
        (_, BinaryFormat::Coff) => ("coff", "kernel32"),
        _ => ("elf", "static"),
    };
    let pointer_width = match (target.triple, triple.pointer_width()) {
        ("wasm64-wasip1", _) => 64,
        (_, Ok(PointerWidth::U32)) => 32,
        (_, Ok(PointerWidth::U16)) => 16,
        _ => 64,
    };
    let features = match (format, architecture) {
        ("wasm", _) if pointer_width == 64 => "bulk-memory, memory64",
        ("wasm", _) => "bulk-memory",
        (_, "x86_64") => "sse2",
        (_, "aarch64") => "armv8-a, neon",
        (_, "riscv64gc") => "rv64gc",
        _ => "",
    };
    let (runner, package) = match (format, architecture) {
        ("wasm", _) => ("wasmtime", "curl https://wasmtime.dev/install.sh -sSf | bash"),
        ("elf", "aarch64") => ("qemu-aarch64", "apt-get install qemu-user"),
        ("elf", "riscv64gc") => ("qemu-riscv64", "apt-get install qemu-user"),
        ("coff", _) => ("wine64", "apt-get install wine64"),
        ("vitbc" | "component", _) => ("", ""),
        ("macho", _) => ("", ""),
        _ => ("", ""),
    };
    let found = if runner.is_empty() { None } else { find_runner(runner) };
    let missing = if runner.is_empty() || found.is_some() { "" } else { package };
    TargetInfo {
        name: target.name.to_owned(),
        aliases: target.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        triple: target.triple.to_owned(),
        format: format.to_owned(),
        pointer_width,
        libc: libc.to_owned(),
        features: features.to_owned(),
        host: target.product == Product::Executable,
        runner: runner.to_owned(),
        runner_path: found.map(|path| path.display().to_string()).unwrap_or_default(),
        missing: missing.to_owned(),
    }
}

/// Debian keeps wine's loader outside of `PATH`; node runs modules for WASI as well.
fn find_runner(name: &str) -> Option<std::path::PathBuf> {
    let there = |path: &str| Some(std::path::PathBuf::from(path)).filter(|path| path.is_file());
    let beside = match name {
        "wine64" => there("/usr/lib/wine/wine64"),
        "wasmtime" => which::which("node").ok(),
        _ => None,
    };
    which::which(name).ok().or(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_the_compiler_is_described() {
        let all = targets();
        let of = |name: &str| {
            all.iter().find(|target| target.name == name).map(|t| (t.format.as_str(), t.pointer_width))
        };
        assert_eq!(of("x86_64-unknown-linux-gnu"), Some(("elf", 64)));
        assert_eq!(of("aarch64-linux"), Some(("elf", 64)));
        assert_eq!(of("riscv64-linux"), Some(("elf", 64)));
        assert_eq!(of("aarch64-apple-darwin"), Some(("macho", 64)));
        assert_eq!(of("x86_64-windows"), Some(("coff", 64)));
        assert_eq!(of("wasm32"), Some(("wasm", 32)));
        assert_eq!(of("wasm64"), Some(("wasm", 64)));
        assert_eq!(all.iter().filter(|target| target.host).count(), 1);
    }
}
