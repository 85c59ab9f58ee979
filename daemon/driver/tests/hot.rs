//! A process goes on running while its procedures are replaced.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use vitte_driver::run::{RunOutput, RunningProgram, spawn_handed};
use vitte_driver::{
    BuildRequest, CancellationToken, Driver, DriverError, Event, ExitKind, HotBuild, HotProgram, RunSpec,
    Swap,
};

/// Answers each line of input, with a count of all lines so far and of this one.
const SERVER: &str = r#"
use vitte/stdlib/io
form Seen { total: int, last: string }

proc answer(line: string, times: int) -> string {
    give "one " + line + " " + to_string(times)
}

proc step(seen: Seen, counts: map<string, int>, line: string) -> string {
    set seen.total = seen.total + 1
    set seen.last = line
    set counts[line] = counts.get_or(line, 0) + 1
    give answer(line, counts[line]) + " of " + to_string(seen.total)
}

proc main() -> int {
    let seen = Seen { total: 0, last: "" }
    let counts: map<string, int> = map {}
    loop {
        let line = unwrap(io.read_line()) ?? "end"
        if line == "end" { break }
        println(step(seen, counts, line))
    }
    give seen.total % 256
}
"#;

struct World {
    folder: TempDir,
    driver: Driver,
}

struct Running {
    hot: HotProgram,
    program: RunningProgram,
    unread: String,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), driver: Driver::new(common::worker_command()) }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("server.vit"), text).unwrap();
    }

    fn request(&self) -> BuildRequest {
        BuildRequest {
            entry: Some("server.vit".into()),
            cwd: self.folder.path().to_path_buf(),
            scratch: Some(self.folder.path().join("scratch")),
            ..BuildRequest::default()
        }
    }

    fn try_build(&self) -> (Result<HotBuild, DriverError>, Vec<String>) {
        let request = self.request();
        let messages = std::sync::Mutex::new(Vec::new());
        let sink = |event: Event| {
            if let Event::Diagnostic(diagnostic) = event {
                messages.lock().unwrap().push(diagnostic.message.clone());
            }
        };
        let built = self.driver.build_hot(&request, &sink, &CancellationToken::new());
        (built, messages.into_inner().unwrap())
    }

    fn build(&self, text: &str) -> HotBuild {
        self.write(text);
        let (built, messages) = self.try_build();
        let built = built.unwrap();
        assert!(built.is_runnable(), "{messages:?}");
        built
    }

    async fn start(&self, text: &str) -> Running {
        let build = self.build(text);
        let hot = self.driver.start_hot(&build).unwrap();
        let spec = RunSpec {
            executable: hot.executable().to_path_buf(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            cwd: Path::new("/").to_path_buf(),
            ..RunSpec::default()
        };
        let program = spawn_handed(spec, Some(hot.descriptor().unwrap())).await.unwrap();
        Running { hot, program, unread: String::new() }
    }
}

impl Running {
    async fn ask(&mut self, line: &str) -> String {
        let stdin = self.program.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.line().await
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some((line, rest)) = self.unread.split_once('\n') {
                let line = line.to_owned();
                self.unread = rest.to_owned();
                return line;
            }
            let piece =
                tokio::time::timeout(Duration::from_secs(20), self.program.output.recv()).await.unwrap();
            match piece {
                Some(RunOutput::Stdout(bytes) | RunOutput::Stderr(bytes)) => {
                    self.unread.push_str(&String::from_utf8(bytes).unwrap());
                }
                None => panic!("it ended with {:?} after {:?}", self.program.wait().await, self.unread),
            }
        }
    }

    async fn end(mut self) -> ExitKind {
        drop(self.program.stdin.take());
        while self.program.output.recv().await.is_some() {}
        self.program.wait().await.unwrap()
    }
}

fn done(swap: &Swap) -> (u64, u64) {
    match swap {
        Swap::Done { generation, procedures, .. } => (*generation, *procedures),
        Swap::Same | Swap::Restart(_) => panic!("{swap:?}"),
    }
}

