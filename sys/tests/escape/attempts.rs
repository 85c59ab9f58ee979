//! The attempts. Each runs as the confined program and says whether it got out.
use std::ffi::CString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::PathBuf;

use libc::{c_long, syscall};
use vitte_sys::process::Limits;
use vitte_sys::sandbox::Rung;

/// Exit code of an attempt that got out.
pub const ESCAPED: i32 = 99;
/// Exit code of an attempt that was refused.
pub const REFUSED: i32 = 10;
/// Exit code of an attempt that has no meaning on this machine.
pub const CANNOT: i32 = 77;

/// A way out.
pub struct Attempt {
    /// What it is called.
    pub name: &'static str,
    /// The lowest rung that promises to stop it.
    pub stopped_from: Rung,
    /// The limits it runs under.
    pub limits: fn() -> Limits,
    /// Whether it is killed from outside rather than left to end.
    pub left_running: bool,
    /// Answers whether it got out; an error means that it was refused.
    run: fn() -> io::Result<bool>,
}

const fn confined(name: &'static str, run: fn() -> io::Result<bool>) -> Attempt {
    Attempt { name, stopped_from: Rung::Landlock, limits: Limits::default, left_running: false, run }
}

const fn limited(name: &'static str, limits: fn() -> Limits, run: fn() -> io::Result<bool>) -> Attempt {
    Attempt { name, stopped_from: Rung::Limits, limits, left_running: false, run }
}

const fn runaway(name: &'static str, run: fn() -> io::Result<bool>) -> Attempt {
    Attempt { name, stopped_from: Rung::Limits, limits: Limits::default, left_running: true, run }
}

/// The first line of an attempt's output, which shows that it ran.
pub fn begins(name: &str) -> String {
    format!("trying {name}\n")
}

/// Runs the attempt `name`; its exit code.
pub fn run(name: &str) -> i32 {
    let Some(attempt) = ALL.iter().find(|attempt| attempt.name == name) else { return 101 };
    print!("{}", begins(name));
    match (attempt.run)() {
        Ok(true) => ESCAPED,
        Ok(false) => REFUSED,
        Err(error) if error.kind() == io::ErrorKind::Unsupported && error.raw_os_error().is_none() => {
            println!("{error}");
            CANNOT
        }
        Err(_) => REFUSED,
    }
}

