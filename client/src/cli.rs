//! The command line.
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use vitte_proto::v1;

use crate::failure::Exit;
use crate::render::Format;
use crate::render::style::ColorChoice;

/// Compiles, checks and runs programs of the Vitte language.
#[derive(Debug, Parser)]
#[command(
    name = "vitte",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        vitte run hello.vit            build and run one file\n  \
        vitte run hello.vit -- a b     the same, with arguments\n  \
        vitte new demo && cd demo && vitte run\n  \
        vitte check --error-format json src/main.vit\n  \
        vitte explain TYP0213\n\n\
        Exit status: 0 ok, 1 the program has errors, 2 cannot build, 64 usage, 65 bad input, 69 no service,\n\
        70 internal error, 74 input/output, 75 try again, 77 not permitted, 78 configuration; `run` passes on\n\
        the program's own, 128 + n for signal n."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// How to say it.
    #[command(flatten)]
    pub common: Common,
}

/// Flags that every verb takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Common {
    /// When to colour messages
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "VITTE_COLOR",
        default_value = "auto",
        hide_env_values = true
    )]
    pub color: ColorChoice,
    /// How to show diagnostics
    #[arg(long, global = true, value_name = "FORMAT", alias = "format", default_value = "human")]
    pub error_format: Format,
    /// Print every event as a line of JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Print diagnostics as one JSON array with character offsets, as older editors read it
    #[arg(long, global = true, alias = "diag-json")]
    pub diagnostics_json: bool,
    /// Show at most this many errors; 0 shows all. People see 50 if it is left out, programs all
    #[arg(long, global = true, value_name = "N")]
    pub max_errors: Option<u64>,
    /// Say how long each phase took
    #[arg(long, global = true, alias = "trace-pipeline")]
    pub timings: bool,
    /// Say more
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Language of explanations, such as `en` or `fr`
    #[arg(
        long,
        global = true,
        value_name = "LANG",
        env = "VITTE_LANG",
        default_value = "en",
        hide_env_values = true
    )]
    pub lang: String,
    /// Use a private service for this command only
    #[arg(long, global = true)]
    pub no_daemon: bool,
}

