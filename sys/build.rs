//! Builds the spawn helper: a static Linux program of a few KiB that the library carries and starts
//! from memory (`src/process/helper.rs`). It needs `core` only, so the compiler that builds this crate
//! can build it as well.
//!
//! `VITTE_SPAWN_HELPER` names a helper that was built elsewhere. Set to nothing it builds a library
//! without one, which starts programs as on other Unix systems; that is for tests of that way.
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=spawn_helper");
    println!("cargo::rerun-if-env-changed=VITTE_TEST_EMULATOR");
    println!("cargo::rerun-if-env-changed=VITTE_SPAWN_HELPER");
    println!("cargo::rustc-check-cfg=cfg(spawn_helper)");
    // Set by hand, to build the thread primitives for their models (`src/thread/models.rs`).
    println!("cargo::rustc-check-cfg=cfg(loom)");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let (system, machine) = (variable("CARGO_CFG_TARGET_OS"), variable("CARGO_CFG_TARGET_ARCH"));
    if system != "linux" || !["x86_64", "aarch64"].contains(&machine.as_str()) {
        // Elsewhere programs are started by posix_spawn alone, and sandboxes are refused.
        return ExitCode::SUCCESS;
    }
    let made = PathBuf::from(variable("OUT_DIR")).join("spawn_helper");
    if let Some(given) = std::env::var_os("VITTE_SPAWN_HELPER") {
        return if given.is_empty() { ExitCode::SUCCESS } else { take(&PathBuf::from(given), &made) };
    }
    let mut rustc = Command::new(variable("RUSTC"));
    rustc
        .args(["--crate-name=spawn_helper", "--crate-type=bin", "--edition=2024", "--target"])
        .arg(variable("TARGET"))
        .args(["-Copt-level=z", "-Cpanic=abort", "-Ccodegen-units=1", "-Cstrip=symbols"])
        .args(["-Cdebug-assertions=off", "-Coverflow-checks=off", "-Cforce-unwind-tables=no"])
        .args(["-Crelocation-model=static", "-Cdefault-linker-libraries=no"])
        .args(["-Clink-arg=-nostdlib", "-Clink-arg=-nostartfiles", "-Clink-arg=-static"])
        .args(["-Clink-arg=-no-pie", "-Clink-arg=-Wl,--build-id=none", "-Clink-arg=-Wl,-z,noexecstack"])
        .args(["--check-cfg", "cfg(emulated)", "-o"])
        .arg(&made)
        .arg("spawn_helper/main.rs");
    // Tests under an emulator of user programs; see `.ci/steps/sys-cross-test`.
    if std::env::var_os("VITTE_TEST_EMULATOR").is_some() {
        rustc.arg("--cfg=emulated");
    }
    // A cross build brings its own linker and its own `core`.
    if let Ok(linker) = std::env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let mut flags = flags.split('\x1f');
    while let Some(flag) = flags.next() {
        if flag == "--sysroot" {
            rustc.arg(flag).args(flags.next());
        } else if flag.starts_with("--sysroot=") {
            rustc.arg(flag);
        }
    }
    match rustc.status() {
        Ok(status) if status.success() => {
            println!("cargo::rustc-cfg=spawn_helper");
            ExitCode::SUCCESS
        }
        Ok(status) => {
            println!("cargo::error=the spawn helper did not build: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("cargo::error=cannot run the compiler for the spawn helper: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Puts a helper that was built elsewhere in its place.
fn take(given: &Path, made: &Path) -> ExitCode {
    println!("cargo::rerun-if-changed={}", given.display());
    match std::fs::read(given).and_then(|bytes| std::fs::write(made, bytes)) {
        Ok(()) => {
            println!("cargo::rustc-cfg=spawn_helper");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("cargo::error=cannot take the spawn helper `{}`: {error}", given.display());
            ExitCode::FAILURE
        }
    }
}
