//! What a module may reach: asked for by its package, bounded by the key that signed it, granted by the user.
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use crate::policy::matches;

/// A thing of the system that a module can be given. As text: `clocks`, `random`, `args`, `stdio`, `network`,
/// `env:NAME` (`*` stands for any characters), `fs:ro:/folder` or `fs:rw:/folder` with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// The arguments that it is loaded with.
    Args,
    /// What time it is, and waiting.
    Clocks,
    /// Variables of the environment whose names match.
    Env(String),
    /// A folder and all that is in it.
    Fs {
        /// Whether it can also change things.
        access: Access,
        /// The folder, absolute and without `..`.
        path: PathBuf,
    },
    /// Sockets and names of hosts.
    Network,
    /// Random numbers.
    Random,
    /// Writing to the log.
    Stdio,
}

/// What can be done to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// They are read.
    Read,
    /// They are also made, changed and removed.
    Write,
}

/// A text that is no capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no capability: {why}; there are `args`, `clocks`, `random`, `stdio`, `network`, `env:NAME`, `fs:ro:/FOLDER`, `fs:rw:/FOLDER`"
)]
pub struct ParseCapabilityError {
    text: String,
    why: &'static str,
}

impl FromStr for Capability {
    type Err = ParseCapabilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| ParseCapabilityError { text: text.chars().take(200).collect(), why };
        let folder = |access, path: &str| {
            let path = Path::new(path);
            let plain =
                path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
            if path.is_absolute() && plain {
                Ok(Self::Fs { access, path: path.components().collect() })
            } else {
                Err(wrong("its folder has to be an absolute path without `..`"))
            }
        };
        Ok(match text.split_once(':') {
            None => match text {
                "args" => Self::Args,
                "clocks" => Self::Clocks,
                "network" => Self::Network,
                "random" => Self::Random,
                "stdio" => Self::Stdio,
                _ => return Err(wrong("there is no such thing")),
            },
            Some(("env", "")) => return Err(wrong("it names no variable")),
            Some(("env", name)) => Self::Env(name.to_owned()),
            Some(("fs", rest)) => match rest.split_once(':') {
                Some(("ro", path)) => folder(Access::Read, path)?,
                Some(("rw", path)) => folder(Access::Write, path)?,
                _ => return Err(wrong("it has to say `ro` or `rw`")),
            },
            Some(_) => return Err(wrong("there is no such thing")),
        })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args => f.write_str("args"),
            Self::Clocks => f.write_str("clocks"),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Fs { access: Access::Read, path } => write!(f, "fs:ro:{}", path.display()),
            Self::Fs { access: Access::Write, path } => write!(f, "fs:rw:{}", path.display()),
            Self::Network => f.write_str("network"),
            Self::Random => f.write_str("random"),
            Self::Stdio => f.write_str("stdio"),
        }
    }
}

impl Capability {
    /// Whether it is one of variables, and that of this name is among them.
    pub fn admits_variable(&self, name: &str) -> bool {
        match self {
            Self::Env(pattern) => matches(pattern, name),
            Self::Args | Self::Clocks | Self::Fs { .. } | Self::Network | Self::Random | Self::Stdio => false,
        }
    }

    /// What both allow; `None` if that is less than what `wanted` needs. Folders and names narrow, kinds of access
    /// do not: whoever wants to write is not helped by reading.
    fn narrowed(wanted: &Self, allowed: &Self) -> Option<Self> {
        match (wanted, allowed) {
            (Self::Fs { access, path }, Self::Fs { access: given, path: within }) if access <= given => {
                let narrower = if path.starts_with(within) {
                    path
                } else if within.starts_with(path) {
                    within
                } else {
                    return None;
                };
                Some(Self::Fs { access: *access, path: narrower.clone() })
            }
            (Self::Env(name), Self::Env(pattern)) => {
                if matches(pattern, name) {
                    Some(wanted.clone())
                } else if matches(name, pattern) {
                    Some(allowed.clone())
                } else {
                    None
                }
            }
            (wanted, allowed) => (wanted == allowed).then(|| wanted.clone()),
        }
    }
}

/// A capability that a package asks for. As text, a `?` behind it says that the module can do without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Which.
    pub capability: Capability,
    /// Whether the module can do without.
    pub optional: bool,
}

impl FromStr for Wanted {
    type Err = ParseCapabilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, optional) = match text.strip_suffix('?') {
            Some(name) => (name, true),
            None => (text, false),
        };
        Ok(Self { capability: name.parse()?, optional })
    }
}

