//! The library of system calls as programs see it: every function that `sys/ffi_syscalls` exports is called by a
//! Vitte program among the language tests, programs carry of it only what they call, and any linker will do.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use vitte_tests::binaries::tests_folder;
use vitte_tests::process;
use vitte_tests::stage::{HELLO, LIMIT, Stage, end};

/// Folders of the language tests whose programs call the system.
const TOPICS: [&str; 2] = ["os", "io"];
/// Largest stripped executable of a program that prints one line, whatever it imports.
const SMALL: u64 = 6 * 1024;

/// What valgrind answers when it has found something.
const FOUND: i32 = 99;

/// The exported names of the library, from the lists that its own tests compare with what was built.
fn exported() -> BTreeSet<String> {
    let folder = tests_folder().parent().unwrap().join("sys/ffi_syscalls");
    let lists = ["symbols", "symbols-wide"];
    let text: String = lists.iter().map(|list| std::fs::read_to_string(folder.join(list)).unwrap()).collect();
    text.lines().map(str::to_owned).collect()
}

/// The programs of the topics, which are those with expected output.
fn programs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for topic in TOPICS {
        for entry in std::fs::read_dir(tests_folder().join("programs").join(topic)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "vit") && path.with_extension("stdout").is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The names in `names` that stand in the symbol table of a file.
fn symbols(file: &Path, names: &BTreeSet<String>) -> BTreeSet<String> {
    let bytes = std::fs::read(file).unwrap();
    let texts = bytes.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
    texts.filter(|text| names.contains(*text)).map(str::to_owned).collect()
}

#[test]
fn every_exported_function_is_called_by_a_program() {
    let stage = Stage::new();
    let exported = exported();
    let mut called = BTreeSet::new();
    for program in programs() {
        let object = stage.folder().join("program.o");
        let mut command = stage.command(&["emit", "--stage", "obj", "-o"]);
        command.arg(&object).arg(&program).current_dir(tests_folder().join("programs"));
        let outcome = end(command);
        assert_eq!(outcome.status, 0, "{}: {}", program.display(), outcome.stderr_text());
        called.extend(symbols(&object, &exported));
    }
    let missing: Vec<_> = exported.difference(&called).collect();
    assert!(exported.len() >= 23, "{exported:?}");
    assert!(missing.is_empty(), "no program under tests/programs/{TOPICS:?} calls {missing:?}");
}

#[test]
fn the_library_declares_what_is_exported_and_nothing_else() {
    let runtime = tests_folder().parent().unwrap().join("daemon/compiler/src/runtime");
    let text = std::fs::read_to_string(runtime.join("syscalls.vit")).unwrap();
    let declared: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("proc ")?.split('(').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, exported());
}

