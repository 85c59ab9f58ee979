//! The command line: a file for each family of verbs.
use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, Parser, Subcommand};

use crate::render::Format;
use crate::render::style::ColorChoice;

mod bench;
mod build;
mod doc;
mod key;
mod modules;
mod package;
mod parse;
mod service;
mod test;
#[cfg(test)]
mod tests;
mod values;
mod watch;

pub use bench::BenchArgs;
pub use build::{
    BackendName, BuildArgs, BuildVerb, CheckArgs, EmitArgs, EmitName, FmtArgs, LintLevel, ProductName,
    RunArgs, StageName, WhyArgs,
};
pub use doc::DocArgs;
pub use key::KeyVerb;
pub use modules::{CallArgs, LoadArgs, ModulesArgs, PluginVerb, ReloadArgs};
pub use package::{BuildkitVerb, InitArgs, NewArgs, PackageArgs};
pub use parse::parse;
pub use service::{CacheVerb, DaemonVerb};
pub use test::{TestArgs, TestFlags};
pub use watch::{RebuildArgs, RerunArgs, RetestArgs, WatchArgs, WatchGoal};

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
        vitte test --filter parse --show-output\n  vitte test --shuffle --junit report.xml\n  \
        vitte test --doc                 the examples in doc comments\n\n\
        Exit status: 0 all passed, 1 a test failed or a program has errors."
    )]
    Test(Box<TestArgs>),
    /// Run benchmarks and compare them with those of an earlier run
    #[command(
        after_help = "Benchmarks are procs `bench_*` without parameters and `bench \"name\" { … }` blocks, built with the profile \
        `release`. What one gives is computed even though nobody uses it; `black_box(value)` of `vitte/stdlib/testing` does \
        that for other values.\n\n\
        Examples:\n  vitte bench                      all benchmarks of this package\n  vitte bench src/sort.vit --filter merge\n  \
        vitte bench --save before        keep the results\n  vitte bench --baseline before    compare with them\n  \
        vitte bench --json | jq 'select(.event == \"bench_result\")'\n\n\
        Shown are the median and the median absolute deviation (MAD) of the time of one call, and how many samples are outliers. \
        A change is told as such when it is larger than what the samples scatter by.\n\n\
        Exit status: 0 ok, 1 a benchmark failed or a program has errors."
    )]
    Bench(Box<BenchArgs>),
    /// Make pages of what doc comments say
    #[command(
        after_help = "The pages need no server: open `index.html` in a browser. `vitte test --doc` runs the examples in them.\n\n\
        Examples:\n  vitte doc\n  vitte doc --out site\n  vitte doc --library --out library\n\n\
        Exit status: 0 ok, 65 there is no package."
    )]
    Doc(DocArgs),
    /// Check a program without generating code
    #[command(
        after_help = "Examples:\n  vitte check\n  vitte check src/main.vit --deny-warnings\n  vitte check -W lints\n  \
        vitte check --fix                apply what is safe to apply, and check again\n  \
        vitte check --fix --dry-run      show what that would be\n  \
        vitte check -W unused_import --fix\n\n\
        `--fix` writes whole files or nothing, leaves a file alone that changed since it was read, and takes back what \
        would leave more errors than before."
    )]
    Check(Box<CheckArgs>),
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
        after_help = "Examples:\n  vitte explain TYP0213\n  vitte explain TYPECK_E_ASSIGN_MISMATCH --lang fr\n  vitte explain shadowed_name"
    )]
    Explain {
        /// A code, a message key, or the name of a lint
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
    /// Show what is in a module's file and what it would be allowed, without running anything of it
    #[command(
        after_help = "Examples:\n  vitte inspect build/maths.wasm\n  vitte inspect maths.vitmod --grant clocks\n  \
        vitte inspect /usr/lib/x86_64-linux-gnu/libz.so.1 --json"
    )]
    Inspect {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Show what it would be allowed if it were granted this
        #[arg(long = "grant", value_name = "CAPABILITY")]
        grants: Vec<String>,
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

/// The help of one verb, or of all.
pub fn help(verb: Option<&str>) -> Option<String> {
    let mut command: Command = Cli::command();
    match verb {
        None => Some(command.render_long_help().to_string()),
        Some(verb) => {
            command.build();
            command.find_subcommand_mut(OsStr::new(verb)).map(|verb| verb.render_long_help().to_string())
        }
    }
}
