//! Settings: read and checked once, at the edge, into plain values.
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use vitte_loader::Capability;
use vitte_store::IndexUse;

/// The engine below the compiler tells every query it runs; that is for those who ask.
const LOG_DEFAULT: &str = "info,salsa=warn";

/// The store's budget unless the file says otherwise.
const CACHE_BYTES: u64 = 10 << 30;

/// The budget of memory unless the file says otherwise: a few workspaces of a thousand modules.
const MEMORY_BYTES: u64 = 2 << 30;

/// Settings of the service, complete and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Threads that compile; also the most builds that go on at once.
    pub compile_threads: NonZeroUsize,
    /// Longest drain after a request to end. `TimeoutStopSec` of a service manager must stay above it.
    pub drain_max: Duration,
    /// Most open connections.
    pub connections_max: NonZeroUsize,
    /// Resident bytes above which programs that are not in use are forgotten; `None` for no such limit.
    pub memory_bytes: Option<u64>,
    /// Bytes on disk above which the store is collected.
    pub cache_bytes: u64,
    /// Entries of the store unused for longer are collected; `None` for no such limit.
    pub cache_age_max: Option<Duration>,
    /// Whether it is noted what each target was built from, for `vitte why`.
    pub history: bool,
    /// Folders that are never watched but looked at each time.
    pub polled_folders: Vec<PathBuf>,
    /// What every module that asks for it is granted of the system.
    pub module_grants: Vec<Capability>,
    /// Folders in which packages that modules depend on are looked for.
    pub module_search: Vec<PathBuf>,
    /// Filter of the log, in the syntax of `tracing-subscriber`.
    pub log: String,
    /// Where each setting comes from: `default`, `file` or `environment`.
    pub sources: BTreeMap<&'static str, &'static str>,
    /// The settings file that was looked for.
    pub path: Option<PathBuf>,
    /// What in the file was not understood, one sentence each.
    pub warnings: Vec<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there but cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The settings file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value is of the wrong type.
    #[error("`{path}` is not valid: {message}")]
    Parse {
        /// The settings file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// A value is out of its range.
    #[error("`{name}` must be {expected}, not `{value}`")]
    Range {
        /// Dotted name of the setting.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
}

/// The file as written. Unknown keys are kept, to be warned about: an older service must be able to
/// read a newer file.
#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    service: Section,
    #[serde(default)]
    cache: CacheSection,
    #[serde(default)]
    watch: WatchSection,
    #[serde(default)]
    modules: ModulesSection,
}

