//! Feeds the lexer, the parser and the checker with damaged programs, and the rest of the compiler with
//! those of them that are still right.
//!
//! `fuzz-frontend [--seconds N] [--seed N] [--corpus FOLDER]`, 60 seconds by default. First come
//! fixed cases (deep nesting, every byte, long chains), then mutations of the language tests. The
//! same seed gives the same inputs in the same order. A case fails if something panics, overflows
//! the stack, or takes longer than its size allows; its input is then in `fuzz-frontend-input.vit`
//! in the system's folder for temporary files, and the exit status is not 0.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use salsa::Setter;
use vitte_compiler::base::{
    Db, FileContents, Options, Program, Severity, SourceFile, SourcePath, SourceRoot,
};
use vitte_compiler::codegen::program_object;
use vitte_compiler::types::{place_span, program_diagnostics};

/// How deep the fixed cases nest.
const DEPTH: usize = 100_000;
/// Time any case may take, whatever its size. A debug build on a busy machine needs some of it.
const BASE_LIMIT: Duration = Duration::from_secs(10);
/// More time per kilobyte of input.
const LIMIT_PER_KIB: Duration = Duration::from_millis(50);
/// Inputs that one database sees: enough to be quick, few enough to stay small.
const COMPILER_CASES: u64 = 64;
/// Longest input that mutation makes, in bytes.
const LONGEST: usize = 64 * 1024;
/// Resident memory that the whole run may have taken at its peak, in KiB.
const MEMORY_LIMIT: u64 = 3 * 1024 * 1024;

/// Pieces that mutation inserts: what the grammar gives a meaning.
const PIECES: &[&str] = &[
    "proc ",
    "form ",
    "pick ",
    "match ",
    "case ",
    "let ",
    "let mut ",
    "set ",
    "give ",
    "if ",
    "elif ",
    "else ",
    "while ",
    "for ",
    " in ",
    "loop ",
    "trait ",
    "impl ",
    " for ",
    " where ",
    "self",
    "Self",
    ": Show + ",
    "type Item",
    "operator + ",
    "|x| ",
    "|| ",
    "proc(x: int) -> int { ",
    "defer ",
    "with ",
    "map { ",
    "set { ",
    "break",
    "continue",
    "use ",
    "space ",
    "export *",
    "share all",
    "const ",
    "and ",
    "or ",
    "not ",
    " as ",
    " is ",
    "ref mut ",
    "ref ",
    "move ",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "->",
    "=>",
    "==",
    "=",
    "!=",
    "<=",
    "<<",
    ">>",
    "<<<",
    ">>>",
    "/*",
    "*/",
    "//",
    "#",
    "#[",
    "\"",
    "\"\"\"",
    "r\"",
    "b\"",
    "'",
    "\\u{",
    "\\x",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    ",",
    ";",
    ":",
    "::",
    ".",
    "..",
    "..=",
    "?",
    "??",
    "|",
    "&",
    "^",
    "~",
    "@",
    "_",
    "0x",
    "1.5e",
    "9999999999999999999999999999999999999999",
    "\r\n",
    "\u{feff}",
    "\u{0}",
    "é",
    "𝔘",
    "impl ",
    "trait ",
    "type ",
    "static_assert(",
    "entry main at a { }",
    "test \"t\" { }",
    "|x| ",
    "defer { }",
    "try ",
];

/// The stack of the service's compile threads.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    let fuzzer = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(fuzz);
    match fuzzer.map(std::thread::JoinHandle::join) {
        Ok(Ok(status)) => status,
        // A panic has said its words already.
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start a thread: {error}");
            ExitCode::from(70)
        }
    }
}

fn fuzz() -> ExitCode {
    let options = match Arguments::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\nusage: fuzz-frontend [--seconds N] [--seed N] [--corpus FOLDER]");
            return ExitCode::from(64);
        }
    };
    let corpus = corpus(&options.corpus);
    if corpus.is_empty() {
        eprintln!("no .vit file below {}", options.corpus.display());
        return ExitCode::from(65);
    }
    let start = Instant::now();
    // The fixed cases are always all taken; the time is that of the mutations.
    let mut deadline = None;
    let watch = Watch::start();
    let mut random = Random(options.seed);
    let mut cases = 0_u64;
    let fixed = fixed_cases().into_iter().chain(corpus.iter().cloned());
    let mutated = std::iter::from_fn(|| {
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + Duration::from_secs(options.seconds));
        (Instant::now() < deadline).then(|| mutate(&corpus, &mut random))
    });
    let mut compiler = Compiler::new();
    for input in fixed.chain(mutated) {
        if cases.is_multiple_of(COMPILER_CASES) {
            compiler = Compiler::new();
        }
        if let Err(error) = run(&mut compiler, &input, &watch) {
            eprintln!("seed {}, case {cases}: {error}\ninput: {}", options.seed, kept_input().display());
            return ExitCode::FAILURE;
        }
        cases += 1;
    }
    if let Some(peak) = peak_memory().filter(|peak| *peak > MEMORY_LIMIT) {
        eprintln!("the run took {peak} KiB at its peak, more than {MEMORY_LIMIT}");
        return ExitCode::FAILURE;
    }
    eprintln!("{cases} cases in {:.0?}, seed {}: none failed", start.elapsed(), options.seed);
    ExitCode::SUCCESS
}

