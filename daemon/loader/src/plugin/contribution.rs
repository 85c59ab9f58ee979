//! What plugins contribute, as values of Rust. They cross as text, whose types are those of the interfaces.
use wasmtime::component::wasm_wave::value::{Type, Value};
use wasmtime::component::wasm_wave::wasm::WasmValue;
use wasmtime::component::wasm_wave::{from_str, to_string};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The program is wrong.
    Error,
    /// It may be.
    Warning,
    /// Good to know.
    Note,
}

/// A finding of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// The plugin's code.
    pub code: String,
    /// In a sentence.
    pub message: String,
    /// First byte of the text that it is about.
    pub start: u32,
    /// The byte behind it; never before `start`, never behind the text.
    pub end: u32,
    /// What to do next.
    pub help: Option<String>,
}

/// A program that is about to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its entry file.
    pub entry: String,
    /// What is made.
    pub product: String,
}

/// A panel of graphical tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// By which it is asked for.
    pub id: String,
    /// For people.
    pub title: String,
}

/// Arguments, each a text.
pub(super) fn texts(texts: &[&str]) -> Result<String, String> {
    let texts = texts.iter().map(|text| to_string(&Value::make_string((*text).into())));
    let texts = texts.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Ok(format!("({})", texts.join(", ")))
}

/// The record of a project as the only argument.
pub(super) fn project_argument(project: &Project) -> Result<String, String> {
    let shown = |text: &str| to_string(&Value::make_string(text.into())).map_err(|error| error.to_string());
    let Project { name, version, entry, product } = project;
    Ok(format!(
        "({{name: {}, version: {}, entry: {}, product: {}}})",
        shown(name)?,
        shown(version)?,
        shown(entry)?,
        shown(product)?
    ))
}

fn parse(ty: &Type, text: &str) -> Result<Value, String> {
    from_str::<Value>(ty, text).map_err(|error| format!("its answer cannot be read: {error}"))
}

/// The good side of a `result<T, string>`, or the plugin's own words.
fn good(ty: Type, text: &str) -> Result<Value, String> {
    let value = parse(&Type::result(Some(ty), Some(Type::STRING)), text)?;
    match value.unwrap_result() {
        Ok(Some(value)) => Ok(value.into_owned()),
        Ok(None) => Err("it gave nothing".to_owned()),
        Err(Some(message)) => Err(message.unwrap_string().into_owned()),
        Err(None) => Err("it gave no reason".to_owned()),
    }
}

fn field(value: &Value, name: &str) -> Option<Value> {
    value.unwrap_record().find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

fn text_field(value: &Value, name: &str) -> String {
    field(value, name).map(|value| value.unwrap_string().into_owned()).unwrap_or_default()
}

/// `result<string, string>`.
pub(super) fn text(answer: &str) -> Result<String, String> {
    good(Type::STRING, answer).map(|value| value.unwrap_string().into_owned())
}

/// `result<list<string>, string>`.
pub(super) fn notes(answer: &str) -> Result<Vec<String>, String> {
    let list = good(Type::list(Type::STRING), answer)?;
    Ok(list.unwrap_list().map(|value| value.unwrap_string().into_owned()).collect())
}

/// `result<list<diagnostic>, string>` about a text of so many bytes.
pub(super) fn diagnostics(answer: &str, length: usize) -> Result<Vec<Diagnostic>, String> {
    let severity = Type::enum_ty(["error", "warning", "note"]);
    let severity = severity.ok_or_else(|| "no severities".to_owned())?;
    let record = Type::record([
        ("severity", severity),
        ("code", Type::STRING),
        ("message", Type::STRING),
        ("start", Type::U32),
        ("end", Type::U32),
        ("help", Type::option(Type::STRING)),
    ]);
    let list = good(Type::list(record.ok_or_else(|| "no fields".to_owned())?), answer)?;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let number = |value: &Value, name| field(value, name).map_or(0, |value| value.unwrap_u32()).min(length);
    let found = list.unwrap_list().map(|value| {
        let severity = field(&value, "severity").map(|severity| severity.unwrap_enum().into_owned());
        let help = field(&value, "help");
        let help = help.and_then(|help| help.unwrap_option().map(|text| text.unwrap_string().into_owned()));
        let start = number(&value, "start");
        Diagnostic {
            severity: match severity.as_deref() {
                Some("error") => Severity::Error,
                Some("warning") => Severity::Warning,
                Some(_) | None => Severity::Note,
            },
            code: text_field(&value, "code"),
            message: text_field(&value, "message"),
            start,
            end: number(&value, "end").max(start),
            help,
        }
    });
    Ok(found.collect())
}

/// `list<panel>`.
pub(super) fn panels(answer: &str) -> Result<Vec<Panel>, String> {
    let record = Type::record([("id", Type::STRING), ("title", Type::STRING)]);
    let list = parse(&Type::list(record.ok_or_else(|| "no fields".to_owned())?), answer)?;
    let panel = |value: &Value| Panel { id: text_field(value, "id"), title: text_field(value, "title") };
    Ok(list.unwrap_list().map(|value| panel(&value)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_are_read() {
        let answer = r#"ok([{severity: warning, code: "TABS", message: "a \"tab\"", start: 3, end: 900, help: some("x")}])"#;
        let found = diagnostics(answer, 10).unwrap();
        assert_eq!(
            (found[0].severity, found[0].message.as_str(), found[0].end),
            (Severity::Warning, "a \"tab\"", 10)
        );
        assert_eq!(text(r#"err("no")"#).unwrap_err(), "no");
        assert_eq!(notes(r#"ok(["a", "b"])"#).unwrap(), ["a", "b"]);
        assert_eq!(panels(r#"[{id: "a", title: "A"}]"#).unwrap()[0].title, "A");
        assert!(text("7").unwrap_err().starts_with("its answer cannot be read"));
        assert_eq!(texts(&["a\"", "b"]).unwrap(), r#"("a\"", "b")"#);
    }
}
