//! What a build costs when little or nothing changed, beside the tools that people use today.
//!
//! `cargo bench -p vitte-tests --bench incremental [-- --smoke] [--pairs N] [--only CASE]`
//!
//! Each case makes the equal workspace in Vitte and in C, runs both in turn, and prints the medians, their
//! ratio and the bar that the ratio must not pass. Times are of the client's process from its start to
//! its end; for an edit they begin with the save. After each timed edit both programs are run, and
//! must print the same. With `--smoke` everything is small and quick and no bar is kept: that only
//! shows that the benchmark works. Otherwise the exit status is 1 when a bar is passed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use vitte_tests::binaries::{self, Binaries};
use vitte_tests::generator::{ModuleId, Options, Workspace};
use vitte_tests::home::Home;
use vitte_tests::process;

/// Seed of every workspace here.
const SEED: u64 = 1;
/// Longest time for one command.
const LIMIT: Duration = Duration::from_secs(1_800);

struct Bench {
    binaries: Binaries,
    smoke: bool,
    pairs: usize,
    only: Option<String>,
    missed: Vec<String>,
}

fn main() -> ExitCode {
    let mut bench = Bench {
        binaries: binaries::find().unwrap_or_else(|error| panic!("{error}")),
        smoke: false,
        pairs: 15,
        only: None,
        missed: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--smoke" => (bench.smoke, bench.pairs) = (true, 2),
            "--pairs" => bench.pairs = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(15),
            "--only" => bench.only = arguments.next(),
            // What cargo says to every benchmark.
            _ => {}
        }
    }
    type Case = fn(&mut Bench);
    let cases: [(&str, Case); 7] = [
        ("no-op", no_op),
        ("scale", scale),
        ("edit", edit),
        ("private", private),
        ("restore", restore),
        ("cancel", cancel),
        ("why", why),
    ];
    for (name, case) in cases {
        if bench.only.as_deref().is_none_or(|only| only == name) {
            println!("== {name}");
            case(&mut bench);
        }
    }
    if bench.missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("missed: {}", bench.missed.join(", "));
    ExitCode::FAILURE
}

impl Bench {
    fn modules(&self, full: usize) -> usize {
        if self.smoke { (full / 50).max(8) } else { full }
    }

    fn verdict(&self, kept: bool) -> &'static str {
        match (self.smoke, kept) {
            (true, _) => "not judged",
            (false, true) => "ok",
            (false, false) => "MISSED",
        }
    }

    /// Prints both medians and whether the first is at most `bar` times the second.
    fn judge(&mut self, what: &str, ours: &[Duration], theirs: (&str, &[Duration]), bar: f64) {
        let (our_median, their_median) = (median(ours), median(theirs.1));
        let ratio = our_median.as_secs_f64() / their_median.as_secs_f64();
        let verdict = self.verdict(ratio <= bar);
        println!(
            "{what}: {} ({} to {}), {}: {} ({} to {})",
            shown(our_median),
            shown(*ours.iter().min().unwrap()),
            shown(*ours.iter().max().unwrap()),
            theirs.0,
            shown(their_median),
            shown(*theirs.1.iter().min().unwrap()),
            shown(*theirs.1.iter().max().unwrap()),
        );
        println!("ratio {ratio:.4}, at most {bar:.4}: {verdict}");
        if !self.smoke && ratio > bar {
            self.missed.push(what.to_owned());
        }
    }
}

fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// A workspace in Vitte with a service of its own.
struct Ours {
    home: Home,
    folder: PathBuf,
    workspace: Workspace,
    leaf: ModuleId,
}

impl Ours {
    fn new(bench: &Bench, modules: usize) -> Self {
        let home = Home::new(&bench.binaries).unwrap();
        let folder = home.path().join("work");
        let workspace = Workspace::new(&Options::new(modules, SEED));
        workspace.vitte().write(&folder).unwrap();
        let leaf = workspace.leaf().unwrap();
        Self { home, folder, workspace, leaf }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.vitte();
        command.current_dir(&self.folder).args(arguments);
        command
    }

    fn build(&self) -> Duration {
        timed(self.command(&["build"]))
    }

    fn program(&self) -> PathBuf {
        self.folder.join("target/dev/workspace")
    }

    /// Saves another body of one procedure; gives the moment before the save.
    fn save(&mut self, number: i64) -> Instant {
        self.workspace.module_mut(self.leaf).unwrap().edit_body(number);
        let text = self.workspace.vitte_module(self.leaf).unwrap();
        let path = self.folder.join(self.workspace.path(self.leaf).unwrap());
        let now = Instant::now();
        std::fs::write(path, text).unwrap();
        now
    }

    fn edit(&mut self, number: i64) -> Duration {
        let since = self.save(number);
        self.build();
        since.elapsed()
    }
}

