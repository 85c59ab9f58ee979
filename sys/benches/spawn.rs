//! What it costs to start `/bin/true` and see it end, from a small process and from a large one.
//!
//! `cargo bench -p vitte-sys --bench spawn [-- [--smoke] [--check] [LARGE_MIB]]`; 4,096 MiB when nothing
//! is said. Both processes exist all the time and take turns, so that the machine's moods meet them
//! alike. Times are medians on the wall: that is what a build waits for.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use vitte_sys::process::{Command, Limits, Stdio};
use vitte_sys::sandbox::{Policy, Rung};

#[path = "harness/mod.rs"]
mod harness;
use harness::{Options, median, ratio};

/// Says that this process is one of the two, and how many MiB it should have.
const MARK: &str = "VITTE_SPAWN_BENCH";
const SMALL: usize = 8;

/// The ways of starting: what it is called, whether its bars are judged, one run.
struct Way {
    name: &'static str,
    judged: bool,
    rounds: usize,
    run: fn() -> Result<(), String>,
}

const WAYS: [Way; 5] = [
    Way { name: "helper alone", judged: true, rounds: 200, run: || through_helper(None) },
    Way {
        name: "helper, Landlock and seccomp",
        judged: true,
        rounds: 200,
        run: || through_helper(Some(Rung::Landlock)),
    },
    Way {
        name: "helper, namespaces as well",
        judged: true,
        rounds: 200,
        run: || through_helper(Some(Rung::Namespaces)),
    },
    Way { name: "std::process", judged: false, rounds: 100, run: by_std },
    // Last: it marks all memory of the parent for copying, which later turns would pay for.
    Way { name: "fork and exec", judged: false, rounds: 20, run: by_fork },
];

fn by_std() -> Result<(), String> {
    assert!(std::process::Command::new("/bin/true").status().unwrap().success());
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "what this crate is there to avoid is what it is compared with")]
fn by_fork() -> Result<(), String> {
    let mut command = std::process::Command::new("/bin/true");
    // SAFETY: the hook does nothing. Having one makes the standard library fork.
    unsafe { command.pre_exec(|| Ok(())) };
    assert!(command.status().unwrap().success());
    Ok(())
}

fn through_helper(rung: Option<Rung>) -> Result<(), String> {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(rung) = rung {
        command.sandbox(Policy::new(rung).at_most(rung).system());
    }
    let limits = Limits { core_bytes: Some(0), ..Limits::default() };
    let mut child = command.spawn(limits).map_err(|error| error.to_string())?;
    assert!(child.wait().unwrap().success());
    Ok(())
}

/// One of the two processes: for each line with a way's number, one run and a line with its time in
/// nanoseconds, or why there is none.
fn work(mebibytes: usize) {
    let mut ballast = vec![0u8; mebibytes << 20];
    ballast.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    println!("ready");
    for line in std::io::stdin().lines() {
        let Some(way) = line.unwrap().parse().ok().and_then(|index: usize| WAYS.get(index)) else { break };
        let start = Instant::now();
        match (way.run)() {
            Ok(()) => println!("{}", start.elapsed().as_nanos()),
            Err(error) => println!("{error}"),
        }
    }
    std::hint::black_box(&ballast);
}

/// A started process of [`work`].
struct Worker {
    process: std::process::Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Worker {
    fn start(mebibytes: usize) -> Self {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap())
            .env(MARK, mebibytes.to_string())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut worker = Self { process, answers };
        assert_eq!(worker.line(), "ready");
        worker
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn run(&mut self, way: usize) -> Result<Duration, String> {
        writeln!(self.process.stdin.as_ref().unwrap(), "{way}").unwrap();
        let answer = self.line();
        answer.parse().map(Duration::from_nanos).map_err(|_| answer)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn main() -> ExitCode {
    if let Some(mebibytes) = std::env::var(MARK).ok().and_then(|text| text.parse().ok()) {
        work(mebibytes);
        return ExitCode::SUCCESS;
    }
    let mut options = Options::read();
    let mebibytes = options.numbers.first().copied().unwrap_or(options.pick(4096, 64));
    let (mut small, mut large) = (Worker::start(SMALL), Worker::start(mebibytes));
    println!("  {:<34} {:>10} {:>10}", "", format!("{SMALL} MiB"), format!("{mebibytes} MiB"));
    for (index, way) in WAYS.iter().enumerate() {
        // The first turn of each makes what is made once.
        let warm = small.run(index).and_then(|_| large.run(index));
        if let Err(reason) = warm {
            println!("SKIP {}: {reason}", way.name);
            continue;
        }
        let rounds = options.pick(way.rounds, 2);
        let (mut from_small, mut from_large) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let mut turn = |is_large: bool| {
                let (worker, times) =
                    if is_large { (&mut large, &mut from_large) } else { (&mut small, &mut from_small) };
                times.push(worker.run(index).unwrap());
            };
            turn(round % 2 == 0);
            turn(round % 2 == 1);
        }
        let (in_small, in_large) = (median(&from_small), median(&from_large));
        println!("  {:<34} {in_small:>10.1?} {in_large:>10.1?}", way.name);
        if way.judged {
            options.at_most(&format!("{}, large over small", way.name), ratio(&from_large, &from_small), 1.1);
            options.at_most(
                &format!("{}, from the large one, in units of 2 ms", way.name),
                in_large.as_secs_f64() / 0.002,
                1.0,
            );
        }
    }
    options.finish()
}
