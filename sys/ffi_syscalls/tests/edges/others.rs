//! What a table of paths does not say: sizes, descriptors that are closed, signals while a call waits,
//! and the functions that take no path.

use std::ffi::{c_char, c_void};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::ptr::{null, null_mut};

use ffi_syscalls::*;

use crate::Tally;
use crate::fixture::{
    TEXT, as_nobody, c, filled, in_child, interrupted, named_pipe, number, other_end, some, start, yes,
};

const NUL: usize = RT_NUL_TERMINATED;
const GIB_3: i64 = 3 << 30;
/// No descriptor, process or lock has this number.
const GONE: i64 = 9999;
/// More than a pipe holds.
const MUCH: usize = 1 << 20;

/// A negated errno.
fn no(errno: i32) -> i64 {
    -i64::from(errno)
}

macro_rules! cases {
    ($tally:ident: $($function:literal $case:literal $holds:expr;)*) => {
        $({
            #[allow(unused_unsafe, reason = "some calls are safe")]
            // SAFETY: what is pointed to is a literal or a local of the caller, with its length.
            let holds: bool = unsafe { $holds };
            println!("{:24} {:44} {}", $function, $case, if holds { '+' } else { '-' });
            $tally.count($function, $case, if holds { '+' } else { '-' });
        })*
    };
}

fn read(path: &[u8]) -> (i64, Vec<u8>) {
    // SAFETY: the path is a slice, the buffer a local.
    filled(|buf| unsafe { rt_fs_read(start(path), path.len(), buf) })
}

fn write(path: &str, bytes: *const c_void, len: usize) -> i64 {
    // SAFETY: the path is a slice; the callers vouch for the bytes.
    unsafe { rt_fs_write(start(path.as_bytes()), path.len(), 0, bytes, len) }
}

fn open(path: &str, flags: u32) -> i64 {
    // SAFETY: the path is a slice.
    unsafe { rt_fd_open(start(path.as_bytes()), path.len(), flags, 0o644) }
}

fn variable(name: &[u8]) -> (i64, Vec<u8>) {
    // SAFETY: the name is a slice, and one thread uses the environment.
    filled(|buf| unsafe { rt_env_var(start(name), name.len(), buf) })
}

fn set_variable(name: &[u8], value: &[u8]) -> i64 {
    // SAFETY: both are slices, and one thread uses the environment.
    unsafe { rt_env_set_var(start(name), name.len(), start(value), value.len()) }
}

/// Runs a program with its arguments, each of which ends with a 0.
fn exec(list: &[u8]) -> i64 {
    // SAFETY: a slice.
    unsafe { rt_process_exec(start(list), list.len()) }
}

/// The same by the first interface, without arguments.
fn run(program: &str) -> i64 {
    let program = c(program.as_bytes());
    // SAFETY: a C string, and no arguments.
    number(i64::from(unsafe { rt_process_run(program.as_ptr(), null(), 0) }))
}

/// Starts a program with its arguments, each of which ends with a 0.
fn spawn(list: &[u8], streams: [u32; 3]) -> i64 {
    let spawn =
        RtSpawn { args: start(list), args_len: list.len(), env: null(), env_len: 0, streams, flags: 0 };
    // SAFETY: the structure is a local, and points to a slice.
    unsafe { rt_process_spawn(&raw const spawn, size_of::<RtSpawn>()) }
}

/// A pipe: where it is read, and where it is written.
fn pipe() -> [i64; 2] {
    let mut ends = [-1; 2];
    // SAFETY: there is room for two numbers.
    assert_eq!(unsafe { rt_pipe(ends.as_mut_ptr()) }, 0);
    ends
}

/// 3 GiB that take no memory until they are written.
fn huge() -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping.
    let huge = unsafe { libc::mmap(null_mut(), GIB_3 as usize, libc::PROT_READ, flags, -1, 0) };
    assert_ne!(huge, libc::MAP_FAILED);
    huge
}

/// Runs all of them.
pub fn list(tally: &mut Tally) {
    files(tally);
    far_away(tally);
    closed(tally);
    environment(tally);
    processes(tally);
    system(tally);
    signals(tally);
}

