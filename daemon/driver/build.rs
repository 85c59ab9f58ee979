//! Gives the compiler its identity, and builds `sys/ffi_syscalls`, the library of system calls, into one object that the driver carries and
//! links into the programs that call it (`src/link/system_calls.rs`). It is a workspace of its own,
//! tuned for size, so cargo builds it apart; sections per function let linkers leave out what a
//! program does not use.
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const LIBRARY: &str = "../../sys/ffi_syscalls";

/// What decides what the compiler makes of a program: its sources, and the versions of what they use.
const SOURCES: [&str; 4] = ["../compiler/src", "src", "build.rs", "../../Cargo.lock"];

/// Tells the crate its `VITTE_BUILD_ID`: a digest of [`SOURCES`] by name and contents.
fn build_id() -> std::io::Result<()> {
    use sha2::{Digest, Sha256};
    let mut files = Vec::new();
    let mut work: Vec<PathBuf> = SOURCES.iter().map(PathBuf::from).collect();
    while let Some(path) = work.pop() {
        println!("cargo::rerun-if-changed={}", path.display());
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                work.push(entry?.path());
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        let contents = std::fs::read(&path)?;
        for part in [path.to_string_lossy().as_bytes(), &contents] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=VITTE_BUILD_ID={digest}");
    Ok(())
}

fn main() -> ExitCode {
    if let Err(error) = build_id() {
        println!("cargo::error=cannot read the sources: {error}");
        return ExitCode::FAILURE;
    }
    for input in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={LIBRARY}/{input}");
    }
    println!("cargo::rustc-check-cfg=cfg(system_calls)");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let target = variable("TARGET");
    if target != "x86_64-unknown-linux-gnu" {
        // The only target whose executables are linked so far; elsewhere `rt_` names are undefined.
        return ExitCode::SUCCESS;
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    let mut emit = std::ffi::OsString::from("--emit=obj=");
    emit.push(out.join("ffi_syscalls.o"));
    // Nothing unwinds, so frame tables would only be size; position-independent for executables.
    let mut flags = vec!["-Cforce-unwind-tables=no".to_owned(), "-Crelocation-model=pie".to_owned()];
    let outer = variable("CARGO_ENCODED_RUSTFLAGS");
    let mut outer = outer.split('\x1f');
    while let Some(flag) = outer.next() {
        // Of the flags of this build only the place of `core` matters: sanitizers and the like do not fit
        // into a library without a run-time.
        if flag == "--sysroot" {
            flags.extend([flag.to_owned(), outer.next().unwrap_or_default().to_owned()]);
        } else if flag.starts_with("--sysroot=") {
            flags.push(flag.to_owned());
        }
    }
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .args([
            "rustc",
            "--quiet",
            "--release",
            "--locked",
            "--crate-type",
            "staticlib",
            "--features",
            "wide",
        ])
        .args(["--target", &target, "--manifest-path"])
        .arg(format!("{LIBRARY}/Cargo.toml"))
        .arg("--target-dir")
        .arg(out.join("ffi_syscalls"))
        .arg("--")
        .arg(emit)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        // A lint run wraps the compiler of workspace members, which this is not.
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    // Its own profile makes it one object of the size that is promised, whatever this build's profile was changed to.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
            cargo.env_remove(name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => {
            println!("cargo::rustc-cfg=system_calls");
            ExitCode::SUCCESS
        }
        Ok(status) => {
            println!("cargo::error=the library of system calls did not build: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("cargo::error=cannot run cargo for the library of system calls: {error}");
            ExitCode::FAILURE
        }
    }
}