#[test]
fn an_import_that_is_not_used_costs_nothing() {
    let stage = Stage::new();
    let importing = format!("use vitte/stdlib/os\nuse vitte/stdlib/io\n{HELLO}");
    let calling = "use vitte/stdlib/os\nproc main() -> int { give os.process_id() % 1 }\n";
    let build = |name: &str, source: &str| {
        stage.write(&format!("{name}.vit"), source);
        let outcome = stage.vitte(&["build", &format!("{name}.vit"), "-o", name, "--profile", "release"]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
        std::fs::read(stage.folder().join(name)).unwrap()
    };
    let plain = build("hello", HELLO);
    assert!(plain.len() as u64 <= SMALL, "{} bytes", plain.len());
    assert_eq!(plain.len(), build("importing", &importing).len());
    let calling = build("calling", calling);
    assert!(calling.len() as u64 <= SMALL, "{} bytes for one system call", calling.len());
}

#[test]
fn every_linker_and_level_makes_the_same_program_of_it() {
    let stage = Stage::new();
    let programs = tests_folder().join("programs");
    let expected = std::fs::read_to_string(programs.join("os/files.stdout")).unwrap();
    for flags in [
        &["--linker", "cc"][..],
        &["--linker", "ld"],
        &["--linker", "ld.lld"],
        &["--linker", "rust-lld"],
        &["--linker", "mold"],
        &["-O0"],
        &["-O3"],
    ] {
        let mut command = stage.command(&["run"]);
        command.args(flags).arg("os/files.vit").current_dir(&programs);
        let outcome = end(command);
        if outcome.stderr_text().contains("was not found") {
            eprintln!("SKIP: no linker for {flags:?} here");
            continue;
        }
        assert_eq!(outcome.stdout_text(), expected, "{flags:?}: {}", outcome.stderr_text());
    }
}

/// Programs that start others are not among these: valgrind starts them another way.
#[test]
fn a_leak_checker_finds_nothing() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("SKIP: valgrind is not installed");
        return;
    }
    let stage = Stage::new();
    let programs = tests_folder().join("programs");
    for program in ["os/files", "os/metadata", "os/directories", "os/descriptors", "io/lines", "io/buffered"]
    {
        let built = stage.folder().join("built");
        let mut command = stage.command(&["build", "-o"]);
        command.arg(&built).arg(format!("{program}.vit")).current_dir(&programs);
        let outcome = end(command);
        assert_eq!(outcome.status, 0, "{program}: {}", outcome.stderr_text());
        let mut checked = Command::new("valgrind");
        checked
            .args(["--quiet", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all"])
            .arg(format!("--error-exitcode={FOUND}"))
            .arg(&built);
        let input = std::fs::read(programs.join(program).with_extension("stdin")).unwrap_or_default();
        let checked = process::run(checked, &input, LIMIT).unwrap();
        let said = checked.stderr_text();
        if said.contains("Fatal error at startup") {
            eprintln!("SKIP: valgrind wants the C library's debug symbols (libc6-dbg)");
            return;
        }
        assert_eq!(checked.status, 0, "{program}: {said}");
        let expected = std::fs::read_to_string(programs.join(program).with_extension("stdout")).unwrap();
        assert_eq!(checked.stdout_text(), expected, "{program}");
    }
}

#[test]
fn the_page_of_the_library_names_every_proc_of_the_system_and_its_example_runs() {
    let root = tests_folder().parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/standard-library.md")).unwrap();
    let library = root.join("daemon/compiler/src/runtime/stdlib");
    // Other modules tell their procs by comments, whose examples run (`suites/library.rs`).
    let mut folders = vec![library.join("os"), library.join("io")];
    let mut missing = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // The short forms repeat names of the long ones; their page entry tells them by example.
            if path.ends_with("simple.vit") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let exports = text.lines().filter_map(|line| line.strip_prefix("export "));
            for name in exports.flat_map(|names| names.split(", ")) {
                let is_proc = name.starts_with(|c: char| c.is_ascii_lowercase());
                if is_proc && !page.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
                {
                    missing.push(format!("{name} of {}", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "docs/standard-library.md does not name {missing:#?}");

    let example = page.split("```vitte\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let stage = Stage::new();
    stage.write("count.vit", example);
    stage.write("lines.txt", "one\ntwo\nthree");
    let outcome = stage.vitte(&["run", "count.vit", "--", "lines.txt", "none.txt"]);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (1, "lines.txt: 3\n"));
    let said = outcome.stderr_text();
    assert!(said.contains("cannot open `none.txt`: there is no such file or directory (ENOENT)\n"), "{said}");
}

/// Builds a program among the language tests that needs a setting of its own, and so is not one of them.
fn built(stage: &Stage, name: &str) -> PathBuf {
    let program = stage.folder().join(name);
    let mut command = stage.command(&["build", "-o"]);
    command.arg(&program).arg(format!("os/{name}.vit")).current_dir(tests_folder().join("programs"));
    let outcome = end(command);
    assert_eq!(outcome.status, 0, "{name}: {}", outcome.stderr_text());
    program
}

/// A shell that is the root of a user namespace, and so may mount what it alone sees.
fn shell_that_mounts(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh"]);
    command
}

const FILE_SYSTEMS: &str = "\
text text text
5
true
true
true
file
ok
4
text
text
ok ok
true
ok
write EROFS EROFS 30
append EROFS 30
create EROFS EROFS
copy EROFS 30
delete EROFS 30 30
delete EROFS EROFS
create EROFS EROFS 30
move EROFS EROFS
link EROFS
permit EROFS
open EROFS EROFS
lock 30 EROFS
write ENOSPC 28
append ENOSPC 28
write ENOSPC ENOSPC
ok
copy ENOSPC 28
4
fits
";

#[test]
fn file_systems_that_are_read_only_or_full_refuse_by_name() {
    let stage = Stage::new();
    for name in ["ro", "full"] {
        std::fs::create_dir(stage.folder().join(name)).unwrap();
    }
    let mut probe = shell_that_mounts("mount -t tmpfs none \"$1/ro\"");
    let mounts = probe.arg(stage.folder()).stderr(Stdio::null()).status();
    if !mounts.is_ok_and(|status| status.success()) {
        eprintln!("SKIP: no right to mount in a user namespace (unshare --user --map-root-user --mount)");
        return;
    }
    let mut command = shell_that_mounts(
        "mount -t tmpfs none \"$1/ro\"; mount -t tmpfs -o size=64k none \"$1/full\"
        printf text >\"$1/ro/file\"; ln -s file \"$1/ro/link\"; mkdir \"$1/ro/below\"
        mount -o remount,ro \"$1/ro\"
        exec \"$2\" \"$1/ro\" \"$1/full\"",
    );
    command.arg(stage.folder()).arg(built(&stage, "file_systems"));
    let outcome = end(command);
    assert_eq!(outcome.stdout_text(), FILE_SYSTEMS, "{}", outcome.stderr_text());
    assert_eq!(outcome.status, 0);
}

/// The rows of `edges.vit` that change nothing, and so are allowed on a file system that is read-only.
const READERS: [&str; 18] = [
    "rt_file_exists",
    "rt_file_read_text",
    "rt_file_mmap_read_text",
    "rt_file_mmap_read_bytes",
    "rt_file_size",
    "rt_file_modified_time",
    "rt_file_copy, from",
    "rt_fs_read",
    "rt_fs_read_many",
    "rt_fs_stat",
    "rt_fs_copy, from",
    "rt_fs_lock, shared",
    "rt_fd_open",
    "rt_dir_list",
    "rt_fs_list",
    "rt_dir_open",
    "rt_fs_link_target",
    "rt_fs_stat, no follow",
];

/// The rows that fill a file.
const FILLERS: [&str; 7] = [
    "rt_file_write_text",
    "rt_file_append_text",
    "rt_file_copy, to",
    "rt_fs_write",
    "rt_fs_write, append",
    "rt_fs_write, new",
    "rt_fs_copy, to",
];

/// All rows with a path: those that find what they need when it is empty.
fn rows() -> Vec<String> {
    let table = std::fs::read_to_string(tests_folder().join("programs/os/edges.stdout")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_suffix(": empty: ok")).map(str::to_owned);
    rows.collect()
}

/// Runs `edges.vit` for one case, and compares what it says of each row.
fn edges(case: &str, command: Command, rows: &[String], expected: impl Fn(&str) -> &'static str) {
    let outcome = end(command);
    let lines: Vec<_> = rows.iter().map(|row| format!("{row}: {case}: {}", expected(row))).collect();
    assert_eq!(outcome.stdout_text().lines().collect::<Vec<_>>(), lines, "{}", outcome.stderr_text());
    assert_eq!(outcome.status, 0);
}

/// What the rows of `edges.vit` look for in a folder that nothing can be changed in.
const FOUND_THERE: &str =
    "printf text >\"$1/file\"; ln -s file \"$1/link\"; mkdir \"$1/directory\"; : >\"$1/other\"";

#[test]
fn every_function_is_refused_by_a_folder_that_is_closed_to_it() {
    let stage = Stage::new();
    let program = built(&stage, "edges");
    let secret = stage.folder().join("secret");
    std::fs::create_dir(&secret).unwrap();
    let made = Command::new("sh").args(["-ec", FOUND_THERE, "sh"]).arg(&secret).status();
    assert!(made.unwrap().success());
    let mode = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&secret, 0);
    let mut command = Command::new(&program);
    // Nothing is closed to the superuser, who lets somebody else try it.
    if std::fs::read_dir(&secret).is_ok() {
        for folder in [stage.home().path(), stage.folder(), &program] {
            mode(folder, 0o755);
        }
        command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&program);
        let mut probe = Command::new("setpriv");
        probe.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "true"]);
        if !probe.status().is_ok_and(|status| status.success()) {
            eprintln!("SKIP: the superuser is refused nothing, and cannot become another user (setpriv)");
            return;
        }
    }
    command.arg("denied").arg(&secret);
    edges("denied", command, &rows(), |_| "EACCES");
    mode(&secret, 0o700);
}