fn files(tally: &mut Tally) {
    let none: *mut RtBuf = null_mut();
    let deep = "d/".repeat(300);
    let far = [b't'; 4095];
    fs::create_dir("listed").unwrap();
    // 200 names, one of which is not there.
    let names: Vec<_> = (0..200).map(|at| format!("m{at}")).collect();
    for name in names.iter().filter(|name| *name != "m77") {
        fs::write(name, name).unwrap();
    }
    let list: Vec<u8> = names.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect();
    let contents: String = names.iter().filter(|name| *name != "m77").map(String::as_str).collect();
    let mut lens = [0; 200];
    let (mut one, mut dir) = (0, null_mut());
    cases! { tally:
        "rt_fs_write" "no bytes" write("empty", null(), 0) == 0;
        "rt_fs_read" "an empty file" read(b"empty") == (0, Vec::new());
        "rt_file_read_text" "an empty file" some(rt_file_read_text(c"empty".as_ptr())) == 0;
        "rt_file_mmap_read_text" "an empty file" some(rt_file_mmap_read_text(c"empty".as_ptr())) == 0;
        "rt_file_mmap_read_bytes" "an empty file" some(rt_file_mmap_read_bytes(c"empty".as_ptr())) == 0;
        "rt_file_write_text" "an empty text" rt_file_write_text(c"empty".as_ptr(), c"".as_ptr());
        "rt_file_append_text" "an empty text" rt_file_append_text(c"empty".as_ptr(), c"".as_ptr());
        "rt_fs_copy" "an empty file" rt_fs_copy(c"empty".as_ptr(), NUL, c"empty2".as_ptr(), NUL) == 0;
        "rt_file_copy" "an empty file" rt_file_copy(c"empty".as_ptr(), c"empty2".as_ptr());
        "rt_file_size" "an empty file" rt_file_size(c"empty2".as_ptr()) == 0;
        "rt_fs_list" "an empty directory" filled(|buf| rt_fs_list(c"listed".as_ptr(), NUL, buf)) == (0, Vec::new());
        "rt_dir_list" "an empty directory" some(rt_dir_list(c"listed".as_ptr())) == 0;
        "rt_fs_read" "procfs, whose size is 0" read(b"/proc/self/status").0 > 500;
        "rt_fs_copy" "procfs" rt_fs_copy(c"/proc/self/status".as_ptr(), NUL, c"status".as_ptr(), NUL) > 500;
        "rt_file_size" "procfs" rt_file_size(c"/proc/self/status".as_ptr()) == 0;
        "rt_fs_read" "no buffer" rt_fs_read(c"file".as_ptr(), NUL, none) == no(libc::EFAULT);
        "rt_fs_read" "no path" filled(|buf| rt_fs_read(null(), 3, buf)).0 == no(libc::EFAULT);
        "rt_fs_read" "a byte 0 inside" read(b"fi\0le").0 == no(libc::EINVAL);
        "rt_fs_lock" "an unknown flag" rt_fs_lock(c"file".as_ptr(), NUL, 1 << 31) == no(libc::EINVAL);
        "rt_fs_stat" "room for nothing" rt_fs_stat(c"file".as_ptr(), NUL, 0, null_mut(), 0) <= 0;
        "rt_buf_free" "null" { rt_buf_free(null_mut()); true };
        "rt_free" "null" { rt_free(null_mut()); true };
        "rt_fs_remove_tree" "a loop" rt_fs_remove_tree(c"loop".as_ptr(), NUL) == 0 && !Path::new("loop").is_symlink();
        "rt_fs_symlink" "to itself" rt_fs_symlink(c"loop".as_ptr(), NUL, c"loop".as_ptr(), NUL) == 0;
        "rt_fs_rename" "to another file system"
            rt_fs_rename(c"file".as_ptr(), NUL, c"/proc/file".as_ptr(), NUL, 0) < 0;
        "rt_fs_symlink" "to 4,095 bytes" rt_fs_symlink(start(&far), far.len(), c"far".as_ptr(), NUL) == 0;
        "rt_fs_link_target" "of 4,095 bytes"
            filled(|buf| rt_fs_link_target(c"far".as_ptr(), NUL, buf)) == (4095, far.to_vec());
        "rt_fs_mkdir" "300 directories deep"
            rt_fs_mkdir(start(deep.as_bytes()), deep.len(), 0o755, RT_RECURSIVE) == 0;
        "rt_fs_remove_tree" "300 directories deep"
            rt_fs_remove_tree(c"d".as_ptr(), NUL) == 0 && !Path::new("d").exists();
        // The depth is bound by the descriptors a process may have, 1,024, and not by the stack.
        "rt_fs_remove_tree" "900 directories deep, on 128 KiB of stack" {
            let deep = "d/".repeat(900);
            let made = rt_fs_mkdir(start(deep.as_bytes()), deep.len(), 0o755, RT_RECURSIVE);
            // SAFETY: a literal.
            let remove = || unsafe { rt_fs_remove_tree(c"d".as_ptr(), NUL) };
            let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(remove).unwrap();
            made == 0 && thread.join().unwrap() == 0 && !Path::new("d").exists()
        };
        "rt_fs_read_many" "200 files, one of them missing" {
            let lens_start = lens.as_mut_ptr();
            let read = filled(|buf| rt_fs_read_many(start(&list), list.len(), buf, lens_start, 200));
            read == (199, contents.into_bytes()) && lens[77] == no(libc::ENOENT) && lens[199] == 4
        };
        "rt_fs_read_many" "no files" filled(|buf| rt_fs_read_many(null(), 0, buf, null_mut(), 0)).0 == 0;
        "rt_fs_read_many" "procfs" {
            let list = b"/proc/self/status\0";
            filled(|buf| rt_fs_read_many(start(list), list.len(), buf, &raw mut one, 1)).0 == 1 && one > 500
        };
        "rt_dir_open" "an empty directory" rt_dir_open(c"listed".as_ptr(), NUL, &raw mut dir) == 0;
        "rt_dir_next" "an empty directory, twice"
            (0..2).all(|_| filled(|buf| rt_dir_next(dir, buf)).0 == 0);
        "rt_dir_close" "an empty directory" { rt_dir_close(dir); true };
        "rt_dir_close" "null" { rt_dir_close(null_mut()); true };
        "rt_dir_next" "a directory that was removed" {
            let opened = rt_dir_open(c"listed".as_ptr(), NUL, &raw mut dir);
            fs::remove_dir("listed").unwrap();
            let next = filled(|buf| rt_dir_next(dir, buf)).0;
            rt_dir_close(dir);
            opened == 0 && (next == 0 || next == no(libc::ENOENT))
        };
    }
}

