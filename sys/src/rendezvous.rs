//! Where the service and its clients meet: one directory per user and settings, one socket, one lock.
//!
//! `$XDG_RUNTIME_DIR/vitte/ID/vitted.sock`; without `XDG_RUNTIME_DIR`, `/tmp/vitte-UID/ID/vitted.sock`.
//! `ID` is `default`, or a digest of `VITTE_HOME` when that is set, so that separate homes get separate services.
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::handle::OwnedHandle;
use crate::{Op, SysError, net, platform};

/// The environment variables that decide where things are. Read once, at the edge.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<OsString>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<OsString>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<OsString>,
    /// `VITTE_CACHE_DIR`: the cache itself, whatever else is set.
    pub cache_dir: Option<OsString>,
    /// `VITTE_HOME`: one folder for settings, state and cache instead of the XDG ones.
    pub vitte_home: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
}

impl Environment {
    /// Reads this process's environment. Empty values count as unset, as the XDG specification says.
    pub fn of_this_process() -> Self {
        let read = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            runtime_dir: read("XDG_RUNTIME_DIR"),
            state_home: read("XDG_STATE_HOME"),
            config_home: read("XDG_CONFIG_HOME"),
            cache_home: read("XDG_CACHE_HOME"),
            cache_dir: read("VITTE_CACHE_DIR"),
            vitte_home: read("VITTE_HOME"),
            home: read("HOME"),
        }
    }
}

/// The places of one service. Making this value touches no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendezvous {
    runtime_root: PathBuf,
    id: String,
    state: Option<PathBuf>,
    config: Option<PathBuf>,
    cache: Option<PathBuf>,
}

impl Rendezvous {
    /// The places that `environment` asks for.
    pub fn new(environment: &Environment) -> Self {
        let Environment { runtime_dir, state_home, config_home, cache_home, cache_dir, vitte_home, home } =
            environment;
        let absolute =
            |value: &Option<OsString>| value.as_ref().map(PathBuf::from).filter(|p| p.is_absolute());
        let vitte_home = absolute(vitte_home);
        let [state_folder, config_folder, cache_folder] = platform::process::FOLDERS;
        let below_home = |folder: &str| absolute(home).map(|home| home.join(folder));
        let runtime_root = match absolute(runtime_dir) {
            Some(folder) => folder.join("vitte"),
            None => platform::process::runtime_root(),
        };
        let id = match &vitte_home {
            None => "default".to_owned(),
            Some(folder) => format!("{:016x}", fnv1a(folder.as_os_str().as_encoded_bytes())),
        };
        let state = match &vitte_home {
            Some(folder) => Some(folder.join("state")),
            None => {
                absolute(state_home).or_else(|| below_home(state_folder)).map(|folder| folder.join("vitte"))
            }
        };
        let config = match &vitte_home {
            Some(folder) => Some(folder.join("config.toml")),
            None => absolute(config_home)
                .or_else(|| below_home(config_folder))
                .map(|folder| folder.join("vitte/config.toml")),
        };
        let cache = absolute(cache_dir).or_else(|| match &vitte_home {
            Some(folder) => Some(folder.join("cache")),
            None => {
                absolute(cache_home).or_else(|| below_home(cache_folder)).map(|folder| folder.join("vitte"))
            }
        });
        Self { runtime_root, id, state, config, cache }
    }

    /// The service's own directory, mode 0700.
    pub fn directory(&self) -> PathBuf {
        self.runtime_root.join(&self.id)
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.directory().join("vitted.sock")
    }

    /// The lock file. Whoever holds it is, or is starting, the service.
    pub fn lock(&self) -> PathBuf {
        self.directory().join("vitted.lock")
    }

    /// The log file; `None` when there is no home to put it in.
    pub fn log(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("vitted.log"))
    }

    /// The user's settings file; `None` when there is no home to look in.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The folder of the keys whose modules are trusted, beside the settings.
    pub fn trust(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|settings| settings.with_file_name("trust"))
    }

    /// The folder of the user's own keys, beside the settings.
    pub fn keys(&self) -> Option<PathBuf> {
        self.config.as_ref().map(|settings| settings.with_file_name("keys"))
    }

    /// The sequence numbers of signed packages that were loaded, with the log.
    pub fn package_sequences(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("package-sequences.json"))
    }

    /// The plugins that are loaded when they are wanted, with the log.
    pub fn plugins(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("plugins.json"))
    }

    /// The secret that vouches for compiled modules in the cache; apart from it, with the log.
    pub fn module_code_key(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|folder| folder.join("module-code.key"))
    }

    /// What can be made again; below the service's own directory when there is no home to put it in.
    pub fn cache(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| self.directory().join("cache"))
    }

    /// Makes the directories, or checks that they belong to this user alone.
    ///
    /// # Errors
    /// When a directory cannot be made, belongs to someone else, or lets others in; when the socket's
    /// path would not fit into the kernel's structure.
    pub fn prepare(&self) -> Result<(), SysError> {
        net::check_socket_path(&self.socket())?;
        // The parent too: whoever owns it could put another directory in our directory's place.
        net::private_directory(&self.runtime_root)?;
        net::private_directory(&self.directory())
    }
}

/// FNV-1a, 64 bits. Names a directory; nothing depends on its strength.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What identifies an executable file on this machine: it changes when the file is replaced.
///
/// # Errors
/// When the file cannot be examined.
pub fn executable_identity(path: &Path) -> Result<String, SysError> {
    let stat = platform::files::stat_path(path).map_err(|error| SysError::new(Op::Examine, path, error))?;
    Ok(format!("{:x}-{:x}-{:x}-{:x}", stat.device, stat.inode, stat.size, stat.modified_ns))
}

/// Takes what was handed over on standard input, and leaves `/dev/null` there in its place.
///
/// The result is close-on-exec, so no child of ours inherits it.
///
/// # Errors
/// When descriptors run out.
pub fn take_stdin() -> io::Result<OwnedHandle> {
    platform::process::take_stdin()
}

/// Takes standard output, and leaves `/dev/null` there in its place.
///
/// # Errors
/// When descriptors run out.
pub fn take_stdout() -> io::Result<OwnedHandle> {
    platform::process::take_stdout()
}

/// Leaves the terminal's session, so that neither Ctrl-C nor a hang-up reaches this process.
pub fn detach_from_terminal() {
    platform::process::detach_from_terminal();
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process;

    fn environment() -> Environment {
        Environment {
            runtime_dir: Some("/run/user/7".into()),
            home: Some("/home/u".into()),
            ..Environment::default()
        }
    }

    #[test]
    fn places_follow_the_environment() {
        let places = Rendezvous::new(&environment());
        assert_eq!(places.socket(), Path::new("/run/user/7/vitte/default/vitted.sock"));
        assert_eq!(places.log().as_deref(), Some(Path::new("/home/u/.local/state/vitte/vitted.log")));
        assert_eq!(places.config(), Some(Path::new("/home/u/.config/vitte/config.toml")));
        let other = Rendezvous::new(&Environment { vitte_home: Some("/v".into()), ..environment() });
        assert_ne!(other.socket(), places.socket());
        assert_eq!(other.log().as_deref(), Some(Path::new("/v/state/vitted.log")));
    }

    #[test]
    fn without_a_runtime_directory_the_uid_names_it() {
        let places = Rendezvous::new(&Environment { runtime_dir: None, ..environment() });
        let uid = process::effective_uid();
        assert_eq!(places.directory(), PathBuf::from(format!("/tmp/vitte-{uid}/default")));
    }
}
