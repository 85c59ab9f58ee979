//! Diagnostics for programs: JSON, the older editor format, LSP and SARIF.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vitte_proto::v1::{Applicability, Diagnostic, FileSpan, Position};

use super::{is_error, primary_span, severity};

/// The schema's id and version.
const SCHEMA: (&str, &str) = ("vitte.diagnostic", "1.0.0");

/// One object of schema `vitte.diagnostic`.
pub fn json(diagnostic: &Diagnostic) -> Value {
    let Diagnostic { code, message_key, severity: _, phase, message, labels, notes, helps, suggestions } =
        diagnostic;
    let labels = labels.iter().map(|label| {
        let kind = if label.primary { "primary" } else { "secondary" };
        json!({"kind": kind, "message": label.message, "span": span(label.span.as_ref())})
    });
    let suggestions: Vec<Value> = suggestions
        .iter()
        .map(|suggestion| {
            json!({
                "message": suggestion.message,
                "replacement": suggestion.replacement,
                "span": span(suggestion.span.as_ref()),
                "applicability": applicability(suggestion.applicability()),
            })
        })
        .collect();
    // The schema promises at least one note, and one help or suggestion.
    let notes = if notes.is_empty() { vec![format!("reported by the {phase} phase")] } else { notes.clone() };
    let helps = if helps.is_empty() && suggestions.is_empty() {
        vec![format!("`vitte explain {code}` tells more")]
    } else {
        helps.clone()
    };
    json!({
        "schema": SCHEMA.0,
        "schema_version": SCHEMA.1,
        "code": code,
        "severity": severity(diagnostic),
        "phase": phase,
        "message_key": message_key,
        "message": message,
        "primary_span": span(primary_span(diagnostic)),
        "labels": labels.collect::<Vec<_>>(),
        "notes": notes,
        "helps": helps,
        "suggestions": suggestions,
    })
}

fn span(span: Option<&FileSpan>) -> Value {
    let Some(span) = span else { return Value::Null };
    let position = |position: Option<Position>| {
        let Position { line, column, byte, character: _ } = position.unwrap_or_default();
        json!({"line": line, "column": column, "byte": byte})
    };
    json!({"file": span.file, "start": position(span.start), "end": position(span.end)})
}

fn applicability(value: Applicability) -> &'static str {
    match value {
        Applicability::MachineApplicable => "machine-applicable",
        Applicability::MaybeIncorrect => "maybe-incorrect",
        Applicability::HasPlaceholders => "has-placeholders",
        Applicability::Unspecified => "unspecified",
    }
}

/// The array that older editors read: offsets in characters, notes and helps as entries of their own
/// after the error that they belong to.
pub fn legacy(diagnostics: &[Diagnostic]) -> Value {
    let mut entries = Vec::new();
    for diagnostic in diagnostics {
        let span = primary_span(diagnostic);
        let offset = |position: Option<Position>| position.unwrap_or_default().character;
        let (start, end) = span.map_or((0, 0), |span| (offset(span.start), offset(span.end)));
        let file = span.map(|span| span.file.as_str()).unwrap_or_default();
        let mut entry = |severity: &str, message: &str| {
            entries.push(json!({
                "severity": severity,
                "code": diagnostic.code,
                "message": message,
                "file": file,
                "start": start,
                "end": end,
            }));
        };
        entry(severity(diagnostic), &diagnostic.message);
        for note in &diagnostic.notes {
            entry("note", note);
        }
        for help in
            diagnostic.helps.iter().chain(diagnostic.suggestions.iter().map(|suggestion| &suggestion.message))
        {
            entry("help", help);
        }
    }
    json!({"diag_schema": format!("{}/{}", SCHEMA.0, SCHEMA.1), "diagnostics": entries})
}

/// Parameters of `textDocument/publishDiagnostics`, one object per file, sorted by file. Relative file
/// names are made absolute with `cwd`.
pub fn lsp(diagnostics: &[Diagnostic], cwd: &str) -> Vec<Value> {
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for diagnostic in diagnostics {
        let Some(primary) = primary_span(diagnostic) else { continue };
        let related = diagnostic.labels.iter().filter(|label| !label.primary).filter_map(|label| {
            let span = label.span.as_ref()?;
            let location = json!({"uri": uri(&span.file, cwd), "range": range(span)});
            Some(json!({"location": location, "message": label.message}))
        });
        let own = diagnostic.labels.iter().find(|label| label.primary).map(|label| label.message.as_str());
        let parts = [own.unwrap_or_default()].into_iter().filter(|text| !text.is_empty()).map(str::to_owned);
        let notes = diagnostic.notes.iter().map(|note| format!("note: {note}"));
        let helps = diagnostic.helps.iter().map(|help| format!("help: {help}"));
        let message: Vec<String> =
            [diagnostic.message.clone()].into_iter().chain(parts).chain(notes).chain(helps).collect();
        files.entry(uri(&primary.file, cwd)).or_default().push(json!({
            "range": range(primary),
            "severity": if is_error(diagnostic) { 1 } else { 2 },
            "code": diagnostic.code,
            "source": "vitte",
            "message": message.join("\n"),
            "relatedInformation": related.collect::<Vec<_>>(),
        }));
    }
    files.into_iter().map(|(uri, diagnostics)| json!({"uri": uri, "diagnostics": diagnostics})).collect()
}