/// Offsets and lengths that do not fit 31 bits; one call of the kernel takes less than 2 GiB.
fn far_away(tally: &mut Tally) {
    let huge = huge();
    let all = GIB_3 as usize;
    let file = open("wide", RT_OPEN_READ | RT_OPEN_WRITE | RT_OPEN_CREATE);
    let null_device = open("/dev/null", RT_OPEN_WRITE);
    let mut bytes = [0_u8; 8];
    let into = bytes.as_mut_ptr().cast::<c_void>();
    let mut map = RtMap { ptr: null_mut(), len: 0 };
    cases! { tally:
        "rt_fd_open" "3 GiB" file >= 0 && null_device >= 0;
        "rt_fd_truncate" "3 GiB" rt_fd_truncate(file, GIB_3 + 1) == 0;
        "rt_file_size" "3 GiB" rt_file_size(c"wide".as_ptr()) == GIB_3 + 1;
        "rt_fd_seek" "3 GiB" rt_fd_seek(file, -1, RT_SEEK_END) == GIB_3;
        "rt_fd_write_at" "behind 3 GiB" rt_fd_write_at(file, GIB_3, c"z".as_ptr().cast(), 1) == 1;
        "rt_fd_read_at" "behind 3 GiB" rt_fd_read_at(file, GIB_3, into, 8) == 1 && bytes[0] == b'z';
        "rt_fd_read" "behind 3 GiB" rt_fd_read(file, into, 8) == 1 && rt_fd_read(file, into, 8) == 0;
        "rt_map" "3 GiB" rt_map(file, 0, all + 1, 0, &raw mut map) == 0;
        "rt_map" "its last byte" map.ptr.cast::<u8>().add(all).read() == b'z';
        "rt_unmap" "3 GiB" rt_unmap(&raw mut map) == 0 && map.ptr.is_null();
        "rt_unmap" "nothing" rt_unmap(&raw mut map) == 0;
        "rt_map" "no bytes" rt_map(file, 0, 0, 0, &raw mut map) == no(libc::EINVAL);
        "rt_map" "between two pages" rt_map(file, 1, 1, 0, &raw mut map) == no(libc::EINVAL);
        "rt_map_sync" "what is not shared" {
            let mapped = rt_map(file, 0, 4096, RT_MAP_WRITE, &raw mut map);
            mapped == 0 && rt_map_sync(&raw const map) == 0 && rt_unmap(&raw mut map) == 0
        };
        "rt_fs_write" "3 GiB" write("/dev/null", huge, all) == GIB_3;
        "rt_fd_write" "3 GiB" rt_fd_write(null_device, huge, all) == GIB_3;
        "rt_fd_write_at" "3 GiB" rt_fd_write_at(null_device, 0, huge, all) == GIB_3;
        "rt_fd_close" "open" rt_fd_close(file) == 0 && rt_fd_close(null_device) == 0;
        "rt_shared_memory" "3 GiB" {
            let memory = rt_shared_memory(GIB_3);
            memory >= 0 && rt_fd_seek(memory, 0, RT_SEEK_END) == GIB_3 && rt_fd_close(memory) == 0
        };
        "rt_shared_memory" "fewer than no bytes" rt_shared_memory(-1) == no(libc::EINVAL);
        "rt_env_var" "a name of 3 GiB"
            filled(|buf| rt_env_var(start(b"x"), all, buf)).0 == no(libc::ENAMETOOLONG);
    }
    // SAFETY: the mapping is not used any more.
    assert_eq!(unsafe { libc::munmap(huge, all) }, 0);
}

