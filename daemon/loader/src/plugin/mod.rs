//! Plugins: extensions of the tools, made when they are wanted, set aside when they fail.
//!
//! A plugin is a package with a component of the world `vitte:plugin/plugin` (`daemon/component/wit`). [`Plugins::add`]
//! checks it and runs nothing; the first event that it waits for loads it. Whatever fails in it concerns it alone: five
//! faults within a minute, or two failures to start, and it is quarantined with the reason until it is loaded anew.
mod activation; // when
mod check; // what is checked without running anything
mod contribution; // what they give
mod kept; // which there are, from one process to the next

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use activation::{Activation, ParseActivationError};
pub use check::{Checked, check};
pub use contribution::{Diagnostic, Panel, Project, Severity};
pub use vitte_component::PLUGIN_VERSION as INTERFACE_VERSION;
use vitte_component::PLUGIN_VERSION;

use crate::call::{CallError, CallRequest, Cancel};
use crate::error::LoadError;
use crate::loader::{LoadRequest, ModuleLoader};
use crate::name::ModuleName;

/// So many faults within [`BUDGET_TIME`] are too many.
const BUDGET: usize = 5;
/// See [`BUDGET`].
const BUDGET_TIME: Duration = Duration::from_secs(60);
/// So many failures to start, one after the other.
const STARTS_MAX: u32 = 2;
/// Longest call of a contribution.
const CALL_MAX: Duration = Duration::from_secs(10);

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// It cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Something is wrong with it.
    #[error("`{name}` is no plugin that can be loaded: {}", problems.join("; "))]
    Unfit {
        /// Which.
        name: ModuleName,
        /// What.
        problems: Vec<String>,
    },
    /// Nobody added it.
    #[error("there is no plugin `{0}`")]
    Unknown(ModuleName),
    /// It was added before.
    #[error("the plugin `{0}` is there already")]
    Exists(ModuleName),
    /// It failed too often.
    #[error("the plugin `{name}` is quarantined: {reason}")]
    Quarantined {
        /// Which.
        name: ModuleName,
        /// Why.
        reason: String,
    },
    /// It does not have this contribution.
    #[error("the plugin `{name}` does not contribute `{contribution}`")]
    NoContribution {
        /// Which.
        name: ModuleName,
        /// What.
        contribution: String,
    },
    /// The call failed, or the plugin said so.
    #[error("the plugin `{name}` failed in `{function}`: {message}")]
    Failed {
        /// Which.
        name: ModuleName,
        /// Where.
        function: String,
        /// What it said.
        message: String,
    },
}

impl PluginError {
    /// A stable name in upper case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Load(error) => error.code(),
            Self::Unfit { .. } => "PLUGIN_UNFIT",
            Self::Unknown(_) => "PLUGIN_UNKNOWN",
            Self::Exists(_) => "PLUGIN_LOADED",
            Self::Quarantined { .. } => "PLUGIN_QUARANTINED",
            Self::NoContribution { .. } => "PLUGIN_NO_CONTRIBUTION",
            Self::Failed { .. } => "PLUGIN_FAILED",
        }
    }

    /// What to do next; may be empty.
    pub fn help(&self) -> String {
        match self {
            Self::Load(error) => error.help(),
            Self::Unfit { .. } => "`vitte plugin check FILE` shows everything that is checked".into(),
            Self::Unknown(_) => "`vitte plugin list` shows which there are".into(),
            Self::Exists(name) => format!("unload it first: `vitte plugin unload {name}`"),
            Self::Quarantined { name, .. } => {
                format!("unload it and load it again when it is mended: `vitte plugin unload {name}`")
            }
            Self::NoContribution { name, .. } => {
                format!("`vitte plugin info {name}` shows what it contributes")
            }
            Self::Failed { .. } => String::new(),
        }
    }
}

/// What becomes of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginState {
    /// It waits for an event.
    Waiting,
    /// It is loaded.
    Active,
    /// It failed too often.
    Quarantined(String),
}

/// A plugin, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    /// What was found when it was added.
    pub checked: Checked,
    /// Its file.
    pub path: PathBuf,
    /// What becomes of it.
    pub state: PluginState,
    /// Calls of its contributions.
    pub calls: u64,
    /// Those that failed by its fault.
    pub faults: u64,
}

struct Known {
    info: PluginInfo,
    /// What the user gave to `init`.
    settings: Option<String>,
    /// When it failed, within [`BUDGET_TIME`].
    recent: VecDeque<Instant>,
    failed_starts: u32,
}

impl Known {
    fn new(info: PluginInfo, settings: Option<String>) -> Self {
        Self { info, settings, recent: VecDeque::new(), failed_starts: 0 }
    }
}

/// What a plugin said, or why it did not.
pub type Answer<T> = (ModuleName, Result<T, PluginError>);

/// The plugins of a service.
pub struct Plugins {
    loader: ModuleLoader,
    known: Mutex<BTreeMap<ModuleName, Known>>,
    /// Where they are noted.
    file: Option<PathBuf>,
    /// Set once those that were noted are known.
    restored: OnceLock<()>,
}

