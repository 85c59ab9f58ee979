//! Trust domains: native modules of one signer and with the same capabilities share a process.
//!
//! They could reach each other's memory, so what one may, all may; and a crash takes all of them, which each is told.
//! Modules that nobody signed have nothing in common: each has a process of its own. So has a new generation of a
//! module whose old one is in the process: native code cannot be unloaded reliably, a library with thread-local
//! destructors stays. A process ends with the last generation that it serves.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use vitte_native_code::{Ending, Runner, RunnerOptions};
use vitte_trust::{Access, Capability};

use crate::call::{CallError, Stop};
use crate::generation::State;
use crate::name::ModuleName;
use crate::registry::Registry;

/// How often a waiting caller looks whether it should go on waiting.
const POLL: Duration = Duration::from_millis(5);
/// Modules that have left a process and whose code is still in it, before others get a new one.
const LEFT_MAX: usize = 16;

/// What modules have in common that share a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The key that signed them.
    pub(crate) signer: String,
    /// What they may reach, sorted.
    pub(crate) capabilities: Vec<Capability>,
}

/// The newest process of each domain.
pub(crate) struct Domains {
    registry: Weak<Registry>,
    newest: Mutex<BTreeMap<Key, Weak<Process>>>,
}

/// A process, or the place of one that has crashed and starts anew when it is next called.
pub(crate) struct Process {
    options: RunnerOptions,
    registry: Weak<Registry>,
    slot: Mutex<Slot>,
    changed: Condvar,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    /// The generations that it serves, by the number of their library.
    live: BTreeMap<u32, (ModuleName, u64)>,
    /// The names of those that it served before.
    left: BTreeSet<ModuleName>,
    last: u32,
}

enum Slot {
    /// Nobody uses it.
    Idle(Box<Running>),
    /// Somebody does, or starts it.
    Taken,
    /// There is none; the next caller starts one.
    None,
}

/// A process that runs, and the libraries that are open in it.
pub(crate) struct Running {
    pub(crate) runner: Runner,
    pub(crate) open: BTreeSet<u32>,
    /// Whether those whose libraries are open in it were told of its end.
    pub(crate) is_told: bool,
}

/// A process whose function has called another module, for what that calls in the same process: it would wait for its
/// own caller.
pub(crate) struct Lent {
    process: Arc<Process>,
    running: Mutex<Option<Box<Running>>>,
}

impl Lent {
    pub(crate) fn new(process: &Arc<Process>, running: Box<Running>) -> Arc<Self> {
        Arc::new(Self { process: Arc::clone(process), running: Mutex::new(Some(running)) })
    }

    pub(crate) fn is_of(&self, process: &Arc<Process>) -> bool {
        Arc::ptr_eq(&self.process, process)
    }

    /// The process; `None` while another has it.
    pub(crate) fn take(&self) -> Option<Box<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn give_back(&self, running: Box<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }
}

/// What a caller gets.
pub(crate) enum Turn {
    /// The process; it must be given back.
    Yours(Box<Running>),
    /// There is none: the caller starts one, and gives that back, or says that there is none.
    Start,
}

impl Domains {
    pub(crate) fn new(registry: Weak<Registry>) -> Self {
        Self { registry, newest: Mutex::default() }
    }

    /// A place for a generation in a process, and the number of its library there. `key` is of what it shares one
    /// with; without one it has a process of its own, started with `options`.
    pub(crate) fn join(
        &self,
        key: Option<Key>,
        module: &ModuleName,
        number: u64,
        options: impl FnOnce() -> RunnerOptions,
    ) -> (Arc<Process>, u32) {
        let new = || Arc::new(Process::new(options(), Weak::clone(&self.registry)));
        let Some(key) = key else {
            let process = new();
            let library = process.add(module, number);
            return (process, library);
        };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.retain(|_, process| process.strong_count() > 0);
        let shared = newest.get(&key).and_then(Weak::upgrade).filter(|process| process.admits(module));
        let process = shared.unwrap_or_else(new);
        let library = process.add(module, number);
        newest.insert(key, Arc::downgrade(&process));
        (process, library)
    }
}