fn closed(tally: &mut Tally) {
    let bad = no(libc::EBADF);
    let mut byte = 0_u8;
    let into = (&raw mut byte).cast::<c_void>();
    let mut map = RtMap { ptr: null_mut(), len: 0 };
    let mut polled = RtPoll { fd: GONE as i32, wanted: RT_POLL_READ, happened: 0 };
    let reading = open("file", RT_OPEN_READ);
    let ends = pipe();
    cases! { tally:
        "rt_fd_read" "closed" rt_fd_read(GONE, into, 1) == bad && rt_fd_read(1 << 40, into, 1) == bad;
        "rt_fd_write" "closed" rt_fd_write(GONE, into, 1) == bad;
        "rt_fd_read_at" "closed" rt_fd_read_at(GONE, 0, into, 1) == bad;
        "rt_fd_write_at" "closed" rt_fd_write_at(GONE, 0, into, 1) == bad;
        "rt_fd_seek" "closed" rt_fd_seek(GONE, 0, RT_SEEK_SET) == bad;
        "rt_fd_truncate" "closed" rt_fd_truncate(GONE, 0) == bad;
        "rt_fd_sync" "closed" rt_fd_sync(GONE) == bad;
        "rt_fd_close" "closed" [GONE, -1, 1 << 32].iter().all(|file| rt_fd_close(*file) == bad);
        "rt_map" "closed" rt_map(GONE, 0, 1, 0, &raw mut map) == bad;
        "rt_poll" "closed" rt_poll(&raw mut polled, 1, 0) == 1 && polled.happened == RT_POLL_INVALID;
        "rt_fs_unlock" "closed" [GONE, -1, 1 << 32].iter().all(|lock| rt_fs_unlock(*lock) == bad);
        "rt_file_unlock" "closed" !rt_file_unlock(GONE) && rt_last_errno() == libc::EBADF;
        "rt_process_spawn" "a closed stream" spawn(b"true\0", [0, GONE as u32 + 1, 0]) == bad;
        "rt_fd_write" "open for reading" rt_fd_write(reading, into, 1) == bad;
        "rt_fd_truncate" "open for reading" rt_fd_truncate(reading, 0) == no(libc::EINVAL);
        "rt_fd_sync" "a pipe" rt_fd_sync(ends[0]) == no(libc::EINVAL);
        "rt_fd_seek" "a pipe" rt_fd_seek(ends[0], 0, RT_SEEK_SET) == no(libc::ESPIPE);
        "rt_fd_read_at" "a pipe" rt_fd_read_at(ends[0], 0, into, 1) == no(libc::ESPIPE);
        "rt_fd_read" "no bytes" rt_fd_read(reading, into, 0) == 0;
        "rt_fd_write" "no bytes" rt_fd_write(ends[1], null(), 0) == 0;
        "rt_poll" "no descriptors" rt_poll(null_mut(), 0, 0) == 0;
        "rt_pipe" "all of them in use" {
            let answer = in_child(|| {
                let none = libc::rlimit { rlim_cur: 3, rlim_max: 3 };
                let limited = libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none) == 0;
                let mut ends = [0; 2];
                vec![u8::from(limited && rt_pipe(ends.as_mut_ptr()) == no(libc::EMFILE))]
            });
            answer == [1]
        };
        "rt_fd_close" "the rest" [reading, ends[0], ends[1]].iter().all(|file| rt_fd_close(*file) == 0);
    }
}

