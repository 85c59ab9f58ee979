//! What to start: program, arguments, environment, input and output, limits, sandbox.
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::Child;
use crate::platform::handle::OwnedHandle;
use crate::sandbox::Policy;
use crate::{SysError, platform};

/// Limits that a child starts with; `None` keeps ours.
///
/// A limit that the kernel would not hold this user to is an error of stage [`Stage::Limits`], never
/// silently ignored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of address space, for each process.
    pub address_space: Option<u64>,
    /// Seconds of processor time, for each process.
    pub cpu_seconds: Option<u64>,
    /// Bytes of a core file; 0 means none.
    pub core_bytes: Option<u64>,
    /// Bytes of each file that is written.
    pub file_bytes: Option<u64>,
    /// Open descriptors of each process.
    pub open_files: Option<u64>,
    /// Processes and threads of the whole tree: by control group where we may make one, else by
    /// `RLIMIT_NPROC`, which counts all processes of the user and does not bind root.
    pub processes: Option<u64>,
    /// Bytes of memory of the whole tree. Needs a control group.
    pub memory: Option<u64>,
}

/// The number under which a program finds what it was handed: [`Command::hand_over`].
pub const HANDED_DESCRIPTOR: u32 = 9;

/// Where one of the child's three standard descriptors leads.
#[derive(Debug, Default)]
pub struct Stdio(pub(crate) Target);

/// See [`Stdio`].
#[derive(Debug, Default)]
pub(crate) enum Target {
    /// Where ours leads.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A new pipe, whose other end is in the [`Child`].
    Pipe,
    /// This.
    Descriptor(OwnedHandle),
}

impl Stdio {
    /// Where ours leads.
    pub fn inherit() -> Self {
        Self(Target::Inherit)
    }

    /// `/dev/null`.
    pub fn null() -> Self {
        Self(Target::Null)
    }

    /// A new pipe, whose other end is in the [`Child`].
    pub fn piped() -> Self {
        Self(Target::Pipe)
    }
}

impl From<OwnedHandle> for Stdio {
    fn from(descriptor: OwnedHandle) -> Self {
        Self(Target::Descriptor(descriptor))
    }
}

/// A program to start, built like `std::process::Command`, which it replaces: that one forks as soon
/// as anything is to be done in the child.
#[derive(Debug)]
pub struct Command {
    program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// Changes to our environment; `None` removes.
    changes: BTreeMap<OsString, Option<OsString>>,
    cleared: bool,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) standard: [Stdio; 3],
    pub(crate) session: bool,
    pub(crate) policy: Option<Policy>,
    pub(crate) handed: Option<OwnedHandle>,
}

impl Command {
    /// The program `program`: a path, or a name to look for in the `PATH` of the child.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            changes: BTreeMap::new(),
            cleared: false,
            directory: None,
            standard: Default::default(),
            session: false,
            policy: None,
            handed: None,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.changes.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Sets environment variables.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.changes.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Starts from an empty environment.
    pub fn env_clear(&mut self) -> &mut Self {
        self.cleared = true;
        self.changes.clear();
        self
    }

    /// The directory to start in. A program given as a relative path is looked for from there.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Standard input; ours unless set.
    pub fn stdin(&mut self, input: impl Into<Stdio>) -> &mut Self {
        self.standard[0] = input.into();
        self
    }

    /// Standard output; ours unless set.
    pub fn stdout(&mut self, output: impl Into<Stdio>) -> &mut Self {
        self.standard[1] = output.into();
        self
    }

    /// Standard error; ours unless set.
    pub fn stderr(&mut self, output: impl Into<Stdio>) -> &mut Self {
        self.standard[2] = output.into();
        self
    }

    /// Leads a new session, without a controlling terminal, rather than only a new process group.
    pub fn new_session(&mut self) -> &mut Self {
        self.session = true;
        self
    }

    /// Confines the program to what `policy` allows.
    pub fn sandbox(&mut self, policy: Policy) -> &mut Self {
        self.policy = Some(policy);
        self
    }

    /// Hands a descriptor to the program, which finds it under the number [`HANDED_DESCRIPTOR`]. Only systems
    /// with the spawn helper can do that; on others the start fails with `Unsupported`.
    pub fn hand_over(&mut self, descriptor: OwnedHandle) -> &mut Self {
        self.handed = Some(descriptor);
        self
    }

