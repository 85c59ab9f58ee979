//! Every code is declared, explained, and its examples do what they say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{all, explain, find, french};
use crate::base::testing::TestDb;
use crate::base::{Db, Options, Program, Severity, SourcePath};
use crate::types::{program_diagnostics, program_modules};

#[test]
fn codes_are_found_by_every_spelling() {
    let entry = find("TYP0249").unwrap();
    assert_eq!(entry.key, "TYPECK_E_UNKNOWN_TYPE");
    assert_eq!(find("typeck_e_unknown_type"), Some(entry));
    assert_eq!(find("E0001").unwrap().code, "PAR0029");
    assert_eq!(find("TYP9999"), None);
}

#[test]
fn explanations_are_markdown_with_examples() {
    let text = explain("TYP0249", "en").unwrap();
    assert!(text.starts_with("# TYP0249 TYPECK_E_UNKNOWN_TYPE: an unknown type\n\n"));
    let lint = explain("shadowed-name", "en").unwrap();
    assert!(lint.starts_with("# SEM0920 ") && lint.contains("`--deny shadowed_name`"), "{lint}");
    assert!(text.contains("Wrong:\n\n```vitte\n") && text.contains("Mended:\n\n```vitte\n"));
    assert!(
        explain("TYP0249", "fr-FR").unwrap().starts_with("# TYP0249 TYPECK_E_UNKNOWN_TYPE: type inconnu\n")
    );
}

#[test]
fn every_section_is_whole_and_has_a_french_title() {
    let mut codes = BTreeSet::new();
    for entry in all() {
        assert!(codes.insert(entry.code), "{} has two sections", entry.code);
        assert!(!entry.title.is_empty() && !entry.text.is_empty(), "{} is empty", entry.code);
        assert!(french(entry.code).is_some(), "{} has no French title", entry.code);
    }
    assert!(codes.len() > 60);
}

/// The examples of one section: the failing one and the mended one.
fn examples(text: &str) -> Option<(&str, &str)> {
    let mut blocks = text.split("```vitte\n").skip(1).filter_map(|rest| rest.split_once("```"));
    Some((blocks.next()?.0, blocks.next()?.0))
}

/// An example of several modules names each in a comment before it: `// demo/money.vit`.
fn fixture(text: &str) -> String {
    let is_name = |line: &str| {
        line.strip_prefix("// ").is_some_and(|name| name.ends_with(".vit") && !name.contains(' '))
    };
    let lines = text
        .lines()
        .map(|line| if is_name(line) { line.replacen("// ", "//- ", 1) } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// What a program says of itself, without the lints that nobody asked for unless `lints` is set. The strict profile
/// reports circles of imports too.
fn codes_of(text: &str, lints: bool) -> BTreeSet<&'static str> {
    let db = TestDb::new(&fixture(text));
    let options = Options { strict: true, ..Options::default() };
    let program = Program::new(&db, db.file(&SourcePath::workspace("main.vit")), Vec::new(), options);
    let mut found = program_diagnostics(&db, program).to_vec();
    if lints {
        for module in program_modules(&db, program).iter() {
            found.extend(crate::lint::file_lints(&db, *module).iter().cloned());
        }
    }
    let shown = found.iter().filter(|diagnostic| lints || diagnostic.severity != Severity::Lint);
    shown.map(|diagnostic| diagnostic.code.code).collect()
}

/// Sections without examples: a file that is no text cannot be shown in one, and what the linker says depends on the
/// target; `tests/suites/explain.rs` builds the examples of those that have some.
fn needs_a_build(code: &str) -> bool {
    code.starts_with("LNK") || code == "LEX0014"
}

#[test]
fn failing_examples_fail_as_said_and_mended_ones_do_not() {
    let mut surprises = Vec::new();
    for entry in all().filter(|entry| !needs_a_build(entry.code)) {
        let Some((wrong, mended)) = examples(entry.text) else {
            surprises.push(format!("{} has no two examples", entry.code));
            continue;
        };
        let found = codes_of(mended, false);
        if !found.is_empty() {
            surprises.push(format!("the mended example of {} gives {found:?}", entry.code));
        }
        // Lints come on top only where the page is about one.
        let is_lint = !codes_of(wrong, false).contains(entry.code);
        let found = codes_of(wrong, is_lint);
        let expected = BTreeSet::from([entry.code]);
        if found != expected {
            surprises.push(format!("the failing example of {} gives {found:?}", entry.code));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// Reads the `codes!` declarations of the crate, so that nobody can add a code without explaining it.
#[test]
fn every_declared_code_has_a_section_with_its_key() {
    let known: BTreeMap<&str, &str> = all().map(|entry| (entry.code, entry.key)).collect();
    let mut wrong = Vec::new();
    for (code, key) in declared_codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        match known.get(code.as_str()) {
            Some(found) if *found == key => {}
            Some(found) => wrong.push(format!("{code} is {key} in the code and {found} in en.md")),
            None => wrong.push(format!("{code} {key} has no section in en.md")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn declared_codes(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(declared_codes(&path));
        } else if path.file_name().is_some_and(|name| name == "codes.rs") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let parts: Vec<&str> = line.split('"').collect();
                if let [name, code, _, key, ";"] = parts.as_slice()
                    && name.trim_end().ends_with('=')
                {
                    found.push(((*code).to_owned(), (*key).to_owned()));
                }
            }
        }
    }
    found
}
