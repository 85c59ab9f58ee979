//! The driver's verbs on real folders: what goes wrong is told, and what goes right runs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use common::worker_command;
use vitte_driver::link::Toolbox;
use vitte_driver::{
    BuildOutcome, BuildRequest, CancellationToken, Driver, DriverError, Event, LintLevel, ResolvedDiagnostic,
    Stage,
};

/// Not a test: what the embedded linker's worker process runs.
#[test]
#[ignore = "the worker process of the other tests"]
fn worker() {
    vitte_driver::worker_main();
}

/// A folder with files in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn request(&self, entry: &str) -> BuildRequest {
        BuildRequest { entry: Some(entry.into()), cwd: self.path(), ..BuildRequest::default() }
    }
}

/// Everything that was told.
#[derive(Default)]
struct Told(Mutex<Vec<Event>>);

impl vitte_driver::EventSink for Told {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Told {
    fn diagnostics(&self) -> Vec<ResolvedDiagnostic> {
        let events = self.0.lock().unwrap();
        let diagnostics = events.iter().filter_map(|event| match event {
            Event::Diagnostic(diagnostic) => Some((**diagnostic).clone()),
            _ => None,
        });
        diagnostics.collect()
    }

    fn phases(&self) -> Vec<(&'static str, u64)> {
        let events = self.0.lock().unwrap();
        let phases = events.iter().filter_map(|event| match event {
            Event::PhaseFinished { phase, executed, .. } => Some((*phase, *executed)),
            _ => None,
        });
        phases.collect()
    }
}

fn driver() -> Driver {
    Driver::with_tools(worker_command(), Toolbox::from_environment())
}

fn build(driver: &Driver, request: &BuildRequest) -> Result<(BuildOutcome, Told), DriverError> {
    let told = Told::default();
    driver.build(request, &told, &CancellationToken::new()).map(|outcome| (outcome, told))
}

fn reason(result: Result<(BuildOutcome, Told), DriverError>) -> &'static str {
    match result {
        Err(DriverError::BadInput { reason, message, help }) => {
            assert!(!message.is_empty() && !help.is_empty());
            reason
        }
        Err(error) => panic!("{error:?}"),
        Ok((outcome, _)) => panic!("{outcome:?}"),
    }
}

const HELLO: &str = "proc main() -> int {\n  println(\"hello\")\n  give 3\n}\n";

fn output_of(executable: Option<&Path>) -> (String, Option<i32>) {
    let output = loop {
        match Command::new(executable.unwrap()).output() {
            // Another thread has just forked: until its child executes, that holds our file open too.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            result => break result.unwrap(),
        }
    };
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn inputs_that_are_no_program_are_refused() {
    let folder = Folder::new(&[("a.vit", HELLO), ("dir/x", "")]);
    folder.write("bad.vit", b"proc main() { \xff }");
    let driver = driver();
    assert_eq!(reason(build(&driver, &folder.request("missing.vit"))), "NOT_FOUND");
    assert_eq!(reason(build(&driver, &folder.request("dir"))), "IS_A_DIRECTORY");
    assert_eq!(reason(build(&driver, &folder.request("bad.vit"))), "NOT_UTF8");
    let with = |change: &dyn Fn(&mut BuildRequest)| {
        let mut request = folder.request("a.vit");
        change(&mut request);
        build(&driver, &request)
    };
    assert_eq!(reason(with(&|r| r.output = Some("dir".into()))), "IS_A_DIRECTORY");
    assert_eq!(reason(with(&|r| r.output = Some("a.vit".into()))), "OUTPUT_IS_INPUT");
    assert_eq!(reason(with(&|r| r.target = Some("pdp11".into()))), "UNKNOWN_TARGET");
    assert_eq!(reason(with(&|r| r.profile = Some("fast".into()))), "UNKNOWN_PROFILE");
    let missing = Driver::with_tools(worker_command(), Toolbox::default());
    let mut request = folder.request("a.vit");
    request.linker = Some("cc".into());
    assert!(matches!(build(&missing, &request), Err(DriverError::Tool { .. })));
    assert!(std::fs::read(folder.path().join("a.vit")).unwrap() == HELLO.as_bytes());
}

#[test]
fn an_empty_file_is_a_program_without_main() {
    let folder = Folder::new(&[("a.vit", "")]);
    let (outcome, told) = build(&driver(), &folder.request("a.vit")).unwrap();
    assert_eq!(outcome.errors, 1);
    let diagnostics = told.diagnostics();
    assert_eq!(diagnostics[0].code, "LNK0071");
    assert_eq!(diagnostics[0].labels[0].span.start.line, 1);
}

#[test]
fn an_unreadable_file_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let path = folder.path().join("a.vit");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        eprintln!("skipped: root reads every file");
        return;
    }
    assert_eq!(reason(build(&driver(), &folder.request("a.vit"))), "UNREADABLE");
}

