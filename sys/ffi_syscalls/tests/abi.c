// Uses the library as a C or C++ program does, in an empty directory given as its argument. Compiled
// as both. With RT_WIDE, the larger library.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ffi_syscalls.h"

#define NUL RT_NUL_TERMINATED

static int failures;

// Valgrind and qemu make a process of its own of what the kernel lets share memory until it runs a
// program, so that libc is not told why one could not be run. They are announced by EMULATED.
static bool emulated;

// Says what did not hold, and goes on.
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, rt_last_errno()); \
            failures++; \
        } \
    } while (0)

// Whether a text of the first interface is what it should be; frees it.
static bool is(char *text, const char *wanted) {
    bool same = text != NULL && strcmp(text, wanted) == 0;
    rt_free(text);
    return same;
}

static void the_first_interface(void) {
    CHECK(rt_file_write_text("plain", "one"));
    CHECK(rt_file_append_text("plain", " two"));
    CHECK(is(rt_file_read_text("plain"), "one two"));
    CHECK(is(rt_file_mmap_read_text("plain"), "one two"));
    CHECK(is((char *)rt_file_mmap_read_bytes("plain"), "one two"));
    CHECK(rt_file_exists("plain") && rt_file_size("plain") == 7);
    struct stat stat_;
    CHECK(stat("plain", &stat_) == 0 && rt_file_modified_time("plain") == stat_.st_mtime);
    CHECK(rt_file_copy("plain", "copied") && is(rt_file_read_text("copied"), "one two"));
    CHECK(rt_file_delete("copied") && !rt_file_exists("copied") && rt_last_errno() == ENOENT);
    CHECK(!rt_file_remove("copied") && rt_last_errno() == ENOENT);
    CHECK(rt_file_size("copied") == -1 && rt_file_modified_time("copied") == -1);
    CHECK(rt_file_read_text("copied") == NULL && rt_last_errno() == ENOENT);

    CHECK(rt_dir_create("a/b//c/", true) && rt_dir_create("a/b/c", true));
    CHECK(!rt_dir_create("a/b/c", false) && rt_last_errno() == EEXIST);
    CHECK(!rt_dir_create("no/such", false) && rt_last_errno() == ENOENT);
    CHECK(!rt_dir_create("plain/below", true) && rt_last_errno() == ENOTDIR);
    CHECK(rt_file_write_text("a/1", "") && rt_file_write_text("a/2", ""));
    char **names = rt_dir_list("a");
    size_t count = 0, known = 0;
    for (; names && names[count]; count++)
        known += !strcmp(names[count], "1") + !strcmp(names[count], "2") + !strcmp(names[count], "b");
    CHECK(count == 3 && known == 3);
    rt_free(names);
    names = rt_dir_list("a/b/c");
    CHECK(names && names[0] == NULL);
    rt_free(names);
    CHECK(rt_dir_list("plain") == NULL && rt_last_errno() == ENOTDIR);

    char here[4096];
    CHECK(is(rt_env_cwd(), getcwd(here, sizeof here)));
    CHECK(rt_env_set("FFI_TEST", "value") && is(rt_env_get("FFI_TEST"), "value"));
    CHECK(!rt_env_set("A=B", "") && rt_last_errno() == EINVAL);
    CHECK(is(rt_env_get("FFI_NONE"), ""));
    CHECK(setenv("HOME", "/some/where", 1) == 0 && is(rt_env_home(), "/some/where"));
    CHECK(unsetenv("HOME") == 0);
    char *home = rt_env_home();
    CHECK(home && home[0] == '/');
    rt_free(home);
    char host[300] = {0};
    CHECK(gethostname(host, 299) == 0 && is(rt_hostname(), host));
    CHECK(rt_getpid() == getpid() && rt_system_cpu_count() >= 1);

    const char *seven[] = {"-c", "exit 7"}, *killed[] = {"-c", "kill -9 $$"}, *is127[] = {"-c", "exit 127"};
    CHECK(rt_process_run("true", NULL, 0) == 0 && rt_process_run("sh", seven, 2) == 7);
    CHECK(rt_process_run("sh", killed, 2) == 137 && rt_process_run("sh", is127, 2) == 127);
    CHECK(emulated || (rt_process_run("no-such-command", NULL, 0) == -1 && rt_last_errno() == ENOENT));
    CHECK(emulated || (rt_process_run("./plain", NULL, 0) == -1 && rt_last_errno() == EACCES));
}

