//! A client that is somebody else, for what the superuser cannot be refused.
#![allow(clippy::panic)] // What fails here fails the test that called it.

use std::process::Command;

use crate::process::Outcome;
use crate::stage::{Stage, binaries, end};

/// Runs the client as the user `nobody`, who then owns the stage. For a superuser only.
#[derive(Debug)]
pub struct Stranger<'a> {
    stage: &'a Stage,
}

impl<'a> Stranger<'a> {
    const UID: u32 = 65_534;

    /// Gives the stage to `nobody`. `None` when we may not, or cannot become that user.
    ///
    /// # Panics
    /// When the binaries cannot be copied.
    #[must_use]
    pub fn new(stage: &'a Stage) -> Option<Self> {
        let stranger = Self { stage };
        let bin = stage.home().path().join("bin");
        std::fs::create_dir(&bin).unwrap_or_else(|error| panic!("no folder for binaries: {error}"));
        for binary in [&binaries().vitte, &binaries().vitted] {
            // Our own folder may be closed to others.
            std::fs::copy(binary, bin.join(binary.file_name()?))
                .unwrap_or_else(|error| panic!("cannot copy {}: {error}", binary.display()));
        }
        stranger.own()?;
        let can = stranger.command(&["version"]).output();
        can.is_ok_and(|outcome| outcome.status.success()).then_some(stranger)
    }

    /// Gives all folders of the stage to `nobody`; needed again after new ones were made.
    #[must_use]
    pub fn own(&self) -> Option<()> {
        let mut folders = vec![self.stage.home().path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            std::os::unix::fs::chown(&folder, Some(Self::UID), Some(Self::UID)).ok()?;
            let entries = std::fs::read_dir(&folder).ok()?.flatten();
            folders.extend(
                entries
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
        }
        Some(())
    }

    /// A command of the client in the stage's folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let ours = self.stage.command(arguments);
        let id = Self::UID.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]);
        command.arg(self.stage.home().path().join("bin/vitte")).args(ours.get_args());
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.stage.folder());
        command
    }

    /// Runs the client to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn vitte(&self, arguments: &[&str]) -> Outcome {
        end(self.command(arguments))
    }
}

impl Drop for Stranger<'_> {
    fn drop(&mut self) {
        // The stage itself cannot: the service does not listen to strangers.
        drop(self.command(&["daemon", "stop"]).output());
    }
}