fn environment(tally: &mut Tally) {
    let home = std::env::var_os("HOME");
    let here = std::env::current_dir().unwrap();
    fs::create_dir("leaving").unwrap();
    let value = &TEXT[..100_000];
    cases! { tally:
        "rt_env_set_var" "a value of no bytes" set_variable(b"EDGE", b"") == 0 && variable(b"EDGE").0 == 0;
        "rt_env_set_var" "a value of 100,000 bytes" set_variable(b"EDGE", value) == 0;
        "rt_env_var" "a value of 100,000 bytes" variable(b"EDGE") == (100_000, value.to_vec());
        "rt_env_var" "a name that is not UTF-8"
            set_variable(b"\xff\xfe", b"v") == 0 && variable(b"\xff\xfe") == (1, b"v".to_vec());
        "rt_env_set_var" "no name" set_variable(b"", b"v") == no(libc::EINVAL);
        "rt_env_set_var" "a name with =" set_variable(b"a=b", b"v") == no(libc::EINVAL);
        "rt_env_set" "a name with =" yes(rt_env_set(c"a=b".as_ptr(), c"".as_ptr())) == no(libc::EINVAL);
        "rt_env_list" "bytes that are not UTF-8" {
            let (count, list) = filled(|buf| rt_env_list(buf));
            count == list.iter().filter(|byte| **byte == 0).count() as i64
                && list.split(|byte| *byte == 0).any(|entry| entry == b"\xff\xfe=v")
        };
        "rt_env_remove_var" "no name" rt_env_remove_var(c"".as_ptr(), NUL) == no(libc::EINVAL);
        "rt_env_remove_var" "set, and not set"
            (0..2).all(|_| rt_env_remove_var(start(b"EDGE"), 4) == 0) && variable(b"EDGE").0 == no(libc::ENOENT);
        "rt_env_get" "not set" {
            let value = rt_env_get(c"EDGE".as_ptr());
            let holds = value.read() == 0 && rt_last_errno() == libc::ENOENT;
            rt_free(value.cast());
            holds
        };
        "rt_env_home_dir" "HOME is empty" {
            let set = set_variable(b"HOME", b"");
            let (len, home) = filled(|buf| rt_env_home_dir(buf));
            set == 0 && if len < 0 { len == no(libc::ENOENT) } else { home.starts_with(b"/") }
        };
        "rt_env_home" "HOME is not UTF-8" {
            let set = set_variable(b"HOME", b"\xff");
            let home = rt_env_home();
            let holds = set == 0 && home.cast::<u8>().read() == 0xff;
            rt_free(home.cast());
            holds
        };
        "rt_env_current_dir" "removed" {
            std::env::set_current_dir("leaving").unwrap();
            fs::remove_dir("../leaving").unwrap();
            filled(|buf| rt_env_current_dir(buf)).0 == no(libc::ENOENT)
        };
        "rt_env_cwd" "removed" rt_env_cwd().is_null() && rt_last_errno() == libc::ENOENT;
    }
    std::env::set_current_dir(here).unwrap();
    match home {
        Some(home) => assert_eq!(set_variable(b"HOME", home.as_encoded_bytes()), 0),
        // SAFETY: a literal, and one thread uses the environment.
        None => assert_eq!(unsafe { rt_env_remove_var(start(b"HOME"), 4) }, 0),
    }
}