#[test]
fn a_dry_run_tells_the_plan_and_does_nothing() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let mut request = folder.request("a.vit");
    request.dry_run = true;
    let (outcome, told) = build(&driver(), &request).unwrap();
    assert!(
        outcome.plan.contains("linker      embedded") && outcome.plan.contains("digest"),
        "{}",
        outcome.plan
    );
    assert!(outcome.executable.is_none() && told.0.lock().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_caller_that_gave_up_is_heard() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let result = driver().check(&folder.request("a.vit"), &Told::default(), &cancel);
    assert!(matches!(result, Err(DriverError::Cancelled)));
}

#[test]
fn the_machine_is_described() {
    let findings = driver().doctor();
    let subjects =
        ["target", "dynamic loader", "linker embedded", "linker cc", "linker rust-lld", "debugger"];
    for subject in subjects.into_iter().chain(["kernel", "kernel openat2", "kernel Landlock"]) {
        assert!(findings.iter().any(|finding| finding.subject == subject), "{subject}");
    }
    assert_eq!(findings.iter().filter(|f| f.chosen && f.subject.starts_with("linker")).count(), 1);
}

#[test]
fn a_program_is_built_runs_and_is_equal_in_every_folder() {
    let driver = driver();
    let mut executables = Vec::new();
    for name in ["one", "another"] {
        let folder = Folder::new(&[(&format!("{name}/hello.vit"), HELLO)]);
        let mut request = folder.request("hello.vit");
        request.cwd = folder.path().join(name);
        let (outcome, told) = build(&driver, &request).unwrap();
        assert_eq!(outcome.errors, 0, "{:?}", told.diagnostics());
        assert_eq!(outcome.executable, Some(request.cwd.join("hello")));
        assert_eq!(output_of(outcome.executable.as_deref()), ("hello\n".into(), Some(3)));
        let phases: Vec<_> = told.phases().iter().map(|(phase, _)| *phase).collect();
        let order =
            ["parse", "lower", "check", "mono", "mir", "ssa", "consteval", "optimise", "codegen", "link"];
        assert_eq!(phases, order);
        executables.push(std::fs::read(outcome.executable.unwrap()).unwrap());
        // A second build does nothing anew.
        let (_, told) = build(&driver, &request).unwrap();
        assert!(
            told.phases().iter().all(|(phase, executed)| *phase == "link" || *executed == 0),
            "{:?}",
            told.phases()
        );
    }
    assert_eq!(executables[0], executables[1]);
}

#[test]
fn what_is_unchanged_is_not_done_again() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let (driver, request) = (driver(), folder.request("a.vit"));
    let check = || {
        let told = Told::default();
        let outcome = driver.check(&request, &told, &CancellationToken::new()).unwrap();
        assert_eq!(outcome.errors, 0, "{:?}", told.diagnostics());
        told.phases().into_iter().collect::<std::collections::BTreeMap<_, _>>()
    };
    let first = check();
    assert!(first["parse"] > 0 && first["lower"] > 0 && first["check"] > 0, "{first:?}");
    assert!(check().values().all(|executed| *executed == 0));
    folder.write("a.vit", format!("<<< a comment\n>>>\n\n{HELLO}").as_bytes());
    let commented = check();
    assert_eq!(commented["parse"], 1, "{commented:?}");
    assert!(commented["check"] < first["check"], "{first:?} {commented:?}");
}

#[test]
fn an_edit_is_seen_by_the_next_request() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let driver = driver();
    let request = folder.request("a.vit");
    assert_eq!(output_of(build(&driver, &request).unwrap().0.executable.as_deref()).1, Some(3));
    folder.write("a.vit", HELLO.replace("give 3", "give 4").as_bytes());
    assert_eq!(output_of(build(&driver, &request).unwrap().0.executable.as_deref()).1, Some(4));
    folder.write("a.vit", HELLO.replace("give 3", "give nothing_here").as_bytes());
    let (outcome, told) = build(&driver, &request).unwrap();
    assert!(outcome.errors >= 1 && outcome.executable.is_none());
    let span = &told.diagnostics()[0].labels[0].span;
    assert_eq!((span.file.as_str(), span.start.line, span.start.column), ("a.vit", 3, 8));
    assert_eq!(span.source_lines, ["  give nothing_here"]);
}