#[test]
fn every_function_is_refused_by_a_file_system_that_is_read_only_or_full() {
    let stage = Stage::new();
    let folder = stage.folder().join("mounted");
    std::fs::create_dir(&folder).unwrap();
    let mut probe = shell_that_mounts("mount -t tmpfs none \"$1\"");
    let mounts = probe.arg(&folder).stderr(Stdio::null()).status();
    if !mounts.is_ok_and(|status| status.success()) {
        eprintln!("SKIP: no right to mount in a user namespace (unshare --user --map-root-user --mount)");
        return;
    }
    let program = built(&stage, "edges");
    let command = |case: &str, before: &str, after: &str| {
        let script = format!("{before}; {FOUND_THERE}; {after}; exec \"$2\" {case} \"$1\"");
        let mut command = shell_that_mounts(&script);
        command.arg(&folder).arg(&program);
        command
    };
    let read_only = command("read-only", "mount -t tmpfs none \"$1\"", "mount -o remount,ro \"$1\"");
    let rows = rows();
    edges("read-only", read_only, &rows, |row| if READERS.contains(&row) { "ok" } else { "EROFS" });
    let full = command("full", "mount -t tmpfs -o size=64k none \"$1\"", ":");
    edges("full", full, &FILLERS.map(String::from), |_| "ENOSPC");
}

