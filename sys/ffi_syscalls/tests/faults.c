// Makes every failure that the header documents happen, and looks that it is reported as it says.
//
// The header's comments list, for each function, system calls and the errno values each of them can
// fail with. For every such pair a child process installs a seccomp filter under which that call
// answers that errno, calls the function, and compares. The header is thus the table of this test: a
// documented error that cannot be produced fails it, and so does a function with no case here.
//
// Then each of those calls is interrupted once: a second thread, which the filter asks, answers EINTR
// the first time and lets the call be made the second. The function must succeed and have called again.
//
// Usage: faults HEADER DIRECTORY, where the directory is empty and on a file system with OFD locks.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ffi_syscalls.h"

#define NUL RT_NUL_TERMINATED
#define LENGTH(array) (sizeof(array) / sizeof *(array))

// The system calls by the names the header uses. Where libc may choose, all it may choose from.
static const struct {
    const char *name;
    int numbers[6];
} calls[] = {
    {"clone", {SYS_clone, SYS_clone3, SYS_vfork}},
    {"clock_gettime", {SYS_clock_gettime}},
    {"close", {SYS_close}},
    {"copy_file_range", {SYS_copy_file_range}},
    {"execve", {SYS_execve}},
    {"fchmodat", {SYS_fchmodat, SYS_chmod, SYS_fchmod}},
    {"fcntl", {SYS_fcntl}},
    {"fsync", {SYS_fsync}},
    {"fdatasync", {SYS_fdatasync}},
    {"ftruncate", {SYS_ftruncate}},
    {"getcwd", {SYS_getcwd}},
    {"getdents64", {SYS_getdents64}},
    {"getrandom", {SYS_getrandom}},
    {"io_uring_enter", {SYS_io_uring_enter}},
    {"io_uring_setup", {SYS_io_uring_setup}},
    {"kill", {SYS_kill}},
    {"lseek", {SYS_lseek}},
    {"memfd_create", {SYS_memfd_create}},
    {"mkdirat", {SYS_mkdirat, SYS_mkdir}},
    {"mmap", {SYS_mmap}},
    {"msync", {SYS_msync}},
    {"munmap", {SYS_munmap}},
    {"newfstatat", {SYS_newfstatat, SYS_stat, SYS_lstat, SYS_fstat, SYS_statx}},
    {"openat", {SYS_openat, SYS_open}},
    {"pipe2", {SYS_pipe2}},
    {"poll", {SYS_poll, SYS_ppoll}},
    {"pread64", {SYS_pread64}},
    {"pwrite64", {SYS_pwrite64}},
    {"read", {SYS_read}},
    {"readlinkat", {SYS_readlinkat, SYS_readlink}},
    {"renameat2", {SYS_renameat2, SYS_renameat, SYS_rename}},
    {"symlinkat", {SYS_symlinkat, SYS_symlink}},
    {"uname", {SYS_uname}},
    {"unlinkat", {SYS_unlinkat, SYS_unlink, SYS_rmdir}},
    {"wait4", {SYS_wait4}},
    {"write", {SYS_write}},
};

static const struct {
    const char *name;
    int code;
} errnos[] = {
#define E(name) {#name, name}
    E(E2BIG), E(EACCES), E(EAGAIN), E(EBADF), E(EBUSY), E(ECHILD), E(EDEADLK), E(EDQUOT), E(EEXIST),
    E(EFAULT), E(EFBIG), E(EINVAL), E(EIO), E(EISDIR), E(ELOOP), E(EMFILE), E(EMLINK), E(ENAMETOOLONG),
    E(ENFILE), E(ENODEV), E(ENOENT), E(ENOEXEC), E(ENOLCK), E(ENOMEM), E(ENOSPC), E(ENOSYS), E(ENOTDIR),
    E(ENOTEMPTY), E(ENXIO), E(EOPNOTSUPP), E(EOVERFLOW), E(EPERM), E(EPIPE), E(EROFS), E(ESPIPE), E(ESRCH),
    E(ETXTBSY), E(EXDEV),
#undef E
};

// What the cases use; made anew before each.
static struct RtBuf buf;
static int64_t lock;
#ifdef RT_WIDE
static int64_t file, ends[2], child;
static void *dir;
static struct RtMap map;
static char byte;
#endif

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        _exit(99);
    }
}

