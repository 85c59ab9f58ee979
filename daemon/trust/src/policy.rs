//! What keys may sign: `policy.toml`.
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::capability::Capability;

/// What happens to modules without the signature of a trusted key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsigned {
    /// They are loaded, confined as every module is.
    #[default]
    Allow,
    /// They are refused.
    Refuse,
}

/// What happens to native libraries without the signature of a trusted key: they are what a sandbox has to hold,
/// not what an engine checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsignedNative {
    /// They are refused.
    #[default]
    Refuse,
    /// They are loaded, in a process of their own.
    Allow,
}

/// What is written in `policy.toml`; without the file, the default.
///
/// ```toml
/// unsigned = "refuse"
/// unsigned-native = "refuse"
///
/// [keys.acme]
/// modules = ["acme:*"]
/// capabilities = ["clocks", "fs:ro:/srv/acme"]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether modules without a trusted signature are loaded.
    #[serde(default)]
    pub unsigned: Unsigned,
    /// Whether native libraries without a trusted signature are.
    #[serde(default, rename = "unsigned-native")]
    pub unsigned_native: UnsignedNative,
    /// By the name of the key.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyPolicy>,
}

/// What one key may sign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPolicy {
    /// Names of modules, `*` standing for any characters; all if left out.
    pub modules: Option<Vec<String>>,
    /// What its modules may reach at most, as [`Capability`](crate::Capability) is written; no bound if left out.
    #[serde(default, deserialize_with = "capabilities")]
    pub capabilities: Option<Vec<Capability>>,
}

fn capabilities<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<Capability>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parsed = texts.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    parsed.map(Some).map_err(serde::de::Error::custom)
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

impl Policy {
    /// Reads the text of a policy. What it does not understand is an error: a rule that is overlooked would
    /// let something through.
    ///
    /// # Errors
    /// Where and what.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| PolicyError(error.to_string().trim_end().to_owned()))
    }

    /// Whether `key` may sign `module`.
    pub fn allows(&self, key: &str, module: &str) -> bool {
        match self.keys.get(key).and_then(|key| key.modules.as_ref()) {
            None => true,
            Some(patterns) => patterns.iter().any(|pattern| matches(pattern, module)),
        }
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters. Linear in each, times the other.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut rest = rest;
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            // The first place is as good as any: what follows has the more room.
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("acme:*", "acme:json", true),
            ("acme:*", "acme2:json", false),
            ("*", "", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("*.x", "y.x", true),
            ("ab*ba", "aba", false),
            ("main", "main", true),
            ("main", "main2", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_policy_is_understood_or_refused() {
        let policy = Policy::parse("unsigned = \"refuse\"\n[keys.acme]\nmodules = [\"acme:*\"]\n").unwrap();
        assert_eq!(policy.unsigned, Unsigned::Refuse);
        assert!(policy.allows("acme", "acme:json") && !policy.allows("acme", "other"));
        assert!(policy.allows("somebody", "other"));
        assert_eq!(Policy::parse("").unwrap(), Policy::default());
        let bounded = Policy::parse("[keys.acme]\ncapabilities = [\"clocks\"]").unwrap();
        assert_eq!(bounded.keys["acme"].capabilities, Some(vec![Capability::Clocks]));
        assert!(Policy::parse("[keys.acme]\ncapabilities = [\"clock\"]").is_err());
        for wrong in ["unsigned = \"perhaps\"", "unsinged = \"refuse\"", "[keys.a]\nmodule = \"x\"", "="] {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
    }
}
