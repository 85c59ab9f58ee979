//! The examples in the doc comments of the standard library: each is compiled and run.
//!
//! An example is a fenced block of a `///` comment, marked `vitte`. It may use everything that its module exports, and what
//! its own `use` lines bring; it fails by a failed `assert`, a panic or an error of the compiler. One with a `proc main` is
//! a program of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::path::Path;

use vitte_tests::stage::Stage;

/// An example, and the line of the module where it begins.
struct Example {
    line: usize,
    uses: Vec<String>,
    body: String,
}

fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<Example> = None;
    for (number, line) in text.lines().enumerate() {
        let Some(said) = line.trim_start().strip_prefix("///") else {
            assert!(open.is_none(), "an example does not end before line {}", number + 1);
            continue;
        };
        let said = said.strip_prefix(' ').unwrap_or(said);
        match &mut open {
            None if said.starts_with("```vitte") => {
                open = Some(Example { line: number + 1, uses: Vec::new(), body: String::new() });
            }
            None => {}
            Some(_) if said.starts_with("```") => found.extend(open.take()),
            Some(example) if said.starts_with("use ") => example.uses.push(said.to_owned()),
            Some(example) => {
                example.body.push_str(said);
                example.body.push('\n');
            }
        }
    }
    found
}

/// The path of each module below `vitte/stdlib`, without its extension, and its text.
fn modules(folder: &Path, prefix: &str, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            modules(&entry.path(), &format!("{prefix}{name}/"), out);
        } else if let Some(stem) = name.strip_suffix(".vit") {
            out.push((format!("{prefix}{stem}"), std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn program(module: &str, examples: &[&Example]) -> String {
    let mut uses = vec![format!("use vitte/stdlib/{module}.*")];
    uses.extend(examples.iter().flat_map(|example| example.uses.iter().cloned()));
    uses.sort();
    uses.dedup();
    let mut text = uses.join("\n");
    for example in examples {
        let _ = write!(
            text,
            "\n// line {}\nproc example_{}() {{\n{}}}\n",
            example.line, example.line, example.body
        );
    }
    text.push_str("proc main() {\n");
    for example in examples {
        let _ = writeln!(text, "    println(\"{}\")\n    example_{}()", example.line, example.line);
    }
    text.push_str("}\n");
    text
}

#[test]
fn examples_of_doc_comments_run() {
    let stage = Stage::new();
    let root = vitte_tests::binaries::tests_folder().join("../daemon/compiler/src/runtime/stdlib");
    let mut found = Vec::new();
    modules(&root, "", &mut found);
    let mut failed = String::new();
    let mut count = 0;
    for (module, text) in found {
        let all = examples(&text);
        count += all.len();
        let (own, shared): (Vec<_>, Vec<_>) =
            all.iter().partition(|example| example.body.contains("proc main("));
        let mut programs = Vec::new();
        if !shared.is_empty() {
            programs.push(program(&module, &shared));
        }
        for example in own {
            let uses = example.uses.join("\n");
            programs.push(format!("use vitte/stdlib/{module}.*\n{uses}\n{}", example.body));
        }
        for program in programs {
            stage.write("example.vit", &program);
            let outcome = stage.vitte(&["run", "--error-format", "short", "example.vit"]);
            if outcome.status != 0 {
                let last = outcome.stdout_text().lines().last().unwrap_or_default().to_owned();
                let _ = writeln!(failed, "{module}: the example of line {last}: {}", outcome.stderr_text());
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(count > 200, "{count} examples");
}
