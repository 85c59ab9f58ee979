//! `vitte watch`: saves become rounds, programs are restarted, and nothing is left behind.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use vitte_tests::following::Following;
use vitte_tests::stage::{HELLO, Stage};

/// A program that says `text` and does not end by itself.
fn endless(text: &str) -> String {
    format!("proc main() -> int {{\n    println(\"{text}\")\n    loop {{ }}\n}}\n")
}

/// A client that watches.
struct Watching(Following);

impl Watching {
    fn start(stage: &Stage, arguments: &[&str]) -> Self {
        Self(Following::start(stage.command(&[&["watch"], arguments].concat())))
    }

    /// The next line that holds all of `needles`; lines before it are passed over.
    #[track_caller]
    fn line(&mut self, needles: &[&str]) -> String {
        self.lines(&[needles]).remove(0)
    }

    #[track_caller]
    fn lines(&mut self, wanted: &[&[&str]]) -> Vec<String> {
        self.0.lines(wanted)
    }

    /// The next JSON event of this kind.
    #[track_caller]
    fn event(&mut self, kind: &str) -> Value {
        let line = self.line(&[&format!(r#""event":"{kind}""#)]);
        serde_json::from_str(&line).unwrap()
    }

    fn signal(&self, name: &str) {
        kill(name, self.0.id());
    }

    /// Ctrl-C; the exit status.
    fn interrupt(mut self) -> Option<i32> {
        self.signal("INT");
        self.wait()
    }

    fn wait(&mut self) -> Option<i32> {
        self.0.wait()
    }
}

/// Ids of the programs called `name`.
fn programs(name: &str) -> Vec<u32> {
    let named = |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let found = processes.filter(|entry| named(&entry.path()));
    found.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn runs(name: &str) -> bool {
    !programs(name).is_empty()
}

fn kill(signal: &str, process: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
    assert!(status.unwrap().success());
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what} does not come to pass");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn saves_become_rounds() {
    let stage = Stage::new();
    stage.write("a.vit", "use b.{one}\n\nproc main() -> int {\n    give one()\n}\n");
    let mut watching = Watching::start(&stage, &["a.vit"]);
    // The module that is missing is an input too.
    let line = watching.line(&["first round", "error"]);
    assert!(line.contains("parse "), "{line}");
    stage.write("b.vit", "export proc one() -> int {\n    give 1\n}\n");
    watching.line(&["b.vit", "no errors"]);
    stage.write("b.vit", "export proc one() -> int {\n    give nothing_of_that_name\n}\n");
    watching.lines(&[&["error[", "]"], &["b.vit", "1 error"]]);
    // An editor that writes beside and renames over.
    stage.write(".b.vit.tmp", "export proc one() -> int {\n    give 2\n}\n");
    fs::rename(stage.folder().join(".b.vit.tmp"), stage.folder().join("b.vit")).unwrap();
    watching.line(&["b.vit", "no errors"]);
    // Other files are nobody's business: the next line is about the file that matters.
    stage.write("notes.txt", "nothing");
    stage.write("unused.vit", "nothing");
    stage.write("a.vit", "use b.{one}\n\nproc main() -> int {\n    give one() + 1\n}\n");
    assert!(watching.line(&[" ms"]).starts_with("a.vit: "));
    fs::remove_file(stage.folder().join("b.vit")).unwrap();
    watching.line(&["b.vit", "error"]);
    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn the_executable_is_that_of_the_last_save() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let mut watching = Watching::start(&stage, &["build", "a.vit"]);
    watching.line(&["first round", "built in"]);
    let run = || Command::new(stage.folder().join("a")).output().unwrap().stdout;
    assert_eq!(run(), b"hello\n");
    for round in 0..30 {
        stage.write("a.vit", HELLO.replace("hello", &format!("round {round}")));
        // Its own output beside the source is no change: the next line is that of the next save.
        assert!(watching.line(&["built in"]).starts_with("a.vit: "));
        assert_eq!(run(), format!("round {round}\n").as_bytes());
    }
}

#[test]
fn a_program_is_restarted_and_ends_with_the_watch() {
    let stage = Stage::new();
    stage.write("restarted.vit", endless("one"));
    let mut watching = Watching::start(&stage, &["run", "restarted.vit"]);
    watching.lines(&[&["first round", "built", "started"], &["one"]]);
    stage.write("restarted.vit", endless("two"));
    watching.lines(&[&["restarted.vit", "restarted"], &["two"]]);
    // An error keeps the last good program.
    stage.write("restarted.vit", "proc main() -> int {\n");
    watching.line(&["restarted.vit", "error", "the program runs on"]);
    assert!(runs("restarted"));
    // The same program again is no reason to end it.
    stage.write("restarted.vit", endless("two"));
    watching.line(&["restarted.vit", "the program runs on"]);
    assert_eq!(watching.interrupt(), Some(130));
    eventually("the end of the program", || !runs("restarted"));
}

#[test]
fn a_program_that_has_ended_is_started_again_by_a_save() {
    let stage = Stage::new();
    stage.write("ends.vit", HELLO);
    let mut watching = Watching::start(&stage, &["run", "ends.vit"]);
    for _ in 0..3 {
        watching.lines(&[&["started"], &["hello"], &["ended with status 0"]]);
        stage.write("ends.vit", HELLO);
    }
}

#[test]
fn a_program_may_be_kept() {
    let stage = Stage::new();
    stage.write("kept_on.vit", endless("one"));
    let mut watching = Watching::start(&stage, &["run", "--keep", "kept_on.vit"]);
    watching.lines(&[&["started"], &["one"]]);
    stage.write("kept_on.vit", endless("two"));
    watching.line(&["kept_on.vit", "built", "the program runs on"]);
    kill("TERM", programs("kept_on")[0]);
    watching.lines(&[&["ended by signal 15"], &["two"]]);
}

#[test]
fn a_client_that_is_killed_takes_the_program_along() {
    let stage = Stage::new();
    stage.write("alonggoes.vit", endless("here"));
    let mut watching = Watching::start(&stage, &["run", "alonggoes.vit"]);
    watching.line(&["here"]);
    watching.signal("KILL");
    eventually("the end of the program", || !runs("alonggoes"));
    stage.assert_works();
}

#[test]
fn events_are_lines_of_json() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let mut watching = Watching::start(&stage, &["build", "--json", "a.vit"]);
    assert_eq!(watching.event("round_started")["changed"], serde_json::json!([]));
    let finished = watching.event("round_finished");
    assert_eq!((&finished["round"], &finished["result"]), (&1.into(), &"ok".into()));
    stage.write("a.vit", HELLO.replace("hello", "bye"));
    assert_eq!(watching.event("round_started")["changed"], serde_json::json!(["a.vit"]));
    assert_eq!(watching.event("round_finished")["round"], 2);
    watching.signal("INT");
    assert_eq!(watching.event("operation_finished")["result"], "cancelled");
}

/// Thousands of files that change at once are one round: a real `git checkout`.
#[test]
fn a_checkout_is_one_round() {
    const FILES: usize = 1000;
    let stage = Stage::new();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(stage.folder()).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
        git.args(["-c", "gc.auto=0", "-c", "init.defaultBranch=main"]).args(arguments);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").stdout(Stdio::null()).stderr(Stdio::null());
        git.status().is_ok_and(|status| status.success())
    };
    if !git(&["init"]) {
        eprintln!("SKIP: there is no git");
        return;
    }
    let write = |value: usize| {
        let mut main = String::new();
        for n in 0..FILES {
            let text = format!("export proc f() -> int {{\n    give {}\n}}\n", n + value);
            stage.write(&format!("p{}/m{n}.vit", n % 20), text);
            main.push_str(&format!("use p{}/m{n}.{{f as f{n}}}\n", n % 20));
        }
        main.push_str("\nproc main() -> int {\n    let sum = 0\n");
        for n in 0..FILES {
            main.push_str(&format!("    set sum = sum + f{n}()\n"));
        }
        main.push_str(&format!("    println(sum)\n    give {}\n}}\n", value % 2));
        stage.write("main.vit", main);
    };
    write(1);
    assert!(git(&["add", "-A"]) && git(&["commit", "-m", "one"]));
    write(2);
    assert!(git(&["checkout", "-b", "two"]) && git(&["commit", "-a", "-m", "two"]));
    let mut watching = Watching::start(&stage, &["check", "--json", "main.vit"]);
    let first = watching.event("round_finished");
    assert_eq!(first["result"], "ok", "{:?}", watching.0.seen);
    for (round, branch) in ["main", "two"].into_iter().enumerate() {
        assert!(git(&["checkout", branch]));
        let started = watching.event("round_started");
        assert_eq!(started["changed_total"], FILES + 1, "{started}");
        let finished = watching.event("round_finished");
        assert_eq!((&finished["round"], &finished["result"]), (&(round + 2).into(), &"ok".into()));
    }
    // No further round in between: the next one is that of the next save.
    stage.write("main.vit", HELLO);
    let started = watching.event("round_started");
    assert_eq!((&started["round"], &started["changed"]), (&4.into(), &serde_json::json!(["main.vit"])));
}

#[test]
fn folders_that_are_renamed_are_seen() {
    let stage = Stage::new();
    stage.write("parts/b.vit", "export proc one() -> int {\n    give 1\n}\n");
    stage.write("a.vit", "use parts/b.{one}\n\nproc main() -> int {\n    give one()\n}\n");
    let mut watching = Watching::start(&stage, &["check", "a.vit"]);
    watching.line(&["first round", "no errors"]);
    let (parts, aside) = (stage.folder().join("parts"), stage.folder().join("aside"));
    fs::rename(&parts, &aside).unwrap();
    watching.line(&["parts/b.vit", "error"]);
    fs::rename(&aside, &parts).unwrap();
    watching.line(&["parts/b.vit", "no errors"]);
    stage.write("parts/b.vit", "export proc one() -> int {\n    give 2\n}\n");
    watching.line(&["parts/b.vit", "no errors"]);
}

#[test]
fn links_are_watched_at_both_ends() {
    let stage = Stage::new();
    stage.write("real/b.vit", "export proc one() -> int {\n    give 1\n}\n");
    std::os::unix::fs::symlink("real/b.vit", stage.folder().join("b.vit")).unwrap();
    stage.write("a.vit", "use b.{one}\n\nproc main() -> int {\n    give one()\n}\n");
    let mut watching = Watching::start(&stage, &["check", "a.vit"]);
    watching.line(&["first round", "no errors"]);
    stage.write("real/b.vit", "export proc one() -> int {\n    give nothing_of_that_name\n}\n");
    watching.line(&["real/b.vit", "error"]);
}

#[test]
fn a_manifest_may_be_wrong_for_a_while() {
    let stage = Stage::new();
    assert_eq!(stage.vitte(&["new", "demo"]).status, 0);
    let manifest = fs::read_to_string(stage.folder().join("demo/vitte-package.json")).unwrap();
    let mut watching = Watching::start(&stage, &["build", "demo"]);
    watching.line(&["first round", "built in"]);
    stage.write("demo/vitte-package.json", "{");
    watching.lines(&[&["error: "], &["vitte-package.json", "failed"]]);
    stage.write("demo/vitte-package.json", manifest);
    watching.line(&["vitte-package.json", "built in"]);
}

#[test]
fn what_cannot_be_watched_at_all_is_refused() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    assert_eq!(stage.vitte(&["watch", "none.vit"]).status, 65);
    assert_eq!(stage.vitte(&["watch", "test", "none.vit"]).status, 65);
    assert_eq!(stage.vitte(&["watch", "--dry-run", "a.vit"]).status, 64);
    assert_eq!(stage.vitte(&["watch", "run", "--keep", "--restart", "a.vit"]).status, 64);
}