static void fixture(const char *name) {
    must(system("rm -rf new renamed link tree && mkdir -p dir tree/below && echo text > file && echo > gone &&"
                " echo > tree/below/file && ln -s file link") == 0, "fixture");
    must((lock = rt_fs_lock("file", NUL, 0)) >= 0, "lock");
    rt_buf_free(&buf);
#ifdef RT_WIDE
    must((file = rt_fd_open("file", NUL, RT_OPEN_READ | RT_OPEN_WRITE, 0)) >= 0, "file");
    must(rt_pipe(ends) == 0, "pipe");
    must(rt_fd_write(ends[1], "x", 1) == 1, "write");
    must(rt_dir_open("dir", NUL, &dir) == 0, "dir");
    must(rt_map(file, 0, 5, 0, &map) == 0, "map");
    if (strcmp(name, "rt_process_wait") == 0 || strcmp(name, "rt_process_kill") == 0) {
        struct RtSpawn spawn = {0};
        spawn.args = "sleep\0" "0.05", spawn.args_len = 11;
        must((child = rt_process_spawn(&spawn, sizeof spawn)) > 0, "spawn");
    }
#else
    (void)name;
#endif
}

// The first interface's answers in the form of the second's.
static int64_t yes(bool ok) { return ok ? 0 : -(int64_t)rt_last_errno(); }
static int64_t some(const void *pointer) { return yes(pointer != NULL); }
static int64_t number(int64_t value) { return value >= 0 ? value : yes(false); }

#define ARGS "/bin/true", 10
#define CASE(name, expression) \
    static int64_t case_##name(void) { return expression; }
#define CASES \
    CASE(rt_dir_create, yes(rt_dir_create("new", true))) \
    CASE(rt_dir_list, some(rt_dir_list("dir"))) \
    CASE(rt_env_current_dir, rt_env_current_dir(&buf)) \
    CASE(rt_env_cwd, some(rt_env_cwd())) \
    CASE(rt_env_get, some(rt_env_get("PATH"))) \
    CASE(rt_env_home, some(rt_env_home())) \
    CASE(rt_env_home_dir, rt_env_home_dir(&buf)) \
    CASE(rt_env_set, yes(rt_env_set("FAULTS", "value"))) \
    CASE(rt_env_set_var, rt_env_set_var("FAULTS", 6, "value", 5)) \
    CASE(rt_env_var, rt_env_var("PATH", 4, &buf)) \
    CASE(rt_file_append_text, yes(rt_file_append_text("file", "more"))) \
    CASE(rt_file_copy, yes(rt_file_copy("file", "new"))) \
    CASE(rt_file_delete, yes(rt_file_delete("gone"))) \
    CASE(rt_file_exists, yes(rt_file_exists("file"))) \
    CASE(rt_file_lock, number(rt_file_lock("file"))) \
    CASE(rt_file_mmap_read_bytes, some(rt_file_mmap_read_bytes("file"))) \
    CASE(rt_file_mmap_read_text, some(rt_file_mmap_read_text("file"))) \
    CASE(rt_file_modified_time, number(rt_file_modified_time("file"))) \
    CASE(rt_file_read_text, some(rt_file_read_text("file"))) \
    CASE(rt_file_remove, yes(rt_file_remove("gone"))) \
    CASE(rt_file_size, number(rt_file_size("file"))) \
    CASE(rt_file_unlock, yes(rt_file_unlock(lock))) \
    CASE(rt_file_write_text, yes(rt_file_write_text("new", "text"))) \
    CASE(rt_fs_copy, rt_fs_copy("file", 4, "new", 3)) \
    CASE(rt_fs_list, rt_fs_list("dir", 3, &buf)) \
    CASE(rt_fs_lock, rt_fs_lock("gone", 4, RT_LOCK_SHARED)) \
    CASE(rt_fs_mkdir, rt_fs_mkdir("new", 3, 0755, 0)) \
    CASE(rt_fs_read, rt_fs_read("file", 4, &buf)) \
    CASE(rt_fs_remove, rt_fs_remove("gone", 4, 0)) \
    CASE(rt_fs_stat, rt_fs_stat("file", 4, 0, &(struct RtStat){0}, sizeof(struct RtStat))) \
    CASE(rt_fs_unlock, rt_fs_unlock(lock)) \
    CASE(rt_fs_write, rt_fs_write("new", 3, 0, "text", 4)) \
    CASE(rt_hostname, some(rt_hostname())) \
    CASE(rt_process_exec, rt_process_exec(ARGS)) \
    CASE(rt_process_run, number(rt_process_run("/bin/true", NULL, 0))) \
    CASE(rt_sys_hostname, rt_sys_hostname(&buf)) \
    WIDE_CASES

