//! A private place for one service: its own sockets, cache, state and settings.
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::binaries::Binaries;
use crate::process;

/// Temporary XDG folders. Dropping it stops the service that lives there, then removes them.
#[derive(Debug)]
pub struct Home {
    binaries: Binaries,
    folder: TempDir,
}

impl Home {
    /// Makes the folders, readable by the owner alone. The path is short, because a socket's path
    /// may not exceed 107 bytes on Linux.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn new(binaries: &Binaries) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("vt").tempdir()?;
        for name in ["run", "cache", "state", "config", "home"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path)?;
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        }
        Ok(Self { binaries: binaries.clone(), folder })
    }

    /// The folder that holds all the others.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command of the client that sees only this home, with no terminal and no colours.
    #[must_use]
    pub fn vitte(&self) -> Command {
        let mut command = Command::new(&self.binaries.vitte);
        let at = |name: &str| self.folder.path().join(name);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("VITTE_") {
                command.env_remove(name);
            }
        }
        command
            .env("XDG_RUNTIME_DIR", at("run"))
            .env("XDG_CACHE_HOME", at("cache"))
            .env("XDG_STATE_HOME", at("state"))
            .env("XDG_CONFIG_HOME", at("config"))
            .env("HOME", at("home"))
            .env("NO_COLOR", "1")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut stop = self.vitte();
        stop.args(["daemon", "stop"]);
        // A service that never started or is gone already is as good as a stopped one.
        drop(process::run(stop, b"", Duration::from_secs(20)));
    }
}
