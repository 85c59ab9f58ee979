//! Requests, outcomes, events and errors: what goes in and out of the driver.
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use tokio_util::sync::CancellationToken;
pub use vitte_compiler::base::OptLevel;
pub use vitte_compiler::format::LineRange;

/// What to compile and how. Everything is explicit: the driver reads no flag and no environment.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// A `.vit` file, a package folder, or empty for the package around `cwd`.
    pub entry: Option<PathBuf>,
    /// Folder that relative paths refer to. Absolute.
    pub cwd: PathBuf,
    /// Workspace root (`VITTE_WORKSPACE`, `--root`); found by upward search when `None`.
    pub root: Option<PathBuf>,
    /// Library path (`--stdlib-path`).
    pub library: Option<PathBuf>,
    /// Where the executable goes; `target/PROFILE/NAME` below the package, or the file's own folder, when `None`.
    pub output: Option<PathBuf>,
    /// Where the executable of a lone file goes when `output` is `None` and it is made only to be run:
    /// a cache that may be emptied at any time.
    pub scratch: Option<PathBuf>,
    /// Target triple; the host's when `None`.
    pub target: Option<String>,
    /// What to make (`exe`, `so`, `wasm32`, `wasm64`, `vbc`, `component`, `vitmod`, `vitplug`, `c17`); what the target is
    /// for when `None`.
    pub emit: Option<String>,
    /// Profile name: `dev` (default) or `release`.
    pub profile: Option<String>,
    /// Overrides the profile's level.
    pub opt_level: Option<OptLevel>,
    /// Passes switched off by name.
    pub disabled_passes: Vec<String>,
    /// Code generator: `cranelift` (default) or `c17`.
    pub backend: Option<String>,
    /// Linker by name (`embedded`, `cc`, `ld.lld`, …) or a command template.
    pub linker: Option<String>,
    /// `--allow CODE`, `--warn CODE`, `--deny CODE`; later wins; code, key or `warnings`.
    pub lints: Vec<(LintLevel, String)>,
    /// Print the plan and do nothing.
    pub dry_run: bool,
    /// Compile even where the store has the result, and compare (`--check-cache`).
    pub check_cache: bool,
    /// Build twice more in other folders, and compare (`--check-determinism`).
    pub check_determinism: bool,
    /// Make a runner of the program's tests in the place of its `main`: with the number of one as its argument it
    /// runs that test and ends with 0 if it passed; without, it prints their names in order.
    pub tests: bool,
    /// Leave [`Event::Artifact`] without a digest: a large executable is in place a little sooner.
    pub without_digest: bool,
}

/// What a lint setting asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintLevel {
    /// Do not show.
    Allow,
    /// Show as a warning.
    Warn,
    /// Make it an error.
    Deny,
}

/// Byte offset, line and column of one end of a span; line and column from 1, byte from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Line from 1.
    pub line: u32,
    /// Column in Unicode scalars from 1.
    pub column: u32,
    /// Byte from 0.
    pub byte: u32,
    /// Unicode scalars from the start of the file, from 0 (the older editor format wants it).
    pub character: u32,
}

/// A resolved span.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileSpan {
    /// Path as the user would type it: relative to the request's `cwd` when below it, else absolute.
    pub file: String,
    /// First position.
    pub start: Position,
    /// One past the last.
    pub end: Position,
    /// The source lines from `start.line` to `end.line` (at most 8), for rendering without the file.
    pub source_lines: Vec<String>,
}

/// A label of a rendered diagnostic.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResolvedLabel {
    /// True for the main place.
    pub primary: bool,
    /// Words under the carets.
    pub message: String,
    /// Where.
    pub span: FileSpan,
}

/// An edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResolvedSuggestion {
    /// What it does.
    pub message: String,
    /// New text.
    pub replacement: String,
    /// Which text is replaced.
    pub span: FileSpan,
    /// `machine-applicable`, `maybe-incorrect`, `has-placeholders` or `unspecified`.
    pub applicability: String,
    /// SHA-256 of the text that the span is of, lower-case hex.
    pub digest: String,
}

