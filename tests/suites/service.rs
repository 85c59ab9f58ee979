//! The life of the service: started on demand, once; killed and replaced; unharmed by the programs
//! it runs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use vitte_tests::generator::{Change, Files, Options, SaveStyle, Workspace};
use vitte_tests::process;
use vitte_tests::random::Random;
use vitte_tests::services::{eventually, processes, services, signal};
use vitte_tests::stage::{HELLO, LIMIT, Stage, end};

/// How often the service is killed.
const KILLS: usize = 200;
/// How much the talkative program prints.
const TALK: u64 = 1 << 30;

#[test]
fn it_starts_on_demand_and_stops_when_asked() {
    let stage = Stage::new();
    assert!(services(&stage).is_empty());
    stage.assert_works();
    let first = services(&stage);
    assert_eq!(first.len(), 1);
    stage.assert_works();
    assert_eq!(services(&stage), first, "one service serves all commands");
    assert_eq!(stage.vitte(&["daemon", "status"]).status, 0);
    assert_eq!(stage.vitte(&["daemon", "restart"]).status, 0);
    let second = services(&stage);
    assert!(second.len() == 1 && second != first);
    assert_eq!(stage.vitte(&["daemon", "logs"]).status, 0);
    assert_eq!(stage.vitte(&["daemon", "stop"]).status, 0);
    eventually("the end of the service", || services(&stage).is_empty());
    assert_ne!(stage.vitte(&["daemon", "status"]).status, 0, "there is nothing to tell the status of");
    assert!(services(&stage).is_empty(), "asking for the status starts nothing");
}

#[test]
fn no_daemon_leaves_nothing_behind() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    let outcome = stage.vitte(&["--no-daemon", "run", "a.vit"]);
    assert_eq!((outcome.status, outcome.stdout_text().as_str()), (0, "hello\n"), "{}", outcome.stderr_text());
    eventually("the end of the private service", || services(&stage).is_empty());
}

#[test]
fn many_clients_at_once_start_one_service() {
    let stage = Stage::new();
    stage.write("a.vit", HELLO);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| stage.vitte(&["run", "a.vit"]))).collect();
        for client in clients {
            let outcome = client.join().unwrap();
            assert_eq!(
                (outcome.status, outcome.stdout_text().as_str()),
                (0, "hello\n"),
                "{}",
                outcome.stderr_text()
            );
        }
    });
    assert_eq!(services(&stage).len(), 1);
}

#[test]
fn sockets_and_their_folder_are_the_owners_alone() {
    use std::os::unix::fs::FileTypeExt;
    let stage = Stage::new();
    stage.assert_works();
    let mut sockets = 0;
    let mut folders = vec![stage.home().path().join("run/vitte")];
    while let Some(folder) = folders.pop() {
        assert_eq!(
            std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
            0o700,
            "{}",
            folder.display()
        );
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_socket() {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                sockets += 1;
            }
        }
    }
    assert!(sockets > 0);
}

#[test]
fn every_kill_is_followed_by_a_working_command() {
    let stage = Stage::new();
    stage.assert_works();
    for round in 0..KILLS {
        for process in services(&stage) {
            signal("KILL", process);
        }
        let outcome = stage.vitte(&["run", "still_works.vit"]);
        assert_eq!(
            (outcome.status, outcome.stdout_text().as_str(), outcome.stderr_text().as_str()),
            (0, "hello\n", ""),
            "round {round}"
        );
    }
    assert_eq!(services(&stage).len(), 1);
    stage.assert_works();
}

#[test]
fn a_stale_socket_is_replaced() {
    let stage = Stage::new();
    stage.assert_works();
    for process in services(&stage) {
        signal("KILL", process);
    }
    eventually("the death of the service", || services(&stage).is_empty());
    stage.assert_works();
}

#[test]
fn a_program_that_overflows_its_stack_ends_by_a_signal() {
    let stage = Stage::new();
    let text = "proc down(n: int) -> int { give 1 + down(n + 1) }\nproc main() -> int { give down(0) }\n";
    stage.write("a.vit", text);
    let outcome = stage.vitte(&["run", "a.vit"]);
    let said = outcome.stderr_text();
    assert_eq!(outcome.status, 139, "{said}");
    assert!(said.contains("SIGSEGV") && said.contains("help: a very deep recursion"), "{said}");
    stage.assert_works();
}