/// Lines from 0, columns from 0 in UTF-16 units, which is what LSP counts unless told otherwise.
fn range(span: &FileSpan) -> Value {
    let start = span.start.unwrap_or_default();
    let position = |position: Option<Position>| {
        let position = position.unwrap_or_default();
        let index = position.line.saturating_sub(start.line) as usize;
        let scalars = position.column.saturating_sub(1) as usize;
        let units = span
            .source_lines
            .get(index)
            .map_or(scalars, |line| line.chars().take(scalars).map(char::len_utf16).sum());
        json!({"line": position.line.saturating_sub(1), "character": units})
    };
    json!({"start": position(span.start), "end": position(span.end)})
}

/// A file URI (RFC 8089), every byte that is not plainly allowed percent-encoded.
fn uri(file: &str, cwd: &str) -> String {
    let path =
        if file.starts_with('/') { file.to_owned() } else { format!("{}/{file}", cwd.trim_end_matches('/')) };
    let mut out = "file://".to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A SARIF 2.1.0 log with one run.
pub fn sarif(diagnostics: &[Diagnostic]) -> Value {
    let rules: BTreeSet<(&str, &str)> = diagnostics
        .iter()
        .map(|diagnostic| (diagnostic.code.as_str(), diagnostic.message_key.as_str()))
        .collect();
    let rules: Vec<Value> = rules.into_iter().map(|(code, key)| json!({"id": code, "name": key})).collect();
    let results: Vec<Value> = diagnostics.iter().map(sarif_result).collect();
    let driver = json!({"name": "vitte", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    })
}

fn sarif_result(diagnostic: &Diagnostic) -> Value {
    let physical = |span: &FileSpan| {
        let (start, end) = (span.start.unwrap_or_default(), span.end.unwrap_or_default());
        json!({
            "artifactLocation": {"uri": span.file},
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
                "byteOffset": start.byte,
                "byteLength": end.byte.saturating_sub(start.byte),
            },
        })
    };
    let locations: Vec<Value> = primary_span(diagnostic)
        .map(|span| json!({"physicalLocation": physical(span)}))
        .into_iter()
        .collect();
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter(|label| !label.primary)
        .filter_map(|label| {
            Some(json!({"physicalLocation": physical(label.span.as_ref()?), "message": {"text": label.message}}))
        })
        .collect();
    let fixes: Vec<Value> = diagnostic
        .suggestions
        .iter()
        .filter_map(|suggestion| {
            let span = suggestion.span.as_ref()?;
            let place = physical(span);
            let replacement = json!({
                "deletedRegion": place["region"],
                "insertedContent": {"text": suggestion.replacement},
            });
            let change =
                json!({"artifactLocation": place["artifactLocation"], "replacements": [replacement]});
            Some(json!({"description": {"text": suggestion.message}, "artifactChanges": [change]}))
        })
        .collect();
    json!({
        "ruleId": diagnostic.code,
        "level": severity(diagnostic),
        "message": {"text": diagnostic.message},
        "locations": locations,
        "relatedLocations": related,
        "fixes": fixes,
    })
}

#[cfg(test)]
mod tests {
    use vitte_proto::v1::{Label, Severity};

    use super::*;

    fn diagnostic() -> Diagnostic {
        let position = |line, column, byte, character| Some(Position { line, column, byte, character });
        let span = FileSpan {
            file: "a b.vit".into(),
            start: position(2, 3, 9, 7),
            end: position(2, 4, 10, 8),
            source_lines: vec!["😀 x".into()],
        };
        Diagnostic {
            code: "SEM0028".into(),
            message_key: "SEM_E_UNKNOWN".into(),
            severity: Severity::Error.into(),
            phase: "sema".into(),
            message: "unknown name `x`".into(),
            labels: vec![Label { primary: true, message: String::new(), span: Some(span) }],
            ..Default::default()
        }
    }

    #[test]
    fn json_keeps_the_promises_of_its_schema() {
        let value = json(&diagnostic());
        assert_eq!(value["schema"], "vitte.diagnostic");
        assert_eq!(value["primary_span"]["start"], json!({"line": 2, "column": 3, "byte": 9}));
        assert_eq!(value["labels"][0]["kind"], "primary");
        assert_eq!(value["notes"].as_array().map(Vec::len), Some(1));
        assert_eq!(value["helps"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn offsets_are_those_of_each_format() {
        let value = legacy(&[diagnostic()]);
        assert_eq!(
            (&value["diagnostics"][0]["start"], &value["diagnostics"][0]["end"]),
            (&json!(7), &json!(8))
        );
        let value = &lsp(&[diagnostic()], "/w")[0];
        assert_eq!(value["uri"], "file:///w/a%20b.vit");
        assert_eq!(value["diagnostics"][0]["range"]["start"], json!({"line": 1, "character": 3}));
        assert_eq!(
            sarif(&[diagnostic()])["runs"][0]["results"][0]["locations"].as_array().map(Vec::len),
            Some(1)
        );
    }
}
