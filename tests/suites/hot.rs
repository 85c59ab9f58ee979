//! `vitte run --hot`: what is saved is live in the process that runs, and its state stays.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Stdio};

use vitte_tests::following::Following;
use vitte_tests::stage::Stage;

/// Answers each line of input with a count of all lines so far.
const SERVER: &str = r#"use vitte/stdlib/io

form Seen { total: int }

proc answer(line: string) -> string { give "one " + line }

proc step(seen: Seen, line: string) -> string {
    set seen.total = seen.total + 1
    give answer(line) + " " + to_string(seen.total)
}

proc main() -> int {
    let seen = Seen { total: 0 }
    loop {
        let line = unwrap(io.read_line()) ?? "end"
        if line == "end" { break }
        println(step(seen, line))
    }
    give 40 + seen.total
}
"#;

/// A client that runs a program hot.
struct Running(Following);

impl Running {
    fn start(stage: &Stage, arguments: &[&str]) -> Self {
        let mut command = stage.command(&[&["run", "--hot"], arguments].concat());
        command.stdin(Stdio::piped());
        Self(Following::start(command))
    }

    /// The next line that holds `needle`; lines before it are passed over.
    #[track_caller]
    fn line(&mut self, needle: &str) -> String {
        self.0.lines(&[&[needle]]).remove(0)
    }

    fn say(&mut self, line: &str) {
        self.0.say(line);
    }

    #[track_caller]
    fn ask(&mut self, line: &str, answer: &str) {
        self.say(line);
        let found = self.line(line);
        assert_eq!(found, answer);
    }

    fn wait(&mut self) -> Option<i32> {
        self.0.wait()
    }
}

#[test]
fn a_saved_body_is_live_and_the_exit_status_comes_through() {
    let stage = Stage::new();
    stage.write("server.vit", SERVER);
    let mut running = Running::start(&stage, &["server.vit"]);
    running.ask("a", "one a 1");
    stage.write("server.vit", SERVER.replace("\"one \"", "\"two \""));
    running.line("hot: generation 2: 1 procedure swapped in");
    running.ask("b", "two b 2");
    // A text that is wrong says so and changes nothing.
    stage.write("server.vit", SERVER.replace("\"one \"", "\"two \" + 1"));
    running.line("error");
    running.line("hot: 1 error; generation 2 runs on");
    running.ask("c", "two c 3");
    stage.write("server.vit", SERVER.replace("\"one \"", "\"three \""));
    running.line("hot: generation 3: 1 procedure swapped in");
    running.ask("d", "three d 4");
    running.say("end");
    assert_eq!(running.wait(), Some(44));
}

#[test]
fn what_cannot_be_swapped_starts_the_program_anew() {
    let stage = Stage::new();
    stage.write("server.vit", SERVER);
    let mut running = Running::start(&stage, &["server.vit"]);
    running.ask("a", "one a 1");
    running.ask("b", "one b 2");
    let form = SERVER
        .replace("total: int }", "total: int, more: int }")
        .replace("total: 0 }", "total: 0, more: 0 }");
    stage.write("server.vit", &form);
    running.line("hot: restarted: the form `Seen` has changed");
    running.ask("c", "one c 1");
    stage.write("server.vit", form.replace("give 40", "give 50"));
    running.line("hot: restarted: `main` has changed");
    running.ask("d", "one d 1");
    // The new process can be changed as the first could.
    stage.write("server.vit", form.replace("give 40", "give 50").replace("one", "two"));
    running.line("hot: generation 2:");
    running.ask("e", "two e 2");
    running.0.close_input();
    assert_eq!(running.wait(), Some(52));
}

#[test]
fn interrupting_ends_both() {
    let stage = Stage::new();
    stage.write("server.vit", SERVER);
    let mut running = Running::start(&stage, &["server.vit"]);
    running.ask("a", "one a 1");
    let status = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status();
    assert!(status.unwrap().success());
    assert_eq!(running.wait(), Some(130));
    stage.assert_works();
}

#[test]
fn it_works_without_a_shared_service_and_tells_programs_in_json() {
    let stage = Stage::new();
    stage.write("server.vit", SERVER);
    let mut running = Running::start(&stage, &["--no-daemon", "--json", "server.vit"]);
    running.line(r#""event":"program_started""#);
    running.say("a");
    running.line("one a 1");
    stage.write("server.vit", SERVER.replace("\"one \"", "\"two \""));
    let swapped = running.line(r#""event":"program_swapped""#);
    let swapped: serde_json::Value = serde_json::from_str(&swapped).unwrap();
    assert_eq!((swapped["generation"].as_u64(), swapped["procedures"].as_u64()), (Some(2), Some(1)));
    running.say("b");
    running.line("two b 2");
    running.say("end");
    assert_eq!(running.wait(), Some(42));
}

#[test]
fn programs_with_a_linker_of_their_own_are_refused() {
    let stage = Stage::new();
    stage.write("server.vit", SERVER);
    let outcome = stage.vitte(&["run", "--hot", "--linker", "cc", "server.vit"]);
    assert_ne!(outcome.status, 0);
    let text = outcome.stderr_text();
    assert!(text.contains("cannot be changed while it runs") && text.contains("vitte watch run"), "{text}");
}
