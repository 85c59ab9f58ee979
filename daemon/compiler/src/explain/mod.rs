//! The catalogue of diagnostic codes and their long explanations.
//!
//! The texts are data: `en.md` has a section for every code that the compiler can emit, `fr.md`
//! translates titles, and texts where there is one. Adding a code means adding a section.

/// A code with its explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `TYP0249`
    pub code: &'static str,
    /// `TYPECK_E_UNKNOWN_TYPE`
    pub key: &'static str,
    /// A few words.
    pub title: &'static str,
    /// Markdown: the text, a failing example and a mended one.
    pub text: &'static str,
}

const ENGLISH: &str = include_str!("en.md");
const FRENCH: &str = include_str!("fr.md");

/// Names of the first generation of codes that old documents still mention, with today's.
const OLD_NAMES: [(&str, &str); 1] = [("E0001", "PAR0029")];

/// Every code, in the order of the phases.
pub fn all() -> impl Iterator<Item = Explanation> {
    sections(ENGLISH).filter_map(|(heading, text)| {
        let (names, title) = heading.split_once(": ")?;
        let (code, key) = names.split_once(' ')?;
        Some(Explanation { code, key, title, text })
    })
}

/// The code called `name`: a registry code, a message key or an old name, in any letter case.
pub fn find(name: &str) -> Option<Explanation> {
    let name = name.trim();
    let old = OLD_NAMES.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    let name = old.map_or(name, |(_, code)| code);
    all().find(|entry| entry.code.eq_ignore_ascii_case(name) || entry.key.eq_ignore_ascii_case(name))
}

/// The explanation of `name` (see [`find`]) as Markdown.
///
/// `language` is a tag such as `fr` or `fr-FR`; every language but French gets English.
pub fn explain(name: &str, language: &str) -> Option<String> {
    let entry = find(name)?;
    let language = language.split(['-', '_', '.']).next().unwrap_or_default();
    let (title, text) = match language.eq_ignore_ascii_case("fr").then(|| french(entry.code)).flatten() {
        Some((title, "")) => (title, entry.text),
        Some(translated) => translated,
        None => (entry.title, entry.text),
    };
    Some(format!("# {} {}: {title}\n\n{text}\n", entry.code, entry.key))
}

fn french(code: &str) -> Option<(&'static str, &'static str)> {
    sections(FRENCH).find_map(|(heading, text)| {
        let (found, title) = heading.split_once(": ")?;
        (found == code).then_some((title, text))
    })
}

/// Headings of the first level, without `# `, and what stands below each. The examples are Vitte, where
/// `#` can begin a line too, so a heading counts only after an empty line outside a code block.
fn sections(document: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut starts = Vec::new();
    let mut offset = 0;
    let mut in_code = false;
    for line in document.split_inclusive('\n') {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if !in_code && line.starts_with("# ") {
            starts.push(offset);
        }
        offset += line.len();
    }
    starts.push(document.len());
    let bounds: Vec<(usize, usize)> = starts.windows(2).map(|pair| (pair[0], pair[1])).collect();
    bounds.into_iter().map(move |(start, end)| {
        let section = &document[start + "# ".len()..end];
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        (heading.trim(), text.trim())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use super::{all, explain, find, french};
    use crate::base::Severity;
    use crate::base::testing::TestDb;
    use crate::types::program_diagnostics;

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
        assert!(text.contains("Wrong:\n\n```vitte\n") && text.contains("Mended:\n\n```vitte\n"));
        assert!(
            explain("TYP0249", "fr-FR")
                .unwrap()
                .starts_with("# TYP0249 TYPECK_E_UNKNOWN_TYPE: type inconnu\n")
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

    /// What the program says, without the lints that nobody asked for.
    fn codes_of(text: &str, lints: bool) -> Vec<&'static str> {
        let db = TestDb::new(text);
        let found = program_diagnostics(&db, db.program());
        let shown = found.iter().filter(|diagnostic| lints || diagnostic.severity != Severity::Lint);
        shown.map(|diagnostic| diagnostic.code.code).collect()
    }

    /// Examples of several modules say which is which in comments and are not tried; the linker and the
    /// strict profile have a say only when a program is built.
    #[test]
    fn failing_examples_fail_as_said_and_mended_ones_do_not() {
        let mut surprises = Vec::new();
        for entry in all() {
            let Some((wrong, mended)) = examples(entry.text) else { continue };
            if wrong.contains("use ") || wrong.contains("from ") || entry.code.starts_with("LNK") {
                continue;
            }
            let found = codes_of(mended, false);
            if !found.is_empty() {
                surprises.push(format!("the mended example of {} gives {found:?}", entry.code));
            }
            let found = codes_of(wrong, true);
            if !found.contains(&entry.code) {
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
}