#[test]
fn every_function_finds_a_folder_that_is_renamed_meanwhile_or_does_not() {
    let stage = Stage::new();
    let mut command = Command::new(built(&stage, "edges"));
    let (here, away) = (stage.folder().join("here"), stage.folder().join("away"));
    std::fs::create_dir(&here).unwrap();
    command.arg("race").arg(&here);
    let racing = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            let mut times = 0;
            while racing.load(Ordering::Relaxed) {
                // Directories are also made with those above them, and are then in the place of this one.
                if std::fs::rename(&here, &away).is_ok() {
                    while std::fs::rename(&away, &here).is_err() {
                        drop(std::fs::remove_dir_all(&here));
                    }
                    times += 1;
                }
            }
            times
        });
        edges("race", command, &rows(), |_| "ok");
        racing.store(false, Ordering::Relaxed);
        assert!(racer.join().unwrap() > 0, "nothing was renamed");
    });
}

#[test]
fn signals_that_interrupt_all_the_time_change_nothing_in_the_table() {
    let stage = Stage::new();
    let Some(handler) = handler(&stage) else { return };
    let mut command = Command::new(built(&stage, "edges"));
    // Its children have the handler too, and get none of the signals.
    command.env("LD_PRELOAD", &handler).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    // Before there is a handler, a signal would end it.
    let status = Path::new("/proc").join(child.id().to_string()).join("status");
    let catches = |text: &str| {
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
        caught.is_some_and(|mask| u64::from_str_radix(mask, 16).unwrap() & 1 << 9 != 0)
    };
    while !catches(&std::fs::read_to_string(&status).unwrap()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let storm = "while kill -USR1 \"$1\" 2>/dev/null; do :; done";
    let mut signals =
        Command::new("sh").args(["-c", storm, "sh"]).arg(child.id().to_string()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    signals.wait().unwrap();
    let expected = std::fs::read_to_string(tests_folder().join("programs/os/edges.stdout")).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.status.success(), "{}", output.status);
}

/// Functions that no case is about, as every other call goes through them.
const UNTRIED: [&str; 3] = ["rt_buf_free", "rt_free", "rt_last_errno"];

/// How many cases the table has: fewer would be a step back.
const CASES: usize = 712;

#[test]
fn the_table_of_edge_cases_is_whole() {
    let table = std::fs::read_to_string(tests_folder().join("programs/os/edges.stdout")).unwrap();
    let cases: BTreeSet<_> = table.lines().collect();
    assert_eq!((cases.len(), table.lines().count()), (CASES, CASES), "each case once");
    let tried: BTreeSet<_> = table.lines().filter_map(|line| line.split([':', ',']).next()).collect();
    let untried: Vec<_> = exported().into_iter().filter(|name| !tried.contains(name.as_str())).collect();
    assert_eq!(untried, UNTRIED);
}

#[test]
fn a_folder_that_is_renamed_meanwhile_is_there_or_is_not() {
    let stage = Stage::new();
    let mut command = Command::new(built(&stage, "renamed"));
    let (here, away) = (stage.folder().join("here"), stage.folder().join("away"));
    std::fs::create_dir(&here).unwrap();
    command.arg(&here);
    let racing = AtomicBool::new(true);
    let (outcome, times) = std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            let mut times = 0;
            while racing.load(Ordering::Relaxed) {
                std::fs::rename(&here, &away).unwrap();
                std::fs::rename(&away, &here).unwrap();
                times += 1;
            }
            times
        });
        let outcome = process::run(command, b"", LIMIT);
        racing.store(false, Ordering::Relaxed);
        (outcome.unwrap(), racer.join().unwrap())
    });
    assert_eq!(outcome.stdout_text(), "0 surprises\n", "{}", outcome.stderr_text());
    assert_eq!(outcome.status, 0);
    assert!(times > 0, "nothing was renamed");
}

/// Has a signal interrupt calls: a program of Vitte has no handlers, and without one nothing does.
const HANDLER: &str = "\
#include <signal.h>
static void on_signal(int number) { (void)number; }
__attribute__((constructor)) static void install(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, 0);
}
";

