//! Finds the binaries under test.
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the client and the service are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The `vitte` client.
    pub vitte: PathBuf,
    /// The `vitted` service; the client looks for it beside itself.
    pub vitted: PathBuf,
}

/// Brings the workspace's binaries up to date and says where they are.
///
/// The binaries stand in the profile folder that holds `deps/`, where the running test is.
/// `cargo test` builds a package's binaries only if that package has integration tests, hence the
/// build here; it does nothing when they are fresh. `VITTE_TEST_BIN_DIR` names a folder of
/// installed binaries instead.
///
/// # Errors
/// When the build fails or a binary is missing; the text says which.
pub fn find() -> Result<Binaries, String> {
    let folder = match std::env::var_os("VITTE_TEST_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => build()?,
    };
    let binaries = Binaries {
        vitte: folder.join(format!("vitte{}", std::env::consts::EXE_SUFFIX)),
        vitted: folder.join(format!("vitted{}", std::env::consts::EXE_SUFFIX)),
    };
    for path in [&binaries.vitte, &binaries.vitted] {
        if !path.is_file() {
            return Err(format!("{} does not exist", path.display()));
        }
    }
    Ok(binaries)
}

/// The folder that holds this package's `Cargo.toml`.
#[must_use]
pub fn tests_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn build() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| format!("the running test has no path: {error}"))?;
    let folder = test
        .parent()
        .and_then(Path::parent)
        .ok_or_else(|| format!("{} is not in a target folder", test.display()))?
        .to_path_buf();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(tests_folder()).args(["build", "--workspace", "--bins", "--quiet"]);
    if folder.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let status = cargo.status().map_err(|error| format!("cannot start cargo: {error}"))?;
    if status.success() { Ok(folder) } else { Err(format!("cargo build ended with {status}")) }
}