static void the_second_interface(void) {
    struct RtBuf buf = {0, 0, 0};
    CHECK(rt_abi_version() == RT_ABI_VERSION);
    CHECK(rt_fs_write("bytesXXX", 5, 0, "a\0b", 3) == 3);
    CHECK(rt_fs_read("bytes", NUL, &buf) == 3 && buf.len == 3 && memcmp(buf.ptr, "a\0b", 4) == 0);
    uint8_t *before = buf.ptr;
    CHECK(rt_fs_read("bytes", 5, &buf) == 3 && buf.ptr == before);
    CHECK(rt_fs_write("bytes", 5, RT_CREATE_NEW, "", 0) == -EEXIST);
    CHECK(rt_fs_write("bytes", 5, 0x80, "", 0) == -EINVAL);
    CHECK(rt_fs_write("by\0es", 5, 0, "", 0) == -EINVAL);
    CHECK(rt_fs_read(NULL, 0, &buf) == -EFAULT && rt_fs_read("bytes", 5, NULL) == -EFAULT);
    CHECK(rt_fs_read("", 0, &buf) == -ENOENT);

    struct RtStat stat_;
    CHECK(rt_fs_stat("bytes", 5, 0, &stat_, sizeof stat_) == sizeof stat_ && stat_.size == 3);
    CHECK((stat_.mode & RT_MODE_KIND) == RT_MODE_FILE && stat_.links == 1 && stat_.uid == getuid());
    // A caller from before the later fields existed, and one from after there are more.
    struct { struct RtStat known; int64_t later; } larger;
    larger.later = 7;
    memset(&stat_, 0xff, sizeof stat_);
    CHECK(rt_fs_stat("bytes", 5, 0, &stat_, 8) == 8 && stat_.size == 3 && stat_.modified_ns == -1);
    CHECK(rt_fs_stat("bytes", 5, 0, &larger.known, sizeof larger) == sizeof stat_ && larger.later == 7);
    CHECK(symlink("loop", "loop") == 0 && rt_fs_stat("loop", 4, 0, &stat_, sizeof stat_) == -ELOOP);
    CHECK(rt_fs_stat("loop", 4, RT_NO_FOLLOW, &stat_, sizeof stat_) > 0);
    CHECK((stat_.mode & RT_MODE_KIND) == RT_MODE_SYMLINK);
    CHECK(rt_fs_read("loop", 4, &buf) == -ELOOP && rt_fs_remove("loop", 4, 0) == 0);

    CHECK(rt_fs_mkdir("made/deep", 9, 0700, 0) == -ENOENT);
    CHECK(rt_fs_mkdir("made/deepXX", 9, 0700, RT_RECURSIVE) == 0);
    CHECK(rt_fs_stat("made/deep", 9, 0, &stat_, sizeof stat_) > 0 && (stat_.mode & 07777) == 0700);
    CHECK(rt_fs_remove("made", 4, 0) == -EISDIR && rt_fs_remove("made", 4, RT_DIRECTORY) == -ENOTEMPTY);
    CHECK(rt_fs_remove("made/deep", 9, RT_DIRECTORY) == 0 && rt_fs_list("made", 4, &buf) == 0 && buf.len == 0);
    CHECK(rt_fs_read("made", 4, &buf) == -EISDIR);

    CHECK(rt_env_set_var("FFI", 3, "longer", 4) == 0 && rt_env_var("FFI", 3, &buf) == 4);
    CHECK(strcmp((char *)buf.ptr, "long") == 0);
    CHECK(rt_env_var("FFI_NONE", NUL, &buf) == -ENOENT && rt_env_set_var("", 0, "x", 1) == -EINVAL);
    CHECK(rt_env_set_var("FFI", 3, "a\0b", 3) == -EINVAL && rt_env_set_var("FFI", 3, NULL, 0) == -EFAULT);

    CHECK(rt_process_exec("sh\0-c\0exit 200", 15) == 200);
    CHECK(rt_process_exec("sh\0-c\0kill -9 $$", 17) == (RT_SIGNALED | 9));
    CHECK((emulated || rt_process_exec("none-such", 10) == -ENOENT) && rt_process_exec("", 0) == -EINVAL);
    CHECK(rt_process_exec("no end", 6) == -EINVAL);
    rt_buf_free(&buf);
    CHECK(buf.ptr == NULL && buf.cap == 0);
    rt_buf_free(&buf);
    rt_buf_free(NULL);
    rt_free(NULL);
}

