//! Every linker of this machine makes a program that runs, and says clearly why when it cannot.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]
mod common;

use common::{Reference, hello, object, worker_command};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;
use vitte_driver::CancellationToken;
use vitte_driver::link::{DebugInfo, LinkError, LinkMode, LinkPlan, Linkers, Toolbox};

/// Not a test: what the embedded linker's worker process runs.
#[test]
#[ignore = "the worker process of the other tests"]
fn worker() {
    vitte_driver::worker_main();
}

fn linkers() -> Linkers {
    Linkers::new(worker_command(), Toolbox::from_environment())
}

fn link(linkers: &Linkers, name: Option<&str>, plan: &LinkPlan) -> Result<Vec<u8>, LinkError> {
    linkers.select(name)?.link(plan, &CancellationToken::new()).map(|report| report.bytes)
}

fn run(bytes: &[u8]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(&path).output().unwrap()
}

#[test]
fn every_linker_makes_a_program_that_runs() {
    let linkers = linkers();
    let mut names: Vec<String> = linkers
        .findings()
        .iter()
        .filter(|finding| finding.state == "ok")
        .filter_map(|finding| finding.subject.strip_prefix("linker ").map(String::from))
        .collect();
    assert!(names.contains(&"embedded".to_owned()));
    if names.contains(&"ld".to_owned()) {
        names.push("ld -pie -dynamic-linker /lib64/ld-linux-x86-64.so.2 {inputs} -o {output}".into());
    }
    for name in names {
        for debug in [DebugInfo::Keep, DebugInfo::Strip] {
            let plan = LinkPlan { debug, ..LinkPlan::executable(hello()) };
            let bytes =
                link(&linkers, Some(&name), &plan).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let output = run(&bytes);
            assert_eq!(output.stdout, b"hello\n", "{name}");
            assert_eq!(output.status.code(), Some(42), "{name}");
            assert_eq!(
                link(&linkers, Some(&name), &plan).unwrap(),
                bytes,
                "{name} makes other bytes the second time"
            );
        }
    }
}

#[test]
fn the_embedded_linker_hardens_and_needs_libc_alone() {
    use object::read::elf::{Dyn, FileHeader, ProgramHeader};
    let bytes = link(&linkers(), None, &LinkPlan::executable(hello())).unwrap();
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    let segments = header.program_headers(endian, &*bytes).unwrap();
    let flags = |kind| segments.iter().find(|s| s.p_type(endian) == kind).map(|s| s.p_flags(endian));
    assert_eq!(
        flags(object::elf::PT_GNU_STACK).map(|f| f & object::elf::PF_X),
        Some(0),
        "stack not executable"
    );
    assert!(flags(object::elf::PT_GNU_RELRO).is_some(), "relocations are read-only after start");
    let interpreter = segments.iter().find_map(|s| s.interpreter(endian, &*bytes).unwrap()).unwrap();
    assert_eq!(interpreter, b"/lib64/ld-linux-x86-64.so.2");
    let sections = header.sections(endian, &*bytes).unwrap();
    let (dynamic, strings) = sections.dynamic(endian, &*bytes).unwrap().unwrap();
    let strings = sections.strings(endian, &*bytes, strings).unwrap();
    let needed: Vec<_> = dynamic
        .iter()
        .filter(|entry| entry.d_tag.get(endian) == object::elf::DT_NEEDED)
        .map(|entry| entry.string(endian, strings).unwrap())
        .collect();
    assert_eq!(needed, [b"libc.so.6"]);
    let bind_now = dynamic.iter().any(|entry| match entry.d_tag.get(endian) {
        object::elf::DT_FLAGS => entry.d_val.get(endian) & u64::from(object::elf::DF_BIND_NOW) != 0,
        object::elf::DT_FLAGS_1 => entry.d_val.get(endian) & u64::from(object::elf::DF_1_NOW) != 0,
        _ => false,
    });
    assert!(bind_now, "all relocations are done at start");
    assert!(segments.iter().all(|s| s.p_flags(endian) & 3 != 3), "nothing is writable and executable");
    let holds_debug = |bytes: &[u8]| bytes.windows(22).any(|window| window == b"a name in debug inform");
    assert!(holds_debug(&bytes));
    let stripped = LinkPlan { debug: DebugInfo::Strip, ..LinkPlan::executable(hello()) };
    let stripped = link(&linkers(), None, &stripped).unwrap();
    assert!(stripped.len() < 8 * 1024 && !holds_debug(&stripped));
}