impl Common {
    /// The format that the flags together ask for.
    pub fn format(&self) -> Format {
        if self.diagnostics_json { Format::Legacy } else { self.error_format }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Build a program and run it
    #[command(after_help = "Examples:\n  vitte run hello.vit\n  vitte run hello.vit -- one 'two three'\n  \
        echo data | vitte run --timeout 5 filter.vit")]
    Run(RunArgs),
    /// Build a program
    #[command(
        after_help = "Examples:\n  vitte build hello.vit -o build/hello\n  vitte build --profile release"
    )]
    Build(BuildVerb),
    /// Build tests and run them
    #[command(
        after_help = "Tests are procs `test_*` without parameters that give `true` or nothing, `test \"name\" { … }` blocks, and the \
        programs that the manifest lists as `tests`. Each runs in a process of its own.\n\n\
        Examples:\n  vitte test                       all tests of this package\n  \
        vitte test src/math.vit          those of one file\n  \
        vitte test --filter parse --show-output\n  vitte test --shuffle --junit report.xml\n\n\
        Exit status: 0 all passed, 1 a test failed or a program has errors."
    )]
    Test(Box<TestArgs>),
    /// Check a program without generating code
    #[command(after_help = "Examples:\n  vitte check\n  vitte check src/main.vit --deny-warnings")]
    Check(BuildArgs),
    /// Check a program for an editor
    #[command(after_help = "Example:\n  vitte parse --diagnostics-json --lang en --src src/main.vit")]
    Parse(BuildArgs),
    /// Check, build or run again after every change
    #[command(
        after_help = "Examples:\n  vitte watch                    check the package after every change\n  \
            vitte watch build --clear\n  vitte watch run hello.vit -- one two\n\n\
            Ctrl-C ends it, and the program with it. The program's standard input is empty."
    )]
    Watch(Box<WatchArgs>),
    /// Show a stage of the pipeline
    #[command(after_help = "Examples:\n  vitte emit --stage mir hello.vit\n  \
        vitte emit --stage asm --filter main hello.vit\n  vitte emit --stage obj -o hello.o hello.vit")]
    Emit(EmitArgs),
    /// Put source files into canonical style
    #[command(
        after_help = "Without a path, all `.vit` and `.vitl` files below this folder; `-` reads standard input and writes \
            standard output. A file with syntax errors stays as it is.\n\n\
            Examples:\n  vitte fmt\n  vitte fmt --check src\n  vitte fmt --lines 10:20 src/main.vit\n  vitte fmt - < a.vit > b.vit\n\n\
            Exit status: 0 all is in canonical style, 1 a file is not (`--check`) or has syntax errors, 65 a file is not text."
    )]
    Fmt(FmtArgs),
    /// Explain a diagnostic code
    #[command(
        after_help = "Examples:\n  vitte explain TYP0213\n  vitte explain TYPECK_E_ASSIGN_MISMATCH --lang fr"
    )]
    Explain {
        /// A code, or a message key
        code: String,
    },
    /// Say why a target was built anew the last time
    #[command(
        after_help = "The first line is the first thing that differed from the build before: the compiler, an option, \
            or a file with the lines that changed.\n\nExamples:\n  vitte why\n  vitte why src/main.vit --json\n  \
            vitte why --touch src/shapes.vit"
    )]
    Why(WhyArgs),
    /// Make a new package in a new folder
    #[command(after_help = "Example:\n  vitte new demo && cd demo && vitte run")]
    New(NewArgs),
    /// Make a new package in this folder
    Init(InitArgs),
    /// Remove what builds made below this package
    Clean,
    /// Look after the store of what was computed
    #[command(
        subcommand,
        after_help = "Builds never need these: a damaged entry is computed again, and the service collects by \
            itself.\n\nExamples:\n  vitte cache stats\n  vitte cache gc --size '2 GiB' --max-age 30d\n  \
            vitte cache verify --json\n\n\
            Exit status: 0 ok, 1 `verify` found damage, 75 another process is collecting, 77 the folder cannot be \
            written."
    )]
    Cache(CacheVerb),
    /// List the machines that programs are made for
    #[command(after_help = "Programs for all of them are built here without anything else.\n\n\
        Examples:\n  vitte targets\n  vitte build --target aarch64-linux hello.vit")]
    Targets,
    /// List the compilers and linkers of this machine
    #[command(after_help = "Examples:\n  vitte toolchains\n  vitte toolchains --json")]
    Toolchains,
    /// Make what people on other machines install
    #[command(
        subcommand,
        after_help = "What is installed where is in the `package` object of `vitte-package.json`.\n\n\
            Examples:\n  vitte buildkit package --target x86_64-linux --out dist/\n  \
            vitte buildkit cross --target x86_64-windows\n  vitte buildkit export --format tar.zst"
    )]
    Buildkit(BuildkitVerb),
    /// Load a module into the service
    #[command(
        after_help = "A module is a WebAssembly file (core module or component), bytecode, a native library or a package.\n\
        What it imports from other modules must be loaded, or be among the packages that it depends on.\n\n\
        Examples:\n  vitte load build/maths.wasm\n  vitte load build/maths.wasm --name acme:maths\n  \
        vitte load report.vitmod --path packages --grant clocks --grant fs:ro:/srv/data"
    )]
    Load(LoadArgs),
    /// Replace loaded modules by what their files hold now, while they run
    #[command(
        after_help = "All are replaced at one moment, or none. Calls end on the generation that they began on.\n\n\
        Examples:\n  vitte reload maths\n  vitte reload maths --file build/maths-2.wasm\n  vitte reload maths text"
    )]
    Reload(ReloadArgs),
    /// End the service of loaded modules
    #[command(after_help = "Example:\n  vitte unload maths")]
    Unload {
        /// Which
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Also if other modules import it: their calls of it fail from then on
        #[arg(long)]
        force: bool,
    },
    /// List loaded modules, or show one with its functions and generations
    #[command(
        after_help = "Examples:\n  vitte modules\n  vitte modules maths\n  vitte modules --watch --json\n  vitte modules --graph"
    )]
    Modules(ModulesArgs),
    /// Show what is in a WebAssembly or ELF file, without running anything of it
    #[command(
        after_help = "Examples:\n  vitte inspect build/maths.wasm\n  vitte inspect /usr/lib/x86_64-linux-gnu/libz.so.1 --json"
    )]
    Inspect {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Call a function of a loaded module
    #[command(
        after_help = "Values are written as WAVE: 1, -1.5, \"text\", [1, 2], {x: 1, y: 2}, some(3).\n\n\
        Examples:\n  vitte call maths 'add(20, 22)'\n  vitte call text 'upper(\"abc\")' --timeout 200ms\n  \
        vitte call c 'acme:shapes/area@1.0.0#circle({r: 2})'\n\n\
        Exit status: 0 ok, 1 the function failed, 65 no such function or wrong arguments, 75 timed out."
    )]
    Call(CallArgs),
    /// Make keys, sign files, and say whose modules are trusted
    #[command(
        subcommand,
        after_help = "Keys and signatures are those of `minisign`, which can be used in place of any of these.\n\n\
            Examples:\n  vitte key generate\n  vitte key sign build/maths.wasm\n  \
            vitte key trust ~/Downloads/acme.pub\n  vitte key verify maths.wasm\n\n\
            Exit status: 0 ok, 65 no key or signature, 77 not trusted, 78 the trust folder cannot be used."
    )]
    Key(KeyVerb),
    /// Load plugins and ask for what they contribute
    #[command(
        subcommand,
        after_help = "Findings of plugins are shown by `vitte check`; their build steps come before `vitte build`.\n\n\
            Examples:\n  vitte build --emit vitplug tidy\n  vitte plugin check tidy/target/dev/tidy.vitplug\n  \
            vitte plugin load tidy/target/dev/tidy.vitplug\n  vitte plugin format example:tidy main.vit\n\n\
            Exit status: 0 ok, 65 no such plugin, wrong or failed, 77 not trusted."
    )]
    Plugin(PluginVerb),
    /// Say what this machine offers and what is missing
    Doctor,
    /// Look after the service
    #[command(subcommand, after_help = "Examples:\n  vitte daemon status\n  vitte daemon logs --follow")]
    Daemon(DaemonVerb),
    /// Print the version
    Version,
    /// Print help
    Help {
        /// For this verb
        verb: Option<String>,
    },
}

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
    /// Do not show this warning: a code, a key or `warnings` (repeatable; later ones win)
    #[arg(long, value_name = "CODE")]
    pub allow: Vec<String>,
    /// Show this as a warning
    #[arg(long, value_name = "CODE")]
    pub warn: Vec<String>,
    /// Make this an error
    #[arg(long, value_name = "CODE")]
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

