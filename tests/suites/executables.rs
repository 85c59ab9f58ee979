//! What the compiler makes: executables that are small, equal for equal input, known to the debugger,
//! and clean with memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;

use vitte_tests::binaries::tests_folder;
use vitte_tests::process::Outcome;
use vitte_tests::stage::{HELLO, Stage, end};

/// Largest stripped executable of a program that prints one line.
const SMALL: u64 = 32 * 1024;
/// What valgrind answers when it has found something.
const FOUND: i32 = 99;

/// Builds `source` of the stage's folder; the executable's path.
fn build(stage: &Stage, source: &str, flags: &[&str]) -> PathBuf {
    let executable = stage.folder().join("built").join(Path::new(source).with_extension("out"));
    let mut command = stage.command(&["build", source, "-o"]);
    command.arg(&executable).args(flags);
    let outcome = end(command);
    assert_eq!(outcome.status, 0, "{source}: {}", outcome.stderr_text());
    executable
}

/// The output of a tool that need not be installed.
fn tool(name: &str, prepare: impl FnOnce(&mut Command)) -> Option<Outcome> {
    let mut command = Command::new(name);
    if command.arg("--version").output().is_err() {
        eprintln!("SKIP: {name} is not installed");
        return None;
    }
    let mut command = Command::new(name);
    prepare(&mut command);
    Some(end(command))
}

#[test]
fn a_small_program_is_small_and_needs_the_c_library_alone() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let release = build(&stage, "a.vit", &["--profile", "release"]);
    let size = std::fs::metadata(&release).unwrap().len();
    assert!(size < SMALL, "{size} bytes with the release profile");

    let debug = build(&stage, "a.vit", &[]);
    if tool("strip", |strip| {
        strip.arg(&debug);
    })
    .is_some()
    {
        let size = std::fs::metadata(&debug).unwrap().len();
        assert!(size < SMALL, "{size} bytes stripped");
    }
    let Some(listed) = tool("readelf", |readelf| {
        readelf.arg("-dW").arg(&release);
    }) else {
        return;
    };
    let listed = listed.stdout_text();
    let needed: Vec<_> = listed.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.len() == 1 && needed[0].contains("[libc.so.6]"), "{listed}");
}

#[test]
fn equal_sources_give_equal_executables() {
    let stage = Stage::new();
    let source = std::fs::read(tests_folder().join("programs/large/json.vit")).unwrap();
    let folders = ["here", "much/further/down"];
    for folder in folders {
        stage.write(&format!("{folder}/json.vit"), &source);
    }
    let make = |folder: &str, name: String, flags: &[&str], threads: Option<usize>| {
        let folder = stage.folder().join(folder);
        let mut command = stage.command(flags);
        command.current_dir(&folder).args(["build", "json.vit", "-o", &name]);
        if let Some(threads) = threads {
            let config = stage.folder().join(format!("config{threads}/vitte"));
            std::fs::create_dir_all(&config).unwrap();
            let text = format!("[service]\ncompile_threads = {threads}\n");
            std::fs::write(config.join("config.toml"), text).unwrap();
            command.env("XDG_CONFIG_HOME", config.parent().unwrap());
        }
        let outcome = end(command);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
        std::fs::read(folder.join(name)).unwrap()
    };
    let first = make(folders[0], "first".into(), &[], None);
    for threads in [1, 2, 7] {
        let name = format!("threads{threads}");
        let again = make(folders[1], name, &["--no-daemon"], Some(threads));
        assert!(first == again, "the executables differ with {threads} threads");
    }
    // At once on one service, in both folders: the threads meet in ever different order.
    std::thread::scope(|scope| {
        let make = &make;
        let all: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || make(folders[n % 2], format!("thread{n}"), &[], None)))
            .collect();
        for one in all {
            assert!(first == one.join().unwrap(), "the executables differ when built at once");
        }
    });
}

#[test]
fn the_debugger_stops_on_a_line_and_prints_the_calls() {
    let stage = Stage::new();
    let text = "proc inner(n: int) -> int {
    let twice = n * 2
    println(twice)
    give twice
}
proc outer(n: int) -> int {
    give inner(n + 1)
}
proc main() -> int {
    give outer(20) - 42
}
";
    stage.write("steps.vit", text);
    let executable = build(&stage, "steps.vit", &["-O0"]);
    let session = tool("gdb", |gdb| {
        let commands = ["set confirm off", "break steps.vit:3", "run", "backtrace", "continue"];
        gdb.args(["-q", "-batch", "-nx"]).args(commands.iter().flat_map(|command| ["-ex", command]));
        gdb.arg(&executable).current_dir(stage.folder()).env("DEBUGINFOD_URLS", "");
    });
    let Some(session) = session else { return };
    let said = session.stdout_text();
    for line in [
        "Breakpoint 1 at",
        "line 3.",
        "3\t    println(twice)",
        "#0",
        "steps.vit:3\n",
        "#1",
        "outer",
        "steps.vit:7\n",
        "#2",
        "main",
        "steps.vit:10\n",
        "exited normally",
    ] {
        assert!(said.contains(line), "`{line}` is missing:\n{said}\n{}", session.stderr_text());
    }
}

#[test]
fn a_leak_checker_finds_nothing() {
    let stage = Stage::new();
    let programs = tests_folder().join("programs");
    for program in [
        "memory/shared_then_changed.vit",
        "memory/deep_structures.vit",
        "strings/trim_split_replace.vit",
        "large/json.vit",
        "large/lru_cache.vit",
        "large/text_diff.vit",
        "large/tokenizer.vit",
    ] {
        let source = std::fs::read(programs.join(program)).unwrap();
        let name = Path::new(program).file_name().unwrap().to_str().unwrap();
        stage.write(name, source);
        let executable = build(&stage, name, &[]);
        let checked = tool("valgrind", |valgrind| {
            valgrind.args([
                "--quiet",
                "--leak-check=full",
                "--show-leak-kinds=all",
                "--errors-for-leak-kinds=all",
            ]);
            valgrind.arg(format!("--error-exitcode={FOUND}")).arg(&executable);
        });
        let Some(checked) = checked else { return };
        let said = checked.stderr_text();
        if said.contains("Fatal error at startup") {
            eprintln!("SKIP: valgrind wants the C library's debug symbols (libc6-dbg)");
            return;
        }
        assert_eq!(checked.status, 0, "{program}: {said}");
    }
}

#[test]
fn a_program_that_loops_stays_flat() {
    let stage = Stage::new();
    let text = "form Person {
    name: string,
    tags: list[string]
}
proc grow(n: int) -> list[Person] {
    let mut people: list[Person] = []
    for i in 0..n {
        let name = \"person \" + (i as string)
        people.push(Person { name: name, tags: [name, name + \"!\"] })
    }
    give people
}
proc main() -> int {
    let mut total = 0
    for round in 0..20000 {
        let mut people = grow(20)
        let copy = people[1]
        set people[1].name = \"changed \" + (round as string)
        set total = total + len(people[1].name) + len(copy.tags[1])
    }
    println(total)
    give 0
}
";
    stage.write("loops.vit", text);
    let executable = build(&stage, "loops.vit", &[]);
    // 20,000 rounds make some 1.6 million strings, about 100 MB, if nothing is freed.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 20000 && exec \"$0\""]).arg(&executable);
    let outcome = end(command);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr_text());
}
