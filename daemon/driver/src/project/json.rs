//! JSON project files with places: every complaint names file, line, column and field.
use serde_json::Value;

use crate::api::DriverError;

/// A project file: its name as shown, and its text.
pub(super) struct Document<'a> {
    name: &'a str,
    text: &'a str,
}

impl<'a> Document<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text }
    }

    /// The document as an object.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, DriverError> {
        match serde_json::from_str(self.text) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(self.error(&[], "PKG_E_SYNTAX", "a JSON object is expected", "begin with `{`")),
            Err(error) => {
                let words = error.to_string();
                // The library's message ends with the place, which stands in front here.
                let words = words.split(" at line ").next().unwrap_or(&words).to_owned();
                Err(self.complain((error.line(), error.column()), "PKG_E_SYNTAX", &words, "correct the JSON"))
            }
        }
    }

    /// A complaint about the field at `path`, or about the nearest field above it that exists.
    pub(super) fn error(&self, path: &[&str], code: &str, message: &str, help: &str) -> DriverError {
        let offset = locate(self.text, path);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.complain((line, column), code, message, help)
    }

    fn complain(&self, (line, column): (usize, usize), code: &str, message: &str, help: &str) -> DriverError {
        super::bad_input("BAD_MANIFEST", format!("{}:{line}:{column}: {code}: {message}", self.name), help)
    }
}

/// Byte offset of the key at `path` in valid JSON, or of the deepest part of the path that exists.
fn locate(text: &str, path: &[&str]) -> usize {
    let bytes = text.as_bytes();
    let (mut found, mut matched, mut depth, mut i) = (0, 0, 0_usize, 0);
    while i < bytes.len() && matched < path.len() {
        match bytes[i] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth <= matched && matched > 0 {
                    // The object that held the last match is over: the rest of the path is not there.
                    break;
                }
            }
            b'"' => {
                let start = i;
                i += 1;
                while i < bytes.len() && bytes[i] != b'"' {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
                let is_key = text.get(i + 1..).is_some_and(|rest| rest.trim_start().starts_with(':'));
                if is_key && depth == matched + 1 && text.get(start + 1..i) == Some(path[matched]) {
                    matched += 1;
                    found = start;
                }
            }
            _ => {}
        }
        i += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn keys_are_found_at_their_depth() {
        let text = r#"{"a": {"name": 1}, "name": "a", "b": {"c": {"d": 2}}}"#;
        assert_eq!(&text[locate(text, &["name"])..][..9], r#""name": ""#);
        assert_eq!(&text[locate(text, &["b", "c", "d"])..][..4], r#""d":"#);
        assert_eq!(&text[locate(text, &["b", "x"])..][..4], r#""b":"#);
        assert_eq!(locate(text, &["zzz"]), 0);
    }
}