/// All attempts.
pub const ALL: &[Attempt] = &[
    // Reading by path and by link.
    confined("read_outside", || Ok(fs::read(secret()).is_ok())),
    confined("read_by_dot_dot", || Ok(fs::read(inside("../outside/secret")).is_ok())),
    confined("read_by_working_directory", || Ok(fs::read("../outside/secret").is_ok())),
    confined("read_by_symlink", || {
        std::os::unix::fs::symlink(secret(), inside("link"))?;
        Ok(fs::read(inside("link")).is_ok())
    }),
    confined("read_by_directory_symlink", || {
        std::os::unix::fs::symlink(outside(""), inside("link"))?;
        Ok(fs::read(inside("link/secret")).is_ok())
    }),
    confined("read_by_hard_link", || {
        fs::hard_link(secret(), inside("link"))?;
        Ok(fs::read(inside("link")).is_ok())
    }),
    confined("read_by_process_root", || {
        Ok(fs::read(format!("/proc/self/root{}", secret().display())).is_ok())
    }),
    confined("read_by_thread_root", || {
        Ok(fs::read(format!("/proc/thread-self/root{}", secret().display())).is_ok())
    }),
    confined("read_by_working_directory_link", || Ok(fs::read("/proc/self/cwd/../outside/secret").is_ok())),
    confined("read_environment_of_service", || {
        Ok(fs::read(format!("/proc/{}/environ", number("SERVICE"))).is_ok())
    }),
    confined("list_descriptors_of_service", || {
        Ok(fs::read_dir(format!("/proc/{}/fd", number("SERVICE"))).is_ok())
    }),
    confined("read_memory_of_victim", || {
        Ok(fs::File::open(format!("/proc/{}/mem", number("VICTIM"))).is_ok())
    }),
    confined("list_outside", || Ok(fs::read_dir(outside("")).is_ok())),
    confined("read_disk", || {
        let disks = ["/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/mem", "/dev/kmsg"];
        Ok(disks.iter().any(|disk| fs::File::open(disk).is_ok()))
    }),
    // Writing.
    confined("create_outside", || Ok(fs::write(outside("new"), "x").is_ok())),
    confined("append_outside", || {
        fs::OpenOptions::new().append(true).open(secret())?.write_all(b"x")?;
        Ok(true)
    }),
    confined("truncate_by_open", || Ok(fs::File::create(secret()).is_ok())),
    confined("truncate_by_path", || {
        let path = path(secret());
        // SAFETY: the path is a string with its NUL.
        done(unsafe { libc::truncate(path.as_ptr(), 0) }.into())
    }),
    confined("write_what_may_be_read", || {
        fs::read(readable())?;
        Ok(fs::OpenOptions::new().write(true).open(readable()).is_ok())
    }),
    confined("write_by_descriptor_link", || {
        let file = fs::File::open(readable())?;
        Ok(fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd())).is_ok())
    }),
    confined("rename_out", || {
        fs::write(inside("file"), "x")?;
        Ok(fs::rename(inside("file"), outside("file")).is_ok())
    }),
    confined("rename_in", || Ok(fs::rename(secret(), inside("secret")).is_ok())),
    confined("exchange", || {
        fs::write(inside("file"), "x")?;
        let (ours, theirs) = (path(inside("file")), path(secret()));
        // SAFETY: both paths are strings with their NULs.
        done(unsafe {
            syscall(libc::SYS_renameat2, libc::AT_FDCWD, ours.as_ptr(), libc::AT_FDCWD, theirs.as_ptr(), 2)
        })
    }),
    confined("link_out", || {
        fs::write(inside("file"), "x")?;
        Ok(fs::hard_link(inside("file"), outside("file")).is_ok())
    }),
    confined("symlink_out", || Ok(std::os::unix::fs::symlink("/", outside("link")).is_ok())),
    confined("remove_outside", || Ok(fs::remove_file(secret()).is_ok())),
    confined("make_directory_outside", || Ok(fs::create_dir(outside("new")).is_ok())),
    confined("remove_directory_outside", || Ok(fs::remove_dir(outside("empty")).is_ok())),
    confined("make_fifo_outside", || {
        let path = path(outside("fifo"));
        // SAFETY: the path is a string with its NUL.
        done(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }.into())
    }),
    confined("make_device_inside", || {
        let path = path(inside("device"));
        // SAFETY: the path is a string with its NUL.
        done(unsafe { libc::mknod(path.as_ptr(), libc::S_IFBLK | 0o600, libc::makedev(254, 0)) }.into())
    }),
    // Metadata.
    confined("change_mode", || Ok(fs::set_permissions(secret(), fs::Permissions::from_mode(0o777)).is_ok())),
    confined("change_mode_of_what_may_be_read", || {
        let file = fs::File::open(readable())?;
        Ok(file.set_permissions(fs::Permissions::from_mode(0o777)).is_ok())
    }),
    confined("change_owner", || {
        // SAFETY: asks for ids only.
        let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
        Ok(std::os::unix::fs::chown(secret(), Some(uid), Some(gid)).is_ok())
    }),
    confined("change_times", || {
        let path = path(secret());
        let times = [libc::timespec { tv_sec: 1, tv_nsec: 0 }; 2];
        // SAFETY: a string with its NUL and two times.
        done(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), 0) }.into())
    }),
    confined("set_attribute", || {
        let path = path(secret());
        // SAFETY: two strings with their NULs and one byte.
        done(unsafe { libc::setxattr(path.as_ptr(), c"user.x".as_ptr(), c"x".as_ptr().cast(), 1, 0) }.into())
    }),
    // Execution.
    confined("execute_what_was_written", || {
        fs::write(inside("script"), "#!/bin/sh\nexit 0\n")?;
        let copied = fs::copy("/bin/true", inside("program"));
        let _ = fs::set_permissions(inside("program"), fs::Permissions::from_mode(0o755));
        copied?;
        executes(inside("program"))
    }),
    confined("execute_outside", || executes(outside("program"))),
    // The kernel's administration.
    confined("write_kernel_settings", || {
        let files = ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe"];
        Ok(files.iter().any(|file| fs::OpenOptions::new().write(true).open(file).is_ok()))
    }),
    confined("leave_control_group", || {
        let groups = ["/sys/fs/cgroup/pids/cgroup.procs", "/sys/fs/cgroup/cgroup.procs"];
        Ok(groups.iter().any(|file| fs::OpenOptions::new().write(true).open(file).is_ok()))
    }),
    confined("mount", || {
        // SAFETY: strings with their NULs.
        done(
            unsafe {
                libc::mount(c"none".as_ptr(), c"/tmp".as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null())
            }
            .into(),
        )
    }),
    confined("bind_mount", || {
        let (from, to) = (path(outside("")), path(inside("")));
        // SAFETY: strings with their NULs.
        done(
            unsafe {
                libc::mount(from.as_ptr(), to.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null())
            }
            .into(),
        )
    }),
    confined("clone_mount_tree", || {
        // SAFETY: a string with its NUL.
        done(unsafe { syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), 1) })
    }),
    confined("new_mount_context", || {
        // SAFETY: a string with its NUL.
        done(unsafe { syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0) })
    }),
    // SAFETY: a flag only.
    confined("unshare_user_namespace", || done(unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into())),
    confined("clone_user_namespace", || {
        // SAFETY: a fork by another name: no stack is given, so the child continues on a copy.
        let child = unsafe { syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            std::process::exit(0);
        }
        done(child)
    }),
    confined("clone3_user_namespace", || {
        let arguments = [libc::CLONE_NEWUSER as u64, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
        // SAFETY: the argument structure of 64 bytes; without a stack this is a fork.
        let child = unsafe { syscall(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)) };
        if child == 0 {
            std::process::exit(0);
        }
        done(child)
    }),
    confined("join_namespace_of_service", || {
        let file = fs::File::open(format!("/proc/{}/ns/mnt", number("SERVICE")))?;
        // SAFETY: a descriptor and a flag.
        done(unsafe { libc::setns(file.as_raw_fd(), 0) }.into())
    }),
    // SAFETY: a string with its NUL.
    confined("change_root", || done(unsafe { libc::chroot(c"/".as_ptr()) }.into())),
    confined("open_by_handle", || {
        let path = path(secret());
        let mut handle = [0u32; 34];
        handle[0] = 128;
        let mut mount = 0i32;
        // SAFETY: a string with its NUL, room for a handle of 128 bytes, and an integer.
        done(unsafe {
            syscall(
                libc::SYS_name_to_handle_at,
                libc::AT_FDCWD,
                path.as_ptr(),
                handle.as_mut_ptr(),
                &mut mount as *mut i32,
                0,
            )
        })
    }),
    confined("io_uring", || {
        let mut parameters = [0u64; 15];
        // SAFETY: the parameter structure has 120 bytes.
        done(unsafe { syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) })
    }),
    // SAFETY: a command and an empty structure.
    confined("bpf", || done(unsafe { syscall(libc::SYS_bpf, 0, [0u64; 16].as_ptr(), 128) })),
    confined("performance_events", || {
        let mut attributes = [0u64; 16];
        attributes[0] = 1 | (128 << 32);
        // SAFETY: the attribute structure has 128 bytes.
        done(unsafe { syscall(libc::SYS_perf_event_open, attributes.as_ptr(), 0, -1, -1, 0) })
    }),
    // SAFETY: a flag only.
    confined("user_faults", || done(unsafe { syscall(libc::SYS_userfaultfd, 1) })),
    confined("keys", || {
        // SAFETY: strings with their NULs and one byte.
        done(unsafe { syscall(libc::SYS_add_key, c"user".as_ptr(), c"vitte".as_ptr(), c"x".as_ptr(), 1, -4) })
    }),
    // SAFETY: integers only.
    confined("personality", || done(unsafe { libc::personality(0x0040_0000) }.into())),
    confined("x32_calls", || {
        // SAFETY: getpid by its x32 number; nothing is touched.
        done(unsafe { syscall(0x4000_0000 | libc::SYS_getpid) })
    }),
    #[cfg(target_arch = "x86_64")]
    confined("i386_calls", || {
        let answer: i64;
        // SAFETY: getpid of the 32-bit interface; it clobbers the listed registers at most.
        unsafe {
            std::arch::asm!("int 0x80", inlateout("rax") 20i64 => answer,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        }
        Ok(answer > 0)
    }),
    // Sockets.
    confined("connect_abstract", || {
        let name = SocketAddr::from_abstract_name(variable("ABSTRACT"))?;
        Ok(UnixStream::connect_addr(&name).is_ok())
    }),
    confined("connect_path", || Ok(UnixStream::connect(outside("socket")).is_ok())),
    confined("send_to_path", || Ok(UnixDatagram::unbound()?.send_to(b"x", outside("datagrams")).is_ok())),
    confined("send_to_path_from_pair", || {
        let (ours, _theirs) = UnixDatagram::pair()?;
        Ok(ours.send_to(b"x", outside("datagrams")).is_ok())
    }),
    confined("send_to_path_from_raw_pair", || {
        let mut pair = [0; 2];
        // SAFETY: room for two descriptors.
        done(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_RAW, 0, pair.as_mut_ptr()) }.into())?;
        // SAFETY: the call above has just made it.
        let ours = unsafe { OwnedFd::from_raw_fd(pair[0]) };
        Ok(UnixDatagram::from(ours).send_to(b"x", outside("datagrams")).is_ok())
    }),
    confined("connect_tcp", || {
        Ok(std::net::TcpStream::connect(("127.0.0.1", number("TCP_PORT") as u16)).is_ok())
    }),
    confined("listen_tcp", || Ok(std::net::TcpListener::bind("127.0.0.1:0").is_ok())),
    confined("send_udp", || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        Ok(socket.send_to(b"x", ("127.0.0.1", number("UDP_PORT") as u16)).is_ok())
    }),
    confined("send_to_abstract", || {
        let name = SocketAddr::from_abstract_name(variable("ABSTRACT"))?;
        UnixDatagram::unbound()?.connect_addr(&name)?;
        Ok(true)
    }),
    confined("raw_packets", || {
        // SAFETY: integers only.
        done(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) }.into())
    }),
    confined("sockets_of_the_hypervisor", || {
        // SAFETY: integers only.
        done(unsafe { libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0) }.into())
    }),
    confined("netlink", || {
        // SAFETY: integers only.
        done(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0) }.into())
    }),
    // Other processes.
    confined("kill_victim", || done(signal(number("VICTIM"), libc::SIGKILL))),
    confined("probe_service", || done(signal(number("SERVICE"), 0))),
    confined("kill_supervisor", || {
        // SAFETY: asks for an id only.
        let parent = unsafe { libc::getppid() };
        // In a PID namespace of its own it sees no parent.
        if parent == 0 { Ok(false) } else { done(signal(parent, libc::SIGKILL)) }
    }),
    confined("signal_by_pidfd", || {
        // SAFETY: integers only.
        let descriptor = unsafe { syscall(libc::SYS_pidfd_open, number("VICTIM"), 0) };
        done(descriptor)?;
        // SAFETY: integers, and a null pointer for no details.
        done(unsafe { syscall(libc::SYS_pidfd_send_signal, descriptor, libc::SIGKILL, 0, 0) })
    }),
    confined("signal_by_descriptor_owner", || {
        const F_SETSIG: i32 = 10;
        let (ours, theirs) = UnixStream::pair()?;
        // SAFETY: integers only.
        done(unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETOWN, number("VICTIM")) }.into())?;
        // SAFETY: as above.
        done(unsafe { libc::fcntl(ours.as_raw_fd(), F_SETSIG, libc::SIGKILL) }.into())?;
        // SAFETY: as above.
        done(unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFL, libc::O_ASYNC) }.into())?;
        (&theirs).write_all(b"x")?;
        std::thread::sleep(std::time::Duration::from_millis(20));
        // Whether it worked is seen from outside.
        Ok(false)
    }),
    confined("trace_victim", || {
        // SAFETY: integers and null pointers.
        done(unsafe { libc::ptrace(libc::PTRACE_SEIZE, number("VICTIM"), 0usize, 0usize) })
    }),
    confined("read_foreign_memory", || {
        let mut byte = 0u8;
        let ours = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let theirs = libc::iovec { iov_base: 0x40_0000 as *mut _, iov_len: 1 };
        // SAFETY: one byte of ours; the other address is in the other process.
        let read = unsafe { libc::process_vm_readv(number("VICTIM"), &ours, 1, &theirs, 1, 0) };
        // A bad address would mean that the door is open.
        Ok(read >= 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT))
    }),
    confined("take_foreign_descriptor", || {
        // SAFETY: integers only.
        let process = unsafe { syscall(libc::SYS_pidfd_open, number("SERVICE"), 0) };
        done(process)?;
        // SAFETY: as above.
        done(unsafe { syscall(libc::SYS_pidfd_getfd, process, 0, 0) })
    }),
    confined("limit_victim", || {
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: reads one structure.
        done(
            unsafe { libc::prlimit(number("VICTIM"), libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) }
                .into(),
        )
    }),
    confined("slow_victim_down", || {
        // SAFETY: integers only.
        done(unsafe { libc::setpriority(libc::PRIO_PROCESS, number("VICTIM").unsigned_abs(), 19) }.into())
    }),
    confined("idle_schedule_for_victim", || {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: reads one structure.
        done(unsafe { libc::sched_setscheduler(number("VICTIM"), libc::SCHED_IDLE, &parameters) }.into())
    }),
    confined("crowd_victim_onto_one_processor", || {
        let set = [1u64; 1];
        // SAFETY: reads eight bytes of a set of processors.
        done(unsafe { syscall(libc::SYS_sched_setaffinity, number("VICTIM"), 8, set.as_ptr()) })
    }),
    confined("starve_victim_of_the_disk", || {
        const IOPRIO_WHO_PROCESS: i32 = 1;
        const IDLE: i32 = 3 << 13;
        // SAFETY: integers only.
        done(unsafe { syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, number("VICTIM"), IDLE) })
    }),
    confined("move_memory_of_victim", || {
        // SAFETY: no pages are named: the answer tells whether the process could be.
        done(unsafe { syscall(libc::SYS_move_pages, number("VICTIM"), 0, 0, 0, 0, 0) })
    }),
    confined("attach_shared_memory", || {
        // SAFETY: attaches wherever there is room; it is never used.
        let address = unsafe { libc::shmat(number("SEGMENT"), std::ptr::null(), 0) };
        Ok(address as isize != -1)
    }),
    confined("message_queue", || {
        // SAFETY: a string with its NUL; no attributes.
        done(unsafe { syscall(libc::SYS_mq_open, c"vitte".as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600, 0) })
    }),
    // Whatever the rung: privileges, descriptors, bombs.
    limited("capabilities", Limits::default, || {
        let header = [0x2008_0522u32, 0];
        let mut sets = [0u32; 6];
        // SAFETY: version 3 fills six words.
        done(unsafe { syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) })?;
        Ok(sets.iter().any(|set| *set != 0))
    }),
    limited("new_privileges", Limits::default, || {
        // SAFETY: integers only.
        Ok(unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) } != 1)
    }),
    limited("inherited_descriptors", Limits::default, || {
        // SAFETY: asks for flags of numbers, open or not.
        Ok((3..4096).any(|number| unsafe { libc::fcntl(number, libc::F_GETFD) } != -1))
    }),
    limited(
        "raise_limits",
        || Limits { open_files: Some(64), ..Limits::default() },
        || {
            let limit = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
            // SAFETY: reads one structure.
            done(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }.into())
        },
    ),
    limited(
        "descriptor_bomb",
        || Limits { open_files: Some(64), ..Limits::default() },
        || {
            let files: Vec<_> = (0..100).map_while(|_| fs::File::open("/dev/null").ok()).collect();
            Ok(files.len() > 64)
        },
    ),
    limited(
        "file_bomb",
        || Limits { file_bytes: Some(1 << 16), ..Limits::default() },
        || {
            let mut file = fs::File::create(inside("big"))?;
            (0..100).try_for_each(|_| file.write_all(&[0; 4096]))?;
            Ok(true)
        },
    ),
    limited(
        "memory_bomb",
        || Limits { address_space: Some(256 << 20), ..Limits::default() },
        || {
            let mut blocks: Vec<Vec<u8>> = Vec::new();
            for _ in 0..64 {
                let mut block = Vec::new();
                block.try_reserve_exact(16 << 20).map_err(io::Error::other)?;
                block.resize(16 << 20, 1);
                blocks.push(block);
            }
            Ok(blocks.len() == 64)
        },
    ),
    limited(
        "memory_bomb_of_many",
        || Limits { memory: Some(64 << 20), ..Limits::default() },
        || {
            let mut children = Vec::new();
            for _ in 0..8 {
                if let Some(child) = fork() {
                    children.push(child);
                    continue;
                }
                let block = vec![1u8; 32 << 20];
                std::thread::sleep(std::time::Duration::from_millis(300));
                std::process::exit(i32::from(block[1 << 20]));
            }
            // They hold their memory until all have it.
            Ok(children.into_iter().map(wait).all(|status| libc::WIFEXITED(status)))
        },
    ),
    limited(
        "processor_bomb",
        || Limits { cpu_seconds: Some(1), ..Limits::default() },
        || {
            // By its own processor time: on a busy machine a second of that takes long.
            let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            while used.tv_sec < 4 {
                // SAFETY: room for one time.
                done(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut used) }.into())?;
            }
            Ok(true)
        },
    ),
    limited(
        "fork_bomb",
        || Limits { processes: Some(24), ..Limits::default() },
        || {
            let mut children = 0;
            for _ in 0..64 {
                // SAFETY: this process has one thread; the child only sleeps.
                match unsafe { libc::fork() } {
                    -1 => break,
                    0 => loop {
                        std::thread::sleep(std::time::Duration::from_secs(1000));
                    },
                    _ => children += 1,
                }
            }
            Ok(children > 24)
        },
    ),
    runaway("new_session", || {
        if fork().is_none() {
            // SAFETY: takes nothing.
            unsafe { libc::setsid() };
            linger();
        }
        linger()
    }),
    runaway("daemon", || {
        if fork().is_none() {
            // SAFETY: takes nothing.
            unsafe { libc::setsid() };
            if fork().is_none() {
                linger();
            }
            std::process::exit(0);
        }
        linger()
    }),
    runaway("deaf_to_signals", || {
        for number in 1..32 {
            // SAFETY: ignores a signal, or is refused.
            unsafe { libc::signal(number, libc::SIG_IGN) };
        }
        linger()
    }),
    runaway("chain_of_forks", || {
        println!("ready");
        io::stdout().flush()?;
        loop {
            // Every link of the chain ends at once, its child is already somewhere else.
            if fork().is_some() {
                std::process::exit(0);
            }
            // SAFETY: takes nothing.
            unsafe { libc::setsid() };
        }
    }),
    runaway("stopped_tree", || {
        for _ in 0..8 {
            if fork().is_none() {
                // SAFETY: stops this process.
                unsafe { libc::raise(libc::SIGSTOP) };
                linger();
            }
        }
        linger()
    }),
];