impl Plugins {
    /// The plugins that are noted in `file`, of which nothing is read yet. They are loaded by `loader`, beside its other
    /// modules.
    pub fn new(loader: ModuleLoader, file: Option<PathBuf>) -> Self {
        Self { loader, known: Mutex::default(), file, restored: OnceLock::new() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<ModuleName, Known>> {
        self.restored.get_or_init(|| {
            let Some(file) = &self.file else { return };
            for kept::Kept { path, settings } in kept::read(file) {
                match self.look_at(&path) {
                    Ok(info) => {
                        let name = info.checked.name.clone();
                        self.loader.configure(&name, settings.clone());
                        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                        known.entry(name).or_insert_with(|| Known::new(info, settings));
                    }
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "a plugin is not there any more");
                    }
                }
            }
        });
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which there are, for the next process.
    fn keep(&self, known: &BTreeMap<ModuleName, Known>) {
        let Some(file) = &self.file else { return };
        let kept = known
            .values()
            .map(|known| kept::Kept { path: known.info.path.clone(), settings: known.settings.clone() });
        kept::write(file, &kept.collect::<Vec<_>>());
    }

    /// Checks what is at `path`.
    fn look_at(&self, path: &Path) -> Result<PluginInfo, PluginError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let checked = check(self.loader.config(), &path)?;
        if !checked.problems.is_empty() {
            return Err(PluginError::Unfit { name: checked.name, problems: checked.problems });
        }
        Ok(PluginInfo { checked, path, state: PluginState::Waiting, calls: 0, faults: 0 })
    }

