//! What is particular to Windows: paths that try to leave a root, names that Windows reads differently,
//! replacing open files, locks, jobs, pipes, console events. `.ci/steps/sys-cross-test` runs it on
//! Linux, under wine.
#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::zombie_processes, reason = "children that nobody waits for are what is tested")]
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vitte_sys::fs::{self, Durability, FileKind, FileLock, RangeLock, Reader, Root, Sharing};
use vitte_sys::process::{Child, Command, Ended, Limits, Stage, Stdio, Termination};
use vitte_sys::sandbox::{Policy, Rung};
use vitte_sys::{Kind, memory, net, process, signals, thread, time};

mod common;
use common::Scratch;

/// Set for this program when it is started again as a child; what the child is to do.
const ROLE: &str = "VITTE_SYS_WINDOWS_ROLE";

/// Not a test: what the children of the tests do.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    match role.as_str() {
        "end" => std::process::exit(42),
        "echo" => {
            let arguments: Vec<String> = std::env::args().skip(4).collect();
            println!("{arguments:?}|{}", std::env::var("GREETING").unwrap_or_default());
            println!("{}", std::env::current_dir().unwrap().display());
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input).unwrap();
            println!("{input}");
        }
        "wait" => {
            println!("ready");
            std::thread::sleep(Duration::from_secs(1000));
        }
        "parent" => {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "role", "--nocapture"]).env(ROLE, "wait");
            let child = child.spawn().unwrap();
            println!("child {}", child.id());
            std::thread::sleep(Duration::from_secs(1000));
        }
        "orphan" => {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "role", "--nocapture"]).env(ROLE, "wait");
            child.stdout(std::process::Stdio::null());
            println!("child {}", child.spawn().unwrap().id());
            std::process::exit(3);
        }
        "greedy" => {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            for _ in 0..64 {
                let mut more = Vec::new();
                if more.try_reserve_exact(16 << 20).is_err() {
                    println!("refused after {}", kept.len());
                    std::process::exit(7);
                }
                more.resize(16 << 20, 1);
                kept.push(more);
            }
            std::process::exit(0);
        }
        other => panic!("no role `{other}`"),
    }
    std::process::exit(0);
}

fn in_role(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// The next line of a child's output that begins with `start`, less that.
fn line(output: &mut impl BufRead, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "no line `{start}`");
        if let Some(rest) = line.strip_prefix(start) {
            return rest.trim().to_owned();
        }
    }
}

fn ends(process: u32) -> bool {
    match net::pin_process(process.cast_signed()) {
        Ok(process) => net::wait_readable(&process, Some(Duration::from_secs(10))).unwrap(),
        Err(_) => true,
    }
}

/// A link under wine may be refused; Windows refuses it to users without the privilege.
fn symlink(target: &Path, link: &Path) -> bool {
    let made = match target.is_dir() {
        true => std::os::windows::fs::symlink_dir(target, link),
        false => std::os::windows::fs::symlink_file(target, link),
    };
    // Wine says yes and makes none.
    made.is_ok() && std::fs::symlink_metadata(link).is_ok_and(|found| found.is_symlink())
}

/// Makes the directory `link` a junction to `target`, which needs no privilege.
fn junction(target: &Path, link: &Path) -> bool {
    let mut command = std::process::Command::new("cmd.exe");
    command.args(["/c", "mklink", "/J"]).arg(link).arg(target);
    command.output().is_ok_and(|output| output.status.success())
        && std::fs::symlink_metadata(link).is_ok_and(|found| found.is_symlink())
}

