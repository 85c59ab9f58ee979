//! One token wrong: valid programs with a token deleted, doubled or swapped with the next. Each is still valid or gets at
//! least one error, never a panic; one wrong token leads to at most five errors, and to few on average.
//!
//! `VITTE_TEST_SEED` is the seed, `VITTE_TEST_TOKENS` the number of mutations. The programs are the language tests that have
//! no errors and use no modules of their own.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use salsa::Setter;
use vitte_compiler::base::{
    Db, FileContents, Options, Program, Severity, SourceFile, SourcePath, SourceRoot,
};
use vitte_compiler::runtime::{CORE_ROOT, prelude_text};
use vitte_compiler::syntax::lexer::lex;
use vitte_compiler::types::program_diagnostics;
use vitte_tests::corpus;
use vitte_tests::random::Random;
use vitte_tests::setting;

/// Most errors that one wrong token may lead to.
const ERRORS_MAX: usize = 5;
/// Most errors on average, in hundredths, over the mutations that lead to any.
const AVERAGE_MAX: usize = 150;
/// Programs that one database sees before it makes way for a new one: enough to be quick, few enough to stay small.
const PROGRAMS_TOGETHER: u64 = 64;
/// The stack of the service's compile threads.
const STACK_BYTES: usize = 64 << 20;
/// The file under test.
const ENTRY: &str = "main.vit";

fn main() -> ExitCode {
    let suite = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
    match suite.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(summary))) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Ok(Ok(Err(message))) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start a thread: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A program and where its tokens stand.
struct Subject {
    name: String,
    text: String,
    tokens: Vec<std::ops::Range<usize>>,
}

fn run() -> Result<String, String> {
    let count: u64 = setting::number("VITTE_TEST_TOKENS", 300);
    let seed = setting::seed();
    let mut checker = Checker::new();
    let subjects = subjects(&mut checker)?;
    let mut random = Random::new(seed);
    let (mut broken, mut errors, mut most) = (0_usize, 0_usize, 0_usize);
    let mut problems = Vec::new();
    for number in 0..count {
        if number % PROGRAMS_TOGETHER == 0 {
            checker = Checker::new();
        }
        let subject = random.choose(&subjects).ok_or("no program is valid")?;
        let (text, what) = mutate(subject, &mut random);
        let found = catch_unwind(AssertUnwindSafe(|| checker.errors(&text))).map_err(|_| {
            format!("seed {seed}, mutation {number}: a panic\n{}: {what}\n{text}", subject.name)
        })?;
        broken += usize::from(!found.is_empty());
        errors += found.len();
        most = most.max(found.len());
        if found.len() > ERRORS_MAX {
            problems.push(format!(
                "{}: {what}: {} errors\n  {}",
                subject.name,
                found.len(),
                found.join("\n  ")
            ));
        }
    }
    let average = (errors * 100).checked_div(broken).unwrap_or(0);
    let summary = format!(
        "{count} mutations of {} programs from seed {seed}: {} still valid, at most {most} errors, {}.{:02} on average",
        subjects.len(),
        count as usize - broken,
        average / 100,
        average % 100
    );
    if !problems.is_empty() {
        return Err(format!("{}\n{summary}", problems.join("\n")));
    }
    if average > AVERAGE_MAX { Err(summary) } else { Ok(summary) }
}

/// The language tests of one file that have no errors.
fn subjects(checker: &mut Checker) -> Result<Vec<Subject>, String> {
    let mut subjects = Vec::new();
    for program in corpus::Program::running().map_err(|error| error.to_string())? {
        if program.path.file_name().is_some_and(|name| name == ENTRY) {
            continue;
        }
        let path = program.root.join(&program.path);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if !checker.errors(&text).is_empty() {
            continue;
        }
        let tokens = lex(checker.file, &text).tokens;
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| token.start as usize..token.end as usize)
            .filter(|t| !t.is_empty())
            .collect();
        if tokens.len() > 2 {
            subjects.push(Subject { name: program.name(), text, tokens });
        }
    }
    Ok(subjects)
}

/// The text with one token wrong, and what was done to it.
fn mutate(subject: &Subject, random: &mut Random) -> (String, String) {
    let at = random.below(subject.tokens.len() - 1);
    let (token, next) = (subject.tokens[at].clone(), subject.tokens[at + 1].clone());
    let text = &subject.text;
    let (shown, following) = (&text[token.clone()], &text[next.clone()]);
    let line = text[..token.start].matches('\n').count() + 1;
    let (before, between, after) = (&text[..token.start], &text[token.end..next.start], &text[next.end..]);
    match random.below(3) {
        0 => (format!("{before}{between}{following}{after}"), format!("line {line} without `{shown}`")),
        1 => (
            format!("{before}{shown} {shown}{between}{following}{after}"),
            format!("line {line} with `{shown}` twice"),
        ),
        _ => (
            format!("{before}{following}{between}{shown}{after}"),
            format!("line {line} with `{shown}` and `{following}` swapped"),
        ),
    }
}

/// A database that sees one program after the other.
struct Checker {
    db: OneFile,
    file: SourceFile,
    program: Program,
}

impl Checker {
    fn new() -> Self {
        let db = OneFile::default();
        let file = db.file(&SourcePath::workspace(ENTRY));
        let program = Program::new(&db, file, Vec::new(), Options::default());
        Self { db, file, program }
    }

    /// The errors of a program, by code and message.
    fn errors(&mut self, text: &str) -> Vec<String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.file.set_contents(&mut self.db).to(FileContents::Text(text.into()));
        let diagnostics = program_diagnostics(&self.db, self.program);
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        errors.map(|error| format!("{} {}", error.code.code, error.message)).collect()
    }
}

/// A database of one file, the prelude and the library; every other path is missing.
#[salsa::db]
#[derive(Clone, Default)]
struct OneFile {
    storage: salsa::Storage<Self>,
    files: Arc<Mutex<BTreeMap<SourcePath, SourceFile>>>,
}

#[salsa::db]
impl salsa::Database for OneFile {}

#[salsa::db]
impl Db for OneFile {
    fn file(&self, path: &SourcePath) -> SourceFile {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        *files.entry(path.clone()).or_insert_with(|| {
            let known = prelude_text(&path.path).filter(|_| path.root == CORE_ROOT);
            let contents = known.map_or(FileContents::Missing, |text| FileContents::Text(text.into()));
            SourceFile::new(self, path.clone(), contents)
        })
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        Arc::from([])
    }
}
