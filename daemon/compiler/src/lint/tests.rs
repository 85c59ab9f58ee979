//! What lints find, and which attributes say what about them.
#![allow(clippy::unwrap_used)]
use super::levels::levels;
use super::{Level, file_lints, is_known, similar};
use crate::base::testing::TestDb;
use crate::base::{Code, Db, Place, Severity, SourcePath};
use crate::types::program_diagnostics;

/// What is found in `main.vit`: code, and the text after its fix if it has one.
fn found(text: &str) -> Vec<(&'static str, Option<String>)> {
    let db = TestDb::new(text);
    let file = db.file(&SourcePath::workspace("main.vit"));
    let crate::base::FileContents::Text(source) = file.contents(&db) else { return Vec::new() };
    let fixed = |diagnostic: &crate::base::Diagnostic| {
        let suggestion = diagnostic.suggestions.first()?;
        let Place::File(_, span) = suggestion.place else { return None };
        let mut text = source.to_string();
        text.replace_range(span.start as usize..span.end as usize, &suggestion.replacement);
        Some(text)
    };
    file_lints(&db, file).iter().map(|diagnostic| (diagnostic.code.code, fixed(diagnostic))).collect()
}

const OTHER: &str = "//- a/b.vit\nproc one() -> int { give 1 }\nproc two() -> int { give 2 }\nexport *\n";

fn with_other(main: &str) -> String {
    format!("//- main.vit\n{main}{OTHER}")
}

#[test]
fn unused_imports_are_taken_out_whole() {
    let main = "use a/b.{one}\nuse a/b as q\n\nproc main() -> int { give one() }\n";
    let after = "use a/b.{one}\n\nproc main() -> int { give one() }\n";
    assert_eq!(found(&with_other(main)), [("SEM0960", Some(after.to_owned()))]);
}

#[test]
fn unused_names_are_taken_out_with_their_commas() {
    for (group, after) in [("{one, two}", "{one}"), ("{two, one}", "{one}"), ("{two as three, one}", "{one}")]
    {
        let main = |group: &str| format!("use a/b.{group}\nproc main() -> int {{ give one() }}\n");
        assert_eq!(found(&with_other(&main(group))), [("SEM0960", Some(main(after)))], "{group}");
    }
}

#[test]
fn what_is_passed_on_or_brings_impls_is_used() {
    assert_eq!(found(&with_other("use a/b.{one}\nexport *\n")), []);
    assert_eq!(found(&with_other("use a/b.{one}\nexport one\n")), []);
    let impls = "//- main.vit\nuse a/b\nproc main() -> int { give 1.next() }\n\
                 //- a/b.vit\ntrait Next { proc next(self: Self) -> int; }\n\
                 impl Next for int { proc next(self: int) -> int { give self + 1 } }\nexport *\n";
    assert_eq!(found(impls), []);
}

#[test]
fn mut_is_compared_with_what_is_set() {
    let text = "proc f() -> int {\n    let mut a = 1\n    let b = 2\n    set b = a\n    let mut c = [1]\n    c.push(b)\n    give c[0]\n}\n";
    let fixed: Vec<_> = found(text);
    assert_eq!(fixed.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["SEM0961", "SEM0962"]);
    assert!(fixed[0].1.as_ref().unwrap().contains("let a = 1"));
    assert!(fixed[1].1.as_ref().unwrap().contains("let mut b = 2"));
}

#[test]
fn literal_conditions_and_foreign_spaces_are_told() {
    assert_eq!(found("proc f() { if false { println(\"a\") } }\n"), [("SEM0963", None)]);
    assert_eq!(found("proc f() { while true { break } }\n"), []);
    assert_eq!(found("space demo/other\nproc f() { }\n"), [("SEM0964", None)]);
    assert_eq!(found("space demo/main\nproc f() { }\n"), []);
}

#[test]
fn the_innermost_attribute_decides() {
    let text = "#![warn(shadowed_name)]\n#[allow(SEM0920)]\nproc f() { }\nproc g() { }\n";
    let db = TestDb::new(text);
    let file = db.file(&SourcePath::workspace("main.vit"));
    let shadowed = Code { code: "SEM0920", key: "SEMA_W_SHADOWED_NAME" };
    let at = |word: &str| levels(&db, file).at(text.find(word).unwrap() as u32, shadowed, Severity::Warning);
    assert_eq!(at("proc f"), Some(Level::Allow));
    assert_eq!(at("proc g"), Some(Level::Warn));
    let other = Code { code: "SEM0921", key: "SEMA_W_BINDING_LIKE_VARIANT" };
    assert_eq!(levels(&db, file).at(40, other, Severity::Warning), None);
}

#[test]
fn attributes_ask_for_what_is_off_by_default() {
    let codes = |text: &str| -> Vec<&'static str> {
        let db = TestDb::new(text);
        program_diagnostics(&db, db.program()).iter().map(|diagnostic| diagnostic.code.code).collect()
    };
    let body = "proc main() -> int {\n    let mut a = 1\n    give a\n}\n";
    assert_eq!(codes(body), [""; 0]);
    assert_eq!(codes(&format!("#![warn(needless_mut)]\n{body}")), ["SEM0961"]);
    assert_eq!(codes(&format!("#![warn(lints)]\n{body}")), ["SEM0961"]);
    assert_eq!(codes(&format!("#[allow(needles_mut)]\n{body}")), ["SEM0965"]);
}

#[test]
fn names_of_lints_are_known_in_every_spelling() {
    for name in ["SEM0920", "shadowed-name", "shadowed_name", "SEMA_W_SHADOWED_NAME", "warnings", "lints"] {
        assert!(is_known(name), "{name}");
    }
    assert!(!is_known("shadow"));
    assert_eq!(similar("shadowed_nam").as_deref(), Some("shadowed_name"));
    assert_eq!(similar("unused-imports").as_deref(), Some("unused_import"));
    assert_eq!(similar("SEM0929").as_deref(), Some("SEM0920"));
    assert_eq!(similar("frobnicate"), None);
}