fn restart(swap: Swap) -> String {
    match swap {
        Swap::Restart(reason) => reason,
        Swap::Same | Swap::Done { .. } => panic!("{swap:?}"),
    }
}

/// Not a test: see [`common::worker_command`].
#[test]
#[ignore = "the linker's worker, started by other tests"]
fn worker() {
    vitte_driver::worker_main();
}

#[tokio::test]
async fn a_body_is_replaced_and_the_state_stays() {
    let world = World::new();
    let mut running = world.start(SERVER).await;
    assert_eq!(running.ask("a").await, "one a 1 of 1");
    assert_eq!(running.ask("b").await, "one b 1 of 2");
    let two = SERVER.replace("\"one \"", "\"two \"");
    assert_eq!(done(&running.hot.swap(&world.build(&two)).unwrap()), (2, 1));
    assert_eq!(running.ask("a").await, "two a 2 of 3");
    // Nothing new, and the first text again.
    assert_eq!(running.hot.swap(&world.build(&two)).unwrap(), Swap::Same);
    assert_eq!(done(&running.hot.swap(&world.build(SERVER)).unwrap()), (3, 1));
    assert_eq!(running.ask("a").await, "one a 3 of 4");
    assert_eq!(running.end().await, ExitKind::Code(4));
}

#[tokio::test]
async fn procedures_come_go_and_change_their_names() {
    let world = World::new();
    let mut running = world.start(SERVER).await;
    assert_eq!(running.ask("a").await, "one a 1 of 1");
    let added = SERVER.replace("\"one \" + line", "shout(line)")
        + "\nproc shout(line: string) -> string { give \"<\" + line + \">\" }\n";
    let (generation, procedures) = done(&running.hot.swap(&world.build(&added)).unwrap());
    assert_eq!(generation, 2);
    assert!(procedures >= 2, "{procedures}");
    assert_eq!(running.ask("a").await, "<a> 2 of 2");
    let renamed = added.replace("shout", "cry").replace("\"<\"", "\"((\"");
    done(&running.hot.swap(&world.build(&renamed)).unwrap());
    assert_eq!(running.ask("a").await, "((a> 3 of 3");
    // One more parameter: what calls it comes anew too.
    let signature = renamed
        .replace("cry(line)", "cry(line, 2)")
        .replace("cry(line: string)", "cry(line: string, n: int)");
    done(&running.hot.swap(&world.build(&signature)).unwrap());
    assert_eq!(running.ask("b").await, "((b> 1 of 4");
    // A parameter that is changed now is passed in another way.
    let place = signature.replace("set seen.last = line", "note(seen, line)")
        + "\nproc note(seen: Seen, line: string) { println(seen.last) }\n";
    done(&running.hot.swap(&world.build(&place)).unwrap());
    assert_eq!(running.ask("c").await, "b");
    assert_eq!(running.line().await, "((c> 1 of 5");
    let changed = place.replace("println(seen.last)", "println(seen.last); set seen.last = line + \"!\"");
    done(&running.hot.swap(&world.build(&changed)).unwrap());
    assert_eq!(running.ask("d").await, "b");
    assert_eq!(running.line().await, "((d> 1 of 6");
    assert_eq!(running.ask("e").await, "d!");
    assert_eq!(running.line().await, "((e> 1 of 7");
    assert_eq!(running.end().await, ExitKind::Code(7));
}

#[tokio::test]
async fn constants_are_part_of_what_uses_them() {
    let world = World::new();
    let text = SERVER.replace("\"one \"", "GREETING") + "\nconst GREETING: string = \"hi \"\n";
    let mut running = world.start(&text).await;
    assert_eq!(running.ask("a").await, "hi a 1 of 1");
    done(&running.hot.swap(&world.build(&text.replace("\"hi \"", "\"ho \""))).unwrap());
    assert_eq!(running.ask("a").await, "ho a 2 of 2");
    assert_eq!(running.end().await, ExitKind::Code(2));
}