/// Who did not allow a capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denier {
    /// The package does not ask for it, though its code needs it.
    Manifest,
    /// The policy gives the key that signed it no more.
    Key(String),
    /// The user has not granted it.
    User,
    /// The service gives it to no module.
    Service,
}

/// A capability that a module needs and does not get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// Which.
    pub capability: Capability,
    /// By whom.
    pub by: Denier,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capability, by } = self;
        write!(f, "`{capability}` ({by})")
    }
}

impl fmt::Display for Denier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("its code needs it, its manifest does not ask for it"),
            Self::Key(key) => write!(f, "above what the policy allows the key `{key}`"),
            Self::User => f.write_str("not granted by the user"),
            Self::Service => f.write_str("no module is given it by this version"),
        }
    }
}

/// What a module gets of what it wants: that which its key's `ceiling` allows, if the key has one, and which is
/// among the user's `grants`. Also what it needs and does not get. Both sorted.
pub fn effective(
    wanted: &[Wanted],
    ceiling: Option<(&str, &[Capability])>,
    grants: &[Capability],
) -> (Vec<Capability>, Vec<Denied>) {
    let (mut given, mut denied) = (Vec::new(), Vec::new());
    for Wanted { capability, optional } in wanted {
        let mut by = Denier::Service;
        let mut left = vec![capability.clone()];
        if *capability == Capability::Network {
            left.clear();
        } else {
            let narrow = |left: &[Capability], allowed: &[Capability]| -> Vec<Capability> {
                let each = left.iter().flat_map(|wanted| {
                    allowed.iter().filter_map(move |allowed| Capability::narrowed(wanted, allowed))
                });
                each.collect()
            };
            if let Some((key, ceiling)) = ceiling {
                left = narrow(&left, ceiling);
                by = Denier::Key(key.to_owned());
            }
            if !left.is_empty() {
                left = narrow(&left, grants);
                by = Denier::User;
            }
        }
        if left.is_empty() && !optional {
            denied.push(Denied { capability: capability.clone(), by });
        }
        given.extend(left);
    }
    given.sort();
    given.dedup();
    denied.sort();
    denied.dedup();
    (given, denied)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn list(texts: &[&str]) -> Vec<Capability> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn capabilities_are_text() {
        for text in ["args", "clocks", "env:HOME", "env:LC_*", "fs:ro:/srv/data", "fs:rw:/tmp", "stdio"] {
            assert_eq!(text.parse::<Capability>().unwrap().to_string(), text);
        }
        for text in ["", "clock", "env:", "fs:/tmp", "fs:rx:/tmp", "fs:ro:tmp", "fs:ro:/a/../b", "x:y"] {
            assert!(text.parse::<Capability>().is_err(), "{text}");
        }
        assert_eq!("fs:ro:/a//b/".parse::<Capability>().unwrap().to_string(), "fs:ro:/a/b");
    }

    #[test]
    fn everyone_has_to_agree() {
        let wanted = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Wanted>>();
        let ceiling = list(&["clocks", "random", "fs:ro:/srv", "env:*"]);
        let grants = list(&["clocks", "fs:rw:/srv/data", "env:LC_*", "stdio"]);
        for (wants, gives, denies) in [
            (&["clocks"][..], &["clocks"][..], &[][..]),
            (&["random"], &[], &["`random` (not granted by the user)"]),
            (&["random?"], &[], &[]),
            (&["stdio"], &[], &["`stdio` (above what the policy allows the key `acme`)"]),
            (&["fs:ro:/"], &["fs:ro:/srv/data"], &[]),
            (&["fs:ro:/srv/data/in"], &["fs:ro:/srv/data/in"], &[]),
            (&["fs:rw:/srv/data"], &[], &["`fs:rw:/srv/data` (above what the policy allows the key `acme`)"]),
            (&["fs:ro:/srv2"], &[], &["`fs:ro:/srv2` (above what the policy allows the key `acme`)"]),
            (&["env:*"], &["env:LC_*"], &[]),
            (&["env:HOME"], &[], &["`env:HOME` (not granted by the user)"]),
            (&["network"], &[], &["`network` (no module is given it by this version)"]),
        ] {
            let (given, denied) = effective(&wanted(wants), Some(("acme", &ceiling)), &grants);
            assert_eq!(given, list(gives), "{wants:?}");
            let denied: Vec<String> = denied.iter().map(ToString::to_string).collect();
            assert_eq!(denied, denies, "{wants:?}");
        }
        let (given, denied) = effective(&wanted(&["stdio", "clocks"]), None, &grants);
        assert_eq!((given, denied), (list(&["clocks", "stdio"]), Vec::new()));
    }
}