struct Arguments {
    seconds: u64,
    seed: u64,
    corpus: PathBuf,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
        let mut options = Self { seconds: 60, seed: 1, corpus };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name}: `{value}` is not a number"));
            match name.as_str() {
                "--seconds" => options.seconds = number()?,
                "--seed" => options.seed = number()?,
                "--corpus" => options.corpus = PathBuf::from(&value),
                _ => return Err(format!("unknown option {name}")),
            }
        }
        Ok(options)
    }
}

/// Takes one input through the front end.
fn run(compiler: &mut Compiler, input: &[u8], watch: &Watch) -> Result<(), String> {
    std::fs::write(kept_input(), input).map_err(|error| format!("cannot keep the input: {error}"))?;
    let limit = BASE_LIMIT + LIMIT_PER_KIB * u32::try_from(input.len() / 1024).unwrap_or(u32::MAX);
    watch.arm(limit);
    let start = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| compiler.compile(input)));
    let took = start.elapsed();
    watch.disarm();
    if done.is_err() {
        let alone = catch_unwind(AssertUnwindSafe(|| Compiler::new().compile(input)));
        let when = if alone.is_ok() { "after the inputs before it only" } else { "on its own" };
        return Err(format!("a panic, {when}"));
    }
    if took > limit { Err(format!("took {took:.1?}, may take {limit:.1?}")) } else { Ok(()) }
}

/// A database that sees one input after the other, as that of an editor does: what an input leaves
/// as it was, most of all the prelude, is not compiled again.
struct Compiler {
    db: FuzzDb,
    file: SourceFile,
    program: Program,
}

impl Compiler {
    fn new() -> Self {
        let db = FuzzDb::default();
        let file = db.file(&SourcePath::workspace(ENTRY));
        let program = Program::new(&db, file, Vec::new(), Options::default());
        Self { db, file, program }
    }

    fn compile(&mut self, input: &[u8]) {
        let text = std::str::from_utf8(input).map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
        let contents = match text {
            Ok(text) => FileContents::Text(text.into()),
            Err(error) => FileContents::NotUtf8(u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX)),
        };
        self.file.set_contents(&mut self.db).to(contents);
        let Self { db, file, program } = self;
        let diagnostics = program_diagnostics(db, *program);
        if diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
            // What is right must also compile; a program may still be refused for what only then shows.
            drop(program_object(db, *program));
        }
        for diagnostic in diagnostics.iter() {
            // Whoever shows a message cuts the text at its places: they must be cuts that a text has.
            for label in &diagnostic.labels {
                let (shown, span) = place_span(db, label.place);
                let (Ok(text), true) = (text, shown == *file) else { continue };
                let range = span.start as usize..span.end as usize;
                assert!(
                    text.get(range).is_some(),
                    "{} marks {span:?}, which is no part of the text",
                    diagnostic.code.code
                );
            }
        }
    }
}

/// The file under test.
const ENTRY: &str = "main.vit";

/// A database of one file and the prelude; every other path is missing.
#[salsa::db]
#[derive(Clone, Default)]
struct FuzzDb {
    storage: salsa::Storage<Self>,
    files: Arc<Mutex<BTreeMap<SourcePath, SourceFile>>>,
}

#[salsa::db]
impl salsa::Database for FuzzDb {}

#[salsa::db]
impl Db for FuzzDb {
    fn file(&self, path: &SourcePath) -> SourceFile {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        *files
            .entry(path.clone())
            .or_insert_with(|| SourceFile::new(self, path.clone(), FileContents::Missing))
    }

    fn source_roots(&self) -> Arc<[SourceRoot]> {
        Arc::from([])
    }
}

