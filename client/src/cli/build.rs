//! What to compile and how: `build`, `check`, `emit`, `why`, `run`, `fmt`.
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use vitte_proto::v1;

use super::values::{duration, lines};

/// What to compile and how.
#[derive(Clone, Debug, Default, Args)]
pub struct BuildArgs {
    /// A `.vit` file or a package folder; the package around this folder if left out
    #[arg(value_name = "FILE")]
    pub entry: Option<PathBuf>,
    /// The same as FILE
    #[arg(long, value_name = "FILE", conflicts_with = "entry")]
    pub src: Option<PathBuf>,
    /// Where the result goes
    #[arg(long, short, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Target triple; this machine's if left out
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
    /// Profile: dev or release
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Optimisation level, 0 to 3
    #[arg(short = 'O', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub opt_level: Option<u8>,
    /// Switch an optimisation pass off (repeatable)
    #[arg(long, value_name = "PASS")]
    pub disable_pass: Vec<String>,
    /// Do not show this: the name of a lint, a code, a key, `warnings` or `lints` (repeatable; later ones win)
    #[arg(long, short = 'A', value_name = "LINT")]
    pub allow: Vec<String>,
    /// Show this as a warning
    #[arg(long, short = 'W', value_name = "LINT")]
    pub warn: Vec<String>,
    /// Make this an error
    #[arg(long, short = 'D', value_name = "LINT")]
    pub deny: Vec<String>,
    /// Make all warnings errors
    #[arg(long)]
    pub deny_warnings: bool,
    /// Where the library is
    #[arg(long, value_name = "PATH")]
    pub stdlib_path: Option<PathBuf>,
    /// Workspace root; found by upward search if left out
    #[arg(long, value_name = "PATH", env = "VITTE_WORKSPACE", hide_env_values = true)]
    pub root: Option<PathBuf>,
    /// What generates the code
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<BackendName>,
    /// Linker by name (`embedded`, `cc`, `ld.lld`) or a command
    #[arg(long, value_name = "LINKER")]
    pub linker: Option<String>,
    /// Show the plan and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Compile even where the cache has the result, and compare the two
    #[arg(long)]
    pub check_cache: bool,
    /// Build twice more in other folders, and compare the executables
    #[arg(long)]
    pub check_determinism: bool,
    /// Accepted for older scripts: builds always are deterministic
    #[arg(long, hide = true)]
    pub deterministic: bool,
    /// Accepted for older scripts: the service keeps its own cache
    #[arg(long, value_name = "PATH", hide = true)]
    pub cache_dir: Option<PathBuf>,
    /// `--allow`, `--warn` and `--deny` in the order in which they were given.
    #[arg(skip)]
    pub lints: Vec<(LintLevel, String)>,
}

/// `vitte check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// What to check.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Apply what messages suggest and is safe to apply, then check again; `--dry-run` only shows it
    #[arg(long)]
    pub fix: bool,
}

/// What `--backend` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// The compiler's own (the default)
    Cranelift,
    /// C source text, compiled by the C compiler of this machine
    C17,
}

impl BackendName {
    /// As the service knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::C17 => "c17",
        }
    }
}

/// What a lint flag asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintLevel {
    /// `--allow`
    Allow,
    /// `--warn`
    Warn,
    /// `--deny`
    Deny,
}

/// `vitte build`
#[derive(Debug, Args)]
pub struct BuildVerb {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// What to make; or a stage, to stop there and write it
    #[arg(long, value_name = "KIND")]
    pub emit: Option<EmitName>,
}

/// What `vitte build --emit` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitName {
    /// Something to run or to load.
    Product(ProductName),
    /// A stage of the pipeline.
    Stage(StageName),
}

/// Something that a build makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProductName {
    /// Program of the target (the default)
    Exe,
    /// WebAssembly module for WASI, 32-bit memory
    Wasm32,
    /// WebAssembly module for WASI, 64-bit memory
    Wasm64,
    /// Module of bytecode for the loader
    Vbc,
    /// Shared library of what the entry file exports
    So,
    /// C source text of the program
    C17,
    /// WebAssembly component of what the entry file exports
    Component,
    /// Package for the loader
    Vitmod,
    /// Package of a plugin
    Vitplug,
}

impl ProductName {
    /// As the service knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::Wasm32 => "wasm32",
            Self::Wasm64 => "wasm64",
            Self::Vbc => "vbc",
            Self::So => "so",
            Self::C17 => "c17",
            Self::Component => "component",
            Self::Vitmod => "vitmod",
            Self::Vitplug => "vitplug",
        }
    }
}

impl ValueEnum for EmitName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: &[EmitName] = &[
            EmitName::Product(ProductName::Exe),
            EmitName::Product(ProductName::Wasm32),
            EmitName::Product(ProductName::Wasm64),
            EmitName::Product(ProductName::Vbc),
            EmitName::Product(ProductName::So),
            EmitName::Product(ProductName::C17),
            EmitName::Product(ProductName::Component),
            EmitName::Product(ProductName::Vitmod),
            EmitName::Product(ProductName::Vitplug),
            EmitName::Stage(StageName::Tokens),
            EmitName::Stage(StageName::Ast),
            EmitName::Stage(StageName::Hir),
            EmitName::Stage(StageName::Mir),
            EmitName::Stage(StageName::Ssa),
            EmitName::Stage(StageName::Clif),
            EmitName::Stage(StageName::Asm),
            EmitName::Stage(StageName::Obj),
        ];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Product(product) => product.to_possible_value(),
            Self::Stage(stage) => stage.to_possible_value(),
        }
    }
}

/// `vitte why`
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// What is asked about, with the flags it was built with.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Also say what an edit of this file would build anew
    #[arg(long, value_name = "FILE")]
    pub touch: Option<PathBuf>,
}

/// `vitte fmt`
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Files and folders, or `-`
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; say which files would change (exit status 1)
    #[arg(long)]
    pub check: bool,
    /// Format only these lines of one file, such as `10:20`
    #[arg(long, value_name = "FIRST:LAST", value_parser = lines)]
    pub lines: Option<(u32, u32)>,
}

/// `vitte run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Follow the files: replace procedures that change while the program runs, and keep its state
    #[arg(long)]
    pub hot: bool,
    /// End the program after this time, such as `5`, `1.5s` or `200ms` (exit status 75)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

/// `vitte emit`
#[derive(Debug, Args)]
pub struct EmitArgs {
    /// What to compile.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Which stage
    #[arg(long, value_name = "STAGE")]
    pub stage: StageName,
    /// Only procedures whose name contains this
    #[arg(long, value_name = "NAME", default_value = "")]
    pub filter: String,
}

/// A stage by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// Tokens, one a line
    Tokens,
    /// Syntax tree
    Ast,
    /// Lowered items
    Hir,
    /// Control flow with moves and drops
    Mir,
    /// SSA after optimisation
    Ssa,
    /// Cranelift IR
    Clif,
    /// Disassembly
    Asm,
    /// Relocatable object
    Obj,
}

impl From<StageName> for v1::Stage {
    fn from(name: StageName) -> Self {
        match name {
            StageName::Tokens => Self::Tokens,
            StageName::Ast => Self::Ast,
            StageName::Hir => Self::Hir,
            StageName::Mir => Self::Mir,
            StageName::Ssa => Self::Ssa,
            StageName::Clif => Self::Clif,
            StageName::Asm => Self::Asm,
            StageName::Obj => Self::Obj,
        }
    }
}
