//! When a plugin is made.
use std::fmt;
use std::str::FromStr;

/// An event that a plugin waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activation {
    /// `on-call`: somebody wants one of its contributions.
    OnCall,
    /// `on-command:NAME`: the user asks for this command.
    OnCommand(String),
    /// `on-file-type:.EXTENSION`: a file of this type is looked at. Its contributions concern such files alone.
    OnFileType(String),
}

/// A text that names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no event: `on-call`, `on-command:NAME` or `on-file-type:.EXTENSION`")]
pub struct ParseActivationError(String);

impl FromStr for Activation {
    type Err = ParseActivationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word.len() <= 64
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match text.split_once(':') {
            None if text == "on-call" => Ok(Self::OnCall),
            Some(("on-command", name)) if is_word(name) => Ok(Self::OnCommand(name.to_owned())),
            Some(("on-file-type", end)) if end.len() > 1 && end.starts_with('.') && is_word(end) => {
                Ok(Self::OnFileType(end.to_owned()))
            }
            _ => Err(ParseActivationError(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnCall => f.write_str("on-call"),
            Self::OnCommand(name) => write!(f, "on-command:{name}"),
            Self::OnFileType(end) => write!(f, "on-file-type:{end}"),
        }
    }
}

/// Whether a plugin with these events has something to say about a file: without types, about all.
pub(super) fn concerns(events: &[Activation], path: &str) -> bool {
    let mut types = events.iter().filter_map(|event| match event {
        Activation::OnFileType(end) => Some(end),
        Activation::OnCall | Activation::OnCommand(_) => None,
    });
    let mut types = types.by_ref().peekable();
    types.peek().is_none() || types.any(|end| path.ends_with(end.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn events_are_read_and_written() {
        for text in ["on-call", "on-command:stats", "on-file-type:.vit"] {
            assert_eq!(text.parse::<Activation>().unwrap().to_string(), text);
        }
        for text in
            ["", "on-call:", "on-command:", "on-file-type:vit", "on-file-type:.", "on-load", "on-command:a b"]
        {
            assert!(text.parse::<Activation>().is_err(), "{text}");
        }
        let vit = ["on-file-type:.vit".parse().unwrap()];
        assert!(
            concerns(&vit, "a/main.vit")
                && !concerns(&vit, "a/main.md")
                && concerns(&[Activation::OnCall], "x")
        );
    }
}