fn processes(tally: &mut Tally) {
    let large = [b"/bin/sh\0".as_slice(), &TEXT].concat();
    let (denied, missing) = (no(libc::EACCES), no(libc::ENOENT));
    cases! { tally:
        "rt_process_exec" "an argument that is not UTF-8"
            exec(b"sh\0-c\0test \"$1\" = \"$(printf '\\377')\"\0sh\0\xff\0") == 0;
        "rt_process_exec" "no program" exec(b"") < 0;
        "rt_process_exec" "more than the system takes" exec(&large) == no(libc::E2BIG);
        "rt_process_exec" "a signal" exec(b"sh\0-c\0kill -9 $$\0") == RT_SIGNALED + 9;
        "rt_process_run" "not executable" run("./file") == denied;
        "rt_process_run" "a directory" run("./dir") == denied;
        "rt_process_run" "a loop" run("./loop") == no(libc::ELOOP);
        "rt_process_run" "absent" run("./absent") == missing;
        "rt_process_run" "a name of 256 bytes" run(&format!("./{}", "n".repeat(256))) == no(libc::ENAMETOOLONG);
        "rt_process_spawn" "absent" spawn(b"./absent\0", [0; 3]) == missing;
        "rt_process_spawn" "no program" spawn(b"", [0; 3]) < 0;
        "rt_process_spawn" "a structure that is too large"
            rt_process_spawn(null(), size_of::<RtSpawn>() + 8) < 0;
        "rt_process_wait" "nobody's child" rt_process_wait(1, 0) == no(libc::ECHILD);
        "rt_process_wait" "twice" {
            let child = spawn(b"true\0", [0; 3]);
            child > 0 && rt_process_wait(child, 0) == 0 && rt_process_wait(child, 0) == no(libc::ECHILD)
        };
        "rt_process_wait" "without waiting" {
            let child = spawn(b"sleep\x001000\0", [0; 3]);
            let runs = rt_process_wait(child, RT_NO_WAIT) == no(libc::EAGAIN);
            let killed = child > 0 && rt_process_kill(child, libc::SIGKILL) == 0;
            runs && killed && rt_process_wait(child, 0) == RT_SIGNALED + i64::from(libc::SIGKILL)
        };
        "rt_process_kill" "everyone" [0, -1].iter().all(|all| rt_process_kill(*all, 0) == no(libc::EINVAL));
        "rt_process_kill" "nobody" rt_process_kill(i64::from(i32::MAX), 0) == no(libc::ESRCH);
        "rt_process_kill" "no signal" rt_process_kill(rt_getpid(), 1000) == no(libc::EINVAL);
    }
    if let Some(answer) = as_nobody(|| rt_process_kill(1, 0)) {
        cases! { tally: "rt_process_kill" "denied" answer == no(libc::EPERM); }
    }
}

fn system(tally: &mut Tally) {
    let mut bytes = vec![0_u8; MUCH];
    cases! { tally:
        "rt_abi_version" "as compiled" rt_abi_version() == RT_ABI_VERSION;
        "rt_getpid" "in a child" {
            let own = rt_getpid();
            in_child(|| vec![u8::from(rt_getpid() != own)]) == [1]
        };
        "rt_last_errno" "after a success" {
            let failed = !rt_file_exists(c"absent".as_ptr()) && rt_last_errno() == libc::ENOENT;
            failed && rt_file_exists(c"file".as_ptr()) && rt_last_errno() >= 0
        };
        "rt_sys_hostname" "no buffer" rt_sys_hostname(null_mut()) == no(libc::EFAULT);
        "rt_hostname" "as the other" {
            let (len, name) = filled(|buf| rt_sys_hostname(buf));
            let plain = rt_hostname();
            let same = std::ffi::CStr::from_ptr(plain).to_bytes() == name && len == name.len() as i64;
            rt_free(plain.cast());
            same
        };
        "rt_system_cpu_count" "at least one" rt_system_cpu_count() >= 1;
        "rt_clock" "one there is not" rt_clock(99) == no(libc::EINVAL);
        "rt_clock" "forward" {
            let first = rt_clock(RT_CLOCK_MONOTONIC);
            first > 0 && rt_clock(RT_CLOCK_MONOTONIC) >= first
        };
        "rt_random" "no bytes" rt_random(null_mut(), 0) == 0;
        "rt_random" "1 MiB" {
            let done = rt_random(bytes.as_mut_ptr().cast(), bytes.len()) >= 0;
            // That none of so many is 0 at the end of a part has no chance.
            done && bytes.chunks(4096).all(|part| part.iter().any(|byte| *byte != 0))
        };
    }
}

