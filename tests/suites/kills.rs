//! Whoever is killed, whenever it is: the next command answers, and nothing is left of the dead.
//!
//! `VITTE_TEST_KILLS` says how often the service is killed under load (default 20), `VITTE_TEST_SEED`
//! when.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use vitte_tests::generator::{Options, SaveStyle, Workspace};
use vitte_tests::process;
use vitte_tests::random::Random;
use vitte_tests::services::{eventually, family, processes, services, signal};
use vitte_tests::setting;
use vitte_tests::stage::{LIMIT, Stage};

/// What a client may say when its service dies under it: no service, internal, input/output, try again.
/// It never blames the program (1) or the tools (2).
const INTERRUPTED: [i32; 4] = [69, 70, 74, 75];

fn status(stage: &Stage) -> Value {
    let outcome = stage.vitte(&["daemon", "status", "--json"]);
    serde_json::from_str(&outcome.stdout_text()).unwrap_or(Value::Null)
}

fn running(stage: &Stage) -> u64 {
    status(stage)["operations_running"].as_u64().unwrap_or(0)
}

fn start(stage: &Stage, arguments: &[&str]) -> Child {
    let mut command = stage.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn printed(program: &Path) -> String {
    let outcome = process::run(Command::new(program), b"", LIMIT).unwrap();
    assert_eq!(outcome.status, 0, "{} does not run", program.display());
    outcome.stdout_text()
}

#[test]
fn a_killed_service_loses_nothing_it_said_was_done() {
    let kills: usize = setting::number("VITTE_TEST_KILLS", 20);
    let seed = setting::seed();
    eprintln!("{kills} kills from seed {seed}");
    let mut random = Random::new(seed);
    let stage = Stage::new();
    let mut workspace = Workspace::new(&Options::new(16, seed));
    let leaf = workspace.leaf().unwrap();
    let mut files = workspace.vitte();
    files.write(stage.folder()).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..2)
            .map(|at| {
                let (stage, over) = (&stage, &over);
                scope.spawn(move || {
                    let output = format!("load{at}");
                    let mut answered = 0;
                    while !over.load(Ordering::SeqCst) {
                        let outcome = stage.vitte(&["build", "-o", &output]);
                        if outcome.status == 0 {
                            // It was said to be done, so it is there and whole.
                            assert!(printed(&stage.folder().join(&output)).starts_with("checksum "));
                            answered += 1;
                        } else {
                            let said = outcome.stderr_text();
                            assert!(INTERRUPTED.contains(&outcome.status), "{}: {said}", outcome.status);
                            assert!(!said.is_empty(), "it says why");
                        }
                    }
                    answered
                })
            })
            .collect();
        let mut last = String::new();
        for kill in 0..kills {
            workspace.module_mut(leaf).unwrap().edit_body(random.range(2, 90));
            let edited = workspace.vitte();
            edited.replace(&files, stage.folder(), SaveStyle::Replace).unwrap();
            files = edited;
            std::thread::sleep(Duration::from_micros(random.range(0, 150_000) as u64));
            let killed = services(&stage);
            for service in &killed {
                signal("KILL", *service);
            }
            let outcome = stage.vitte(&["build", "-o", "mine"]);
            assert_eq!(outcome.status, 0, "kill {kill} of seed {seed}: {}", outcome.stderr_text());
            last = printed(&stage.folder().join("mine"));
            eventually("the end of what was killed", || {
                let alive = services(&stage);
                !killed.iter().any(|service| alive.contains(service))
            });
        }
        over.store(true, Ordering::SeqCst);
        let answered: usize = load.into_iter().map(|thread| thread.join().unwrap()).sum();
        eprintln!("{answered} builds were answered meanwhile");
        let clean = stage.vitte(&["--no-daemon", "build", "-o", "clean"]);
        assert_eq!(clean.status, 0, "{}", clean.stderr_text());
        assert_eq!(printed(&stage.folder().join("clean")), last);
    });
    assert_eq!(stage.vitte(&["daemon", "stop"]).status, 0);
    eventually("the end of every process of the service", || family(&stage).is_empty());
    for output in OUTPUTS {
        assert_eq!(stage.vitte(&["build", "-o", output]).status, 0);
    }
    // What a service was writing when it was killed is gone at the latest when it has been written.
    assert_eq!(unfinished(&stage), Vec::<PathBuf>::new(), "files that nobody finished");
}