#[derive(Debug, Default, Deserialize)]
struct ModulesSection {
    grants: Option<Vec<String>>,
    search: Option<Vec<PathBuf>>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
struct CacheSection {
    size: Option<String>,
    #[serde(rename = "max-age")]
    max_age: Option<String>,
    history: Option<bool>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Section {
    compile_threads: Option<usize>,
    drain_seconds: Option<u64>,
    connections_max: Option<usize>,
    memory: Option<String>,
    log: Option<String>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
struct WatchSection {
    polled_folders: Option<Vec<PathBuf>>,
    #[serde(flatten)]
    unknown: BTreeMap<String, toml::Value>,
}

/// Most bytes of a settings file.
const SETTINGS_MAX: u64 = 1 << 20;

/// The text of the settings file, empty when there is none. A pipe or a device in its place is refused
/// and not waited for.
fn read(path: &Path) -> std::io::Result<String> {
    match vitte_sys::fs::read_at_most(path, SETTINGS_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|error| std::io::Error::other(error.utf8_error())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error.to_io()),
    }
}

impl Config {
    /// Reads the settings file at `path`, if there is one; `log` is `VITTED_LOG` and beats it.
    ///
    /// # Errors
    /// When the file exists but cannot be read or used.
    pub fn load(path: Option<&Path>, log: Option<String>) -> Result<Self, ConfigError> {
        let text = match path {
            None => String::new(),
            Some(path) => read(path).map_err(|source| ConfigError::Read { path: path.into(), source })?,
        };
        let file: File = toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.unwrap_or(Path::new("")).into(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        Self::resolve(file, path, log)
    }

    fn resolve(file: File, path: Option<&Path>, log: Option<String>) -> Result<Self, ConfigError> {
        let Section { compile_threads, drain_seconds, connections_max, memory, log: file_log, unknown } =
            file.service;
        let CacheSection { size, max_age, history, unknown: unknown_cache } = file.cache;
        let WatchSection { polled_folders, unknown: unknown_watch } = file.watch;
        let ModulesSection { grants, search, unknown: unknown_modules } = file.modules;
        let mut sources = BTreeMap::new();
        let mut source = |name, in_file: bool| sources.insert(name, if in_file { "file" } else { "default" });
        source("service.compile_threads", compile_threads.is_some());
        source("service.drain_seconds", drain_seconds.is_some());
        source("service.connections_max", connections_max.is_some());
        source("service.memory", memory.is_some());
        source("service.log", file_log.is_some());
        source("cache.size", size.is_some());
        source("cache.max-age", max_age.is_some());
        source("cache.history", history.is_some());
        source("watch.polled_folders", polled_folders.is_some());
        source("modules.grants", grants.is_some());
        source("modules.search", search.is_some());
        if log.is_some() {
            sources.insert("service.log", "environment");
        }
        // Two at least, so that one long build never keeps a quick check waiting.
        let threads_default = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
        let drain_seconds = drain_seconds.unwrap_or(10);
        if drain_seconds > 3600 {
            return Err(ConfigError::Range {
                name: "service.drain_seconds",
                expected: "at most 3600",
                value: drain_seconds.to_string(),
            });
        }
        let polled_folders = polled_folders.unwrap_or_default();
        if let Some(relative) = polled_folders.iter().find(|folder| !folder.is_absolute()) {
            return Err(ConfigError::Range {
                name: "watch.polled_folders",
                expected: "absolute paths",
                value: relative.display().to_string(),
            });
        }
        let module_search = search.unwrap_or_default();
        if let Some(relative) = module_search.iter().find(|folder| !folder.is_absolute()) {
            return Err(ConfigError::Range {
                name: "modules.search",
                expected: "absolute paths",
                value: relative.display().to_string(),
            });
        }
        let module_grants = grants
            .unwrap_or_default()
            .iter()
            .map(|text| {
                text.parse::<Capability>().map_err(|_| ConfigError::Range {
                    name: "modules.grants",
                    expected: "capabilities such as \"clocks\" or \"fs:ro:/srv/data\"",
                    value: text.clone(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let unknown = unknown.keys().map(|key| ("service", key));
        let unknown = unknown.chain(unknown_watch.keys().map(|key| ("watch", key)));
        let unknown = unknown.chain(unknown_modules.keys().map(|key| ("modules", key)));
        let unknown = unknown.chain(unknown_cache.keys().map(|key| ("cache", key)));
        Ok(Self {
            compile_threads: in_range(
                "service.compile_threads",
                compile_threads.unwrap_or(threads_default),
                256,
            )?,
            drain_max: Duration::from_secs(drain_seconds),
            connections_max: in_range("service.connections_max", connections_max.unwrap_or(512), 65_536)?,
            cache_bytes: match size {
                None => CACHE_BYTES,
                Some(size) => bytes(&size).ok_or(ConfigError::Range {
                    name: "cache.size",
                    expected: "a size such as \"512 MiB\" or \"10 GiB\"",
                    value: size,
                })?,
            },
            cache_age_max: match max_age {
                None => None,
                Some(age) if age == "none" => None,
                Some(age) => Some(duration(&age).ok_or(ConfigError::Range {
                    name: "cache.max-age",
                    expected: "a time such as \"12 h\" or \"30 d\"",
                    value: age,
                })?),
            },
            history: history.unwrap_or(true),
            memory_bytes: match memory {
                None => Some(MEMORY_BYTES),
                Some(size) if size == "none" => None,
                Some(size) => Some(bytes(&size).ok_or(ConfigError::Range {
                    name: "service.memory",
                    expected: "a size such as \"512 MiB\", or \"none\"",
                    value: size,
                })?),
            },
            log: log.or(file_log).unwrap_or_else(|| LOG_DEFAULT.to_owned()),
            sources,
            path: path.map(Path::to_path_buf),
            warnings: unknown.map(|(section, key)| format!("`{section}.{key}` is not a setting")).collect(),
            polled_folders,
            module_grants,
            module_search,
        })
    }

    /// Every setting by its dotted name, with its value as it would stand in the file.
    pub fn values(&self) -> BTreeMap<&'static str, String> {
        let Self {
            compile_threads,
            drain_max,
            connections_max,
            cache_bytes,
            cache_age_max,
            history,
            memory_bytes,
            polled_folders,
            module_grants,
            module_search,
            log,
            sources: _,
            path: _,
            warnings: _,
        } = self;
        let age = cache_age_max.map_or_else(|| "none".to_owned(), |age| format!("{} s", age.as_secs()));
        let memory = memory_bytes.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} B"));
        BTreeMap::from([
            ("service.compile_threads", compile_threads.to_string()),
            ("service.drain_seconds", drain_max.as_secs().to_string()),
            ("service.connections_max", connections_max.to_string()),
            ("service.log", format!("{log:?}")),
            ("cache.size", format!("{:?}", format!("{cache_bytes} B"))),
            ("cache.max-age", format!("{age:?}")),
            ("cache.history", history.to_string()),
            ("service.memory", format!("{memory:?}")),
            ("watch.polled_folders", format!("{polled_folders:?}")),
            (
                "modules.grants",
                format!("{:?}", module_grants.iter().map(ToString::to_string).collect::<Vec<_>>()),
            ),
            ("modules.search", format!("{module_search:?}")),
        ])
    }

    /// How the store is opened.
    pub fn store(&self, index: IndexUse) -> vitte_store::Options {
        vitte_store::Options {
            budget_bytes: self.cache_bytes,
            max_age: self.cache_age_max,
            index,
            ..vitte_store::Options::default()
        }
    }
}

/// A number of bytes: digits, then `B`, `KiB`, `MiB`, `GiB` or `TiB`; the `iB` may be left out.
fn bytes(text: &str) -> Option<u64> {
    let (amount, unit) = quantity(text)?;
    let shift = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    amount.checked_mul(1 << shift)
}

/// A time: digits, then `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Option<Duration> {
    let (amount, unit) = quantity(text)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    amount.checked_mul(seconds).map(Duration::from_secs)
}

/// Digits and a unit, with or without space between.
fn quantity(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (amount, unit) = text.split_at_checked(digits)?;
    Some((amount.parse().ok()?, unit.trim()))
}

fn in_range(name: &'static str, value: usize, max: usize) -> Result<NonZeroUsize, ConfigError> {
    let expected = if max == 256 { "1 to 256" } else { "1 to 65536" };
    NonZeroUsize::new(value).filter(|value| value.get() <= max).ok_or(ConfigError::Range {
        name,
        expected,
        value: value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::resolve(toml::from_str(text).unwrap(), None, None)
    }

    #[test]
    fn the_file_beats_the_default_and_unknown_keys_are_named() {
        let config = parse("[service]\ndrain_seconds = 3\ncolour = true\n").unwrap();
        assert_eq!(config.drain_max, Duration::from_secs(3));
        assert_eq!(config.sources["service.drain_seconds"], "file");
        assert_eq!(config.sources["service.log"], "default");
        assert_eq!(config.warnings, ["`service.colour` is not a setting"]);
        assert_eq!(config.values().len(), config.sources.len());
    }

    #[test]
    fn sizes_and_ages_have_units() {
        let config = parse("[cache]\nsize = \"512 MiB\"\nmax-age = \"30d\"\nold = 1\n").unwrap();
        assert_eq!(config.cache_bytes, 512 << 20);
        assert_eq!(config.cache_age_max, Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(config.warnings, ["`cache.old` is not a setting"]);
        assert_eq!(config.values()["cache.size"], "\"536870912 B\"");
        assert_eq!(bytes("10G"), Some(10 << 30));
        assert_eq!(parse("").unwrap().cache_bytes, 10 << 30);
        for bad in ["", "GiB", "-1 B", "10 GB/s", "99999999999 TiB", "1.5 GiB"] {
            assert!(parse(&format!("[cache]\nsize = {bad:?}\n")).is_err(), "{bad}");
        }
        for bad in ["", "30", "d", "2 weeks", "99999999999999999999 d"] {
            assert!(parse(&format!("[cache]\nmax-age = {bad:?}\n")).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(parse("[watch]\npolled_folders = [\"here\"]\n").is_err());
        assert!(parse("[watch]\npolled_folders = [\"/here\"]\n").is_ok());
        assert!(parse("[service]\ncompile_threads = 0\n").is_err());
        assert!(parse("[service]\ndrain_seconds = 4000\n").is_err());
    }
}