#[test]
fn edits_under_running_builds_cancel_and_restart_them() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let driver = driver();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let editor = scope.spawn(|| {
            for round in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return round;
                }
                let text = HELLO.replace("give 3", &format!("give {}", 3 + round % 2));
                // In one step, as editors do: a reader never sees half a file.
                vitte_sys::fs::replace(
                    &folder.path().join("a.vit"),
                    text.as_bytes(),
                    0o644,
                    vitte_sys::fs::Durability::Cached,
                )
                .unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            0
        });
        let builders: Vec<_> = (0..3)
            .map(|number| {
                let (driver, folder) = (&driver, &folder);
                scope.spawn(move || {
                    let mut request = folder.request("a.vit");
                    request.output = Some(format!("out{number}").into());
                    for _ in 0..15 {
                        let (outcome, told) = build(driver, &request).unwrap();
                        assert_eq!(outcome.errors, 0, "{:?}", told.diagnostics());
                        let (_, status) = output_of(outcome.executable.as_deref());
                        assert!(matches!(status, Some(3 | 4)), "{status:?}");
                    }
                })
            })
            .collect();
        let results: Vec<_> = builders.into_iter().map(|builder| builder.join()).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(editor.join().unwrap() > 0);
        for result in results {
            result.unwrap();
        }
    });
}

#[test]
fn modules_are_found_through_use_and_missing_ones_when_they_come() {
    let folder = Folder::new(&[("a.vit", "use b\nproc main() -> int { give b.five() }\n")]);
    let driver = driver();
    let request = folder.request("a.vit");
    let (outcome, told) = build(&driver, &request).unwrap();
    assert!(outcome.errors > 0);
    assert!(
        told.diagnostics().iter().any(|d| d.code == "RES0067" || d.code == "RES0066"),
        "{:?}",
        told.diagnostics()
    );
    folder.write("b.vit", b"export five\nproc five() -> int { give 5 }\n");
    let (outcome, told) = build(&driver, &request).unwrap();
    assert_eq!(outcome.errors, 0, "{:?}", told.diagnostics());
    assert_eq!(output_of(outcome.executable.as_deref()).1, Some(5));
}

#[test]
fn lint_levels_decide() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let mut request = folder.request("a.vit");
    request.lints = vec![(LintLevel::Deny, "warnings".into())];
    let (outcome, _) = build(&driver(), &request).unwrap();
    assert_eq!((outcome.errors, outcome.warnings), (0, 0));
}

#[test]
fn a_small_program_is_a_small_file() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let mut request = folder.request("a.vit");
    request.profile = Some("release".into());
    let (outcome, _) = build(&driver(), &request).unwrap();
    assert_eq!(output_of(outcome.executable.as_deref()), ("hello\n".into(), Some(3)));
    let size = std::fs::metadata(outcome.executable.unwrap()).unwrap().len();
    assert!(size < 32 * 1024, "{size} bytes");
}

#[test]
fn a_module_without_main_can_be_checked_but_not_built() {
    let folder = Folder::new(&[("a.vit", "proc helper() -> int { give 1 }\n")]);
    let (driver, request) = (driver(), folder.request("a.vit"));
    let outcome = driver.check(&request, &Told::default(), &CancellationToken::new()).unwrap();
    assert_eq!(outcome.errors, 0);
    let (outcome, told) = build(&driver, &request).unwrap();
    assert_eq!((outcome.errors, outcome.executable), (1, None));
    assert_eq!(told.diagnostics()[0].code, "LNK0071");
}

#[test]
fn every_stage_can_be_shown() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let driver = driver();
    for stage in
        [Stage::Tokens, Stage::Ast, Stage::Hir, Stage::Mir, Stage::Ssa, Stage::Clif, Stage::Asm, Stage::Obj]
    {
        let show = || {
            driver
                .emit(&folder.request("a.vit"), stage, None, &Told::default(), &CancellationToken::new())
                .unwrap()
        };
        let shown = show();
        assert!(!shown.bytes.is_empty(), "{stage:?}");
        assert_eq!(shown.bytes, show().bytes, "{stage:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let folder = Folder::new(&[("a.vit", HELLO)]);
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4k", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    }
    let mut request = folder.request("a.vit");
    request.output = Some("small/a".into());
    let result = build(&driver(), &request);
    let left = std::fs::read_dir(&small).unwrap().count();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    match result {
        Err(DriverError::Io { operation: "write", path, source }) => {
            assert_eq!(path, small.join("a"));
            assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        }
        other => panic!("{:?}", other.map(|(outcome, _)| outcome)),
    }
    assert_eq!(left, 0);
}