/// Where builds under load leave their results.
const OUTPUTS: [&str; 4] = ["mine", "clean", "load0", "load1"];

/// What stands in the folder and is neither a source nor a result.
fn unfinished(stage: &Stage) -> Vec<PathBuf> {
    let known = [&OUTPUTS[..], &["src", "vitte-package.json", "target"]].concat();
    let entries = std::fs::read_dir(stage.folder()).unwrap();
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !known.iter().any(|name| path.ends_with(name)))
        .collect()
}

#[test]
fn a_client_that_goes_away_cancels_what_only_it_wanted() {
    let stage = Stage::new();
    Workspace::new(&Options::new(400, 1)).vitte().write(stage.folder()).unwrap();
    assert_eq!(stage.vitte(&["daemon", "start"]).status, 0);
    for round in 0..3 {
        let mut client = start(&stage, &["build", "-o", "app"]);
        eventually("the build", || running(&stage) > 0);
        client.kill().unwrap();
        client.wait().unwrap();
        eventually("the end of the build", || running(&stage) == 0);
        assert!(!stage.folder().join("app").exists(), "round {round}: nobody wanted it any more");
    }
}

#[test]
fn what_another_client_wants_too_goes_on() {
    let stage = Stage::new();
    Workspace::new(&Options::new(200, 2)).vitte().write(stage.folder()).unwrap();
    assert_eq!(stage.vitte(&["daemon", "start"]).status, 0);
    let mut first = start(&stage, &["build", "-o", "first"]);
    let mut second = start(&stage, &["build", "-o", "second"]);
    eventually("both builds", || running(&stage) > 1 || stage.folder().join("second").exists());
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(second.wait().unwrap().success(), "the other client's build was cancelled");
    assert!(printed(&stage.folder().join("second")).starts_with("checksum "));
}

/// A linker that never ends, and says so with a sleep of a length that nobody else uses.
fn endless_linker(stage: &Stage, seconds: u32) -> String {
    let script = stage.write("linker", format!("#!/bin/sh\nsleep {seconds} &\nwait\n"));
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    format!("{} {{output}} {{inputs}}", script.display())
}

fn sleeping(seconds: u32) -> usize {
    let wanted = format!("sleep\0{seconds}\0").into_bytes();
    processes(|folder| std::fs::read(folder.join("cmdline")).is_ok_and(|all| all == wanted)).len()
}

#[test]
fn a_linker_dies_with_the_client_that_wanted_it() {
    let stage = Stage::new();
    stage.assert_works();
    let linker = endless_linker(&stage, 97_531);
    let mut client = start(&stage, &["build", "--linker", &linker, "still_works.vit"]);
    eventually("the linker", || sleeping(97_531) == 1);
    client.kill().unwrap();
    client.wait().unwrap();
    eventually("the linker's end", || sleeping(97_531) == 0);
    stage.assert_works();
}

#[test]
fn a_linker_dies_with_the_service() {
    let stage = Stage::new();
    stage.assert_works();
    let linker = endless_linker(&stage, 97_532);
    let mut client = start(&stage, &["build", "--linker", &linker, "still_works.vit"]);
    eventually("the linker", || sleeping(97_532) == 1);
    for service in services(&stage) {
        signal("KILL", service);
    }
    let ended = client.wait().unwrap();
    assert!(ended.code().is_some_and(|code| INTERRUPTED.contains(&code)), "{ended}");
    eventually("the linker's end", || sleeping(97_532) == 0);
    stage.assert_works();
}

#[test]
fn a_client_that_stops_reading_holds_up_nobody() {
    let stage = Stage::new();
    Workspace::new(&Options::new(60, 3)).vitte().write(stage.folder()).unwrap();
    assert_eq!(stage.vitte(&["build"]).status, 0);
    let mut stuck = stage.command(&["build", "--json"]);
    let stuck = stuck.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    signal("STOP", stuck.id());
    for _ in 0..5 {
        assert_eq!(stage.vitte(&["build"]).status, 0);
    }
    signal("CONT", stuck.id());
    assert!(stuck.wait_with_output().unwrap().status.success(), "it goes on where it stood");
}