#ifdef RT_WIDE
// As many as are worth a ring, all of which must be read, with or without one.
static int64_t many(void) {
    char list[20 * 5];
    int64_t lens[20];
    for (int at = 0; at < 20; at++)
        memcpy(list + 5 * at, "file", 5);
    int64_t read = rt_fs_read_many(list, sizeof list, &buf, lens, 20);
    return read < 0 || (read == 20 && buf.len == 20 * 5 && memcmp(buf.ptr, "text\ntext\n", 10) == 0) ? read : -EBADMSG;
}

#define SPAWN &(struct RtSpawn){.args = "/bin/true", .args_len = 10}, sizeof(struct RtSpawn)
#define WIDE_CASES \
    CASE(rt_clock, rt_clock(RT_CLOCK_WALL)) \
    CASE(rt_dir_next, rt_dir_next(dir, &buf)) \
    CASE(rt_dir_open, rt_dir_open("dir", NUL, &dir)) \
    CASE(rt_env_list, rt_env_list(&buf)) \
    CASE(rt_fd_close, rt_fd_close(file)) \
    CASE(rt_fd_open, rt_fd_open("file", NUL, RT_OPEN_READ, 0)) \
    CASE(rt_fd_read, rt_fd_read(file, &byte, 1)) \
    CASE(rt_fd_read_at, rt_fd_read_at(file, 0, &byte, 1)) \
    CASE(rt_fd_seek, rt_fd_seek(file, 0, RT_SEEK_END)) \
    CASE(rt_fd_sync, rt_fd_sync(file)) \
    CASE(rt_fd_truncate, rt_fd_truncate(file, 1)) \
    CASE(rt_fd_write, rt_fd_write(file, "x", 1)) \
    CASE(rt_fd_write_at, rt_fd_write_at(file, 0, "x", 1)) \
    CASE(rt_fs_chmod, rt_fs_chmod("file", NUL, 0600)) \
    CASE(rt_fs_link_target, rt_fs_link_target("link", NUL, &buf)) \
    CASE(rt_fs_read_many, many()) \
    CASE(rt_fs_remove_tree, rt_fs_remove_tree("tree", NUL)) \
    CASE(rt_fs_rename, rt_fs_rename("file", NUL, "renamed", NUL, 0)) \
    CASE(rt_fs_symlink, rt_fs_symlink("file", NUL, "new", NUL)) \
    CASE(rt_fs_temp_file, rt_fs_temp_file(".", NUL, &buf)) \
    CASE(rt_map, rt_map(file, 0, 5, 0, &map)) \
    CASE(rt_map_sync, rt_map_sync(&map)) \
    CASE(rt_pipe, rt_pipe(ends)) \
    CASE(rt_poll, rt_poll(&(struct RtPoll){.fd = (int32_t)ends[0], .wanted = RT_POLL_READ}, 1, 0)) \
    CASE(rt_process_kill, rt_process_kill(child, SIGTERM)) \
    CASE(rt_process_spawn, rt_process_spawn(SPAWN)) \
    CASE(rt_process_wait, rt_process_wait(child, 0)) \
    CASE(rt_random, rt_random(&byte, 1)) \
    CASE(rt_shared_memory, rt_shared_memory(4096)) \
    CASE(rt_unmap, rt_unmap(&map))
#else
#define WIDE_CASES
#endif

CASES
#undef CASE
#define CASE(name, expression) {#name, case_##name},
static const struct {
    const char *name;
    int64_t (*call)(void);
} cases[] = {CASES};

// The documented errors, as read from the header.
struct pair {
    char function[40];
    char call[24];
    char code[20]; // or, with call empty, the function whose errors it shares
    bool absorbed;
};
static struct pair pairs[4096];
static size_t pair_count;

