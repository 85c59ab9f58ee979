//! A home of its own for each test, and the real service in it.
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// The service's executable, built once: it belongs to another package, so cargo does not do it for us.
pub fn vitted() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_vitte")).parent().unwrap();
        // Whoever has built it already says so.
        if std::env::var_os("VITTE_TEST_BIN_DIR").is_none() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "-p", "vitted", "--bin", "vitted", "--target-dir"]);
            build.arg(folder.parent().unwrap());
            if folder.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success());
        }
        folder.join("vitted")
    })
}

/// An empty home with a runtime directory, whose service dies with it.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        assert!(vitted().is_file());
        let home = Self(TempDir::new().unwrap());
        std::fs::create_dir(home.join("run")).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A program in this home, with nothing to read and nothing of our own environment but the `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.path()).env("XDG_RUNTIME_DIR", self.join("run"));
        command.current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// The client in this home.
    pub fn vitte(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_vitte"), args)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.vitte(&["daemon", "stop"]).output();
    }
}