#[tokio::test]
async fn what_cannot_be_swapped_says_why() {
    let world = World::new();
    let mut running = world.start(SERVER).await;
    assert_eq!(running.ask("a").await, "one a 1 of 1");
    let form = SERVER
        .replace("last: string }", "last: string, first: string }")
        .replace("last: \"\" }", "last: \"\", first: \"\" }");
    let reason = restart(running.hot.swap(&world.build(&form)).unwrap());
    assert!(reason.contains("the form `Seen` has changed"), "{reason}");
    let main = SERVER.replace("% 256", "% 255");
    let reason = restart(running.hot.swap(&world.build(&main)).unwrap());
    assert!(reason.contains("`main` has changed"), "{reason}");
    let called = SERVER
        .replace("line: string) -> string {\n    set", "line: string, n: int = 3) -> string {\n    set");
    let reason = restart(running.hot.swap(&world.build(&called)).unwrap());
    assert!(reason.contains("main"), "{reason}");
    // It goes on as it was, and can still become what it can become.
    assert_eq!(running.ask("a").await, "one a 2 of 2");
    done(&running.hot.swap(&world.build(&SERVER.replace("one", "two"))).unwrap());
    assert_eq!(running.ask("a").await, "two a 3 of 3");
    assert_eq!(running.end().await, ExitKind::Code(3));
}

#[tokio::test]
async fn a_form_that_nothing_holds_may_change() {
    let world = World::new();
    let unused = "\nform Later { x: int }\n";
    let mut running = world.start(&format!("{SERVER}{unused}")).await;
    assert_eq!(running.ask("a").await, "one a 1 of 1");
    let swap = running.hot.swap(&world.build(&format!("{SERVER}\nform Later {{ y: string }}\n"))).unwrap();
    assert_eq!(swap, Swap::Same);
    assert_eq!(running.end().await, ExitKind::Code(1));
}

#[tokio::test]
async fn a_broken_text_changes_nothing_until_it_is_mended() {
    let world = World::new();
    let mut running = world.start(SERVER).await;
    world.write(&SERVER.replace("\"one \" + line", "\"one \" + 1 + line"));
    let (built, messages) = world.try_build();
    let built = built.unwrap();
    assert!(!built.is_runnable() && built.outcome.errors > 0 && !messages.is_empty());
    assert_eq!(running.hot.swap(&built).unwrap(), Swap::Same);
    assert_eq!(running.ask("a").await, "one a 1 of 1");
    done(&running.hot.swap(&world.build(&SERVER.replace("\"one \"", "\"mended \""))).unwrap());
    assert_eq!(running.ask("a").await, "mended a 2 of 2");
    assert_eq!(running.end().await, ExitKind::Code(2));
}

#[tokio::test]
async fn panics_of_new_code_tell_their_own_place() {
    let world = World::new();
    let mut running = world.start(SERVER).await;
    assert_eq!(running.ask("a").await, "one a 1 of 1");
    let wrong = SERVER.replace(
        "    give \"one \" + line",
        "    // A line more.\n    let none_left: [int] = []\n    let lost = none_left[times]\n    give to_string(lost) + line",
    );
    done(&running.hot.swap(&world.build(&wrong)).unwrap());
    assert_eq!(running.ask("a").await, "panic: index 2 out of range for length 0");
    let message = running.line().await;
    let line = wrong.lines().position(|line| line.contains("none_left[times]")).unwrap() + 1;
    assert!(message.contains(&format!("server.vit:{line}:")), "{message}");
    assert_eq!(running.program.wait().await.unwrap(), ExitKind::Signal(6));
}