/// A diagnostic with its spans looked up: what goes over the wire. The first label is primary.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResolvedDiagnostic {
    /// `TYP0213`.
    pub code: String,
    /// `TYPECK_E_ASSIGN_MISMATCH`.
    pub message_key: String,
    /// `error` or `warning`, after lint levels.
    pub severity: String,
    /// `lexer parser resolver sema typeck borrowck mir ir codegen linker ice`.
    pub phase: String,
    /// One sentence.
    pub message: String,
    /// Places.
    pub labels: Vec<ResolvedLabel>,
    /// Facts.
    pub notes: Vec<String>,
    /// Advice.
    pub helps: Vec<String>,
    /// Edits.
    pub suggestions: Vec<ResolvedSuggestion>,
}

/// One step of work, as it happens. Every consumer (terminal, JSON, gRPC) renders these.
#[derive(Clone, Debug)]
pub enum Event {
    /// A phase of the pipeline began: `parse lower check mono mir ssa consteval optimise codegen link`.
    PhaseStarted {
        /// Its name.
        phase: &'static str,
    },
    /// It ended.
    PhaseFinished {
        /// Its name.
        phase: &'static str,
        /// Wall-clock time.
        elapsed: Duration,
        /// Units of work done anew (modules parsed, procedures checked or generated).
        executed: u64,
    },
    /// Something to tell the user.
    Diagnostic(Arc<ResolvedDiagnostic>),
    /// An artifact was written.
    Artifact {
        /// `executable`, `wasm`, …
        kind: &'static str,
        /// Absolute path.
        path: PathBuf,
        /// SHA-256, lower-case hex; empty if the request wanted none.
        sha256: String,
        /// Bytes.
        size_bytes: u64,
    },
    /// One line of news (which linker was chosen, what was set aside).
    Note(String),
}

/// Where events go. Called from the thread that works; must not block for long.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

impl<F: Fn(Event) + Send + Sync> EventSink for F {
    fn event(&self, event: Event) {
        self(event);
    }
}

/// Result of a check or build. A program with errors is a successful call.
#[derive(Clone, Debug, Default)]
pub struct BuildOutcome {
    /// Number of errors after lint levels.
    pub errors: u64,
    /// Number of warnings.
    pub warnings: u64,
    /// The executable or whatever else was asked for, when it was made.
    pub executable: Option<PathBuf>,
    /// The plan in words, for `--dry-run` and `--verbose`.
    pub plan: String,
}

/// What a check or build depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Absolute paths of files whose change may change the result: sources, manifests, and places where
    /// one of them was looked for and is not.
    pub files: BTreeSet<PathBuf>,
    /// Folders that hold them all.
    pub roots: Vec<PathBuf>,
}

/// Something that differed between two builds of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cause {
    /// What kind of thing.
    pub kind: CauseKind,
    /// The option's name; the file as the user would type it. Empty for [`CauseKind::First`].
    pub name: String,
    /// Its value, or SHA-256 of the text in hex, before; empty when there was none.
    pub old: String,
    /// The same in the later build.
    pub new: String,
    /// Of a text that changed: the first line of the later one that differs, from 1; otherwise 0.
    pub first_line: u32,
    /// The last such line.
    pub last_line: u32,
    /// Of a module that changed: what its new `use` lines say.
    #[serde(default)]
    pub imports_added: Vec<String>,
    /// The same of those that are gone.
    #[serde(default)]
    pub imports_removed: Vec<String>,
}

/// What kind of thing a [`Cause`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum CauseKind {
    /// Nothing was known of the target.
    #[default]
    First,
    /// Another compiler.
    Compiler,
    /// The text of a project file that said something else of an option.
    Manifest,
    /// A flag, a setting of the manifest, the workspace's root, the linker, the dependencies.
    Option,
    /// The text of a module.
    File,
    /// A file that was looked for and not there is there now.
    Appeared,
    /// A file that was there is not there any more.
    Gone,
    /// A file is asked for now that was not before, because a module or an option changed.
    Joined,
    /// A file is not asked for any more, for the same reasons.
    Left,
}