/// The equal project in C.
struct Theirs {
    folder: tempfile::TempDir,
    workspace: Workspace,
    leaf: ModuleId,
    compiler: &'static str,
}

impl Theirs {
    /// `None`, and a line that says so, when a tool is missing.
    fn new(modules: usize, compiler: &'static str) -> Option<Self> {
        for tool in ["ninja"].into_iter().chain(compiler.split(' ')) {
            let version =
                Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if version.is_err() {
                println!("SKIP: {tool} is not installed");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(&Options::new(modules, SEED));
        workspace.c(compiler).write(folder.path()).unwrap();
        let leaf = workspace.leaf().unwrap();
        Some(Self { folder, workspace, leaf, compiler })
    }

    fn build(&self) -> Duration {
        let mut command = Command::new("ninja");
        command.arg("--quiet").current_dir(self.folder.path());
        // Private, so that the user's own cache is neither used nor changed.
        command.env("CCACHE_DIR", self.folder.path().join("ccache"));
        timed(command)
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    fn edit(&mut self, number: i64) -> Duration {
        let module = self.workspace.module_mut(self.leaf).unwrap();
        module.edit_body(number);
        let path = module.c_path();
        let files = self.workspace.c(self.compiler);
        let text = files.get(&path).unwrap();
        let now = Instant::now();
        std::fs::write(self.folder.path().join(&path), text).unwrap();
        self.build();
        now.elapsed()
    }
}

/// Runs a command that must succeed.
fn timed(mut command: Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let since = Instant::now();
    let child = command.spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let time = since.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    time
}

fn printed(program: &Path) -> String {
    let outcome = process::run(Command::new(program), b"", LIMIT).unwrap();
    assert_eq!(outcome.status, 0, "{}", program.display());
    outcome.stdout_text()
}

/// Nothing changed, beside ninja.
fn no_op(bench: &mut Bench) {
    let modules = bench.modules(1_000);
    let ours = Ours::new(bench, modules);
    println!("first build, {modules} modules: {}", shown(ours.build()));
    let Some(theirs) = Theirs::new(modules, "tcc") else { return };
    println!("first build with ninja and tcc: {}", shown(theirs.build()));
    assert_eq!(printed(&ours.program()), printed(&theirs.program()));
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    // Both once for nothing: the first look after a build may be another than the later ones.
    ours.build();
    theirs.build();
    for _ in 0..bench.pairs {
        our_times.push(ours.build());
        their_times.push(theirs.build());
    }
    bench.judge(&format!("no-op, {modules} modules"), &our_times, ("ninja", &their_times), 0.5);
}

/// Nothing changed, in a large workspace and in a small one.
fn scale(bench: &mut Bench) {
    let (large, small) = (bench.modules(10_000), bench.modules(200));
    let big = Ours::new(bench, large);
    let little = Ours::new(bench, small);
    println!("first build, {large} modules: {}", shown(big.build()));
    println!("first build, {small} modules: {}", shown(little.build()));
    let (mut big_times, mut little_times) = (Vec::new(), Vec::new());
    big.build();
    little.build();
    for _ in 0..bench.pairs {
        big_times.push(big.build());
        little_times.push(little.build());
    }
    let other = format!("{small} modules");
    bench.judge(&format!("no-op, {large} modules"), &big_times, (&other, &little_times), 1.3);
}

/// One body changed, beside ninja and tcc, and beside our own clean build.
fn edit(bench: &mut Bench) {
    let modules = bench.modules(1_000);
    let mut ours = Ours::new(bench, modules);
    let clean: Vec<Duration> = (0..if bench.smoke { 1 } else { 3 })
        .map(|_| {
            let mut command = Home::new(&bench.binaries).map(|home| (home.vitte(), home)).unwrap();
            command.0.current_dir(&ours.folder).args(["--no-daemon", "build"]);
            timed(command.0)
        })
        .collect();
    ours.build();
    let theirs = Theirs::new(modules, "tcc");
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    match theirs {
        Some(mut theirs) => {
            theirs.build();
            for pair in 0..bench.pairs {
                our_times.push(ours.edit(2 + pair as i64));
                their_times.push(theirs.edit(2 + pair as i64));
                assert_eq!(printed(&ours.program()), printed(&theirs.program()));
            }
            let what = format!("one edit, {modules} modules");
            bench.judge(&what, &our_times, ("ninja and tcc", &their_times), 0.25);
        }
        None => our_times.extend((0..bench.pairs).map(|pair| ours.edit(2 + pair as i64))),
    }
    let what = format!("one edit, {modules} modules, beside a clean build");
    bench.judge(&what, &our_times, ("clean", &clean), 0.01);
}

/// One body changed, by the service and by a process of its own over the same store.
fn private(bench: &mut Bench) {
    let modules = bench.modules(1_000);
    let mut ours = Ours::new(bench, modules);
    ours.build();
    let (mut service, mut alone) = (Vec::new(), Vec::new());
    for pair in 0..bench.pairs {
        service.push(ours.edit(2 + 2 * pair as i64));
        let since = ours.save(3 + 2 * pair as i64);
        timed(ours.command(&["--no-daemon", "build"]));
        alone.push(since.elapsed());
        // Not timed: the service takes in what the other one built.
        ours.build();
    }
    let what = format!("one edit, {modules} modules, by the service");
    bench.judge(&what, &service, ("--no-daemon", &alone), 0.2);
}

/// Everything is in the store and nothing in memory, beside ninja with ccache. There is no bar: the two
/// do different work.
fn restore(bench: &mut Bench) {
    let modules = bench.modules(1_000);
    let ours = Ours::new(bench, modules);
    ours.build();
    let theirs = Theirs::new(modules, "ccache gcc");
    if let Some(theirs) = &theirs {
        theirs.build();
    }
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..bench.pairs.min(5) {
        timed(ours.command(&["daemon", "stop"]));
        std::fs::remove_dir_all(ours.folder.join("target")).unwrap();
        our_times.push(ours.build());
        if let Some(theirs) = &theirs {
            std::fs::remove_dir_all(theirs.folder.path().join("obj")).unwrap();
            std::fs::remove_file(theirs.program()).unwrap();
            their_times.push(theirs.build());
        }
    }
    println!("restore, {modules} modules: {}", shown(median(&our_times)));
    if !their_times.is_empty() {
        let ratio = median(&our_times).as_secs_f64() / median(&their_times).as_secs_f64();
        println!("ninja and ccache: {}\nratio {ratio:.4}", shown(median(&their_times)));
    }
}

/// Processor time that the service takes for one edit and all that it does behind the build, with and without
/// notes of what targets were built from.
fn why(bench: &mut Bench) {
    /// Results are published this long after a build at the latest.
    const PUBLISHED: Duration = Duration::from_millis(1_500);
    let modules = bench.modules(1_000);
    let mut both = [Ours::new(bench, modules), Ours::new(bench, modules)];
    let settings = both[1].home.path().join("config/vitte");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("config.toml"), "[cache]\nhistory = false\n").unwrap();
    let services: Vec<u32> = both
        .iter()
        .map(|ours| {
            ours.build();
            let told = process::run(ours.command(&["daemon", "status", "--json"]), b"", LIMIT).unwrap();
            let status: serde_json::Value = serde_json::from_str(&told.stdout_text()).unwrap();
            status["pid"].as_u64().unwrap() as u32
        })
        .collect();
    std::thread::sleep(PUBLISHED * 4);
    let mut times = [Vec::new(), Vec::new()];
    // The first is not counted: what is prepared once is prepared then.
    for pair in 0..=bench.pairs {
        for (at, ours) in both.iter_mut().enumerate() {
            let before = processor_time(services[at]);
            ours.edit(2 + pair as i64);
            std::thread::sleep(PUBLISHED);
            let time = processor_time(services[at]).saturating_sub(before);
            if pair > 0 {
                times[at].push(time);
            }
        }
    }
    let [with, without] = times;
    let what = format!("processor time of one edit, {modules} modules, with notes for `why`");
    bench.judge(&what, &with, ("without", &without), 1.02);
}

/// Time on a processor of all threads of a process that live.
fn processor_time(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// From the death of the only client to the end of its build.
fn cancel(bench: &mut Bench) {
    /// A build of this size does not end by itself before it is cancelled.
    const MODULES: usize = 1_000;
    /// The bar, and the time of a query for the status, which is part of what is measured.
    const BAR: Duration = Duration::from_millis(50);
    let ours = Ours::new(bench, if bench.smoke { 200 } else { MODULES });
    timed(ours.command(&["daemon", "start"]));
    let running = || {
        let told = process::run(ours.command(&["daemon", "status", "--json"]), b"", LIMIT).unwrap();
        let status: serde_json::Value = serde_json::from_str(&told.stdout_text()).unwrap();
        status["operations_running"].as_u64().unwrap() > 0
    };
    let mut times = Vec::new();
    for round in 0..bench.pairs {
        let mut command = ours.command(&["build"]);
        let mut client = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !running() {
            assert!(client.try_wait().unwrap().is_none(), "the build ended before it was cancelled");
        }
        // At another point of the pipeline each time.
        std::thread::sleep(Duration::from_millis(20 * round as u64));
        client.kill().unwrap();
        let since = Instant::now();
        client.wait().unwrap();
        while running() {}
        times.push(since.elapsed());
    }
    let most = times.iter().max().unwrap();
    let verdict = bench.verdict(*most <= BAR);
    println!(
        "from a client's death to the end of its build: {} in the middle, {} at most; at most {}: {verdict}",
        shown(median(&times)),
        shown(*most),
        shown(BAR)
    );
    if !bench.smoke && *most > BAR {
        bench.missed.push("cancel".into());
    }
}