impl Process {
    fn new(options: RunnerOptions, registry: Weak<Registry>) -> Self {
        Self {
            options,
            registry,
            slot: Mutex::new(Slot::None),
            changed: Condvar::new(),
            members: Mutex::default(),
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a generation of `module` can share it.
    fn admits(&self, module: &ModuleName) -> bool {
        let members = self.members();
        !members.left.contains(module)
            && members.left.len() < LEFT_MAX
            && !members.live.values().any(|(name, _)| name == module)
    }

    fn add(&self, module: &ModuleName, number: u64) -> u32 {
        let mut members = self.members();
        members.last += 1;
        let library = members.last;
        members.live.insert(library, (module.clone(), number));
        library
    }

    /// A generation is gone.
    pub(crate) fn leave(&self, library: u32) {
        let mut members = self.members();
        if let Some((module, _)) = members.live.remove(&library) {
            members.left.insert(module);
        }
    }

    /// With what it is started.
    pub(crate) fn options(&self) -> &RunnerOptions {
        &self.options
    }

    /// The process, once it is this caller's turn.
    ///
    /// # Errors
    /// Why the caller does not wait any more.
    pub(crate) fn take(&self, stop: &Stop) -> Result<Turn, CallError> {
        let mut slot = self.slot();
        loop {
            match std::mem::replace(&mut *slot, Slot::Taken) {
                Slot::Idle(running) => return Ok(Turn::Yours(running)),
                Slot::None => return Ok(Turn::Start),
                Slot::Taken => {}
            }
            if let Some(reason) = stop.reason() {
                return Err(reason);
            }
            slot = self.changed.wait_timeout(slot, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives it back, if it has not ended.
    pub(crate) fn give_back(&self, running: Box<Running>) {
        *self.slot() = if running.runner.is_over() { Slot::None } else { Slot::Idle(running) };
        self.changed.notify_one();
    }

    /// Says that there is none.
    pub(crate) fn give_up(&self) {
        *self.slot() = Slot::None;
        self.changed.notify_one();
    }

    /// Tells everyone whose library was open in it that it has ended. `library` is the one whose `function` ran.
    pub(crate) fn tell(&self, open: &BTreeSet<u32>, library: u32, function: &str, how: Option<&Ending>) {
        let Some(registry) = self.registry.upgrade() else { return };
        let members = self.members();
        let by =
            members.live.get(&library).map(|(module, _)| module.as_str()).unwrap_or("a module that left");
        let how = how.map_or_else(|| "being stopped".to_owned(), ToString::to_string);
        let reason =
            format!("its process ended by {how} in `{function}` of `{by}`; the next call starts it anew");
        let told: Vec<(ModuleName, u64)> =
            open.iter().filter_map(|open| members.live.get(open)).cloned().collect();
        drop(members);
        for (module, number) in told {
            if registry.serving(&module).is_some_and(|serving| serving.staged.number == number) {
                registry.events.publish(&module, number, State::Active, &reason, Duration::ZERO);
            }
        }
    }
}

/// What the sandbox of a process opens for capabilities: files and folders to read and to write, and variables. The
/// others, native code has from the system.
pub(crate) fn reach(capabilities: &[Capability], mut options: RunnerOptions) -> RunnerOptions {
    for capability in capabilities {
        match capability {
            Capability::Fs { access: Access::Read, path } => options.read.push(path.clone()),
            Capability::Fs { access: Access::Write, path } => options.write.push(path.clone()),
            Capability::Env(_) => {
                let variables = std::env::vars_os();
                let is_named = |name: &std::ffi::OsString| {
                    name.to_str().is_some_and(|name| capability.admits_variable(name))
                };
                options.environment.extend(variables.filter(|(name, _)| is_named(name)));
            }
            Capability::Args
            | Capability::Clocks
            | Capability::Network
            | Capability::Random
            | Capability::Stdio => {}
        }
    }
    options
}