/// [`HANDLER`] as a library to be loaded before others; none, with a word, where nothing compiles it.
fn handler(stage: &Stage) -> Option<PathBuf> {
    let (source, library) = (stage.write("handler.c", HANDLER), stage.folder().join("handler.so"));
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    if made.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    eprintln!("SKIP: no C compiler (cc) for a handler of signals");
    None
}

/// A program that says what it waits for, line by line.
struct Waiting {
    child: Child,
    lines: Receiver<String>,
}

impl Waiting {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("the program says no more")
    }

    /// Sends signals, each when the last one has come and the program waits again.
    fn interrupt(&self, times: usize) {
        let process = Path::new("/proc").join(self.child.id().to_string());
        let until = |file: &str, what: &dyn Fn(&str) -> bool| {
            loop {
                let text = std::fs::read_to_string(process.join(file)).unwrap();
                assert!(!text.contains(") Z "), "the program has ended: {text}");
                if what(&text) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        for _ in 0..times {
            until("stat", &|text| text.contains(") S "));
            let sent = Command::new("kill").args(["-USR1", &self.child.id().to_string()]).status();
            assert!(sent.unwrap().success());
            until("status", &|text| text.contains("ShdPnd:\t0000000000000000"));
        }
    }

    fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a call waits for.
enum Wants {
    /// The signal itself.
    Signal,
    /// Bytes on standard input.
    Input(&'static str),
    /// A writer at the other end of the named pipe.
    Writer(&'static str),
    /// A reader there, of so many bytes.
    Reader(usize),
    /// That another program gives up a lock.
    Lock,
    /// The end of standard input.
    End,
}

const MUCH: usize = 1 << 20;

/// What each call of `interrupted.vit` waits for, and what it has in the end.
const WAITS: [(&str, Wants, &[&str]); 15] = [
    ("read_some", Wants::Input("fed"), &["<fed>"]),
    ("poll_files", Wants::Signal, &["EINTR"]),
    ("wait_for", Wants::Input("\n"), &["status 3"]),
    ("run_with", Wants::Writer("fed"), &["<fed> status 0"]),
    ("lock_file", Wants::Lock, &["ok"]),
    ("read_file", Wants::Writer("fed"), &["<fed>"]),
    ("file_read_text", Wants::Writer("fed"), &["<fed>"]),
    ("open_read", Wants::Writer("fed"), &["<fed> ok"]),
    ("write_file", Wants::Reader(MUCH), &["1048576"]),
    ("run", Wants::Input("\n"), &["status 3"]),
    ("file_write_text", Wants::Reader(MUCH), &["true"]),
    ("process_run", Wants::Input("\n"), &["4"]),
    ("file_append_text", Wants::Reader(MUCH), &["true"]),
    ("write_to", Wants::Writer("go\n"), &["1048576", "1048576", "status 0"]),
    ("read_rest", Wants::End, &["<>"]),
];

#[test]
fn calls_that_signals_interrupt_go_on_and_lose_nothing() {
    let stage = Stage::new();
    let (locked, named) = (stage.write("locked", ""), stage.folder().join("named"));
    let Some(handler) = handler(&stage) else { return };
    assert!(Command::new("mkfifo").arg(&named).status().unwrap().success());
    let program = built(&stage, "interrupted");

    let mut command = Command::new(&program);
    command.arg(&locked);
    let mut holder = Waiting::start(command);
    assert_eq!(holder.line(), "held");
    let mut command = Command::new(&program);
    command.arg(&locked).arg(&named).env("LD_PRELOAD", &handler);
    let mut waiting = Waiting::start(command);
    for (name, wants, results) in WAITS {
        assert_eq!(waiting.line(), name);
        waiting.interrupt(if matches!(wants, Wants::Signal) { 1 } else { 5 });
        match wants {
            Wants::Signal => {}
            Wants::Input(text) => waiting.input().write_all(text.as_bytes()).unwrap(),
            Wants::Writer(text) => std::fs::write(&named, text).unwrap(),
            Wants::Reader(expected) => {
                let mut reader = std::fs::File::open(&named).unwrap();
                // It was opening the pipe; now the pipe is full.
                waiting.interrupt(5);
                let mut text = String::new();
                assert_eq!(reader.read_to_string(&mut text).unwrap(), expected, "{name}");
            }
            Wants::Lock => drop(holder.child.stdin.take()),
            Wants::End => drop(waiting.child.stdin.take()),
        }
        for result in results {
            assert_eq!(waiting.line().trim(), *result, "{name}");
        }
    }
    assert!(waiting.child.wait().unwrap().success());
    assert!(holder.child.wait().unwrap().success());
}