/// What waits is interrupted five times. All but `rt_poll` go on waiting and lose nothing.
fn signals(tally: &mut Tally) {
    named_pipe("pipe");
    let feed = || other_end("pipe", false).write_all(b"fed\n").unwrap();
    let drain = || {
        let mut all = Vec::new();
        other_end("pipe", true).read_to_end(&mut all).unwrap();
        assert!(!all.is_empty(), "nothing was written");
    };
    let path: *const c_char = c"pipe".as_ptr();
    let ends = pipe();
    let mut bytes = [0_u8; 8];
    let much = vec![b'm'; MUCH];
    let into = bytes.as_mut_ptr().cast::<c_void>();
    let mut polled = RtPoll { fd: ends[0] as i32, wanted: RT_POLL_READ, happened: 0 };
    let sleeper = spawn(b"sleep\x001000\0", [0; 3]);
    // SAFETY: a literal.
    let held = unsafe { rt_fs_lock(c"file".as_ptr(), NUL, 0) };
    let count = |answer: i64| i64::from(answer >= 0);
    cases! { tally:
        "rt_fd_read" "EINTR" interrupted(|| rt_fd_read(ends[0], into, 8), || {
            assert_eq!(rt_fd_write(ends[1], c"fed".as_ptr().cast(), 3), 3);
        }) == 3;
        "rt_fd_write" "EINTR" interrupted(|| rt_fd_write(ends[1], much.as_ptr().cast(), MUCH), || {
            let (mut left, mut part) = (MUCH as i64, vec![0_u8; 4096]);
            while left > 0 {
                left -= rt_fd_read(ends[0], part.as_mut_ptr().cast(), part.len());
            }
        }) == MUCH as i64;
        "rt_poll" "EINTR is passed on"
            interrupted(|| rt_poll(&raw mut polled, 1, -1), || {}) == no(libc::EINTR);
        "rt_process_wait" "EINTR" interrupted(|| rt_process_wait(sleeper, 0), || {
            assert_eq!(rt_process_kill(sleeper, libc::SIGTERM), 0);
        }) == RT_SIGNALED + i64::from(libc::SIGTERM);
        "rt_process_exec" "EINTR" interrupted(|| exec(b"sh\0-c\0read line <pipe\0"), feed) == 0;
        "rt_process_run" "EINTR" {
            let args = [c"-c".as_ptr(), c"read line <pipe; exit 7".as_ptr()];
            interrupted(|| i64::from(rt_process_run(c"sh".as_ptr(), args.as_ptr(), 2)), feed) == 7
        };
        "rt_fs_lock" "EINTR" {
            let lock = interrupted(|| rt_fs_lock(c"file".as_ptr(), NUL, RT_LOCK_WAIT), || {
                assert_eq!(rt_fs_unlock(held), 0);
            });
            lock >= 0 && rt_fs_unlock(lock) == 0
        };
        "rt_fd_open" "EINTR" {
            let file = interrupted(|| rt_fd_open(path, NUL, RT_OPEN_READ, 0), feed);
            file >= 0 && rt_fd_read(file, into, 8) == 4 && rt_fd_close(file) == 0
        };
        "rt_fs_read" "EINTR" interrupted(|| read(b"pipe").0, feed) == 4;
        "rt_file_read_text" "EINTR" count(interrupted(|| some(rt_file_read_text(path)), feed)) == 1;
        "rt_file_mmap_read_text" "EINTR" count(interrupted(|| some(rt_file_mmap_read_text(path)), feed)) == 1;
        "rt_file_mmap_read_bytes" "EINTR" count(interrupted(|| some(rt_file_mmap_read_bytes(path)), feed)) == 1;
        "rt_fs_write" "EINTR" interrupted(|| write("pipe", much.as_ptr().cast(), MUCH), drain) == MUCH as i64;
        "rt_file_write_text" "EINTR" interrupted(|| yes(rt_file_write_text(path, start(&TEXT))), drain) == 0;
        "rt_file_append_text" "EINTR" interrupted(|| yes(rt_file_append_text(path, start(&TEXT))), drain) == 0;
        "rt_fd_close" "both ends" rt_fd_close(ends[0]) == 0 && rt_fd_close(ends[1]) == 0;
    }
}