/// `FIRST:LAST`, both from 1.
fn lines(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(':').unwrap_or((text, text));
    match (parts.0.parse(), parts.1.parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok((first, last)),
        _ => Err("expected two line numbers from 1, such as `10:20`".to_owned()),
    }
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

/// `vitte watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// What to check, when no other goal is given.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// What to do after every change.
    #[command(subcommand)]
    pub goal: Option<WatchGoal>,
}

/// What to do after every change.
#[derive(Debug, Subcommand)]
pub enum WatchGoal {
    /// Check (the default)
    Check(RebuildArgs),
    /// Build
    Build(RebuildArgs),
    /// Build and run
    Run(RerunArgs),
    /// Build and run tests
    Test(RetestArgs),
}

/// `vitte watch check` and `vitte watch build`
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Clear the screen before each round
    #[arg(long)]
    pub clear: bool,
}

/// Which tests to run, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct TestFlags {
    /// Only tests whose name contains this (repeatable)
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// The filters are whole names
    #[arg(long)]
    pub exact: bool,
    /// Name the tests and run none
    #[arg(long)]
    pub list: bool,
    /// Run them in a random order, or in that of an earlier seed
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub shuffle: Option<Option<u64>>,
    /// How many run at once; as many as there are processors if left out
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<u32>,
    /// What each may take, such as `5`, `1.5s` or `200ms`; a minute if left out
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Show what tests print that pass, too
    #[arg(long)]
    pub show_output: bool,
}

/// `vitte test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// What to build.
    #[command(flatten)]
    pub build: BuildArgs,
    /// Which tests to run, and how.
    #[command(flatten)]
    pub tests: TestFlags,
    /// Also write the results to this file, as JUnit's XML
    #[arg(long, value_name = "PATH")]
    pub junit: Option<PathBuf>,
}

/// `vitte watch test`
#[derive(Debug, Args)]
pub struct RetestArgs {
    /// What to build.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// Which tests to run, and how.
    #[command(flatten)]
    pub tests: TestFlags,
}

/// `vitte watch run`
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// What to build.
    #[command(flatten)]
    pub rebuild: RebuildArgs,
    /// End the running program when there is a new one, and start that (the default)
    #[arg(long, conflicts_with = "keep")]
    pub restart: bool,
    /// Let the running program go on; start the new one once it has ended
    #[arg(long)]
    pub keep: bool,
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

/// `vitte new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder to make; its last part is the package's name
    pub path: PathBuf,
    /// The package's name, if it is not the folder's
    #[arg(long)]
    pub name: Option<String>,
}

/// `vitte init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The package's name, if it is not the folder's
    #[arg(long)]
    pub name: Option<String>,
}

/// `vitte load`
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The module's name, if it is not the file's
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Load each change of the file as a new generation
    #[arg(long)]
    pub watch: bool,
    /// Let it reach something of the system: args, clocks, random, stdio, env:NAME, fs:ro:FOLDER or fs:rw:FOLDER
    #[arg(long = "grant", value_name = "CAPABILITY")]
    pub grants: Vec<String>,
    /// Look here for packages that it depends on
    #[arg(long = "path", value_name = "FOLDER")]
    pub search: Vec<PathBuf>,
    /// Fail if other versions of its dependencies would be chosen than its lock file says
    #[arg(long)]
    pub locked: bool,
    /// What it sees as its arguments, if it is granted `args`
    #[arg(last = true, value_name = "ARG")]
    pub arguments: Vec<String>,
}

