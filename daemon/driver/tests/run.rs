//! Programs of every temper: they are streamed, held back, stopped, and leave nobody behind.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use vitte_driver::run::{RunOutput, RunningProgram, spawn};
use vitte_driver::{DriverError, ExitKind, RunSpec};

fn shell(script: &str) -> RunSpec {
    RunSpec {
        executable: PathBuf::from("/bin/sh"),
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: PathBuf::from("/"),
        timeout: None,
    }
}

/// Reads to the end: stdout, stderr, and how it ended.
async fn finish(program: &mut RunningProgram) -> (Vec<u8>, Vec<u8>, ExitKind) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = program.output.recv().await {
        match piece {
            RunOutput::Stdout(bytes) => out.extend(bytes),
            RunOutput::Stderr(bytes) => err.extend(bytes),
        }
    }
    (out, err, program.wait().await.unwrap())
}

/// Whether a process of that id runs; one that has ended but was not reaped yet does not.
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn gone(pid: &str) -> bool {
    for _ in 0..300 {
        if !lives(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn streams_status_directory_and_environment_are_exact() {
    let mut spec = shell("pwd; env | grep -v '^PWD=\\|^_=\\|^SHLVL=' | sort; echo oops >&2; exit 3");
    spec.cwd = std::env::temp_dir().canonicalize().unwrap();
    spec.env.push(("GREETING".into(), "hi there".into()));
    let expected = format!("{}\nGREETING=hi there\nPATH=/usr/bin:/bin\n", spec.cwd.display());
    let mut program = spawn(spec).await.unwrap();
    let (out, err, exit) = finish(&mut program).await;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!(err, b"oops\n");
    assert_eq!(exit, ExitKind::Code(3));
    assert!(program.signal(15).is_err(), "nobody is there to be signalled");
}

#[tokio::test]
async fn input_reaches_the_program() {
    let mut program = spawn(shell("cat")).await.unwrap();
    let mut stdin = program.stdin.take().unwrap();
    stdin.write_all(b"some bytes \xff").await.unwrap();
    drop(stdin);
    let (out, _, exit) = finish(&mut program).await;
    assert_eq!(out, b"some bytes \xff");
    assert_eq!(exit, ExitKind::Code(0));
}

#[tokio::test]
async fn a_crash_is_a_signal_and_not_a_status() {
    let mut program = spawn(shell("kill -SEGV $$")).await.unwrap();
    assert_eq!(finish(&mut program).await.2, ExitKind::Signal(11));
    let mut program = spawn(shell("exit 139")).await.unwrap();
    assert_eq!(finish(&mut program).await.2, ExitKind::Code(139));
}

#[tokio::test]
async fn an_endless_program_ends_on_time() {
    let mut spec = shell("trap '' TERM; echo up; while :; do sleep 0.1; done");
    spec.timeout = Some(Duration::from_millis(200));
    let started = Instant::now();
    let mut program = spawn(spec).await.unwrap();
    assert_eq!(finish(&mut program).await.2, ExitKind::TimedOut);
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(5), "{took:?}");

    let mut spec = shell("exec sleep 1000");
    spec.timeout = Some(Duration::from_millis(100));
    let started = Instant::now();
    let mut program = spawn(spec).await.unwrap();
    assert_eq!(finish(&mut program).await.2, ExitKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(1), "SIGTERM was enough");
}

#[tokio::test]
async fn children_of_the_program_end_with_it() {
    let mut program = spawn(shell("sleep 1000 & echo $!; (sleep 1001 &) ; exit 0")).await.unwrap();
    let started = Instant::now();
    let (out, _, exit) = finish(&mut program).await;
    assert_eq!(exit, ExitKind::Code(0));
    assert!(started.elapsed() < Duration::from_secs(5), "the open pipe did not hold us");
    assert!(gone(String::from_utf8(out).unwrap().trim()).await);
}

#[tokio::test]
async fn a_pipe_that_an_escaped_child_holds_is_given_up() {
    let mut program = spawn(shell("setsid sleep 3 & exit 0")).await.unwrap();
    let started = Instant::now();
    finish(&mut program).await;
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn dropping_kills_the_whole_group() {
    let mut program = spawn(shell("sleep 1000 & echo $!; wait")).await.unwrap();
    let Some(RunOutput::Stdout(line)) = program.output.recv().await else { panic!("no output") };
    let child = String::from_utf8(line).unwrap().trim().to_owned();
    let leader = program.id().to_string();
    assert!(lives(&child) && lives(&leader));
    drop(program);
    assert!(gone(&child).await && gone(&leader).await);
}

#[tokio::test]
async fn stopping_waits_for_the_end() {
    let program = spawn(shell("trap '' TERM INT; yes")).await.unwrap();
    let leader = program.id().to_string();
    program.stop().await;
    assert!(!Path::new(&format!("/proc/{leader}")).exists(), "it is reaped");
}

#[tokio::test]
async fn signals_reach_the_program() {
    let mut program =
        spawn(shell("trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.05; done"))
            .await
            .unwrap();
    assert_eq!(program.output.recv().await, Some(RunOutput::Stdout(b"ready\n".to_vec())));
    program.signal(2).unwrap();
    let (out, _, exit) = finish(&mut program).await;
    assert_eq!(out, b"caught\n");
    assert_eq!(exit, ExitKind::Code(5));
}

#[tokio::test]
async fn a_program_that_prints_much_is_held_back() {
    let mut program = spawn(shell("head -c 67108864 /dev/zero; echo done >&2")).await.unwrap();
    // Nobody reads: the program must not get far.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tokio::time::timeout(Duration::from_millis(10), program.wait()).await.ok().map(|_| ()), None);
    let (mut total, mut largest) = (0_u64, 0);
    let mut wait = Box::pin(program.wait());
    loop {
        tokio::select! {
            piece = program.output.recv() => match piece {
                Some(RunOutput::Stdout(bytes)) => {
                    total += bytes.len() as u64;
                    largest = largest.max(bytes.len());
                }
                Some(RunOutput::Stderr(bytes)) => assert_eq!(bytes, b"done\n"),
                None => break,
            },
        }
    }
    assert_eq!(total, 64 << 20);
    assert!(largest <= 64 * 1024);
    assert_eq!(wait.as_mut().await.unwrap(), ExitKind::Code(0));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let mut spec = shell("");
    spec.executable = PathBuf::from("/no/such/program");
    match spawn(spec).await {
        Err(DriverError::Io { operation: "run", path, .. }) => {
            assert_eq!(path, PathBuf::from("/no/such/program"))
        }
        other => panic!("{other:?}"),
    }
    let mut spec = shell("");
    spec.cwd = PathBuf::from("/no/such/folder");
    assert!(matches!(spawn(spec).await, Err(DriverError::BadInput { reason: "NOT_FOUND", .. })));
}