static void add(const char *call, const char *code, bool absorbed) {
    must(pair_count < LENGTH(pairs), "room for pairs");
    struct pair *pair = &pairs[pair_count++];
    snprintf(pair->call, sizeof pair->call, "%s", call);
    snprintf(pair->code, sizeof pair->code, "%s", code);
    pair->absorbed = absorbed;
}

// Reads the comments and the prototypes they belong to.
static void parse(const char *path) {
    FILE *header = fopen(path, "r");
    must(header != NULL, path);
    char line[1024], call[24], rest[1000], as[40];
    size_t first = 0;
    while (fgets(line, sizeof line, header)) {
        if (sscanf(line, "// As `%39[a-z_]`.", as) == 1) {
            add("", as, false);
        } else if (sscanf(line, "// - `%23[a-z0-9_]`%999[^\n]", call, rest) == 2) {
            bool absorbed = strncmp(rest, ", absorbed", 10) == 0;
            for (char *code = strtok(strchr(rest, ':') + 1, ", "); code; code = strtok(NULL, ", "))
                add(call, code, absorbed);
        }
        char *name = line[0] == '/' ? NULL : strstr(line, "rt_");
        if (name && strchr(name, '(')) {
            *strchr(name, '(') = 0;
            for (; first < pair_count; first++)
                snprintf(pairs[first].function, sizeof pairs->function, "%s", name);
        }
    }
    fclose(header);
}

static int code_of(const char *name) {
    for (size_t at = 0; at < LENGTH(errnos); at++)
        if (strcmp(errnos[at].name, name) == 0)
            return errnos[at].code;
    return 0;
}

// From here on, the calls of that name answer the errno.
static void inject(const int *numbers, size_t count, int code) {
    struct sock_filter filter[16] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short used = 1;
    for (size_t at = 0; at < count; at++) {
        if (at > 0 && numbers[at] == 0)
            break;
        filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[at], 0, 1);
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code);
    }
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {used, filter};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

// Leaves the allocator nothing to give and nothing to ask for. A filter would not do: brk answers an
// address, and libc takes a negated errno for one.
static void exhaust(void) {
    must(setrlimit(RLIMIT_DATA, &(struct rlimit){0, 0}) == 0, "setrlimit");
    for (size_t size = 1 << 20; size >= 8; size /= 2)
        while (malloc(size)) {
        }
}

// One pair in a process of its own. Answers whether all was as documented.
static bool check(const char *function, const struct pair *pair) {
    int code = code_of(pair->code);
    size_t which = 0, call = 0;
    while (which < LENGTH(cases) && strcmp(cases[which].name, function) != 0)
        which++;
    while (call < LENGTH(calls) && strcmp(calls[call].name, pair->call) != 0)
        call++;
    bool memory = strcmp(pair->call, "malloc") == 0;
    if (which == LENGTH(cases) || (call == LENGTH(calls) && !memory) || code == 0) {
        printf("%s: %s %s: no such case, call or errno in this test\n", function, pair->call, pair->code);
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        fixture(function);
        if (memory)
            exhaust();
        else
            inject(calls[call].numbers, LENGTH(calls[call].numbers), code);
        int64_t result = cases[which].call();
        if (pair->absorbed ? result >= 0 : result == -code)
            _exit(0);
        char line[200];
        int len = snprintf(line, sizeof line, "%s: %s %s: answered %lld\n", function, pair->call, pair->code,
                           (long long)result);
        struct iovec text = {line, (size_t)len};
        writev(1, &text, 1); // write may be what fails here
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: %s %s: ended by signal %d\n", function, pair->call, pair->code, WTERMSIG(status));
    return status == 0;
}

// The calls that a signal can interrupt, and whether they are then made again: a descriptor is closed
// all the same, and a copy goes on by reading and writing.
static const struct {
    const char *name;
    bool again;
} interruptible[] = {
    {"openat", true}, {"read", true}, {"write", true}, {"fcntl", true}, {"ftruncate", true}, {"wait4", true},
    {"pread64", true}, {"pwrite64", true}, {"fsync", true}, {"getrandom", true}, {"io_uring_enter", true}, {"close", false},
    {"copy_file_range", false},
};

static int listener;
static atomic_int asked;

// Answers the filter's questions: EINTR once, and then the call is made.
static void *answer(void *unused) {
    for (;;) {
        struct seccomp_notif question;
        memset(&question, 0, sizeof question);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0)
            continue;
        struct seccomp_notif_resp reply = {.id = question.id};
        if (atomic_fetch_add(&asked, 1) == 0)
            reply.error = -EINTR;
        else
            reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    }
    return unused;
}