/// Says that all is ready, then stays.
fn linger() -> ! {
    println!("ready");
    let _ = io::stdout().flush();
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
}

/// The child's id, or `None` in the child.
fn fork() -> Option<i32> {
    // SAFETY: attempts have one thread, so the child may do whatever the parent may.
    match unsafe { libc::fork() } {
        0 => None,
        child => Some(child),
    }
}

fn wait(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: room for one integer.
    unsafe { libc::waitpid(child, &mut status, 0) };
    status
}

fn executes(program: PathBuf) -> io::Result<bool> {
    let program = path(program);
    let Some(child) = fork() else {
        // SAFETY: a string with its NUL, a table with its end, and no environment.
        unsafe { libc::execv(program.as_ptr(), [program.as_ptr(), std::ptr::null()].as_ptr()) };
        std::process::exit(1);
    };
    let status = wait(child);
    Ok(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0)
}

fn signal(process: i32, signal: i32) -> c_long {
    // SAFETY: integers only.
    unsafe { libc::kill(process, signal) }.into()
}

fn done(answer: c_long) -> io::Result<bool> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(true) }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn number(name: &str) -> i32 {
    // Never 0 or -1, which mean everybody.
    variable(name).parse().ok().filter(|number| *number > 1).unwrap_or(i32::MAX)
}

fn inside(name: &str) -> PathBuf {
    PathBuf::from(variable("INSIDE")).join(name)
}

fn outside(name: &str) -> PathBuf {
    PathBuf::from(variable("OUTSIDE")).join(name)
}

fn secret() -> PathBuf {
    outside("secret")
}

fn readable() -> PathBuf {
    PathBuf::from(variable("READABLE"))
}

fn path(path: PathBuf) -> CString {
    CString::new(path.into_os_string().into_encoded_bytes()).unwrap_or_default()
}
