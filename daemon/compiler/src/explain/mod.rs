//! The catalogue of diagnostic codes and their long explanations.
//!
//! The texts are data: `en.md` has a section for every code that the compiler can emit, `fr.md`
//! translates titles, and texts where there is one. Adding a code means adding a section.

use crate::base::Code;

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

/// The code called `name`: a registry code, a message key, the name of a lint or an old name, in any letter case.
pub fn find(name: &str) -> Option<Explanation> {
    let name = name.trim();
    let old = OLD_NAMES.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    let name = old.map_or(name, |(_, code)| code);
    let whole =
        all().find(|entry| entry.code.eq_ignore_ascii_case(name) || entry.key.eq_ignore_ascii_case(name));
    whole.or_else(|| all().find(|entry| is_called(Code { code: entry.code, key: entry.key }, name)))
}

/// What people call a lint: `TYPECK_L_LOSSY_CONVERSION` is `lossy_conversion`.
pub fn lint_name(key: &str) -> String {
    let mark = ["_E_", "_W_", "_L_"].into_iter().filter_map(|mark| key.find(mark)).min();
    key[mark.map_or(0, |at| at + "_E_".len())..].to_ascii_lowercase()
}

/// Whether `name` is one of the spellings of a code: the code, the key, or the name of the lint with `_` or `-`.
pub fn is_called(code: Code, name: &str) -> bool {
    let is_lint_name = || {
        let wanted = lint_name(code.key);
        wanted.len() == name.len() && wanted.eq_ignore_ascii_case(&name.replace('-', "_"))
    };
    name.eq_ignore_ascii_case(code.code) || name.eq_ignore_ascii_case(code.key) || is_lint_name()
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
    let lint = if can_be_set(entry.key) { how_to_set(entry.key, language) } else { String::new() };
    Some(format!("# {} {}: {title}\n\n{text}\n{lint}", entry.code, entry.key))
}

/// Whether a level can be set for it. The check for moves is an error that can be switched off.
fn can_be_set(key: &str) -> bool {
    key.contains("_W_") || key.contains("_L_") || key == "BORROWCK_E_USE_AFTER_MOVE"
}

fn how_to_set(key: &str, language: &str) -> String {
    let name = lint_name(key);
    let (kind, set) = match (key.contains("_L_"), language.eq_ignore_ascii_case("fr")) {
        (true, false) => ("This lint is off by default.", "Set it"),
        (false, false) => ("This can be set.", "Set it"),
        (true, true) => ("Ce contrôle est désactivé par défaut.", "Réglez-le"),
        (false, true) => ("Ce contrôle est réglable.", "Réglez-le"),
    };
    format!(
        "\n{kind} {set} with `--warn {name}`, `--deny {name}` or `--allow {name}`; with `\"lints\": {{\"{name}\": \
         \"warn\"}}` in `vitte-package.json`; or with `#[allow({name})]` on an item and `#![allow({name})]` in a file.\n"
    )
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
mod tests;