    /// Everything that [`add`](Self::add) checks, whatever is found.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(&self, path: &Path) -> Result<Checked, LoadError> {
        check(self.loader.config(), path)
    }

    /// Checks a plugin and notes when it is wanted. `settings` is given to its `init` in place of what its package says.
    /// Nothing of it runs.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub fn add(&self, path: &Path, settings: Option<String>) -> Result<PluginInfo, PluginError> {
        let info = self.look_at(path)?;
        let name = info.checked.name.clone();
        let mut known = self.known();
        if known.contains_key(&name) {
            return Err(PluginError::Exists(name));
        }
        self.loader.configure(&name, settings.clone());
        known.insert(name, Known::new(info.clone(), settings));
        self.keep(&known);
        Ok(info)
    }

    /// Forgets a plugin; one that is loaded is told by `shutdown`.
    ///
    /// # Errors
    /// [`PluginError::Unknown`].
    pub fn remove(&self, name: &ModuleName) -> Result<PluginInfo, PluginError> {
        let info = {
            let mut known = self.known();
            let removed = known.remove(name).ok_or_else(|| PluginError::Unknown(name.clone()))?;
            self.keep(&known);
            removed.info
        };
        if self.loader.module(name).is_some() {
            if info.checked.exports.iter().any(|(export, _)| export == "shutdown") {
                // It goes either way.
                let _ = self.loader.call(&request(name, "shutdown", "()".to_owned()));
            }
            let _ = self.loader.unload(name);
        }
        self.loader.configure(name, None);
        Ok(info)
    }

    /// All plugins by name.
    pub fn all(&self) -> Vec<PluginInfo> {
        self.known().values().map(|known| known.info.clone()).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`PluginError::Unknown`].
    pub fn get(&self, name: &ModuleName) -> Result<PluginInfo, PluginError> {
        let known = self.known();
        known.get(name).map(|known| known.info.clone()).ok_or_else(|| PluginError::Unknown(name.clone()))
    }

    /// Whether there is any; asking costs nothing.
    pub fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    /// Findings of all plugins about a file that they are for, in order of plugin.
    pub fn diagnose(&self, path: &str, text: &str) -> Vec<Answer<Vec<Diagnostic>>> {
        let arguments = contribution::texts(&[path, text]);
        self.ask_all("diagnostics", "check", Some(path), &arguments, |answer| {
            contribution::diagnostics(answer, text.len())
        })
    }

    /// Steps before a build, in order of plugin. A failure ends the build.
    pub fn before_build(&self, project: &Project) -> Vec<Answer<Vec<String>>> {
        self.ask_all("build", "before", None, &contribution::project_argument(project), contribution::notes)
    }

    /// The panels of all plugins.
    pub fn panels(&self) -> Vec<Answer<Vec<Panel>>> {
        self.ask_all("panels", "overview", None, &contribution::texts(&[]), contribution::panels)
    }

    /// What a panel shows, as Markdown.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub fn show_panel(&self, name: &ModuleName, id: &str) -> Result<String, PluginError> {
        self.ask(name, "panels", "show", &contribution::texts(&[id]), contribution::text)
    }

    /// The text of a file in a plugin's style.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub fn format(&self, name: &ModuleName, path: &str, text: &str) -> Result<String, PluginError> {
        self.ask(name, "formatter", "format", &contribution::texts(&[path, text]), contribution::text)
    }

    /// A page made of Markdown.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub fn render(&self, name: &ModuleName, title: &str, markdown: &str) -> Result<String, PluginError> {
        self.ask(
            name,
            "documentation",
            "render",
            &contribution::texts(&[title, markdown]),
            contribution::text,
        )
    }

    /// The plugin that waits for a command, if one does.
    pub fn command(&self, command: &str) -> Option<ModuleName> {
        let is_it = |event: &Activation| matches!(event, Activation::OnCommand(name) if name == command);
        let known = self.known();
        let mut all = known.values().map(|known| &known.info.checked);
        all.find(|checked| checked.activation.iter().any(is_it)).map(|checked| checked.name.clone())
    }

    /// Calls any function of a plugin with arguments as text.
    ///
    /// # Errors
    /// See [`PluginError`].
    pub fn call(&self, name: &ModuleName, function: &str, arguments: &str) -> Result<String, PluginError> {
        self.activate(name)?;
        self.called(name, function, arguments.to_owned())
    }

    fn ask_all<T>(
        &self,
        interface: &str,
        function: &str,
        path: Option<&str>,
        arguments: &Result<String, String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<Answer<T>> {
        let names: Vec<ModuleName> = self
            .known()
            .values()
            .filter(|known| !matches!(known.info.state, PluginState::Quarantined(_)))
            .map(|known| &known.info.checked)
            .filter(|checked| checked.contributions.contains(interface))
            .filter(|checked| path.is_none_or(|path| activation::concerns(&checked.activation, path)))
            .map(|checked| checked.name.clone())
            .collect();
        let ask = |name: ModuleName| {
            let answer = self.ask(&name, interface, function, arguments, &read);
            (name, answer)
        };
        names.into_iter().map(ask).collect()
    }

    fn ask<T>(
        &self,
        name: &ModuleName,
        interface: &str,
        function: &str,
        arguments: &Result<String, String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, PluginError> {
        if !self.get(name)?.checked.contributions.contains(interface) {
            let contribution = interface.to_owned();
            return Err(PluginError::NoContribution { name: name.clone(), contribution });
        }
        self.activate(name)?;
        let failed = |message: String| PluginError::Failed {
            name: name.clone(),
            function: format!("{interface}.{function}"),
            message,
        };
        let arguments = arguments.clone().map_err(failed)?;
        let export = format!("vitte:plugin/{interface}@{PLUGIN_VERSION}#{function}");
        let answer = self.called(name, &export, arguments)?;
        read(&answer).map_err(failed)
    }

    /// Loads a plugin that waits.
    fn activate(&self, name: &ModuleName) -> Result<(), PluginError> {
        let info = self.get(name)?;
        if let PluginState::Quarantined(reason) = info.state {
            return Err(PluginError::Quarantined { name: name.clone(), reason });
        }
        if self.loader.module(name).is_some() {
            return Ok(());
        }
        let request = LoadRequest::new(&info.path).named(name.clone());
        let loaded = self.loader.load(&request, &Cancel::default());
        let mut known = self.known();
        let Some(plugin) = known.get_mut(name) else { return Err(PluginError::Unknown(name.clone())) };
        match loaded {
            // Another thread may have been faster.
            Ok(_) | Err(LoadError::AlreadyLoaded { .. }) => {
                plugin.failed_starts = 0;
                plugin.info.state = PluginState::Active;
                Ok(())
            }
            Err(error) => {
                plugin.failed_starts += 1;
                if plugin.failed_starts >= STARTS_MAX {
                    let reason = format!("it could not be started {STARTS_MAX} times: {error}");
                    plugin.info.state = PluginState::Quarantined(reason);
                }
                Err(error.into())
            }
        }
    }

    fn called(&self, name: &ModuleName, function: &str, arguments: String) -> Result<String, PluginError> {
        let outcome = self.loader.call(&request(name, function, arguments));
        let mut known = self.known();
        let Some(plugin) = known.get_mut(name) else { return Err(PluginError::Unknown(name.clone())) };
        plugin.info.calls += 1;
        let error = match outcome {
            Ok(reply) => return Ok(reply.results),
            Err(error) => error,
        };
        if error.is_fault() || matches!(error, CallError::DeadlineExceeded(_)) {
            plugin.info.faults += 1;
            let now = Instant::now();
            plugin.recent.push_back(now);
            plugin.recent.retain(|then| now.duration_since(*then) < BUDGET_TIME);
            if plugin.recent.len() >= BUDGET {
                let reason = format!("it failed {BUDGET} times within a minute, at last: {error}");
                plugin.info.state = PluginState::Quarantined(reason);
                // Nothing calls it any more.
                let _ = self.loader.unload(name);
            }
        }
        Err(PluginError::Failed {
            name: name.clone(),
            function: function.to_owned(),
            message: error.to_string(),
        })
    }
}

fn request(name: &ModuleName, function: &str, arguments: String) -> CallRequest {
    CallRequest {
        module: name.clone(),
        function: function.to_owned(),
        arguments,
        generation: None,
        time_max: Some(CALL_MAX),
        cancel: Cancel::default(),
    }
}
