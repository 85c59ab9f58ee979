//! Pages of `vitte explain` about what only a build finds: their failing example gives that code alone, and the mended
//! one builds. Those about what a check finds are tried in the compiler's own tests.
//!
//! An example begins with the command that it is for, if that is not `vitte build`: `// vitte build --emit so`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use serde_json::Value;
use vitte_tests::stage::Stage;

/// Status of a build of an example, and the codes of all that it says.
fn built(stage: &Stage, example: &str) -> (i32, BTreeSet<String>) {
    stage.write("main.vit", example);
    let first = example.lines().next().unwrap_or_default();
    let flags = first.strip_prefix("// vitte build").unwrap_or_default();
    let mut arguments = vec!["build", "main.vit", "--error-format", "json", "-o", "out"];
    arguments.extend(flags.split_whitespace());
    let outcome = stage.vitte(&arguments);
    let text = outcome.stdout_text();
    let said = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    (outcome.status, said.filter_map(|diagnostic| diagnostic["code"].as_str().map(str::to_owned)).collect())
}

#[test]
fn examples_that_need_a_build_do_as_said() {
    let stage = Stage::new();
    let pages = vitte_tests::binaries::tests_folder().join("../daemon/compiler/src/explain/en.md");
    let pages = std::fs::read_to_string(pages).unwrap();
    let mut tried = Vec::new();
    let mut surprises = Vec::new();
    for section in pages.split("\n# LNK").skip(1) {
        let code = format!("LNK{}", section.split(' ').next().unwrap());
        let examples: Vec<&str> =
            section.split("```vitte\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let [wrong, mended] = examples.as_slice() else { continue };
        let (status, found) = built(&stage, wrong);
        if status == 0 || found != BTreeSet::from([code.clone()]) {
            surprises.push(format!("the failing example of {code} ends with {status} and gives {found:?}"));
        }
        let (status, found) = built(&stage, mended);
        if status != 0 || !found.is_empty() {
            surprises.push(format!("the mended example of {code} ends with {status} and gives {found:?}"));
        }
        tried.push(code);
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert!(tried.len() >= 4, "{tried:?}");
}