// What is no plain file with an honest size.
static void odd_files(void) {
    struct RtBuf buf = {0, 0, 0}, again = {0, 0, 0};
    CHECK(rt_fs_write("empty", 5, 0, NULL, 0) == 0 && rt_fs_read("empty", 5, &buf) == 0 && buf.ptr[0] == 0);
    CHECK(rt_fs_copy("empty", 5, "empty2", 6) == 0);
    CHECK(rt_fs_read("/proc/self/limits", NUL, &buf) > 500);
    CHECK(rt_fs_copy("/proc/self/limits", NUL, "limits", NUL) == (int64_t)buf.len);
    CHECK(rt_fs_read("limits", NUL, &again) == (int64_t)buf.len && !memcmp(buf.ptr, again.ptr, buf.len));

    // Larger than any buffer, with an end that is no multiple of one; copying keeps the permissions.
    size_t size = 5000001;
    char *large = (char *)malloc(size);
    for (size_t at = 0; at < size; at++)
        large[at] = (char)(at * 7 + at / 251);
    CHECK(rt_fs_write("large", 5, 0, large, size) == (int64_t)size && chmod("large", 0640) == 0);
    CHECK(rt_fs_copy("large", 5, "large2", 6) == (int64_t)size && rt_fs_read("large2", 6, &buf) == (int64_t)size);
    CHECK(memcmp(buf.ptr, large, size) == 0);
    struct stat stat_;
    CHECK(stat("large2", &stat_) == 0 && (stat_.st_mode & 07777) == 0640);
    CHECK(rt_fs_copy("empty", 5, "large2", 6) == 0 && stat("large2", &stat_) == 0 && stat_.st_size == 0);
    // Under another name, a file is still itself.
    CHECK(link("large", "same") == 0 && rt_fs_copy("large", 5, "same", 4) == -EINVAL);
    CHECK(stat("large", &stat_) == 0 && stat_.st_size == (off_t)size);
    free(large);
    // What cannot be read takes nothing from the target.
    CHECK(rt_fs_copy(".", 1, "large", 5) == -EISDIR && stat("large", &stat_) == 0);
    CHECK(stat_.st_size == (off_t)size);

    // A sparse file of 3 GiB: lengths beyond 32 bits.
    int64_t three = 3LL << 30;
    CHECK(truncate("empty2", three) == 0 && rt_file_size("empty2") == three && unlink("empty2") == 0);

    CHECK(rt_fs_write("/dev/full", NUL, 0, "x", 1) == -ENOSPC);
    CHECK(rt_fs_copy("limits", NUL, "/dev/full", NUL) == -ENOSPC);
    CHECK(rt_fs_copy("limits", NUL, "/dev/null", NUL) > 500);
    CHECK(rt_fs_write("/proc/version", NUL, 0, "x", 1) < 0);

    char name[] = "not \xff\xfe utf-8";
    CHECK(rt_fs_write(name, NUL, 0, "x", 1) == 1 && rt_fs_read(name, NUL, &buf) == 1 && unlink(name) == 0);
    char path[5000];
    memset(path, 'x', sizeof path);
    CHECK(rt_fs_read(path, 256, &buf) == -ENAMETOOLONG && rt_fs_read(path, 4096, &buf) == -ENAMETOOLONG);
    CHECK(rt_fs_read(path, (size_t)-2, &buf) == -ENAMETOOLONG);
    for (size_t at = 0; at < sizeof path; at++)
        path[at] = at % 2 ? '/' : '.';
    CHECK(rt_fs_list(path, 4094, &buf) > 0 && rt_fs_list(path, 4096, &buf) == -ENAMETOOLONG);
    rt_buf_free(&buf);
    rt_buf_free(&again);
}

