//! Random programs behave the same however they are compiled: by both back ends, optimised and not.
//!
//! `VITTE_TEST_SEED` is the first seed, `VITTE_TEST_PROGRAMS` the number of programs. They are compiled many in a file,
//! and each of them alone where a file shows a difference.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::fmt::Write;
use std::process::{Command, ExitCode};
use std::time::Duration;

use vitte_tests::home::Home;
use vitte_tests::process::{self, Outcome};
use vitte_tests::random_program::random_program;
use vitte_tests::{binaries, diff, setting};

/// Generous: the machine may be busy, and a C compiler optimises slowly.
const LIMIT: Duration = Duration::from_secs(300);
/// Programs in one file.
const TOGETHER: u64 = 10;

/// Ways to compile. The first is what the others are compared with.
const WAYS: [&[&str]; 4] = [
    &["--backend", "cranelift", "-O0"],
    &["--backend", "cranelift", "-O2"],
    &["--backend", "c17", "-O0"],
    &["--backend", "c17", "-O2"],
];

fn main() -> ExitCode {
    let programs = setting::number("VITTE_TEST_PROGRAMS", 40);
    let first = setting::number("VITTE_TEST_SEED", 1);
    let has_cc = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_cc {
        println!("SKIP the back end c17: there is no `cc` on this machine");
    }
    let ways = if has_cc { &WAYS[..] } else { &WAYS[..2] };
    match compare(first, programs, ways) {
        Ok(()) => {
            println!("{programs} programs from seed {first}, {} ways: no difference", ways.len());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn compare(first: u64, programs: u64, ways: &[&[&str]]) -> Result<(), String> {
    let home = Home::new(&binaries::find()?).map_err(|error| error.to_string())?;
    let mut seed = first;
    while seed < first + programs {
        let next = (seed + TOGETHER).min(first + programs);
        if differ(&home, seed..next, ways)?.is_some() {
            for alone in seed..next {
                if let Some(message) = differ(&home, alone..alone + 1, ways)? {
                    return Err(message);
                }
            }
            return Err(format!("the programs of the seeds {seed} to {next} differ only together"));
        }
        seed = next;
    }
    Ok(())
}

/// What is wrong with the programs of these seeds in one file.
fn differ(home: &Home, seeds: std::ops::Range<u64>, ways: &[&[&str]]) -> Result<Option<String>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (mut items, mut calls) = (String::from("space random\n"), String::new());
    for seed in seeds.clone() {
        let prefix = format!("S{seed}_");
        let (item, main) = random_program(seed, &prefix);
        items.push_str(&item);
        let _ = write!(items, "proc {prefix}main() {{\n{main}}}\n");
        let _ = writeln!(calls, "    {prefix}main()");
    }
    let text = format!("{items}proc main() -> int {{\n{calls}    give 0\n}}\n");
    let file = folder.path().join("random.vit");
    std::fs::write(&file, &text).map_err(|error| error.to_string())?;
    let mut reference: Option<Outcome> = None;
    for way in ways {
        let mut command = home.vitte();
        command.current_dir(folder.path()).arg("run").args(*way).args(["--allow", "warnings", "random.vit"]);
        let outcome = process::run(command, b"", LIMIT)?;
        // A program ends well or panics.
        if outcome.status != 0 && outcome.status != 134 {
            let said = outcome.stderr_text();
            return Ok(Some(format!("seeds {seeds:?}, {way:?}: status {}\n{said}\n{text}", outcome.status)));
        }
        let Some(reference) = &reference else {
            reference = Some(outcome);
            continue;
        };
        let difference = diff::unified(&reference.stdout_text(), &outcome.stdout_text());
        let same = difference.is_empty()
            && reference.status == outcome.status
            && reference.stderr_text() == outcome.stderr_text();
        if !same {
            let statuses = format!("status {} and {}", reference.status, outcome.status);
            let said = outcome.stderr_text();
            return Ok(Some(format!("seeds {seeds:?}, {way:?}: {statuses}\n{difference}{said}\n{text}")));
        }
    }
    Ok(None)
}
