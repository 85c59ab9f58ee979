//! What it costs to start `/bin/true` and see it end, from a small and from a large process.
//!
//! Ways are interleaved, so that the machine's moods meet them all alike; read the ratios.
//! `cargo bench -p vitte-sys --bench spawn`; the size of the large process in MiB as an argument.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use vitte_sys::process::{Command, Limits, Stdio};
use vitte_sys::sandbox::{Policy, Rung};

const ROUNDS: usize = 60;

fn fork_and_exec() {
    let mut command = std::process::Command::new("/bin/true");
    #[allow(clippy::disallowed_methods, reason = "what it costs is measured")]
    // SAFETY: the hook does nothing. Having one makes the standard library fork.
    unsafe {
        command.pre_exec(|| Ok(()))
    };
    assert!(command.spawn().unwrap().wait().unwrap().success());
}

fn through_helper(policy: Option<Policy>) -> Result<(), String> {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(policy) = policy {
        command.sandbox(policy);
    }
    let limits = Limits { core_bytes: Some(0), ..Limits::default() };
    let mut child = command.spawn(limits).map_err(|error| error.to_string())?;
    assert!(child.wait().unwrap().success());
    Ok(())
}

/// A name and one run.
type Way<'a> = (&'static str, &'a dyn Fn() -> Result<(), String>);

/// The middle of many runs of each way.
fn measure(ways: &[Way]) -> Vec<Option<Duration>> {
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((name, way), times) in ways.iter().zip(&mut times) {
            let start = Instant::now();
            match way() {
                Ok(()) => times.push(start.elapsed()),
                Err(error) if times.is_empty() => println!("SKIP {name}: {error}"),
                Err(_) => {}
            }
        }
    }
    times
        .into_iter()
        .map(|mut times| {
            times.sort();
            times.get(times.len() / 2).copied()
        })
        .collect()
}

fn main() {
    let mebibytes = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(4096);
    let at = |rung| Policy::new(rung).at_most(rung).system();
    let landlock = || through_helper(Some(at(Rung::Landlock)));
    let namespaces = || through_helper(Some(at(Rung::Namespaces)));
    let plain = || through_helper(None);
    let fork = || {
        fork_and_exec();
        Ok(())
    };
    let ways: [Way; 4] = [
        ("fork and exec", &fork),
        ("helper", &plain),
        ("helper, Landlock and seccomp", &landlock),
        ("helper, namespaces as well", &namespaces),
    ];
    let small = measure(&ways);
    let mut ballast = vec![0u8; mebibytes << 20];
    ballast.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    let large = measure(&ways);
    std::hint::black_box(&ballast);
    println!("{:<30} {:>12} {:>12} {:>8}", "way", "small", format!("{mebibytes} MiB"), "ratio");
    for (((name, _), small), large) in ways.iter().zip(small).zip(large) {
        if let (Some(small), Some(large)) = (small, large) {
            let ratio = large.as_secs_f64() / small.as_secs_f64();
            println!("{name:<30} {small:>12.2?} {large:>12.2?} {ratio:>8.2}");
        }
    }
}
