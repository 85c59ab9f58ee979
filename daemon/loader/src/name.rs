//! What a module is called.
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Longest name, in bytes.
const LENGTH_MAX: usize = 128;

/// A module's name, such as `main` or `acme:json`.
///
/// One or two parts with a colon between them; each begins with a letter and goes on with letters, digits,
/// `-`, `_` and `.`. Names differ by case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleName(Box<str>);

/// A text that is no module name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no module name: one or two parts with `:` between, each a letter and then letters, digits, `-`, `_`, `.`"
)]
pub struct ParseModuleNameError {
    text: String,
}

impl ModuleName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that a file gets if nobody gives one: its own, without extension, with `-` for what a name
    /// cannot have.
    pub fn of_file(path: &Path) -> Self {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        let mut text: String = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
            .take(LENGTH_MAX - 2)
            .collect();
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            text.insert_str(0, "m-");
        }
        Self(text.into())
    }
}

impl FromStr for ModuleName {
    type Err = ParseModuleNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let parts = text.split(':').count();
        if text.len() <= LENGTH_MAX && parts <= 2 && text.split(':').all(is_part) {
            Ok(Self(text.into()))
        } else {
            let shown = text.chars().take(LENGTH_MAX).collect();
            Err(ParseModuleNameError { text: shown })
        }
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once() {
        for good in ["main", "acme:json", "a", "x-1_2.3"] {
            assert!(good.parse::<ModuleName>().is_ok(), "{good}");
        }
        for bad in ["", ":", "a:", ":a", "a:b:c", "1a", "a/b", "a b", "é", "../x", &"a".repeat(129)] {
            assert!(bad.parse::<ModuleName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_file_has_a_name() {
        for (path, name) in [("b/main.wasm", "main"), ("1 2.wasm", "m-1-2"), ("..", "m-"), ("é.wasm", "m--")]
        {
            let of_file = ModuleName::of_file(Path::new(path));
            assert_eq!(of_file.as_str(), name);
            assert_eq!(of_file.as_str().parse(), Ok(of_file.clone()), "it parses");
        }
    }
}
