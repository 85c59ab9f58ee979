//! Times builds of a workspace in one process: clean, nothing changed, one body edited.
//!
//! `cargo run --release -p vitte-driver --example edit -- FOLDER FILE...` edits each file in turn by
//! changing the number after `% ` on its last line with one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::time::Instant;
use vitte_driver::{BuildRequest, CancellationToken, Driver, Event};

#[inline(never)]
fn edit_build(driver: &Driver, request: &BuildRequest) -> String {
    let phases = std::sync::Mutex::new(String::new());
    let outcome = driver
        .build(
            request,
            &|event: Event| {
                if let Event::PhaseFinished { phase, elapsed, executed } = event {
                    phases
                        .lock()
                        .unwrap()
                        .push_str(&format!(" {phase} {:.2}/{executed}", elapsed.as_secs_f64() * 1e3));
                }
            },
            &CancellationToken::new(),
        )
        .unwrap();
    assert_eq!(outcome.errors, 0);
    phases.into_inner().unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args[0] == "worker" {
        vitte_driver::worker_main();
        return;
    }
    let worker = vec![std::env::current_exe().unwrap().into(), "worker".into()];
    let driver = Driver::new(worker);
    let request = BuildRequest { cwd: std::fs::canonicalize(&args[0]).unwrap(), ..BuildRequest::default() };
    let run = |name: &str| {
        let start = Instant::now();
        let phases = edit_build(&driver, &request);
        println!("{name:10} {:8.2} ms  {phases}", start.elapsed().as_secs_f64() * 1e3);
    };
    run("clean");
    run("nothing");
    run("nothing");
    let mut seed = 1;
    for file in &args[1..] {
        let path = request.cwd.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        for _ in 0..3 {
            seed += 1;
            let at = text.rfind("% ").unwrap() + 2;
            let end = at + text[at..].find(|c: char| !c.is_ascii_digit()).unwrap();
            std::fs::write(&path, format!("{}{}{}", &text[..at], 1_000_003 + seed, &text[end..])).unwrap();
            run(&format!("edit {file}"));
        }
    }
    run("nothing");
}