#[tokio::test]
async fn procedure_values_lead_to_new_code() {
    let world = World::new();
    let text = r#"
use vitte/stdlib/io
proc twice(n: int) -> int { give n * 2 }
proc pick_one(all: [proc(int) -> int], at: int, n: int) -> int { give all[at](n) }
proc main() -> int {
    let base = 100
    let all: [proc(int) -> int] = [twice, |n| n + base]
    loop {
        if unwrap(io.read_line()) == None { break }
        println(pick_one(all, 0, 7) * 1000 + pick_one(all, 1, 7))
    }
    give 0
}
"#;
    let mut running = world.start(text).await;
    assert_eq!(running.ask("").await, "14107");
    done(&running.hot.swap(&world.build(&text.replace("n * 2", "n * 3"))).unwrap());
    assert_eq!(running.ask("").await, "21107");
    assert_eq!(running.end().await, ExitKind::Code(0));
}

/// A loop that never rests calls `value`, which gives one of two numbers that belong together.
#[tokio::test]
async fn hundreds_of_edits_under_load_give_no_wrong_answer() {
    let world = World::new();
    let text = |n: u64| {
        format!(
            r#"
form Tally {{ calls: int, wrong: int, kinds: map<int, int> }}
proc value() -> (int, int) {{ give ({n}, {}) }}
proc check(tally: Tally) {{
    let (a, b) = value()
    set tally.calls = tally.calls + 1
    if a * a + 7 != b {{ set tally.wrong = tally.wrong + 1 }}
    set tally.kinds[a] = tally.kinds.get_or(a, 0) + 1
}}
proc is_over(tally: Tally) -> bool {{ give {n} == 0 }}
proc main() -> int {{
    let tally = Tally {{ calls: 0, wrong: 0, kinds: map {{}} }}
    println("ready")
    loop {{
        check(tally)
        if is_over(tally) {{ break }}
    }}
    println(to_string(tally.wrong) + " wrong")
    println(to_string(len(tally.kinds)) + " kinds")
    give 0
}}
"#,
            n * n + 7
        )
    };
    let mut running = world.start(&text(1)).await;
    assert_eq!(running.line().await, "ready");
    let mut random = 12_u64;
    let mut swapped = 0;
    let mut last = 1;
    for _ in 0..200 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let next = 1 + (random >> 33) % 1000;
        let swap = running.hot.swap(&world.build(&text(next))).unwrap();
        if next != last {
            done(&swap);
            swapped += 1;
        }
        last = next;
    }
    assert!(swapped > 150, "{swapped}");
    done(&running.hot.swap(&world.build(&text(0))).unwrap());
    assert_eq!(running.line().await, "0 wrong");
    let kinds = running.line().await;
    let kinds: u64 = kinds.strip_suffix(" kinds").unwrap().parse().unwrap();
    assert!(kinds > 1, "{kinds}");
    assert_eq!(running.end().await, ExitKind::Code(0));
}

#[test]
fn what_cannot_run_so_is_refused() {
    let world = World::new();
    world.write(SERVER);
    let refused = |request: BuildRequest| {
        let built = world.driver.build_hot(&request, &|_: Event| (), &CancellationToken::new());
        match built {
            Err(DriverError::BadInput { reason: "NOT_HOT", message, help }) => {
                assert!(help.contains("vitte watch run"), "{help}");
                message
            }
            other => panic!("{other:?}"),
        }
    };
    let message = refused(BuildRequest { linker: Some("cc".into()), ..world.request() });
    assert!(message.contains("`server` cannot be changed while it runs"), "{message}");
    let message = refused(BuildRequest { scratch: None, emit: Some("vbc".into()), ..world.request() });
    assert!(message.contains("no executable"), "{message}");
    // A dry run shows what would be done, and does nothing.
    let request = BuildRequest { dry_run: true, ..world.request() };
    let built = world.driver.build_hot(&request, &|_: Event| (), &CancellationToken::new()).unwrap();
    assert!(!built.is_runnable() && !built.outcome.plan.is_empty());
    assert!(matches!(world.driver.start_hot(&built), Err(DriverError::BadInput { .. })));
}