static void permissions(void) {
    struct RtBuf buf = {0, 0, 0};
    CHECK(rt_fs_write("secret", 6, 0, "x", 1) == 1 && chmod("secret", 0) == 0 && mkdir("locked", 0500) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        // Root may do everything.
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(1);
        CHECK(rt_fs_read("secret", 6, &buf) == -EACCES);
        CHECK(rt_fs_write("locked/new", NUL, 0, "", 0) == -EACCES);
        CHECK(!rt_file_write_text("secret", "x") && rt_last_errno() == EACCES);
        CHECK(rt_fs_mkdir("locked/a/b", NUL, 0755, RT_RECURSIVE) == -EACCES);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    rt_buf_free(&buf);
}

static void locks(void) {
    struct RtBuf buf = {0, 0, 0};
    CHECK(rt_fs_write("lock", 4, 0, "", 0) == 0);
    int64_t lock = rt_file_lock("lock");
    CHECK(lock >= 0 && rt_file_lock("lock") == -1 && rt_last_errno() == EAGAIN);
    // The lock of another interface of the system would be gone after this.
    CHECK(rt_fs_read("lock", 4, &buf) == 0 && rt_fs_lock("lock", 4, RT_LOCK_SHARED) == -EAGAIN);
    CHECK(fcntl((int)lock, F_GETFD) == FD_CLOEXEC);
    CHECK(rt_file_unlock(lock) && !rt_file_unlock(lock) && rt_last_errno() == EBADF);
    CHECK(rt_fs_unlock(-1) == -EBADF && rt_fs_unlock(1LL << 40) == -EBADF);
    int64_t one = rt_fs_lock("lock", 4, RT_LOCK_SHARED), two = rt_fs_lock("lock", 4, RT_LOCK_SHARED);
    CHECK(one >= 0 && two >= 0 && rt_fs_lock("lock", 4, 0) == -EAGAIN);
    CHECK(rt_fs_unlock(one) == 0 && rt_fs_unlock(two) == 0);
    CHECK((lock = rt_fs_lock("lock", 4, RT_LOCK_WAIT)) >= 0 && rt_fs_unlock(lock) == 0);
    CHECK(rt_fs_lock("none", 4, 0) == -ENOENT);
    rt_buf_free(&buf);
}

static void nothing(int signal) { (void)signal; }

// Interrupts the main thread for a while, then lets the other end of the FIFO speak.
static void *interrupt(void *main_thread) {
    for (int times = 0; times < 20; times++) {
        usleep(5000);
        pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    }
    int fd = open("fifo", O_WRONLY | O_CLOEXEC);
    for (int times = 0; times < 20; times++) {
        usleep(5000);
        pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    }
    if (write(fd, "spoken", 6) != 6)
        failures++;
    close(fd);
    return NULL;
}

static void interruptions(void) {
    struct RtBuf buf = {0, 0, 0};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = nothing; // and without SA_RESTART
    sigaction(SIGUSR1, &action, NULL);
    pthread_t self = pthread_self(), other;
    CHECK(mkfifo("fifo", 0600) == 0 && pthread_create(&other, NULL, interrupt, &self) == 0);
    CHECK(rt_fs_read("fifo", 4, &buf) == 6 && strcmp((char *)buf.ptr, "spoken") == 0);
    pthread_join(other, NULL);
    rt_buf_free(&buf);
}

// How many descriptors are open.
static int descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

#ifdef RT_WIDE
static void the_larger_set(void) {
    struct RtBuf buf = {0, 0, 0};
    struct RtStat stat_;
    // Names.
    CHECK(rt_fs_write("w", 1, 0, "12345678", 8) == 8 && rt_fs_chmod("w", 1, 0600) == 0);
    CHECK(rt_fs_stat("w", 1, 0, &stat_, sizeof stat_) > 0 && (stat_.mode & 07777) == 0600);
    CHECK(rt_fs_chmod("w", 1, 0100000) == -EINVAL);
    CHECK(rt_fs_rename("w", 1, "v", 1, 0) == 0 && rt_fs_write("w", 1, 0, "", 0) == 0);
    CHECK(rt_fs_rename("v", 1, "w", 1, RT_RENAME_NEW) == -EEXIST && rt_fs_rename("v", 1, "w", 1, 0) == 0);
    CHECK(rt_fs_symlink("/some/target", NUL, "s", 1) == 0 && rt_fs_link_target("s", 1, &buf) == 12);
    CHECK(strcmp((char *)buf.ptr, "/some/target") == 0 && rt_fs_link_target("w", 1, &buf) == -EINVAL);
    int64_t temp = rt_fs_temp_file(".", 1, &buf);
    CHECK(temp >= 0 && rt_fs_stat((char *)buf.ptr, buf.len, 0, &stat_, sizeof stat_) > 0);
    CHECK((stat_.mode & 07777) == 0600 && rt_fd_close(temp) == 0 && rt_fs_remove((char *)buf.ptr, NUL, 0) == 0);

    // A tree with links out of it, whose targets stay.
    CHECK(rt_fs_mkdir("tree/a/b/c", NUL, 0755, RT_RECURSIVE) == 0 && rt_fs_mkdir("kept", NUL, 0755, 0) == 0);
    CHECK(rt_fs_write("kept/file", NUL, 0, "x", 1) == 1 && rt_fs_symlink("../kept", NUL, "tree/out", NUL) == 0);
    CHECK(rt_fs_symlink("../../../kept/file", NUL, "tree/a/b/out", NUL) == 0);
    for (int at = 0; at < 500; at++) {
        char name[40];
        snprintf(name, sizeof name, "tree/a/%d-%s", at, "a name of some length");
        CHECK(rt_fs_write(name, NUL, 0, "", 0) == 0);
    }
    void *dir;
    int entries = 0, links = 0;
    int64_t kind;
    CHECK(rt_dir_open("tree/a", NUL, &dir) == 0);
    for (; (kind = rt_dir_next(dir, &buf)) > 0; entries++)
        links += kind - 1 == RT_MODE_DIRECTORY;
    CHECK(kind == 0 && entries == 501 && links == 1);
    rt_dir_close(dir);
    CHECK(rt_fs_list("tree/a", NUL, &buf) == 501);
    CHECK(rt_fs_symlink("kept", NUL, "to-kept", NUL) == 0 && rt_fs_remove_tree("to-kept", NUL) == 0);
    CHECK(rt_fs_remove_tree("tree", NUL) == 0 && !rt_file_exists("tree") && rt_file_exists("kept/file"));
    CHECK(rt_fs_remove_tree("tree", NUL) == -ENOENT && rt_fs_remove_tree("w/", NUL) == -ENOTDIR);

    // Descriptors.
    char some[8];
    int64_t file = rt_fd_open("w", 1, RT_OPEN_READ | RT_OPEN_WRITE, 0);
    CHECK(file >= 0 && fcntl((int)file, F_GETFD) == FD_CLOEXEC && rt_fd_seek(file, -3, RT_SEEK_END) == 5);
    CHECK(rt_fd_read(file, some, 8) == 3 && memcmp(some, "678", 3) == 0 && rt_fd_read(file, some, 8) == 0);
    CHECK(rt_fd_read_at(file, 2, some, 3) == 3 && memcmp(some, "345", 3) == 0);
    CHECK(rt_fd_write_at(file, 7, "abc", 3) == 3 && rt_fd_seek(file, 0, RT_SEEK_CURRENT) == 8);
    CHECK(rt_fd_write(file, "Z", 1) == 1 && rt_fd_truncate(file, 9) == 0 && rt_fd_sync(file) == 0);
    CHECK(is(rt_file_read_text("w"), "1234567aZ") && rt_fd_seek(file, 0, 9) == -EINVAL);
    CHECK(rt_fd_close(file) == 0 && rt_fd_close(file) == -EBADF && rt_fd_read(file, some, 1) == -EBADF);
    CHECK(rt_fd_open("w", 1, 0, 0) == -EINVAL && rt_fd_open("s", 1, RT_OPEN_READ | RT_OPEN_NO_FOLLOW, 0) == -ELOOP);
    CHECK(rt_fd_open("w", 1, RT_OPEN_WRITE | RT_OPEN_CREATE | RT_OPEN_NEW, 0600) == -EEXIST);

    // A child whose output comes through a pipe.
    int64_t ends[2];
    CHECK(rt_pipe(ends) == 0);
    struct RtPoll poll_;
    memset(&poll_, 0, sizeof poll_);
    poll_.fd = (int32_t)ends[0];
    poll_.wanted = RT_POLL_READ;
    CHECK(rt_poll(&poll_, 1, 0) == 0);
    struct RtSpawn spawn;
    memset(&spawn, 0, sizeof spawn);
    static const char echo[] = "sh\0-c\0echo \"$WHO\"; exit 3", loop[] = "sleep\0" "60";
    spawn.args = echo, spawn.args_len = sizeof echo;
    spawn.env = "WHO=child", spawn.env_len = 10;
    spawn.streams[1] = (uint32_t)ends[1] + 1;
    int64_t pid = rt_process_spawn(&spawn, sizeof spawn);
    CHECK(pid > 0 && rt_fd_close(ends[1]) == 0 && rt_poll(&poll_, 1, 5000) == 1 && poll_.happened & RT_POLL_READ);
    CHECK(rt_fd_read(ends[0], some, 8) == 6 && memcmp(some, "child\n", 6) == 0);
    CHECK(rt_process_wait(pid, 0) == 3 && rt_process_wait(pid, 0) == -ECHILD && rt_fd_close(ends[0]) == 0);
    memset(&spawn, 0, sizeof spawn);
    spawn.args = loop, spawn.args_len = sizeof loop, spawn.flags = RT_SPAWN_GROUP;
    pid = rt_process_spawn(&spawn, sizeof spawn);
    CHECK(pid > 0 && rt_process_wait(pid, RT_NO_WAIT) == -EAGAIN && rt_process_kill(emulated ? pid : -pid, SIGKILL) == 0);
    CHECK(rt_process_wait(pid, 0) == (RT_SIGNALED | SIGKILL) && rt_process_kill(pid, 0) == -ESRCH);
    CHECK(rt_process_kill(0, 0) == -EINVAL && rt_process_kill(-1, 0) == -EINVAL && rt_process_wait(-1, 0) == -ECHILD);
    spawn.args = "./none", spawn.args_len = 7;
    CHECK((emulated || rt_process_spawn(&spawn, sizeof spawn) == -ENOENT) && rt_process_spawn(&spawn, 1000) == -EINVAL);

    // Time and chance.
    int64_t now = rt_clock(RT_CLOCK_MONOTONIC);
    CHECK(now > 0 && rt_clock(RT_CLOCK_MONOTONIC) >= now && rt_clock(RT_CLOCK_BOOT) >= now);
    CHECK(rt_clock(RT_CLOCK_WALL) / 1000000000 - time(NULL) <= 1 && rt_clock(RT_CLOCK_PROCESS) > 0);
    CHECK(rt_clock(9) == -EINVAL);
    uint8_t chance[2][512];
    CHECK(rt_random(chance[0], 512) == 512 && rt_random(chance[1], 512) == 512);
    CHECK(memcmp(chance[0], chance[1], 512) != 0 && rt_random(NULL, 0) == 0);

    // Memory.
    struct RtMap map = {NULL, 0};
    file = rt_fd_open("w", 1, RT_OPEN_READ | RT_OPEN_WRITE, 0);
    CHECK(rt_map(file, 0, 9, RT_MAP_WRITE | RT_MAP_SHARED, &map) == 0 && memcmp(map.ptr, "1234567aZ", 9) == 0);
    memcpy(map.ptr, "X", 1);
    CHECK(rt_map_sync(&map) == 0 && is(rt_file_read_text("w"), "X234567aZ") && rt_unmap(&map) == 0);
    CHECK(rt_map(file, 0, 9, RT_MAP_WRITE, &map) == 0);
    memcpy(map.ptr, "Y", 1);
    CHECK(is(rt_file_read_text("w"), "X234567aZ") && rt_unmap(&map) == 0 && map.len == 0 && rt_unmap(&map) == 0);
    CHECK(rt_map(file, 0, 0, 0, &map) == -EINVAL && rt_map(file, 1, 1, 0, &map) == -EINVAL && rt_fd_close(file) == 0);
    int64_t shared = rt_shared_memory(8192);
    CHECK(shared >= 0 && rt_map(shared, 4096, 4096, RT_MAP_WRITE | RT_MAP_SHARED, &map) == 0);
    CHECK(rt_fd_write_at(shared, 4096, "seen", 4) == 4 && memcmp(map.ptr, "seen", 5) == 0);
    CHECK(rt_unmap(&map) == 0 && rt_fd_close(shared) == 0 && rt_shared_memory(-1) == -EINVAL);

    // Many files at once, one of which there is not. Few are not read in batches, which valgrind does
    // not see: for it, nobody has written what the kernel puts into memory like that.
    static char paths[100 * 8];
    char *end = paths;
    int64_t lens[100];
    size_t many = emulated ? 10 : 100, sum = 0;
    for (size_t at = 0; at < many; at++) {
        int len = sprintf(end, "m%d", (int)at) + 1;
        CHECK(at == 5 || rt_fs_write(end, NUL, 0, end, (size_t)len) == len);
        sum += at == 5 ? 0 : (size_t)len;
        end += len;
    }
    CHECK(rt_fs_read_many(paths, (size_t)(end - paths), &buf, lens, many) == (int64_t)many - 1 && lens[5] == -ENOENT);
    CHECK(lens[0] == 3 && lens[many - 1] == (many > 10 ? 4 : 3) && buf.len == sum && !strcmp((char *)buf.ptr, "m0"));
    CHECK(!strcmp((char *)buf.ptr + buf.len - (many > 10 ? 4 : 3), many > 10 ? "m99" : "m9"));
    CHECK(rt_fs_read_many(paths, (size_t)(end - paths), &buf, lens, many - 1) == -EINVAL);
    // Larger than what a batch reads of each, procfs, and a directory.
    static char large[100000];
    CHECK(rt_fs_write("m0", 2, 0, memset(large, 'l', sizeof large), sizeof large) == sizeof large);
    end = stpcpy(stpcpy(paths, "m0") + 1, "/proc/self/status") + 1;
    end = stpcpy(stpcpy(end, ".") + 1, "m1") + 1;
    for (size_t at = 4; at < many; at++)
        end = stpcpy(end, "m1") + 1;
    CHECK(rt_fs_read_many(paths, (size_t)(end - paths), &buf, lens, many) == (int64_t)many - 1);
    CHECK(lens[0] == sizeof large && lens[1] > 500 && lens[2] == -EISDIR && lens[3] == 3);
    CHECK(memcmp(buf.ptr, large, sizeof large) == 0 && memcmp(buf.ptr + sizeof large, "Name:", 5) == 0);

    // The environment.
    CHECK(rt_env_set_var("FFI_LIST", NUL, "here", NUL) == 0);
    int64_t variables = rt_env_list(&buf);
    CHECK(variables > 0 && memmem(buf.ptr, buf.len, "FFI_LIST=here", 14) != NULL);
    CHECK(rt_env_remove_var("FFI_LIST", NUL) == 0 && rt_env_list(&buf) == variables - 1);
    CHECK(rt_env_remove_var("A=B", NUL) == -EINVAL);
    rt_buf_free(&buf);
}
#endif

int main(int argc, char **argv) {
    if (argc != 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: %s EMPTY-DIRECTORY\n", argv[0]);
        return 64;
    }
    emulated = getenv("EMULATED") != NULL;
    if (emulated)
        printf("SKIP: why a program could not be run is not known to an emulator\n");
    int before = descriptors();
    the_first_interface();
    the_second_interface();
    odd_files();
    permissions();
    locks();
    interruptions();
#ifdef RT_WIDE
    the_larger_set();
#endif
    CHECK(descriptors() == before);
    printf(failures ? "%d checks failed\n" : "all checks hold\n", failures);
    return failures != 0;
}
