#![allow(clippy::unwrap_used, clippy::print_stdout)]
use super::*;
use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

/// What a test needs that an emulator of user programs may lack; see `.ci/steps/sys-cross-test`.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    /// Programs of the emulated machine that start others of it.
    Programs,
    /// Orphans adopted by the supervisor, and limits on memory.
    Kernel,
}

/// Whether it is missing here, with a line that says so.
fn missing(test: &str, needs: Needs) -> bool {
    let reason = match (std::env::var("VITTE_TEST_NO_SPAWN"), std::env::var("VITTE_TEST_EMULATOR")) {
        (Ok(reason), _) => reason,
        (Err(_), Ok(emulator)) if needs == Needs::Kernel => {
            format!("{emulator} knows neither PR_SET_CHILD_SUBREAPER nor RLIMIT_AS")
        }
        (Err(_), _) => return false,
    };
    println!("SKIP {test}: {reason}");
    true
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn output(mut child: Child) -> String {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text
}

/// Whether the process is gone, or a zombie that nobody of ours can reap, within two seconds.
fn dies(process: &str) -> bool {
    (0..200).any(|_| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        let gone = stat.map_or(true, |stat| stat.contains(") Z "));
        if !gone {
            std::thread::sleep(Duration::from_millis(10));
        }
        gone
    })
}