#[test]
fn the_end_of_the_service_is_the_end_of_the_watch() {
    let stage = Stage::new();
    stage.write("outlives.vit", endless("here"));
    let mut watching = Watching::start(&stage, &["run", "outlives.vit"]);
    watching.line(&["here"]);
    assert_eq!(stage.vitte(&["daemon", "stop"]).status, 0);
    assert_eq!(watching.wait(), Some(69));
    assert!(!runs("outlives"));
}

#[test]
fn a_private_service_watches_too() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let mut watching = Watching::start(&stage, &["--no-daemon", "check", "a.vit"]);
    watching.line(&["first round", "no errors"]);
    stage.write("a.vit", HELLO.replace("hello", "bye"));
    watching.line(&["a.vit", "no errors"]);
    assert_eq!(watching.interrupt(), Some(130));
}

#[test]
fn polled_folders_are_told_and_work() {
    let stage = Stage::new();
    let work = stage.folder().canonicalize().unwrap();
    fs::create_dir_all(stage.home().path().join("config/vitte")).unwrap();
    fs::write(
        stage.home().path().join("config/vitte/config.toml"),
        format!("[watch]\npolled_folders = [{:?}]\n", work.display().to_string()),
    )
    .unwrap();
    stage.write("a.vit", HELLO);
    let mut watching = Watching::start(&stage, &["check", "a.vit"]);
    watching.line(&["first round", "no errors"]);
    stage.write("a.vit", HELLO.replace("hello", "bye for now"));
    watching.line(&["a.vit", "no errors"]);
    let status = stage.vitte(&["daemon", "status", "--json"]);
    let status: Value = serde_json::from_str(&status.stdout_text()).unwrap();
    assert_eq!(status["watch_troubles"][0]["path"], work.display().to_string());
    let text = stage.vitte(&["daemon", "status"]).stdout_text();
    assert!(text.contains("not watched") && text.contains("watch.polled_folders"), "{text}");
}