/// `vitte reload`
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Which
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Load this file, for one module, rather than the one it came from
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Accept that functions that were called are gone or have another type, and that state is lost
    #[arg(long)]
    pub allow_breaking: bool,
}

/// `vitte modules`
#[derive(Debug, Args)]
pub struct ModulesArgs {
    /// Show this one
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print what happens to modules, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Print which module imports what from which
    #[arg(long, conflicts_with = "watch")]
    pub graph: bool,
}

/// `vitte call`
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The module
    #[arg(value_name = "MODULE")]
    pub module: String,
    /// The function with its arguments: `name(value, …)`
    #[arg(value_name = "CALL")]
    pub call: String,
    /// On this generation, if calls still run on it
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// End it after this time, such as `5`, `1.5s` or `200ms` (exit status 75)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// `vitte plugin …`
#[derive(Debug, Subcommand)]
pub enum PluginVerb {
    /// Do every check of a load, and run nothing
    #[command(after_help = "Example:\n  vitte plugin check target/dev/tidy.vitplug")]
    Check {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say which trusted key signed a plugin
    #[command(after_help = "Example:\n  vitte plugin verify target/dev/tidy.vitplug")]
    Verify {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check a plugin and load it as soon as it is wanted
    #[command(after_help = "Example:\n  vitte plugin load target/dev/tidy.vitplug --config tabs")]
    Load {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What it is configured with, in place of what its package says
        #[arg(long, value_name = "TEXT")]
        config: Option<String>,
    },
    /// Forget plugins
    #[command(after_help = "Example:\n  vitte plugin unload example:tidy")]
    Unload {
        /// Which
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// List plugins, what they contribute and what becomes of them
    #[command(after_help = "Example:\n  vitte plugin list --json")]
    List,
    /// Show a plugin
    #[command(after_help = "Example:\n  vitte plugin info example:tidy")]
    Info {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print a file in a plugin's style
    #[command(after_help = "Example:\n  vitte plugin format example:tidy main.vit")]
    Format {
        /// The plugin
        #[arg(value_name = "NAME")]
        name: String,
        /// The file, which is not changed
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a page that a plugin makes of Markdown
    #[command(after_help = "Example:\n  vitte plugin render example:words README.md > readme.html")]
    Render {
        /// The plugin
        #[arg(value_name = "NAME")]
        name: String,
        /// The Markdown
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// List panels as JSON, or print what one shows
    #[command(after_help = "Examples:\n  vitte plugin panels\n  vitte plugin panels example:tidy rules")]
    Panels {
        /// Of this plugin
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Show this one
        #[arg(value_name = "PANEL", requires = "name")]
        panel: Option<String>,
    },
}

/// `vitte key …`
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a pair of keys
    #[command(after_help = "Example:\n  vitte key generate work\n\n\
        The password is asked for, or taken from VITTE_KEY_PASSWORD.")]
    Generate {
        /// What the files are called
        #[arg(default_value = "default", value_name = "NAME")]
        name: String,
        /// Leave the secret key without a password
        #[arg(long)]
        no_password: bool,
        /// Where to put `NAME.key` and `NAME.pub`; the settings folder's `keys` if left out
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Sign files; each signature is put beside its file, as FILE.minisig
    #[command(after_help = "Example:\n  vitte key sign build/maths.wasm\n\n\
        The password is asked for, or taken from VITTE_KEY_PASSWORD.")]
    Sign {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The secret key: a name, or a path of one that `minisign` made
        #[arg(long, default_value = "default", value_name = "KEY")]
        key: String,
        /// A comment that the signature vouches for; the file's name if left out
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
    /// Say who signed a file
    #[command(after_help = "Example:\n  vitte key verify maths.wasm && vitte load maths.wasm")]
    Verify {
        /// The file; its signature is looked for beside it
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Trust the modules that a key has signed
    #[command(after_help = "Example:\n  vitte key trust ~/Downloads/acme.pub")]
    Trust {
        /// The file of the public key
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What to call it; the file's name if left out
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Trust a key no more
    #[command(after_help = "Example:\n  vitte key revoke acme")]
    Revoke {
        /// Which, as `vitte key list` shows it
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the keys that are trusted, and those that were revoked
    List,
}

/// What `vitte buildkit …` makes of which package.
#[derive(Clone, Debug, Args)]
pub struct PackageArgs {
    /// The package's folder, or the name of a member of the workspace; this folder if left out
    #[arg(value_name = "PACKAGE")]
    pub package: Option<String>,
    /// For which machine: see `vitte targets`
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// The profile; `release` if left out
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Where the files go
    #[arg(long, short = 'o', default_value = "dist", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Sign every file with this key: a name, or a path of a secret key of `minisign`
    #[arg(long, value_name = "KEY")]
    pub sign: Option<String>,
    /// Sign every .rpm with this key: a file of `gpg --export-secret-keys` with an Ed25519 key
    #[arg(long, value_name = "FILE")]
    pub sign_rpm: Option<PathBuf>,
}

/// `vitte buildkit …`
#[derive(Clone, Debug, Subcommand)]
pub enum BuildkitVerb {
    /// Build a package's program and make packages of it
    #[command(
        after_help = "Formats: deb, rpm, msi, pkg, vitmod, tar.gz, tar.zst, tar.xz, zip; without `--format` those that people on the \
        target expect. Beside them come parts lists (SPDX, CycloneDX), provenance and checksums.\n\n\
        Examples:\n  vitte buildkit package --target x86_64-linux --format deb,rpm\n  \
        SOURCE_DATE_EPOCH=1700000000 vitte buildkit package --sign release\n\n\
        The key's password is taken from VITTE_KEY_PASSWORD."
    )]
    Package {
        /// What to make of which package
        #[command(flatten)]
        what: PackageArgs,
        /// In which formats
        #[arg(long = "package-format", value_name = "FORMAT", value_delimiter = ',')]
        formats: Vec<String>,
    },
    /// Build a package's program for another machine
    #[command(after_help = "Example:\n  vitte buildkit cross --target aarch64-apple-darwin")]
    Cross(PackageArgs),
    /// Build a package's program and make an archive of it
    #[command(after_help = "Example:\n  vitte buildkit export --format tar.gz,zip")]
    Export {
        /// What to make of which package
        #[command(flatten)]
        what: PackageArgs,
        /// tar.gz, tar.zst, tar.xz or zip
        #[arg(long = "package-format", value_name = "FORMAT", value_delimiter = ',')]
        formats: Vec<String>,
    },
    /// Measure builds for each target, and compare them with a baseline
    #[command(after_help = "Examples:\n  vitte buildkit bench --save baseline.json\n  \
        vitte buildkit bench --baseline baseline.json --target wasm32")]
    Bench {
        /// The package's folder; this folder if left out
        #[arg(value_name = "PACKAGE")]
        package: Option<PathBuf>,
        /// For which machines; all if left out
        #[arg(long, value_name = "TARGET", value_delimiter = ',')]
        target: Vec<String>,
        /// The profile; `release` if left out
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Show how much longer and larger than in this file
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        /// Save what was measured
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
}

/// `vitte cache …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum CacheVerb {
    /// Say what is in the store and how it served
    #[command(after_help = "Examples:\n  vitte cache stats\n  vitte cache stats --json | jq .rates")]
    Stats,
    /// Read and check every entry; change nothing
    #[command(after_help = "Example:\n  vitte cache verify || vitte cache repair")]
    Verify,
    /// Check every entry, remove what is damaged, make the index again
    #[command(after_help = "Example:\n  vitte cache repair")]
    Repair,
    /// Remove what was not used for longest, down to the budget
    #[command(after_help = "Examples:\n  vitte cache gc\n  vitte cache gc --size '2 GiB'\n  \
        vitte cache gc --max-age 30d\n\nWhat is pinned, or used by a build that runs, stays.")]
    Gc {
        /// Instead of the configured budget, such as `512MiB` or `10GiB`
        #[arg(long, value_name = "SIZE", value_parser = size)]
        size: Option<u64>,
        /// Also remove what was not used for so long, such as `12h` or `30d`
        #[arg(long, value_name = "TIME", value_parser = age)]
        max_age: Option<Duration>,
    },
    /// Remove everything that is neither pinned nor in use
    #[command(after_help = "Example:\n  vitte cache clean\n\nNever needed for correct builds.")]
    Clean,
}

/// `vitte daemon …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum DaemonVerb {
    /// Start the service, if it does not run
    Start,
    /// Stop the service once its work is done
    Stop,
    /// Stop the service and start it anew
    Restart,
    /// Say whether the service runs and what it does
    Status,
    /// Print the service's log
    Logs {
        /// How many of the last lines
        #[arg(long, short = 'n', default_value_t = 100)]
        lines: u32,
        /// Go on with new lines as they come
        #[arg(long, short)]
        follow: bool,
    },
}

/// A duration: a number of seconds, or one with a unit, `ms`, `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_per_unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err("a number of seconds, or a number with `ms`, `s`, `m` or `h`, is expected".to_owned());
        }
    };
    let amount: f64 = digits.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if amount <= 0.0 {
        return Err("must be more than 0".to_owned());
    }
    Duration::try_from_secs_f64(amount * seconds_per_unit).map_err(|error| error.to_string())
}

/// A number of bytes: digits, then `B`, `KiB`, `MiB`, `GiB` or `TiB`; the `iB` may be left out.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    let unit = unit.trim();
    let shift = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("a number with `KiB`, `MiB`, `GiB` or `TiB` is expected".to_owned()),
    };
    let amount: u64 = amount.parse().map_err(|_| "not a number of bytes".to_owned())?;
    amount.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

/// As [`duration`], and `d` for days.
fn age(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('d') {
        Some(days) => {
            let hours = duration(&format!("{}h", days.trim_end()))?;
            hours.checked_mul(24).ok_or_else(|| "too long".to_owned())
        }
        None => duration(text),
    }
}

/// Parses the command line; on a mistake, or for `--help`, says so and gives the status to exit with.
///
/// # Errors
/// The exit status of a command that is over already.
pub fn parse(args: Vec<OsString>) -> Result<Cli, ExitCode> {
    let args = modernise(args);
    // Most of the time that parsing takes is describing what nobody asked for.
    let quick = args.get(1).and_then(|verb| of_one_verb(verb.to_str()?));
    if let Some(Ok(cli)) = quick.map(|command| parse_with(command, &args)) {
        return Ok(cli);
    }
    parse_with(Cli::command(), &args).map_err(|error| {
        // A closed terminal needs no message.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(Exit::Usage as u8),
        }
    })
}

fn parse_with(command: Command, args: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command.try_get_matches_from(args)?;
    check_watch(&matches)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    order_lints(&mut cli, &matches);
    Ok(cli)
}

/// A command line with this verb alone, for the verbs that are typed all day. It accepts what the whole one
/// accepts; what it refuses the whole one must explain.
fn of_one_verb(verb: &str) -> Option<Command> {
    let verb = match verb {
        "build" => BuildVerb::augment_args(Command::new("build")),
        "check" => BuildArgs::augment_args(Command::new("check")),
        "run" => RunArgs::augment_args(Command::new("run")),
        _ => return None,
    };
    Some(Common::augment_args(Command::new("vitte")).subcommand(verb).disable_help_subcommand(true))
}

/// Older spellings in today's words: `--explain CODE`, `dump-ast FILE`. `--format` of `buildkit` is that of what is made,
/// elsewhere that of diagnostics.
fn modernise(mut args: Vec<OsString>) -> Vec<OsString> {
    let Some(first) = args.get(1).and_then(|first| first.to_str()).map(str::to_owned) else { return args };
    if let Some(at) = verb_place(&args).filter(|at| args[*at] == "buildkit") {
        for arg in args.iter_mut().skip(at + 1) {
            let Some(text) = arg.to_str() else { continue };
            match text.strip_prefix("--format") {
                Some("") => *arg = "--package-format".into(),
                Some(value) if value.starts_with('=') => *arg = format!("--package-format{value}").into(),
                _ => {}
            }
        }
        return args;
    }
    let stage = match first.as_str() {
        "--explain" => {
            args[1] = "explain".into();
            return args;
        }
        "dump-tokens" => "tokens",
        "dump-ast" => "ast",
        "dump-hir" => "hir",
        "dump-mir" => "mir",
        other => {
            if let Some(code) = other.strip_prefix("--explain=") {
                args.splice(1..2, ["explain".into(), code.into()]);
            }
            return args;
        }
    };
    args.splice(1..2, ["emit", "--stage", stage].map(OsString::from));
    args
}

/// Where the verb stands: behind flags that every verb takes, some of which have a value.
fn verb_place(args: &[OsString]) -> Option<usize> {
    let mut is_value = false;
    args.iter().enumerate().skip(1).find_map(|(at, arg)| {
        if std::mem::take(&mut is_value) {
            return None;
        }
        let arg = arg.to_str()?;
        is_value = ["--color", "--error-format", "--max-errors", "--lang"].contains(&arg);
        (!arg.starts_with('-')).then_some(at)
    })
}

/// Refuses flags of `watch` in front of its goal, which has the same flags. Flags that every verb takes may
/// stand anywhere.
fn check_watch(matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(("watch", watch)) = matches.subcommand() else { return Ok(()) };
    let Some((goal, _)) = watch.subcommand() else { return Ok(()) };
    let mut command = Cli::command();
    let is_global = |id: &clap::Id| {
        command.get_arguments().any(|argument| argument.get_id() == id && argument.is_global_set())
    };
    // Groups have no source of their own.
    let is_given = |id: &clap::Id| {
        watch.try_contains_id(id.as_str()).is_ok()
            && watch.value_source(id.as_str()) == Some(ValueSource::CommandLine)
    };
    if !watch.ids().any(|id| is_given(id) && !is_global(id)) {
        return Ok(());
    }
    let message = format!("the goal comes first: `vitte watch {goal}`, then the file and the flags");
    Err(command.error(ErrorKind::ArgumentConflict, message))
}

/// Puts the lint flags into the order of the command line, which only the raw matches know.
fn order_lints(cli: &mut Cli, matches: &ArgMatches) {
    let Some((_, matches)) = matches.subcommand() else { return };
    let build = match &mut cli.verb {
        Verb::Watch(watch) => {
            let watch = &mut **watch;
            let inner = matches.subcommand().map_or(matches, |(_, inner)| inner);
            let build = match &mut watch.goal {
                None => &mut watch.rebuild.build,
                Some(WatchGoal::Check(rebuild) | WatchGoal::Build(rebuild)) => &mut rebuild.build,
                Some(WatchGoal::Run(run)) => &mut run.rebuild.build,
                Some(WatchGoal::Test(test)) => &mut test.rebuild.build,
            };
            return order_lints_of(build, inner);
        }
        Verb::Run(run) => &mut run.build,
        Verb::Test(test) => &mut test.build,
        Verb::Build(build) => &mut build.build,
        Verb::Emit(emit) => &mut emit.build,
        Verb::Why(why) => &mut why.build,
        Verb::Check(build) | Verb::Parse(build) => build,
        Verb::Fmt(_)
        | Verb::Explain { .. }
        | Verb::New(_)
        | Verb::Init(_)
        | Verb::Clean
        | Verb::Cache(_)
        | Verb::Load(_)
        | Verb::Reload(_)
        | Verb::Unload { .. }
        | Verb::Modules(_)
        | Verb::Call(_)
        | Verb::Inspect { .. }
        | Verb::Targets
        | Verb::Toolchains
        | Verb::Buildkit(_)
        | Verb::Key(_)
        | Verb::Plugin(_)
        | Verb::Doctor
        | Verb::Daemon(_)
        | Verb::Version
        | Verb::Help { .. } => return,
    };
    order_lints_of(build, matches);
}

fn order_lints_of(build: &mut BuildArgs, matches: &ArgMatches) {
    let flags = [("allow", LintLevel::Allow), ("warn", LintLevel::Warn), ("deny", LintLevel::Deny)];
    let mut found: Vec<(usize, LintLevel, String)> = Vec::new();
    for (id, level) in flags {
        let values = matches.get_many::<String>(id).into_iter().flatten().cloned();
        let indices = matches.indices_of(id).into_iter().flatten();
        found.extend(indices.zip(values).map(|(index, value)| (index, level, value)));
    }
    found.sort_by_key(|&(index, _, _)| index);
    build.lints = found.into_iter().map(|(_, level, value)| (level, value)).collect();
    if build.deny_warnings {
        build.lints.insert(0, (LintLevel::Deny, "warnings".to_owned()));
    }
}

/// The help of one verb, or of all.
pub fn help(verb: Option<&str>) -> Option<String> {
    let mut command = Cli::command();
    match verb {
        None => Some(command.render_long_help().to_string()),
        Some(verb) => {
            command.build();
            command.find_subcommand_mut(OsStr::new(verb)).map(|verb| verb.render_long_help().to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn ok(line: &str) -> Cli {
        parse(line.split(' ').map(OsString::from).collect()).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// Flags that every verb takes may stand in front of `buildkit`; its `--format` is that of what is made all the same.
    #[test]
    fn formats_of_packages_are_told_from_those_of_diagnostics() {
        for line in [
            "vitte buildkit package --format deb,rpm",
            "vitte --no-daemon --color never buildkit package --format=deb,rpm",
        ] {
            let Verb::Buildkit { verb: BuildkitVerb::Package { formats, .. } } = ok(line).verb else {
                panic!("{line}")
            };
            assert_eq!(formats, ["deb", "rpm"], "{line}");
        }
        let plain =
            parse("vitte --lang buildkit check --format deb".split(' ').map(OsString::from).collect());
        assert!(plain.is_err(), "`deb` is no format of diagnostics");
    }

    #[test]
    fn one_verb_alone_means_the_same() {
        let lines = [
            "build",
            "build a.vit -O2 -o b --json --deny A --allow B --timings",
            "build --color never --max-errors 3 --no-daemon --lang fr --emit mir a.vit",
            "check --error-format json --deny-warnings --src a.vit",
            "check -v a.vit --profile release --disable-pass inline",
            "run a.vit --timeout 5 -- one --two -O9",
            "run",
            "run a.vit b c",
            "build a.vit b.vit",
            "build --help",
            "check -h",
            "build -V",
            "run -O9 a.vit",
            "build --color sometimes",
            "build help",
            "check --frobnicate",
        ];
        let mut accepted = 0;
        for line in lines {
            let args: Vec<OsString> = format!("vitte {line}").split(' ').map(OsString::from).collect();
            let one = parse_with(of_one_verb(args[1].to_str().unwrap()).unwrap(), &args);
            let whole = parse_with(Cli::command(), &args);
            accepted += usize::from(one.is_ok());
            match (one, whole) {
                (Ok(one), Ok(whole)) => assert_eq!(format!("{one:?}"), format!("{whole:?}"), "{line}"),
                (Err(_), Err(_)) => {}
                (one, whole) => panic!("{line}: {one:?} and {whole:?}"),
            }
        }
        assert!(accepted >= 7, "{accepted} of the lines are right");
    }

    #[test]
    fn older_spellings_work() {
        assert!(
            matches!(ok("vitte --explain TYP0213 --lang=fr").verb, Verb::Explain { code } if code == "TYP0213")
        );
        assert!(matches!(
            ok("vitte dump-mir a.vit").verb,
            Verb::Emit(EmitArgs { stage: StageName::Mir, .. })
        ));
        let cli = ok("vitte parse --diagnostics-json --lang en --src a.vit");
        assert_eq!(cli.common.format(), Format::Legacy);
        assert!(matches!(cli.verb, Verb::Parse(BuildArgs { src: Some(_), .. })));
        assert!(
            matches!(ok("vitte build a.vit -O2 -o b").verb, Verb::Build(b) if b.build.opt_level == Some(2))
        );
    }

    #[test]
    fn lint_flags_keep_their_order() {
        let Verb::Check(build) = ok("vitte check --deny A --allow B --warn A --deny-warnings a.vit").verb
        else {
            panic!("not a check")
        };
        let lints: Vec<(LintLevel, &str)> =
            build.lints.iter().map(|(level, code)| (*level, code.as_str())).collect();
        let expected = [
            (LintLevel::Deny, "warnings"),
            (LintLevel::Deny, "A"),
            (LintLevel::Allow, "B"),
            (LintLevel::Warn, "A"),
        ];
        assert_eq!(lints, expected);
    }

    #[test]
    fn watching_has_goals() {
        let watch = |line: &str| match ok(line).verb {
            Verb::Watch(watch) => *watch,
            other => panic!("{other:?}"),
        };
        let plain = watch("vitte watch a.vit --clear --deny A --allow B");
        assert!(plain.goal.is_none() && plain.rebuild.clear);
        assert_eq!(plain.rebuild.build.lints.len(), 2);
        let Some(WatchGoal::Run(run)) = watch("vitte watch run a.vit --keep --warn C -- --keep x").goal
        else {
            panic!("not a run")
        };
        assert!(run.keep && run.args == ["--keep", "x"]);
        assert_eq!(run.rebuild.build.lints, [(LintLevel::Warn, "C".to_owned())]);
        let anywhere = watch("vitte watch --json --no-daemon build a.vit");
        assert!(matches!(anywhere.goal, Some(WatchGoal::Build(_))));
        for misplaced in
            ["vitte watch --clear build", "vitte watch a.vit build", "vitte watch --deny A check"]
        {
            assert!(parse(misplaced.split(' ').map(OsString::from).collect()).is_err(), "{misplaced}");
        }
        let Some(WatchGoal::Test(test)) =
            watch("vitte watch test a.vit --filter x --shuffle=7 --deny A").goal
        else {
            panic!("not a test")
        };
        assert_eq!((test.tests.filter, test.tests.shuffle), (vec!["x".to_owned()], Some(Some(7))));
        assert_eq!(test.rebuild.build.lints.len(), 1);
        let both = "vitte watch run a.vit --keep --restart";
        assert!(Cli::command().try_get_matches_from(both.split(' ')).is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1.5"), duration("1.5s"));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "soon", "-1", "0", "3 days", "1e400h", "nan"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_and_ages_have_units() {
        assert_eq!(size("2 GiB"), Ok(2 << 30));
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("0"), Ok(0));
        for wrong in ["", "GiB", "-1", "1.5GiB", "10 GB", "99999999999TiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("12h"), duration("12h"));
        assert!(age("d").is_err() && age("-3d").is_err() && age("1e300d").is_err());
    }

    #[test]
    fn arguments_after_two_dashes_are_the_programs() {
        let Verb::Run(run) = ok("vitte run a.vit -- --help -v").verb else { panic!("not a run") };
        assert_eq!(run.args, ["--help", "-v"]);
    }
}