#[test]
fn nothing_leaves_a_root() {
    let scratch = Scratch::new("root");
    let inside = scratch.path().join("in");
    std::fs::create_dir_all(inside.join("d/e")).unwrap();
    std::fs::write(scratch.path().join("secret"), "secret").unwrap();
    std::fs::write(inside.join("file"), "inside").unwrap();
    std::fs::write(inside.join("d/file"), "below").unwrap();
    let root = Root::open(&inside).unwrap();
    assert_eq!(root.read("file", 100).unwrap(), b"inside");
    assert_eq!(root.read(r"d\file", 100).unwrap(), b"below");
    assert_eq!(root.read("d/../file", 100).unwrap(), b"inside");
    assert_eq!(root.read("D/FILE", 100).unwrap(), b"below", "names differ by more than case");
    let absolute = scratch.path().join("secret");
    let verbatim = format!(r"\\?\{}", absolute.display());
    let tries = [
        "../secret",
        r"..\secret",
        r"d\..\..\secret",
        "d/e/../../../secret",
        absolute.to_str().unwrap(),
        verbatim.as_str(),
        r"\\.\C:\secret",
        r"\??\C:\secret",
        r"\\localhost\C$\secret",
        r"C:secret",
        r"C:..\secret",
        r"\secret",
        "/secret",
        "file:stream",
        "file::$DATA",
        "d:$I30:$INDEX_ALLOCATION",
        "NUL",
        "nul.txt",
        "CON",
        "COM1",
        "lpt9.log",
        "CONIN$",
        "file.",
        "file ",
        "...",
        "a*",
        "a?",
        "a|b",
        "a<b",
        "a\u{1}b",
    ];
    for path in tries {
        assert!(root.read(path, 100).is_err(), "read `{path}`");
        assert!(root.open_writable(path, 0o644).is_err(), "opened `{path}`");
        assert!(root.replace(path, b"x", 0o644, Durability::Cached).is_err(), "replaced `{path}`");
        assert!(root.create_directories(path).is_err(), "created `{path}`");
        assert!(root.remove_tree(path).is_err(), "removed `{path}`");
        assert!(root.rename("file", path).is_err(), "renamed to `{path}`");
        assert!(root.copy("file", path).is_err(), "copied to `{path}`");
    }
    assert_eq!(std::fs::read(&absolute).unwrap(), b"secret");
    assert_eq!(root.read("file", 100).unwrap(), b"inside");
    assert_eq!(root.entries(".").unwrap().len(), 2);
    assert_eq!(root.below("d").unwrap().read("../file", 100).unwrap_err().errno(), Some(17));
    assert_eq!(root.read("none", 100).unwrap_err().service_kind(), Kind::NotFound);
    assert_eq!(root.read("d", 100).unwrap_err().errno(), Some(336));
    assert_eq!(root.stamp("file/below").unwrap(), None);
    assert_eq!(root.stamp("d").unwrap().unwrap().kind, FileKind::Directory);
}

#[test]
fn links_and_junctions_do_not_lead_outside() {
    let scratch = Scratch::new("links");
    let inside = scratch.path().join("in");
    std::fs::create_dir_all(inside.join("d")).unwrap();
    std::fs::create_dir_all(scratch.path().join("outside")).unwrap();
    std::fs::write(scratch.path().join("outside/secret"), "secret").unwrap();
    std::fs::write(inside.join("d/file"), "inside").unwrap();
    let root = Root::open(&inside).unwrap();
    if symlink(&scratch.path().join("outside"), &inside.join("out")) {
        assert!(root.read("out/secret", 100).is_err());
        assert!(root.entries("out").is_err());
        root.remove_tree("out").unwrap();
    } else {
        println!("SKIP links_and_junctions_do_not_lead_outside: symbolic links cannot be made here");
    }
    if root.symlink("d", "within").is_ok() {
        assert_eq!(root.read_link("within").unwrap(), Path::new("d"));
        assert_eq!(root.read("within/file", 100).unwrap(), b"inside");
        root.symlink(r"..\outside", "up").unwrap();
        assert_eq!(root.read("up/secret", 100).unwrap_err().errno(), Some(17));
        root.remove_file("up").unwrap();
        root.remove_file("within").unwrap();
    } else {
        println!("SKIP links_and_junctions_do_not_lead_outside: reparse points cannot be set here");
    }
    if junction(&scratch.path().join("outside"), &inside.join("junction")) {
        assert!(root.read("junction/secret", 100).is_err());
        root.remove_tree("junction").unwrap();
    } else {
        println!("SKIP links_and_junctions_do_not_lead_outside: junctions cannot be made here");
    }
    assert_eq!(std::fs::read(scratch.path().join("outside/secret")).unwrap(), b"secret");
}

