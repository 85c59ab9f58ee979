//! `vitte daemon status`, exec to exit, beside an empty Rust process; more than 2x would be bad.
//!
//! Interleaved, medians. Needs a release build of `vitted` beside `vitte`:
//! `cargo build --release && cargo bench -p vitte-client --bench startup`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::panic)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 500;

fn main() {
    // `cargo test --benches` only wants to know that it compiles.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().join("empty");
    let source = home.path().join("empty.rs");
    std::fs::write(&source, "fn main() {}\n").unwrap();
    assert!(Command::new("rustc").args(["-O", "-o"]).arg(&empty).arg(&source).status().unwrap().success());

    let vitte = Path::new(env!("CARGO_BIN_EXE_vitte"));
    let command = |program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    assert!(command(vitte, &["daemon", "start"]).status().unwrap().success());
    let time = |program: &Path, args: &[&str]| {
        let mut command = command(program, args);
        let began = Instant::now();
        assert!(command.status().unwrap().success());
        began.elapsed()
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(vitte, &["daemon", "status"]));
        theirs.push(time(&empty, &[]));
    }
    assert!(command(vitte, &["daemon", "stop"]).status().unwrap().success());
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("vitte daemon status {ours:?}, empty process {theirs:?}, ratio {ratio:.2} (bad above 2)");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
