//! A seccomp filter that answers chosen system calls with a chosen errno, for a test that runs in a
//! child process of its own, since a filter stays for ever.
#![allow(dead_code)]
use std::process::Command;

const MARK: &str = "VITTE_SYS_TEST_CHILD";

/// What the parent passed to [`in_child`].
pub fn argument() -> String {
    std::env::var(MARK).unwrap()
}

/// Whether no filter can be had here, with a line that says why.
pub fn missing(test: &str) -> bool {
    let emulator = std::env::var("VITTE_TEST_EMULATOR").ok();
    if let Some(emulator) = &emulator {
        println!("SKIP {test}: {emulator} has no filters of system calls");
    }
    emulator.is_some()
}

/// Runs `work` in a process of its own: this test program again, with the one test `name`.
pub fn in_child(name: &str, argument: &str, work: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        work();
        return;
    }
    if missing(name) {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, argument)
        .output()
        .unwrap();
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "{name} with `{argument}`:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs `work` on a thread of its own that gets `errno` from the calls `numbers`.
pub fn in_thread<T: Send>(numbers: &[libc::c_long], errno: i32, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            refuse(numbers, errno);
            work()
        });
        thread.join().unwrap()
    })
}

/// From here on the calling thread, and the threads it starts, get `errno` from the calls `numbers`.
pub fn refuse(numbers: &[libc::c_long], errno: i32) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // Offset 0 of `struct seccomp_data` is the number of the call.
    let mut program = vec![step(LOAD, 0, 0, 0)];
    for number in numbers {
        program.push(step(EQUAL, 0, 1, u32::try_from(*number).unwrap()));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | u32::try_from(errno).unwrap()));
    }
    program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    let description =
        libc::sock_fprog { len: u16::try_from(program.len()).unwrap(), filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; the call changes a flag of this thread.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies `len` instructions from `filter`, which `program` holds.
    let installed =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const description) };
    assert_eq!(installed, 0);
}