#[test]
fn replacing_is_all_or_nothing() {
    let scratch = Scratch::new("replace");
    let file = scratch.path().join("a");
    fs::write(&file, b"one").unwrap();
    for (durability, bytes) in
        [(Durability::Flushed, "two"), (Durability::Whole, "three"), (Durability::Cached, "four")]
    {
        fs::replace(&file, bytes.as_bytes(), 0o644, durability).unwrap();
        assert_eq!(fs::read(&file).unwrap(), bytes.as_bytes());
    }
    std::fs::create_dir(scratch.path().join("d")).unwrap();
    assert!(fs::write(&scratch.path().join("d"), b"x").is_err());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 2, "no temporary is left");
    // Somebody reads the old file, as programs do here: sharing what they can.
    let reader = std::fs::File::open(&file).unwrap();
    match fs::write(&file, b"new") {
        Ok(()) => {
            let mut old = String::new();
            (&reader).read_to_string(&mut old).unwrap();
            assert_eq!((old.as_str(), fs::read(&file).unwrap().as_slice()), ("four", b"new".as_slice()));
        }
        // Wine 8 knows the older renames only, to which an open file is in the way.
        Err(error) => {
            assert_eq!((error.errno(), fs::read(&file).unwrap().as_slice()), (Some(5), b"four".as_slice()));
            println!("SKIP replacing_is_all_or_nothing: open files cannot be replaced here");
            drop(reader);
            fs::write(&file, b"new").unwrap();
        }
    }
    // Somebody who shares nothing is in the way, and the old file stays.
    let greedy = OpenOptions::new().read(true).share_mode(0).open(&file).unwrap();
    let error = fs::write(&file, b"newer").unwrap_err();
    assert!([Kind::Unavailable, Kind::PermissionDenied].contains(&error.service_kind()), "{error}");
    drop(greedy);
    assert_eq!(fs::read(&file).unwrap(), b"new");
    fs::write(&file, b"newer").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"newer");
    let root = Root::open(scratch.path()).unwrap();
    root.copy("a", "b").unwrap();
    assert_eq!(root.copy("a", "b").unwrap_err().errno(), Some(183));
    assert_eq!(root.rename_new("a", "b").unwrap_err().errno(), Some(183));
    root.rename("a", "b").unwrap();
    assert_eq!(root.read("b", 100).unwrap(), b"newer");
    assert_eq!(fs::copy(&scratch.path().join("b"), &scratch.path().join("B")).unwrap_err().errno(), Some(87));
    // Read-only files are replaced and removed all the same, as where directories decide.
    let mut permissions = std::fs::metadata(scratch.path().join("b")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(scratch.path().join("b"), permissions).unwrap();
    root.remove_file("b").unwrap();
    assert_eq!(root.remove_file("b").unwrap_err().errno(), Some(2));
    assert_eq!(root.remove_file("d").unwrap_err().errno(), Some(336));
}

