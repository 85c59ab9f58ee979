//! Ways out of the sandbox, tried on every rung of the ladder: none may succeed.
//!
//! The test starts itself as the confined program, with the name of an attempt in the environment. An
//! attempt that a rung does not promise to stop is skipped there, and says so.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

#[cfg(target_os = "linux")]
#[path = "escape/attempts.rs"]
mod attempts;
#[cfg(target_os = "linux")]
#[path = "escape/world.rs"]
mod world;

#[cfg(target_os = "linux")]
fn main() {
    use libtest_mimic::{Arguments, Trial};
    use vitte_sys::sandbox::Rung;

    if let Ok(name) = std::env::var("VITTE_ATTEMPT") {
        std::process::exit(attempts::run(&name));
    }
    if let Ok(emulator) = std::env::var("VITTE_TEST_EMULATOR") {
        println!("SKIP escape: {emulator} has neither Landlock nor filters of system calls, nor all limits");
        return;
    }
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut counts = Vec::new();
    for rung in Rung::ALL {
        let missing = world::missing(rung);
        let promised = attempts::ALL.iter().filter(|attempt| attempt.stopped_from <= rung).count();
        counts.push(match &missing {
            Some(reason) => format!("{rung:?}: SKIP, it cannot be reached here: {reason}"),
            None => format!(
                "{rung:?}: {promised} ways out tried, {} not promised",
                attempts::ALL.len() - promised
            ),
        });
        if rung > Rung::Limits {
            assert!(promised >= 40, "{rung:?} is tried in {promised} ways only");
        }
        for attempt in attempts::ALL {
            let reason = match &missing {
                Some(reason) => Some(reason.clone()),
                None if attempt.stopped_from > rung => Some("this rung does not promise to stop it".into()),
                None => None,
            };
            trials.push(Trial::test(format!("{rung:?}::{}", attempt.name), move || match reason {
                Some(reason) => {
                    eprintln!("SKIP {rung:?}::{}: {reason}", attempt.name);
                    Ok(())
                }
                None => world::try_attempt(attempt, rung).map_err(Into::into),
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        counts.iter().for_each(|count| println!("{count}"));
    }
    conclusion.exit();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIP: there is no sandbox on this system");
}