#[test]
fn a_group_dies_whole() {
    if missing("a_group_dies_whole", Needs::Kernel) {
        return;
    }
    let mut child = spawn(shell("sleep 1000 & echo $!; wait"), Limits::default()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(peek_end(child.id()).unwrap(), None);
    end_group(child.id(), Termination::Kill);
    while peek_end(child.id()).unwrap().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(peek_end(child.id()).unwrap(), Some(Ended::Signaled(9)));
    child.wait().unwrap();
    assert!(dies(line.trim()), "the grandchild survived");
}

#[test]
fn those_who_left_the_group_die_too() {
    if missing("those_who_left_the_group_die_too", Needs::Kernel) {
        return;
    }
    // A double fork into a new session, with a parent that is gone.
    let script = "(setsid sh -c 'sleep 1000 & echo $!; echo x >&2; wait' &) ; sleep 1000";
    let mut child = spawn(shell(script), Limits::default()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill_tree();
    child.wait().unwrap();
    assert!(dies(line.trim()), "the daemon survived");
}

#[test]
fn orphans_end_with_the_program() {
    if missing("orphans_end_with_the_program", Needs::Kernel) {
        return;
    }
    let mut child =
        spawn(shell("(setsid sleep 1000 >/dev/null & echo $!); exit 3"), Limits::default()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(dies(line.trim()), "the orphan survived");
}

#[test]
fn the_end_is_the_programs_own() {
    if missing("the_end_is_the_programs_own", Needs::Programs) {
        return;
    }
    use std::os::unix::process::ExitStatusExt;
    let status = |script: &str| spawn(shell(script), Limits::default()).unwrap().wait().unwrap();
    assert_eq!(status("exit 0").code(), Some(0));
    assert_eq!(status("exit 42").code(), Some(42));
    for signal in [1, 2, 6, 9, 11, 15, 30] {
        let status = status(&format!("ulimit -c 0; kill -{signal} $$"));
        assert_eq!(status.signal(), Some(signal), "{status:?}");
    }
}

#[test]
fn a_polite_signal_reaches_the_program() {
    if missing("a_polite_signal_reaches_the_program", Needs::Programs) {
        return;
    }
    let script = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let mut child = spawn(shell(script), Limits::default()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    end_group(child.id(), Termination::Ask);
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_eq!(lines.next().unwrap().unwrap(), "asked");
}

#[test]
fn failures_name_their_stage() {
    if missing("failures_name_their_stage", Needs::Programs) {
        return;
    }
    let error = Command::new("/no/such/program").spawn(Limits::default()).unwrap_err();
    assert_eq!((error.stage, error.source.kind()), (Stage::Exec, io::ErrorKind::NotFound));
    let error = Command::new("no-such-program-anywhere").spawn(Limits::default()).unwrap_err();
    assert_eq!((error.stage, error.source.kind()), (Stage::Exec, io::ErrorKind::NotFound));
    let error = Command::new("/etc/passwd").spawn(Limits::default()).unwrap_err();
    assert_eq!((error.stage, error.source.kind()), (Stage::Exec, io::ErrorKind::PermissionDenied));
    let mut command = shell("true");
    command.current_dir("/no/such/folder");
    let error = command.spawn(Limits::default()).unwrap_err();
    assert_eq!((error.stage, error.source.kind()), (Stage::Directory, io::ErrorKind::NotFound));
    let mut command = shell("true");
    command.arg("a\0b");
    let error = command.spawn(Limits::default()).unwrap_err();
    assert_eq!((error.stage, error.source.kind()), (Stage::Prepare, io::ErrorKind::InvalidInput));
    let error = spawn(Command::new("/no/such/program"), Limits::default()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/no/such/program"));
}

#[test]
fn no_descriptor_leaks() {
    if missing("no_descriptor_leaks", Needs::Programs) {
        return;
    }
    // Not even those that lack the close-on-exec flag.
    let file = std::fs::File::open("/dev/zero").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let child = spawn(shell("ls /proc/self/fd | tr '\\n' ' '"), Limits::default()).unwrap();
    // 3 is the directory that ls reads.
    assert_eq!(output(child), "0 1 2 3 ");
}

#[test]
fn arguments_environment_and_directory_arrive() {
    if missing("arguments_environment_and_directory_arrive", Needs::Programs) {
        return;
    }
    let mut command = shell("echo \"$1|$GREETING|$(pwd)\"; env | grep -c .");
    command.args(["name", "a b\nc"]).env_clear().env("GREETING", "hello").env("PATH", "/usr/bin:/bin");
    command.current_dir("/usr");
    let text = output(command.spawn(Limits::default()).unwrap());
    assert!(text.starts_with("a b\nc|hello|/usr\n"), "{text}");
    let many = vec!["x".repeat(1000); 1000];
    let mut command = shell("shift; echo $#");
    command.args(&many);
    assert_eq!(output(command.spawn(Limits::default()).unwrap()).trim(), "998");
}

#[test]
fn limits_hold() {
    if missing("limits_hold", Needs::Kernel) {
        return;
    }
    let run = |script: &str, limits| spawn(shell(script), limits).map(output);
    let limits = Limits { core_bytes: Some(0), open_files: Some(17), ..Limits::default() };
    assert_eq!(run("ulimit -c; ulimit -n", limits).unwrap(), "0\n17\n");
    let limits = Limits { cpu_seconds: Some(1), ..Limits::default() };
    assert_eq!(run("ulimit -t", limits).unwrap(), "1\n");
    let limits = Limits { address_space: Some(64 << 20), ..Limits::default() };
    assert_eq!(run("ulimit -v", limits).unwrap(), "65536\n");
    let path = std::env::temp_dir().join(format!("vitte-sys-limit-{}", std::process::id()));
    let script = format!("head -c 5000 /dev/zero > {}", path.display());
    run(&script, Limits { file_bytes: Some(1024), ..Limits::default() }).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1024);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_session_is_its_own() {
    if missing("a_session_is_its_own", Needs::Programs) {
        return;
    }
    let mut command = shell("ps -o pid=,sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat");
    command.new_session();
    let child = command.spawn(Limits::default()).unwrap();
    let id = child.id().to_string();
    let text = output(child);
    assert_eq!(text.split_whitespace().last(), Some(id.as_str()), "{text}");
}

#[test]
fn many_threads_spawn_at_once() {
    if missing("many_threads_spawn_at_once", Needs::Programs) {
        return;
    }
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for _ in 0..10 {
                    let child = spawn(shell(&format!("echo {number}")), Limits::default()).unwrap();
                    assert_eq!(output(child).trim(), number.to_string());
                }
            });
        }
    });
}

#[test]
fn a_program_finds_what_it_was_handed() {
    if missing("a_program_finds_what_it_was_handed", Needs::Programs) {
        return;
    }
    let file = crate::memory::MemoryFile::new("handed").unwrap();
    file.write_at(b"for you\n", 0).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "cat <&9"]).stdout(Stdio::piped());
    command.hand_over(file.file().try_clone().unwrap().into());
    // The number of the descriptor in the shell above.
    assert_eq!(crate::process::HANDED_DESCRIPTOR, 9);
    let mut child = command.spawn(Limits::default()).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    // Both share one position, which is behind nothing yet: `write_at` does not move it.
    assert_eq!(text, "for you\n");
    assert!(child.wait().is_ok());
}