#[test]
fn trees_are_made_listed_read_and_removed() {
    let scratch = Scratch::new("tree");
    let root = Root::open(scratch.path()).unwrap();
    root.create_directories("a/b/c").unwrap();
    root.create_directories("a/b/c").unwrap();
    let names: Vec<String> = (0..500).map(|number| format!("file-{number:03}-ä")).collect();
    for name in &names {
        root.replace(format!("a/{name}"), name.as_bytes(), 0o644, Durability::Cached).unwrap();
    }
    let listed = root.entries("a").unwrap();
    assert_eq!(listed.len(), 501);
    assert_eq!(listed.iter().filter(|entry| entry.kind == FileKind::Directory).count(), 1);
    let below = root.below("a").unwrap();
    let mut seen = 0;
    Reader::new().read_many(&below, &names, 100, |visit| {
        assert_eq!(visit.file.unwrap().0, names[visit.index].as_bytes());
        seen += 1;
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(seen, 500);
    // Deeper than a path may be.
    let mut deep = Root::open(scratch.path()).unwrap();
    for _ in 0..100 {
        deep.create_directories("deeper").unwrap();
        deep = deep.below("deeper").unwrap();
    }
    deep.replace("leaf", b"x", 0o644, Durability::Cached).unwrap();
    drop((deep, below));
    root.remove_tree("deeper").unwrap();
    root.remove_tree("a").unwrap();
    assert_eq!(root.entries(".").unwrap(), []);
    assert_eq!(root.remove_tree("a").unwrap_err().errno(), Some(2));
}

#[test]
fn locks_are_held_once_and_leave_the_file_readable() {
    let scratch = Scratch::new("lock");
    let path = scratch.path().join("lock");
    let held = FileLock::try_exclusive(&path).unwrap().unwrap();
    held.file().write_all(b"process 7").unwrap();
    assert!(FileLock::exclusive(&path, Duration::from_millis(20)).unwrap().is_none());
    assert_eq!(fs::read(&path).unwrap(), b"process 7", "others read who holds it");
    drop(held);
    assert!(FileLock::try_exclusive(&path).unwrap().is_some());
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let (one, two) = (open(), open());
    let first = RangeLock::try_take(&one, 0..10, Sharing::Exclusive).unwrap().unwrap();
    assert!(RangeLock::try_take(&two, 5..6, Sharing::Shared).unwrap().is_none());
    let rest = RangeLock::try_take(&two, 10..u64::MAX, Sharing::Shared).unwrap().unwrap();
    assert!(RangeLock::try_take(&one, 10..20, Sharing::Shared).unwrap().is_some());
    drop(open());
    assert!(RangeLock::try_take(&two, 0..1, Sharing::Shared).unwrap().is_none(), "another close keeps it");
    drop((first, rest));
    assert!(RangeLock::try_take(&two, 0..u64::MAX, Sharing::Exclusive).unwrap().is_some());
    assert!(RangeLock::try_take(&two, 5..5, Sharing::Shared).is_err());
}

#[test]
fn memory_changes_its_protection_by_type() {
    let mut pages = memory::Pages::new(10).unwrap();
    assert!(pages.len().is_multiple_of(4096) && pages.iter().all(|byte| *byte == 0));
    // `ret`, for x86-64.
    pages[0] = 0xc3;
    let pages = pages.read_only().unwrap().executable().unwrap();
    assert_eq!(pages[0], 0xc3);
    let mut pages = pages.writable().unwrap();
    pages[1] = 8;
    let (pages, error) = pages.read_only().unwrap().seal().unwrap_err();
    assert_eq!((error.service_kind(), pages[1]), (Kind::Unimplemented, 8));
    assert!(memory::Pages::new(0).is_err() && memory::Pages::new(1 << 62).is_err());
    let file = memory::MemoryFile::new("test").unwrap();
    file.write_at(b"hello", 3).unwrap();
    assert_eq!(file.file().metadata().unwrap().len(), 8);
    assert_eq!(file.seal().unwrap_err().service_kind(), Kind::Unimplemented);
}

#[test]
fn processors_and_clocks_answer() {
    let allowed = thread::affinity().unwrap();
    assert!(!allowed.is_empty() && thread::parallelism() >= 1);
    let first = allowed[0];
    let inside = thread::spawn("placed", move || {
        thread::set_affinity(&[first]).unwrap();
        thread::affinity().unwrap()
    });
    assert_eq!(inside.unwrap().join().unwrap(), [first]);
    assert!(thread::set_affinity(&[]).is_err() && thread::set_affinity(&[1, 64]).is_err());
    use time::Clock;
    let clock = time::SystemClock;
    let mut last = clock.mono();
    for _ in 0..100_000 {
        let now = clock.mono();
        assert!(now >= last, "never back");
        last = now;
    }
    let (mono, boot) = (clock.mono(), clock.boot());
    std::thread::sleep(Duration::from_millis(60));
    assert!(clock.mono().as_nanos() - mono.as_nanos() >= 20_000_000);
    assert!(clock.boot().as_nanos() - boot.as_nanos() >= 50_000_000);
    assert!(vitte_sys::caps::probe().kernel.split('.').count() == 3);
}

#[test]
fn a_program_gets_what_it_was_given() {
    let scratch = Scratch::new("run");
    let mut command = in_role("echo");
    let arguments = ["a b", "", r"c:\d\", r#"say "x""#, r#"\\"q\\"#, "ü", "%PATH%", "&|<>^"];
    command
        .arg("--")
        .args(arguments)
        .env("GREETING", "hello")
        .current_dir(scratch.path())
        .stdin(Stdio::piped());
    let mut child = command.spawn(Limits::default()).unwrap();
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let expected: Vec<&str> = std::iter::once("--").chain(arguments).collect();
    assert_eq!(line(&mut output, "["), format!("{}|hello", &format!("{expected:?}")[1..]));
    let folder = scratch.path().file_name().unwrap().to_str().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(folder) && rest.contains("input"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(child.confinement().rung, Rung::Limits);

    let mut child = in_role("end").spawn(Limits::default()).unwrap();
    assert!(net::wait_readable(&child, Some(Duration::from_secs(60))).unwrap());
    assert_eq!(process::peek_end(child.id()).unwrap(), Some(Ended::Exited(42)));
    assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(42));
    assert!(process::peek_end(child.id()).is_err(), "reaped");
}

#[test]
fn failures_name_their_stage() {
    let stage = |command: Command, limits| command.spawn(limits).map(|_| ()).unwrap_err().stage;
    assert_eq!(stage(Command::new(r"C:\no\such\program"), Limits::default()), Stage::Exec);
    assert_eq!(stage(Command::new("no-such-program-anywhere"), Limits::default()), Stage::Exec);
    let mut command = in_role("end");
    command.current_dir(r"C:\no\such\folder");
    assert_eq!(stage(command, Limits::default()), Stage::Directory);
    let mut command = in_role("end");
    command.arg("a\0b");
    assert_eq!(stage(command, Limits::default()), Stage::Prepare);
    let files = Limits { open_files: Some(10), ..Limits::default() };
    assert_eq!(stage(in_role("end"), files), Stage::Limits, "refused, not forgotten");
    let mut command = in_role("end");
    command.sandbox(Policy::new(Rung::Landlock).system());
    assert_eq!(stage(command, Limits::default()), Stage::Landlock, "never a silent step down");
    let scratch = Scratch::new("batch");
    std::fs::write(scratch.path().join("a.bat"), "exit 0").unwrap();
    assert_eq!(stage(Command::new(scratch.path().join("a.bat")), Limits::default()), Stage::Prepare);
}

fn started(role: &str, limits: Limits) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = in_role(role).spawn(limits).unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

#[test]
fn a_tree_dies_whole() {
    let (mut child, mut output) = started("parent", Limits::default());
    let grandchild: u32 = line(&mut output, "child ").parse().unwrap();
    assert_eq!(process::peek_end(child.id()).unwrap(), None);
    process::end_group(child.id(), Termination::Kill);
    assert_eq!(child.wait().unwrap().code(), Some(137));
    assert!(ends(grandchild), "the grandchild survived");

    let (mut child, mut output) = started("orphan", Limits::default());
    let orphan: u32 = line(&mut output, "child ").parse().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(ends(orphan), "the orphan survived");

    let (mut child, mut output) = started("wait", Limits::default());
    line(&mut output, "ready");
    child.kill_tree();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    assert!(process::signal_group(child.id(), 9).is_err(), "it is gone");
}

#[test]
fn limits_are_accepted_and_hold_where_the_system_keeps_them() {
    let limits = Limits {
        address_space: Some(256 << 20),
        memory: Some(512 << 20),
        cpu_seconds: Some(100),
        processes: Some(4),
        core_bytes: Some(0),
        ..Limits::default()
    };
    let (mut child, _output) = started("greedy", limits);
    match child.wait().unwrap().code() {
        Some(0) => println!("SKIP limits_hold: wine accepts the limits of a job and does not keep them"),
        status => assert_ne!(status, Some(0)),
    }
}

#[test]
fn a_policy_takes_privileges_away() {
    let mut command = in_role("end");
    command.sandbox(Policy::new(Rung::Limits));
    match command.spawn(Limits::default()) {
        Ok(mut child) => {
            assert_eq!(child.confinement().rung, Rung::Limits);
            assert_eq!(child.wait().unwrap().code(), Some(42));
        }
        // Refused rather than started with all privileges.
        Err(error) => {
            assert_eq!(error.stage, Stage::Privileges, "{error}");
            println!("SKIP a_policy_takes_privileges_away: {error}");
        }
    }
}

#[test]
fn pipes_connect_processes_of_one_user() {
    let name = format!("vitte-sys-test-{}", std::process::id());
    let listener = net::listen_abstract(name.as_bytes()).unwrap();
    assert_eq!(net::listen_abstract(name.as_bytes()).unwrap_err().service_kind(), Kind::AlreadyExists);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0_u8..4)
            .map(|number| {
                let name = &name;
                scope.spawn(move || {
                    let mut client = net::connect_abstract(name.as_bytes()).unwrap();
                    client.write_all(&[number]).unwrap();
                    let mut answer = Vec::new();
                    client.read_to_end(&mut answer).unwrap();
                    assert_eq!(answer, [number; 1000]);
                })
            })
            .collect();
        for _ in 0..clients.len() {
            let mut server = listener.accept().unwrap();
            let mut byte = [0; 1];
            server.read_exact(&mut byte).unwrap();
            let peer = net::Peer::of(&server).unwrap();
            assert_eq!(peer.pid, Some(std::process::id().cast_signed()));
            assert_eq!(peer.uid, process::effective_uid());
            assert!(peer.is_trusted());
            assert_eq!((peer.pin(), peer.is_alive()), (net::Pin::Held, Some(true)));
            server.write_all(&[byte[0]; 1000]).unwrap();
        }
    });
    drop(listener);
    assert_eq!(net::connect_abstract(name.as_bytes()).unwrap_err().service_kind(), Kind::Unavailable);

    let scratch = Scratch::new("pipe");
    let path = scratch.path().join("s");
    let listener = net::listen(&path).unwrap();
    assert!(net::listen(&path).is_err());
    let client =
        net::connect(&path.to_str().unwrap().to_uppercase().replace('\\', "/").parse::<PathBuf>().unwrap());
    assert!(client.is_ok(), "{client:?}");
    drop((listener, client));
    assert_eq!(net::connect(&path).unwrap_err().service_kind(), Kind::NotFound);
    assert!(!net::is_stale(&path), "nothing is left behind");

    let (mut one, mut two) = net::pair().unwrap();
    assert!(!net::wait_readable(&two, Some(Duration::from_millis(5))).unwrap());
    one.write_all(b"x").unwrap();
    assert!(net::wait_readable(&two, None).unwrap());
    // One thread reads while another writes.
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut bytes = vec![0; 1 << 20];
            (&two).read_exact(&mut bytes).unwrap();
        });
        std::thread::sleep(Duration::from_millis(20));
        (&two).write_all(b"meanwhile").unwrap();
        (&one).write_all(&vec![7; 1 << 20]).unwrap();
        reader.join().unwrap();
    });
    let mut meanwhile = [0; 9];
    one.read_exact(&mut meanwhile).unwrap();
    assert_eq!(&meanwhile, b"meanwhile");
    drop(one);
    assert!(net::wait_readable(&two, Some(Duration::from_secs(10))).unwrap());
    let mut rest = Vec::new();
    two.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), 1);
    assert!(net::datagram_pair().is_err());
    assert!(net::loopback(0).unwrap().local_addr().unwrap().ip().is_loopback());
}