static void *wait_for_listener(void *go) {
    while (!atomic_load((atomic_bool *)go))
        sched_yield();
    return answer(NULL);
}

// One call of one function, interrupted once, in a process of its own.
static bool check_interrupted(const char *function, const char *call_name, bool again) {
    size_t which = 0, call = 0;
    while (which < LENGTH(cases) && strcmp(cases[which].name, function) != 0)
        which++;
    while (call < LENGTH(calls) && strcmp(calls[call].name, call_name) != 0)
        call++;
    if (which == LENGTH(cases) || call == LENGTH(calls))
        return false;
    fflush(stdout);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        fixture(function);
        if (strcmp(function, "rt_file_lock") == 0)
            close((int)lock); // or the answer is that someone else has it
        static atomic_bool go;
        pthread_t thread; // made before the filter, which is for this thread alone
        must(pthread_create(&thread, NULL, wait_for_listener, &go) == 0, "thread");
        struct sock_filter filter[16] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
        unsigned short used = 1;
        for (size_t at = 0; at < LENGTH(calls[call].numbers) && (at == 0 || calls[call].numbers[at]); at++) {
            filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[call].numbers[at], 0, 1);
            filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        }
        filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        struct sock_fprog program = {used, filter};
        must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
        listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        must(listener >= 0, "listener");
        atomic_store(&go, true);
        alarm(20); // a loop that never ends
        int64_t result = cases[which].call();
        int questions = atomic_load(&asked);
        if (result >= 0 && questions >= (again ? 2 : 1))
            _exit(0);
        char line[200];
        int len = snprintf(line, sizeof line, "%s: %s interrupted: answered %lld after %d calls\n", function, call_name,
                           (long long)result, questions);
        struct iovec piece = {line, (size_t)len};
        writev(1, &piece, 1);
        _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("%s: %s interrupted: ended by signal %d\n", function, call_name, WTERMSIG(status));
    return status == 0;
}

// Interrupts every call that the header names for a function, the shared lists included.
static void interrupt_all(const char *function, const char *source, size_t *done, size_t *failed) {
    for (size_t call = 0; call < LENGTH(interruptible); call++) {
        for (size_t at = 0; at < pair_count; at++) {
            if (strcmp(pairs[at].function, source) == 0 && strcmp(pairs[at].call, interruptible[call].name) == 0) {
                ++*done;
                *failed += !check_interrupted(function, interruptible[call].name, interruptible[call].again);
                break;
            }
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s HEADER DIRECTORY\n", argv[0]);
        return 64;
    }
    parse(argv[1]);
    must(chdir(argv[2]) == 0, argv[2]);
    size_t done = 0, failed = 0;
    for (size_t at = 0; at < pair_count; at++) {
        const struct pair *pair = &pairs[at];
        bool known = false;
        // The small library's header also names what only the wide one has.
        for (size_t which = 0; which < LENGTH(cases); which++)
            known |= strcmp(cases[which].name, pair->function) == 0;
#ifndef RT_WIDE
        if (!known)
            continue;
#endif
        (void)known;
        if (pair->call[0]) {
            done++;
            failed += !check(pair->function, pair);
            continue;
        }
        for (size_t other = 0; other < pair_count; other++) {
            if (strcmp(pairs[other].function, pair->code) == 0 && pairs[other].call[0]) {
                done++;
                failed += !check(pair->function, &pairs[other]);
            }
        }
    }
    printf("%zu of %zu documented failures are as documented\n", done - failed, done);
    size_t interrupted = 0, broken = 0;
    for (size_t which = 0; which < LENGTH(cases); which++) {
        const char *source = cases[which].name;
        for (size_t at = 0; at < pair_count; at++)
            if (strcmp(pairs[at].function, source) == 0 && !pairs[at].call[0])
                source = pairs[at].code;
        interrupt_all(cases[which].name, source, &interrupted, &broken);
    }
    printf("%zu of %zu interrupted calls were made again\n", interrupted - broken, interrupted);
    return failed + broken != 0 || done < 300 || interrupted < 30;
}
