//! Programs that are started without the spawn helper.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::sandbox::{Policy, Rung};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;

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

#[test]
fn a_group_dies_whole_and_says_how() {
    let mut child = spawn(shell("sleep 1000 & echo $!; wait"), Limits::default()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(peek_end(child.id()).unwrap(), None);
    assert!(child.try_wait().unwrap().is_none());
    child.kill_tree();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(child.wait().unwrap().signal(), Some(9), "the answer stays");
    // The grandchild is gone, or a zombie of whoever adopted it.
    let grandchild = line.trim().parse().unwrap();
    let gone = || match crate::net::pin_process(grandchild) {
        Ok(handle) => crate::net::wait_readable(&handle, Some(std::time::Duration::ZERO)).unwrap(),
        Err(_) => true,
    };
    let seconds = std::time::Duration::from_secs;
    assert!(crate::thread::wait_until(seconds(10), seconds(1) / 100, gone));
}

#[test]
fn the_end_is_the_programs_own() {
    let status = |script: &str| spawn(shell(script), Limits::default()).unwrap().wait().unwrap();
    assert_eq!(status("exit 42").code(), Some(42));
    assert_eq!(status("kill -15 $$").signal(), Some(15));
    let child = spawn(shell("exit 3"), Limits::default()).unwrap();
    let notifier = end_notifier(child.id()).unwrap();
    assert!(crate::net::wait_readable(&notifier, None).unwrap());
    assert_eq!(peek_end(child.id()).unwrap(), Some(Ended::Exited(3)));
    assert!(crate::net::wait_readable(&child, None).unwrap());
}

#[test]
fn what_cannot_be_done_is_refused() {
    let refused = |command: Command, limits| {
        let error = command.spawn(limits).unwrap_err();
        (error.stage, error.source.kind())
    };
    let mut confined = shell("true");
    confined.sandbox(Policy::new(Rung::Landlock));
    assert_eq!(refused(confined, Limits::default()), (Stage::Landlock, io::ErrorKind::Unsupported));
    let memory = Limits { memory: Some(1 << 20), ..Limits::default() };
    assert_eq!(refused(shell("true"), memory), (Stage::ControlGroup, io::ErrorKind::Unsupported));
    let missing = Command::new("/no/such/program");
    assert_eq!(refused(missing, Limits::default()), (Stage::Exec, io::ErrorKind::NotFound));
    let mut nowhere = shell("true");
    nowhere.current_dir("/no/such/folder");
    assert_eq!(refused(nowhere, Limits::default()), (Stage::Directory, io::ErrorKind::NotFound));
    let mut lowest = shell("echo in");
    lowest.sandbox(Policy::new(Rung::Limits));
    let child = lowest.spawn(Limits::default()).unwrap();
    assert_eq!(child.confinement().rung, Rung::Limits);
    assert_eq!(output(child), "in\n");
}

#[test]
fn limits_directory_arguments_and_environment_arrive() {
    let limits =
        Limits { core_bytes: Some(0), open_files: Some(17), cpu_seconds: Some(5), ..Limits::default() };
    let mut command =
        shell("ulimit -c; ulimit -n; ulimit -t; pwd; echo \"$1|$GREETING\"; env | grep -c GREETING");
    command
        .args(["name", "a b\nc; exit 9"])
        .env_clear()
        .env("GREETING", "$(hello)")
        .env("PATH", "/usr/bin:/bin");
    command.current_dir("/usr");
    let text = output(command.spawn(limits).unwrap());
    assert_eq!(text, "0\n17\n5\n/usr\na b\nc; exit 9|$(hello)\n1\n");
    // More than the hard limit cannot be had.
    let mut command = shell("ulimit -n");
    command.current_dir("/");
    let child = command.spawn(Limits { open_files: Some(18), ..Limits::default() }).unwrap();
    assert_eq!(output(child), "18\n");
}

#[test]
fn no_descriptor_of_ours_arrives() {
    let _file = std::fs::File::open("/dev/zero").unwrap();
    let (_one, _other) = crate::net::pair().unwrap();
    for directory in [None, Some("/")] {
        let mut command = shell("for n in 3 4 5 6 7 8 9; do (: <&$n) 2>/dev/null && echo $n; done; echo end");
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        assert_eq!(output(command.spawn(Limits::default()).unwrap()), "end\n");
    }
}