#[test]
fn a_private_directory_is_one_of_ours() {
    let scratch = Scratch::new("private");
    let path = scratch.path().join("p");
    net::private_directory(&path).unwrap();
    net::private_directory(&path).unwrap();
    std::fs::write(path.join("file"), "x").unwrap();
    assert!(net::private_directory(&path.join("file")).is_err());
    assert_eq!(fs::read(&path.join("file")).unwrap(), b"x");
}

#[test]
fn console_events_are_events() {
    let signals = signals::Signals::watch(&[signals::Event::Terminate, signals::Event::Interrupt]).unwrap();
    assert!(signals::Signals::watch(&[]).is_err(), "one watcher");
    assert_eq!(signals.next(Some(Duration::from_millis(5))), None);
    drop(signals);
    let unknown = signals::Signals::watch(&[signals::Event::User1]).unwrap_err();
    assert_eq!(unknown.service_kind(), Kind::Unimplemented);
    // A polite end reaches the child where there is a console to send it through.
    let (mut child, mut output) = started("wait", Limits::default());
    line(&mut output, "ready");
    match process::signal_group(child.id(), 15) {
        Ok(()) => {
            if net::wait_readable(&child, Some(Duration::from_secs(5))).unwrap() {
                assert_ne!(child.wait().unwrap().code(), Some(0));
            } else {
                println!("SKIP console_events_are_events: no console, the event went nowhere");
            }
        }
        Err(error) => println!("SKIP console_events_are_events: no console, {error}"),
    }
    child.kill_tree();
    child.wait().unwrap();
    assert!(process::signal_group(child.id(), 15).is_err(), "it is gone");
}