#[test]
fn a_gibibyte_of_output_arrives() {
    let stage = Stage::new();
    let text = "proc main() -> int {
    let line = \"0123456789abcde\"
    for _ in 0..12 { set line = line + \"\\n\" + line }
    for _ in 0..16384 { println(line) }
    give 0
}
";
    stage.write("a.vit", text);
    let mut command = stage.command(&["run", "a.vit"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0_u64;
    loop {
        let read = output.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        total += read as u64;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(total, TALK);
    stage.assert_works();
}

#[test]
fn ctrl_c_reaches_a_program_that_never_ends() {
    let stage = Stage::new();
    stage.write("endless.vit", "proc main() -> int {\n    println(\"running\")\n    loop { }\n}\n");
    let built = stage.vitte(&["build", "endless.vit", "-o", "endless"]);
    assert_eq!(built.status, 0, "{}", built.stderr_text());
    for flags in [&["run", "endless.vit"][..], &["--no-daemon", "run", "endless.vit"]] {
        let before = spinning();
        let mut child = stage.command(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("the program", || spinning().len() > before.len());
        signal("INT", child.id());
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{flags:?} does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        use std::os::unix::process::ExitStatusExt;
        assert!(status.code() == Some(130) || status.signal() == Some(2), "{flags:?}: {status}");
        eventually("the program's end", || spinning().len() == before.len());
    }
    stage.assert_works();

    /// Processes whose program is called `endless`, as the run names what it builds.
    fn spinning() -> Vec<u32> {
        processes(|folder| {
            std::fs::read_to_string(folder.join("comm"))
                .is_ok_and(|name| name.trim_end().starts_with("endless"))
        })
    }
}

#[test]
fn what_a_program_forks_ends_with_it() {
    let stage = Stage::new();
    stage.write("forker.vit", HELLO);
    // The language has no fork of its own yet: a linker that answers with a program which does.
    let linker = stage.write(
        "linker",
        "#!/bin/sh\nprintf '#!/bin/sh\\nsleep 98765 &\\necho parent\\n' > \"$1\"\nchmod 755 \"$1\"\n",
    );
    std::fs::set_permissions(&linker, PermissionsExt::from_mode(0o755)).unwrap();
    let linker = format!("{} {{output}} {{inputs}}", linker.display());
    let started = Instant::now();
    let outcome = stage.vitte(&["run", "--linker", &linker, "forker.vit"]);
    assert_eq!(
        (outcome.status, outcome.stdout_text().as_str()),
        (0, "parent\n"),
        "{}",
        outcome.stderr_text()
    );
    assert!(started.elapsed() < Duration::from_secs(60), "the child keeps the run from ending");
    let running = || {
        processes(|folder| std::fs::read(folder.join("cmdline")).is_ok_and(|all| all == b"sleep\x0098765\0"))
    };
    eventually("the child's end", || running().is_empty());
    stage.assert_works();
}

#[test]
fn a_time_limit_ends_a_program() {
    let stage = Stage::new();
    stage.write("a.vit", "proc main() -> int { loop { } }\n");
    let started = Instant::now();
    let outcome = process::run(stage.command(&["run", "--timeout", "1", "a.vit"]), b"", LIMIT).unwrap();
    assert_eq!(outcome.status, 75, "{}", outcome.stderr_text());
    assert!(outcome.stderr_text().contains("time limit"), "{}", outcome.stderr_text());
    assert!(started.elapsed() < Duration::from_secs(60));
    stage.assert_works();
}

#[test]
fn a_client_that_is_killed_takes_its_program_along() {
    let stage = Stage::new();
    stage.write("orphan.vit", "proc main() -> int {\n    loop { }\n}\n");
    stage.assert_works();
    let mut child =
        stage.command(&["run", "orphan.vit"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = || {
        processes(|folder| {
            std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.starts_with("orphan"))
        })
    };
    eventually("the program", || !running().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the program's end", || running().is_empty());
    stage.assert_works();
}

#[test]
fn a_service_that_does_nothing_uses_no_processor() {
    let stage = Stage::new();
    stage.assert_works();
    let service = services(&stage)[0];
    std::thread::sleep(Duration::from_millis(500));
    let before = ticks(service);
    std::thread::sleep(Duration::from_secs(2));
    let used = ticks(service) - before;
    assert!(used <= 2, "{used} ticks of processor time in two idle seconds");

    /// User and system time in clock ticks.
    fn ticks(process: u32) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

#[test]
fn private_and_resident_service_say_the_same() {
    let stage = Stage::new();
    stage.write("a.vit", "proc main() -> int {\n    println(missing)\n    give nothing\n}\n");
    let resident = stage.vitte(&["check", "a.vit"]);
    let private = end(stage.command(&["--no-daemon", "check", "a.vit"]));
    assert_eq!(resident.status, 1);
    assert_eq!((resident.status, resident.stdout_text()), (private.status, private.stdout_text()));
    assert_eq!(resident.stderr_text(), private.stderr_text());
}

/// Voluntary context switches of each thread of a process so far, by thread id, with the thread's name.
fn switches(process: u32) -> BTreeMap<u32, (String, u64)> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks
        .flatten()
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let count = value("voluntary_ctxt_switches:")?.parse().ok()?;
            Some((task.file_name().to_str()?.parse().ok()?, (value("Name:")?.to_owned(), count)))
        })
        .collect()
}

/// A thread that wakes up gives up its processor again: that is a voluntary switch.
#[test]
fn a_service_at_rest_does_not_wake_up() {
    const SECONDS: u64 = 4;
    let stage = Stage::new();
    Workspace::new(&Options::new(20, 3)).vitte().write(stage.folder()).unwrap();
    assert_eq!(stage.vitte(&["build"]).status, 0);
    assert_eq!(stage.vitte(&["build"]).status, 0);
    let [service] = services(&stage)[..] else { panic!("there is one service") };
    // What is published and settled behind the builds ends some seconds after them.
    let mut woken = Vec::new();
    for _ in 0..6 {
        let before = switches(service);
        std::thread::sleep(Duration::from_secs(SECONDS));
        let after = switches(service);
        let news = |(id, (name, count)): (&u32, &(String, u64))| {
            let more = count - before.get(id).map_or(0, |(_, count)| *count);
            (more > 0).then(|| (name.clone(), more))
        };
        woken = after.iter().filter_map(news).collect();
        if woken.is_empty() {
            return;
        }
    }
    // Timers of the index's threads may be served with somebody else's, never by themselves once a second.
    let sum: u64 = woken.iter().map(|(_, count)| count).sum();
    let is_index = |(name, _): &(String, u64)| name.starts_with("sled-io");
    assert!(woken.iter().all(is_index) && sum <= SECONDS, "{sum} wake-ups in {SECONDS} s: {woken:?}");
}

#[test]
fn memory_stays_below_its_budget() {
    const BUDGET: u64 = 288 << 20;
    let stage = Stage::new();
    let settings = stage.home().path().join("config/vitte");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("config.toml"), format!("[service]\nmemory = \"{BUDGET} B\"\n")).unwrap();
    let status = || -> serde_json::Value {
        let outcome = stage.vitte(&["daemon", "status", "--json"]);
        serde_json::from_str(&outcome.stdout_text()).unwrap()
    };
    let mut random = Random::new(5);
    let mut workspaces: Vec<(String, Workspace, Files)> = (0..4)
        .map(|at| {
            let workspace = Workspace::new(&Options::new(150, at));
            let files = workspace.vitte();
            files.write(&stage.folder().join(format!("w{at}"))).unwrap();
            (format!("w{at}"), workspace, files)
        })
        .collect();
    let mut largest = 0;
    for round in 0..2 {
        for (name, workspace, files) in &mut workspaces {
            let folder = stage.folder().join(&*name);
            for _ in 0..3 {
                workspace.change(Change::Body, &mut random);
                let edited = workspace.vitte();
                edited.replace(files, &folder, SaveStyle::Replace).unwrap();
                *files = edited;
                let outcome = stage.vitte(&["build", name]);
                assert_eq!(outcome.status, 0, "{name}: {}", outcome.stderr_text());
            }
            largest = largest.max(status()["resident_bytes"].as_u64().unwrap());
        }
        eventually("less than the budget", || status()["resident_bytes"].as_u64().unwrap() <= BUDGET);
        assert!(status()["workspaces_in_memory"].as_u64().unwrap() < 4, "round {round}");
    }
    assert!(largest > BUDGET, "{largest} bytes at most: the budget was never in danger");
    let told = status();
    assert!(told["workspaces_forgotten"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(told["memory_budget_bytes"], BUDGET);
    // What was forgotten is built as before.
    for (name, ..) in &workspaces {
        let resident = stage.vitte(&["build", name, "-o", "one"]);
        let private = stage.vitte(&["--no-daemon", "build", "--check-cache", name, "-o", "two"]);
        assert_eq!((resident.status, private.status), (0, 0), "{}", private.stderr_text());
        let bytes = |name: &str| std::fs::read(stage.folder().join(name)).unwrap();
        assert!(bytes("one") == bytes("two"), "{name}");
    }
}