/// `int main() { char *p = malloc(8); *p = 7; exit(*p); }`, with `malloc` and `exit` through the GOT.
#[test]
fn the_c_library_is_ready_when_main_runs() {
    let code = [
        0x50, // push rax
        0xbf, 8, 0, 0, 0, // mov edi, 8
        0xff, 0x15, 0, 0, 0, 0, // call [rip + malloc]
        0xc6, 0x00, 7, // mov byte [rax], 7
        0x0f, 0xb6, 0x38, // movzx edi, byte [rax]
        0xff, 0x15, 0, 0, 0, 0, // call [rip + exit]
    ];
    let program = object("main", &code, b"", &[(8, Reference::Got("malloc")), (20, Reference::Got("exit"))]);
    let output = run(&link(&linkers(), None, &LinkPlan::executable(program)).unwrap());
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn undefined_and_duplicate_symbols_are_named() {
    let program = object("main", &[0xe8, 0, 0, 0, 0, 0xc3], b"", &[(1, Reference::Call("mallloc"))]);
    for name in ["embedded", "cc"] {
        match link(&linkers(), Some(name), &LinkPlan::executable(program.clone())) {
            Err(LinkError::Undefined(symbols)) => {
                assert_eq!(symbols[0].name, "mallloc");
                assert_eq!(symbols[0].similar.as_deref(), Some("malloc"));
            }
            Err(LinkError::Tool { .. }) if name == "cc" => eprintln!("skipped: no cc here"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut plan = LinkPlan::executable(hello());
    plan.objects.push(hello());
    match link(&linkers(), None, &plan) {
        Err(LinkError::Duplicate(symbols)) => assert_eq!(symbols[0].name, "main"),
        other => panic!("{other:?}"),
    }
    let no_main = LinkPlan::executable(object("helper", &[0xc3], b"", &[]));
    assert!(matches!(link(&linkers(), None, &no_main), Err(LinkError::Undefined(s)) if s[0].name == "main"));
}

#[test]
fn without_any_tool_the_embedded_linker_still_links() {
    let linkers = Linkers::new(worker_command(), Toolbox::default());
    assert_eq!(run(&link(&linkers, None, &LinkPlan::executable(hello())).unwrap()).status.code(), Some(42));
    match link(&linkers, Some("cc"), &LinkPlan::executable(hello())) {
        Err(LinkError::Tool { message, help, .. }) => {
            assert_eq!(message, "the linker `cc` was not found");
            assert!(help.contains("embedded"), "{help}");
        }
        other => panic!("{other:?}"),
    }
    let findings = linkers.findings();
    assert!(findings.iter().any(|f| f.subject == "linker cc" && f.state == "missing"));
    assert!(findings.iter().any(|f| f.subject == "linker embedded" && f.chosen));
}

#[test]
fn what_cannot_be_done_is_said() {
    let linkers = linkers();
    let plan = LinkPlan { mode: LinkMode::Static, ..LinkPlan::executable(hello()) };
    assert!(matches!(link(&linkers, None, &plan), Err(LinkError::Unsupported { .. })));
    let plan = LinkPlan { target: "aarch64-apple-darwin".into(), ..LinkPlan::executable(hello()) };
    assert!(matches!(link(&linkers, None, &plan), Err(LinkError::Unsupported { .. })));
    assert!(matches!(link(&linkers, Some("/bin/false {inputs}"), &plan), Err(LinkError::Tool { .. })));
    let plan = LinkPlan::executable(hello());
    assert!(matches!(
        link(&linkers, Some("/bin/false {inputs} {output}"), &plan),
        Err(LinkError::Tool { .. })
    ));
    let broken = Linkers::new(vec!["/bin/false".into()], Toolbox::default());
    assert!(matches!(link(&broken, None, &plan), Err(LinkError::Tool { .. })));
}

#[test]
fn the_c_compiler_links_statically() {
    let plan = LinkPlan { mode: LinkMode::Static, ..LinkPlan::executable(hello()) };
    match link(&linkers(), Some("cc"), &plan) {
        Ok(bytes) => assert_eq!(run(&bytes).status.code(), Some(42)),
        Err(LinkError::Tool { message, output, .. }) => eprintln!("skipped: {message}: {output}"),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_that_dies_is_replaced() {
    // An executable of this test's own, so that its workers are told from those of other tests.
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().canonicalize().unwrap().join("worker");
    let mut command = worker_command();
    std::fs::copy(&command[0], &executable).unwrap();
    command[0] = executable.clone().into_os_string();
    let linkers = Linkers::new(command, Toolbox::default());
    let plan = LinkPlan::executable(hello());
    for _ in 0..3 {
        assert_eq!(run(&link(&linkers, None, &plan).unwrap()).status.code(), Some(42));
        let workers = processes_of(&executable);
        assert!(!workers.is_empty());
        for worker in workers {
            let killed = Command::new("kill").args(["-9", &worker]).status().unwrap();
            assert!(killed.success());
        }
    }
}

/// The processes that run `executable`.
fn processes_of(executable: &Path) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let runs = |name: &String| {
        std::fs::read_link(format!("/proc/{name}/exe")).is_ok_and(|running| running == executable)
    };
    names.filter(runs).collect()
}

#[test]
fn a_worker_that_hangs_is_left_when_the_caller_leaves() {
    let linkers = Linkers::new(vec!["/bin/sleep".into(), "1000".into()], Toolbox::default());
    let linker = linkers.select(None).unwrap();
    let cancel = CancellationToken::new();
    let caller = cancel.clone();
    let leaving = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        caller.cancel();
    });
    let started = Instant::now();
    assert!(matches!(linker.link(&LinkPlan::executable(hello()), &cancel), Err(LinkError::Cancelled)));
    assert!(started.elapsed().as_secs() < 5);
    leaving.join().unwrap();
}

#[test]
fn a_worker_serves_many_links() {
    let linkers = linkers();
    let linker = linkers.select(None).unwrap();
    let plan = LinkPlan::executable(hello());
    let cancel = CancellationToken::new();
    let first = linker.link(&plan, &cancel).unwrap();
    let mut times = Vec::new();
    // One more than a worker's life, so that it is replaced on the way.
    for _ in 0..510 {
        let started = Instant::now();
        assert_eq!(linker.link(&plan, &cancel).unwrap().bytes, first.bytes);
        times.push(started.elapsed());
    }
    times.sort();
    eprintln!("warm link: fastest {:?}, median {:?}", times[0], times[times.len() / 2]);
    cancel.cancel();
    // A finished worker answers at once or the caller's leaving is seen; both are fine, hanging is not.
    let _ = linker.link(&plan, &cancel);
}