/// Why a target was built anew the last time, or what an edit of a file would build anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// What is built. Absolute.
    pub target: PathBuf,
    /// What differed, most telling first; empty when nothing is known of the target.
    pub causes: Vec<Cause>,
    /// Of the file that was asked about: what an edit of it reaches.
    pub touched: Option<Touched>,
}

/// What an edit of a file reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The file, as the user would type it.
    pub file: String,
    /// Whether the program has it among its modules.
    pub is_part: bool,
    /// Names of the file's own procedures: an edit of a body builds that one anew, and whatever inlines it.
    pub procedures: Vec<String>,
    /// Modules that import the file, directly or not, as the user would type them: an edit of a signature
    /// checks the users of it there.
    pub importers: Vec<String>,
}

/// A stage that `emit` can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Tokens, one a line.
    Tokens,
    /// Syntax tree.
    Ast,
    /// Lowered items.
    Hir,
    /// Control flow with moves and drops.
    Mir,
    /// SSA after optimisation.
    Ssa,
    /// Cranelift IR.
    Clif,
    /// Disassembly.
    Asm,
    /// The relocatable object.
    Obj,
}

/// Result of `emit`: the stage's bytes (text for all but `Obj`). Empty when the program has errors.
#[derive(Clone, Debug, Default)]
pub struct EmitOutcome {
    /// Number of errors; then `bytes` may be empty.
    pub errors: u64,
    /// The stage.
    pub bytes: Vec<u8>,
}

/// How to run an executable.
#[derive(Clone, Debug, Default)]
pub struct RunSpec {
    /// Absolute path of the executable.
    pub executable: PathBuf,
    /// Arguments without the program name.
    pub args: Vec<std::ffi::OsString>,
    /// The whole environment of the program.
    pub env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Wall-clock limit; then SIGTERM, and SIGKILL two seconds later, to the whole process group.
    pub timeout: Option<Duration>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// It called exit; the status 0 to 255.
    Code(u8),
    /// It was ended by a signal.
    Signal(u8),
    /// The time limit ended it.
    TimedOut,
}

/// A line of `vitte doctor`.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// What was examined: `linker cc`, `target`, `debugger`, …
    pub subject: String,
    /// `ok`, `missing`, `warning`.
    pub state: String,
    /// Path and version, or why not.
    pub detail: String,
    /// True for the one that is used by default.
    pub chosen: bool,
    /// What to do, when something is to be done.
    pub help: String,
}

/// Why the driver could not do its work. A program with errors is not one of these.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The request names something that is not there or is of the wrong kind. Exit status 64 or 65.
    #[error("{message}")]
    BadInput {
        /// `NOT_FOUND`, `IS_A_DIRECTORY`, `NOT_UTF8`, `BAD_MANIFEST`, `UNKNOWN_TARGET`, … (UPPER_SNAKE).
        reason: &'static str,
        /// One sentence.
        message: String,
        /// What to do next.
        help: String,
    },
    /// Reading or writing failed. Exit status 74.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// `read`, `write`, `create`, …
        operation: &'static str,
        /// What it was about.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The linker or another tool failed. Exit status 2.
    #[error("{message}")]
    Tool {
        /// One sentence.
        message: String,
        /// The tool's own output, shortened.
        output: String,
        /// What to do next.
        help: String,
    },
    /// The caller gave up.
    #[error("cancelled")]
    Cancelled,
    /// Our own fault. Exit status 70.
    #[error("internal error: {0}")]
    Internal(String),
}

/// An error that keeps a text from being formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalars, from 1.
    pub column: u32,
    /// Code of the diagnostic.
    pub code: String,
    /// One sentence.
    pub message: String,
}