    /// The program as it was given.
    pub fn get_program(&self) -> &OsStr {
        &self.program
    }

    /// Starts the program. Answers once it runs, that is, once its exec has succeeded.
    ///
    /// # Errors
    /// The stage that failed and its errno; then nothing runs. With a sandbox, an errno of the
    /// strongest rung that the policy accepts and that failed.
    pub fn spawn(self, limits: Limits) -> Result<Child, SpawnError> {
        let program = PathBuf::from(&self.program);
        platform::process::launch(self, limits).map_err(|(stage, source)| SpawnError {
            stage,
            program,
            source,
        })
    }

    /// The environment of the child, as `NAME=value`, sorted by name.
    pub(crate) fn environment(&self) -> Vec<OsString> {
        let mut all: BTreeMap<OsString, OsString> =
            if self.cleared { BTreeMap::new() } else { std::env::vars_os().collect() };
        for (name, value) in &self.changes {
            // There `Path` and `PATH` are one variable.
            if cfg!(windows) {
                all.retain(|other, _| !other.eq_ignore_ascii_case(name));
            }
            match value {
                Some(value) => all.insert(name.clone(), value.clone()),
                None => all.remove(name),
            };
        }
        all.into_iter()
            .map(|(mut name, value)| {
                name.push("=");
                name.push(value);
                name
            })
            .collect()
    }

    /// The file to execute.
    pub(crate) fn resolve(&self) -> io::Result<PathBuf> {
        let path = match self.changes.get(OsStr::new("PATH")) {
            Some(value) => value.clone(),
            None => std::env::var_os("PATH"),
        };
        platform::process::find_program(&self.program, path.as_deref())
    }
}

/// A stage and the system's answer in it.
pub(crate) type Failure = (Stage, io::Error);

/// An error as a failure of `stage`.
pub(crate) fn at<E: Into<io::Error>>(stage: Stage) -> impl Fn(E) -> Failure {
    move |error| (stage, error.into())
}

/// Starts `command` under `limits`: [`Command::spawn`] with the error of this crate.
///
/// # Errors
/// As [`Command::spawn`], without the stage.
pub fn spawn(command: Command, limits: Limits) -> Result<Child, SysError> {
    command.spawn(limits).map_err(SysError::from)
}

/// A step on the way to a running program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Preparing in this process: pipes, the plan, starting the helper.
    Prepare,
    /// Reading the plan, in the helper.
    Plan,
    /// Leading a process group or session.
    Group,
    /// Asking for a signal at the parent's death.
    DeathSignal,
    /// Entering new namespaces.
    Namespaces,
    /// Writing the id maps of the user namespace.
    IdMaps,
    /// Making mounts read-only.
    Mounts,
    /// Forking the helper.
    Fork,
    /// Entering a control group.
    ControlGroup,
    /// Entering the working directory.
    Directory,
    /// Setting a limit.
    Limits,
    /// Giving up privileges.
    Privileges,
    /// Making or entering the Landlock rules.
    Landlock,
    /// Installing the system-call filter.
    Filter,
    /// Starting the program itself.
    Exec,
}

impl Stage {
    /// What was going on, in words that follow "while".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Prepare => "preparing the start",
            Self::Plan => "reading the plan",
            Self::Group => "making a process group",
            Self::DeathSignal => "tying it to its parent",
            Self::Namespaces => "entering namespaces",
            Self::IdMaps => "mapping user and group ids",
            Self::Mounts => "making file systems read-only",
            Self::Fork => "forking the helper",
            Self::ControlGroup => "entering a control group",
            Self::Directory => "entering the working directory",
            Self::Limits => "setting limits",
            Self::Privileges => "giving up privileges",
            Self::Landlock => "entering the Landlock rules",
            Self::Filter => "installing the system-call filter",
            Self::Exec => "executing it",
        }
    }
}

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run `{}` (while {}): {source}", program.display(), stage.describe())]
pub struct SpawnError {
    /// Where it failed.
    pub stage: Stage,
    /// The program.
    pub program: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl From<SpawnError> for SysError {
    fn from(error: SpawnError) -> Self {
        SysError::new("run", &error.program, error.source)
    }
}
