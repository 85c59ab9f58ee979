//! What a child process may touch, and how strongly the kernel holds it to that.
//!
//! Three rungs, strongest first: own namespaces with Landlock and a system-call filter; Landlock and
//! the filter; limits alone. A [`Policy`] names the lowest rung it accepts. The child starts on the
//! highest rung that this machine has, or not at all when that is below the policy's; which one it
//! was is in its [`Confinement`]. The two upper rungs are Linux's; a policy that asks for one of them
//! starts nothing elsewhere.
use std::path::{Path, PathBuf};

use crate::platform;

/// A rung of the ladder of protection, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Limits and process group; under a policy also no new privileges. Nothing keeps it from files
    /// that the user can reach.
    Limits,
    /// And Landlock (files, abstract sockets, signals, TCP) and a system-call filter.
    Landlock,
    /// And own user, mount, PID, IPC, UTS and control-group namespaces; every mount that the
    /// policy does not make writable is read-only.
    Namespaces,
}

impl Rung {
    /// All, strongest first.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Landlock, Self::Limits];

    /// Its name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits alone",
            Self::Landlock => "Landlock and seccomp",
            Self::Namespaces => "namespaces, Landlock and seccomp",
        }
    }
}

/// How strongly a child is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// The rung that was reached.
    pub rung: Rung,
    /// The version of Landlock's interface that the rules were made for; 0 without Landlock.
    pub landlock_abi: u32,
}

/// What a child may touch. Everything that is not allowed is denied on the two upper rungs.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) minimum: Rung,
    pub(crate) maximum: Rung,
    pub(crate) read: Vec<PathBuf>,
    pub(crate) execute: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    pub(crate) network: bool,
    pub(crate) metadata: bool,
}

impl Policy {
    /// Nothing but the program's own file, which it may read and execute. The child must reach at
    /// least `minimum`.
    pub fn new(minimum: Rung) -> Self {
        Self {
            minimum,
            maximum: Rung::Namespaces,
            read: Vec::new(),
            execute: Vec::new(),
            write: Vec::new(),
            network: false,
            metadata: false,
        }
    }

    /// Goes no higher than `rung`, for what must not have namespaces of its own, and for tests.
    #[must_use]
    pub fn at_most(mut self, rung: Rung) -> Self {
        self.maximum = rung;
        self
    }

    /// Reading below `path`. A path that does not exist allows nothing.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// Reading and executing below `path`. A path that does not exist allows nothing.
    #[must_use]
    pub fn execute(mut self, path: impl Into<PathBuf>) -> Self {
        self.execute.push(path.into());
        self
    }

    /// Everything but execution below `path`, which must exist.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// The programs and libraries of the system, and the devices that any program may use.
    #[must_use]
    pub fn system(self) -> Self {
        use platform::sandbox::{DEVICES, FILES, PROGRAMS};
        let all = PROGRAMS.iter().fold(self, Self::execute);
        let all = FILES.iter().fold(all, Self::read);
        DEVICES.iter().filter(|path| Path::new(path).exists()).fold(all, Self::write)
    }

    /// The network, and connecting to sockets by path.
    #[must_use]
    pub fn allow_network(mut self) -> Self {
        self.network = true;
        self
    }

    /// Changing modes, owners, times and extended attributes, which Landlock does not cover: with own
    /// namespaces only what is writable, on the Landlock rung of any file of the same user.
    #[must_use]
    pub fn allow_metadata(mut self) -> Self {
        self.metadata = true;
        self
    }

    /// The rungs to try.
    pub(crate) fn rungs(&self) -> impl Iterator<Item = Rung> {
        let (minimum, maximum) = (self.minimum, self.maximum);
        Rung::ALL.into_iter().filter(move |rung| (minimum..=maximum).contains(rung))
    }
}