/// Inputs that every run begins with.
fn fixed_cases() -> Vec<Vec<u8>> {
    let mut cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        "\u{feff}".into(),
        (0..=255).collect(),
        vec![0xFF; 1000],
        b"proc main() -> int { give 0 }".to_vec(),
    ];
    let body =
        |text: String| format!("proc main() -> int {{\n    let x = {text}\n    give 0\n}}\n").into_bytes();
    for open in [
        "(",
        "[",
        "{",
        "-",
        "not ",
        "~",
        "f(",
        "a[",
        "*",
        "ref ",
        "ref mut ",
        "&",
        "if a { ",
        "a ? ",
        "a ?? ",
        "P { x: ",
        "1 + (",
        "pick a { _ => ",
        "Some(",
        "|x| ",
        "a.",
        "a as ",
        "try ",
        "f<",
        "a..",
    ] {
        cases.push(body(open.repeat(DEPTH)));
    }
    for (open, close) in [("(", ")"), ("[", "]"), ("{ ", " }"), ("f(", ")"), ("-(", ")"), ("Some(", ")")] {
        cases.push(body(format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH))));
    }
    for chain in ["1 + ", "a and ", "a . b ", "a == ", "a | ", "\"s\" + "] {
        cases.push(body(format!("{}1", chain.repeat(DEPTH))));
    }
    for postfix in ["()", "[0]", ".f", "?", " as int"] {
        cases.push(body(format!("a{}", postfix.repeat(DEPTH))));
    }
    for statement in ["if a { ", "while a { ", "loop { ", "for x in y { ", "{ ", "pick a { _ { ", "defer { "]
    {
        cases.push(format!("proc main() {{ {}", statement.repeat(DEPTH)).into_bytes());
    }
    cases.push(format!("proc main() {{ if a {{ }} {} }}", "elif a { } ".repeat(DEPTH)).into_bytes());
    for kind in ["[", "Option<", "ref ", "?", "proc(", "(", "*", "&mut "] {
        cases.push(format!("proc f(x: {}int) {{}}", kind.repeat(DEPTH)).into_bytes());
    }
    for pattern in ["Some(", "(", "[", "A | ", "P { x: "] {
        cases.push(format!("proc f() {{ pick x {{ {} _ {{}} }} }}", pattern.repeat(DEPTH)).into_bytes());
    }
    for item in [
        "}",
        ")",
        "\n",
        ";",
        "proc ",
        "proc f() {}\n",
        "use a\n",
        "form F { ",
        "#[a]\n",
        "<<<",
        "/*",
        "\"\n",
        "'",
    ] {
        cases.push(item.repeat(DEPTH).into_bytes());
    }
    cases.push(format!("use {}b", "a/".repeat(DEPTH)).into_bytes());
    cases.push(body("9".repeat(DEPTH)));
    cases.push(body(format!("\"{}\"", "\\n".repeat(DEPTH))));
    cases.push("x".repeat(DEPTH).into_bytes());
    cases
}

/// Every program below `folder`, in order of path.
fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "vit" || extension == "vitl") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// A program with one to eight small damages.
fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut text = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(40)).min(text.len());
        match random.below(9) {
            0 => drop(text.drain(at..end)),
            1 => {
                let copy = text[at..end].to_vec();
                text.splice(at..at, copy);
            }
            2 | 3 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            4 => drop(text.splice(at..end, PIECES[random.below(PIECES.len())].bytes())),
            5 => text.truncate(at),
            6 => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = random.byte();
                }
            }
            7 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(400)).min(other.len());
                text.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())].repeat(1 + random.below(200));
                text.splice(at..at, piece.bytes());
            }
        }
        text.truncate(LONGEST);
    }
    text
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and good enough to choose mutations.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1. The slight bias does no harm here.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Ends the process when a case hangs: nothing else could.
struct Watch {
    started: Instant,
    /// Milliseconds after `started` at which the present case is over its time; 0 is no case.
    due: Arc<AtomicU64>,
}

impl Watch {
    fn start() -> Self {
        let watch = Self { started: Instant::now(), due: Arc::default() };
        let (started, due) = (watch.started, watch.due.clone());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(250));
                let due = due.load(Ordering::Relaxed);
                if due != 0 && milliseconds(started.elapsed()) > due {
                    eprintln!("a case hangs; input: {}", kept_input().display());
                    std::process::exit(1);
                }
            }
        });
        watch
    }

    fn arm(&self, limit: Duration) {
        // Twice the limit: a slow case is better reported by itself, after it ends.
        self.due.store(milliseconds(self.started.elapsed() + 2 * limit).max(1), Ordering::Relaxed);
    }

    fn disarm(&self) {
        self.due.store(0, Ordering::Relaxed);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn kept_input() -> PathBuf {
    std::env::temp_dir().join("fuzz-frontend-input.vit")
}

/// The most resident memory this process had, in KiB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