#[test]
fn nothing_runs_while_nothing_changes() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let mut watching = Watching::start(&stage, &["check", "a.vit"]);
    watching.line(&["first round"]);
    let status = stage.vitte(&["daemon", "status", "--json"]);
    let status: Value = serde_json::from_str(&status.stdout_text()).unwrap();
    let both = [status["pid"].as_u64().unwrap(), watching.0.id().into()];
    std::thread::sleep(Duration::from_millis(500));
    let before = both.map(ticks);
    std::thread::sleep(Duration::from_secs(2));
    for (before, after) in before.into_iter().zip(both.map(ticks)) {
        assert!(after - before <= 1, "{} ticks of processor time in two idle seconds", after - before);
    }

    /// User and system time in clock ticks.
    fn ticks(process: u64) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

#[test]
fn tests_run_again_after_every_change() {
    let stage = Stage::new();
    let text = |result: &str| format!("proc test_it() -> bool {{ give {result} }}\n");
    stage.write("a.vit", text("1 == 1"));
    let mut watching = Watching::start(&stage, &["test", "a.vit"]);
    watching.line(&["test a::test_it ... ok"]);
    watching.line(&["1 passed; 0 failed"]);
    stage.write("a.vit", text("1 == 2"));
    watching.line(&["test a::test_it ... FAILED: returned false"]);
    watching.line(&["0 passed; 1 failed"]);
    // One that never ends is ended by the next change.
    stage.write("a.vit", "proc test_it() { println(\"on and on\"); loop { } }\n");
    watching.line(&["a.vit", "built"]);
    watching.line(&["running 1 test"]);
    stage.write("a.vit", text("nonsense"));
    watching.line(&["1 error"]);
    stage.write("a.vit", text("2 == 2"));
    watching.line(&["1 passed; 0 failed"]);
    assert_eq!(watching.interrupt(), Some(130));
}
