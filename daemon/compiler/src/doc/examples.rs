//! Examples of doc comments: fenced blocks marked `vitte`.
//!
//! An example may use everything that its module exports and what its own `use` lines bring. It fails by a failed
//! `assert`, a panic or an error of the compiler. One with a `proc main` is a program of its own; the others of a module
//! are the tests of one program. `vitte,ignore` is shown and not run.
use std::collections::BTreeSet;
use std::fmt::Write;

/// An example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line of the module where it begins, from 1.
    pub line: usize,
    /// Its `use` lines.
    pub uses: Vec<String>,
    /// The other lines.
    pub body: String,
}

impl Example {
    /// Whether it is a program of its own.
    pub fn is_program(&self) -> bool {
        self.body.lines().any(|line| line.trim_start().starts_with("proc main("))
    }
}

/// The examples of a module's text, in order. One that is not closed ends with its comment.
pub fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<Example> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let Some(said) = line.trim_start().strip_prefix("///") else {
            found.extend(open.take());
            continue;
        };
        let said = said.strip_prefix(' ').unwrap_or(said);
        match &mut open {
            None if said.trim_end() == "```vitte" => {
                open = Some(Example { line: number, uses: Vec::new(), body: String::new() });
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
    found.extend(open);
    found
}

/// What the test of an example in this line is called.
pub fn test_name(line: usize) -> String {
    format!("test_line_{line}")
}

/// One program whose tests are these examples of `module`, which is the path to import it by.
pub fn tests_of(module: &str, examples: &[&Example]) -> String {
    let mut uses = BTreeSet::from([format!("use {module}.*")]);
    uses.extend(examples.iter().flat_map(|example| example.uses.iter().cloned()));
    let mut text = String::new();
    for line in uses {
        let _ = writeln!(text, "{line}");
    }
    for example in examples {
        let _ = write!(
            text,
            "\n// {module}, line {}\nproc {}() {{\n{}}}\n",
            example.line,
            test_name(example.line),
            example.body
        );
    }
    text
}

/// The program that an example with a `main` is.
pub fn program_of(module: &str, example: &Example) -> String {
    let mut uses = BTreeSet::from([format!("use {module}.*")]);
    uses.extend(example.uses.iter().cloned());
    let mut text = String::new();
    for line in uses {
        let _ = writeln!(text, "{line}");
    }
    text + "\n" + &example.body
}
