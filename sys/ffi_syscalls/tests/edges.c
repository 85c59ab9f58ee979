// Edge cases, as a table: every function that takes a path against everything that can be wrong with a
// path, every function that takes a descriptor against one that is closed, and lengths from nothing to
// 3 GiB. Prints the table: `+` holds, `-` does not, `.` cannot be (a function that only reads on a full
// file system), `?` could not be tried here (SKIP).
//
// Usage: edges DIRECTORY, empty and not on a file system of network or user space. With RT_WIDE, the
// larger library.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ffi_syscalls.h"

#define NUL RT_NUL_TERMINATED
#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define GIB3 (3LL << 30)

static struct RtBuf buf;

// The first interface's answers in the form of the second's.
static int64_t yes(bool ok) { return ok ? 0 : -(int64_t)rt_last_errno(); }
static int64_t some(void *pointer) {
    int64_t answer = yes(pointer != NULL);
    rt_free(pointer);
    return answer;
}
static int64_t number(int64_t value) { return value >= 0 ? value : yes(false); }
// A lock or descriptor is given up at once.
static int64_t locked(int64_t lock) { return lock < 0 ? lock : rt_fs_unlock(lock); }

// What has to be under the name before the call.
enum need { A_FILE, A_DIR, A_LINK, NOTHING };
// What the call does there.
enum deed { READS, CHANGES, FILLS };

#define PATHS \
    PATH(rt_file_exists, A_FILE, READS, false, yes(rt_file_exists(path))) \
    PATH(rt_file_read_text, A_FILE, READS, false, some(rt_file_read_text(path))) \
    PATH(rt_file_mmap_read_text, A_FILE, READS, false, some(rt_file_mmap_read_text(path))) \
    PATH(rt_file_mmap_read_bytes, A_FILE, READS, false, some(rt_file_mmap_read_bytes(path))) \
    PATH(rt_file_size, A_FILE, READS, false, number(rt_file_size(path))) \
    PATH(rt_file_modified_time, A_FILE, READS, false, number(rt_file_modified_time(path))) \
    PATH(rt_file_write_text, NOTHING, FILLS, false, yes(rt_file_write_text(path, text))) \
    PATH(rt_file_append_text, NOTHING, FILLS, false, yes(rt_file_append_text(path, text))) \
    PATH(rt_file_delete, A_FILE, CHANGES, false, yes(rt_file_delete(path))) \
    PATH(rt_file_remove, A_FILE, CHANGES, false, yes(rt_file_remove(path))) \
    PATH(rt_dir_create, NOTHING, CHANGES, false, yes(rt_dir_create(path, false))) \
    PATH(rt_dir_list, A_DIR, READS, false, some(rt_dir_list(path))) \
    PATH(rt_file_lock, A_FILE, CHANGES, false, locked(number(rt_file_lock(path)))) \
    PATH(rt_file_copy, A_FILE, READS, false, yes(rt_file_copy(path, "/dev/null"))) \
    PATH(rt_fs_read, A_FILE, READS, true, rt_fs_read(path, len, &buf)) \
    PATH(rt_fs_write, NOTHING, FILLS, true, rt_fs_write(path, len, 0, text, sizeof text - 1)) \
    PATH(rt_fs_stat, A_FILE, READS, true, rt_fs_stat(path, len, 0, &(struct RtStat){0}, sizeof(struct RtStat))) \
    PATH(rt_fs_list, A_DIR, READS, true, rt_fs_list(path, len, &buf)) \
    PATH(rt_fs_mkdir, NOTHING, CHANGES, true, rt_fs_mkdir(path, len, 0755, 0)) \
    PATH(rt_fs_mkdir_all, NOTHING, CHANGES, true, rt_fs_mkdir(path, len, 0755, RT_RECURSIVE)) \
    PATH(rt_fs_remove, A_FILE, CHANGES, true, rt_fs_remove(path, len, 0)) \
    PATH(rt_fs_remove_dir, A_DIR, CHANGES, true, rt_fs_remove(path, len, RT_DIRECTORY)) \
    PATH(rt_fs_copy_from, A_FILE, READS, true, rt_fs_copy(path, len, "/dev/null", NUL)) \
    PATH(rt_fs_copy_to, NOTHING, FILLS, true, rt_fs_copy("large", 5, path, len)) \
    PATH(rt_fs_lock, A_FILE, READS, true, locked(rt_fs_lock(path, len, RT_LOCK_SHARED))) \
    WIDE_PATHS
#ifdef RT_WIDE
static int64_t closed(int64_t file) { return file < 0 ? file : rt_fd_close(file); }
static int64_t first(const char *path) {
    int64_t len, read = rt_fs_read_many(path, strlen(path) + 1, &buf, &len, 1);
    return read < 0 ? read : len;
}
static int64_t opened(const char *path, size_t len) {
    void *dir;
    int64_t answer = rt_dir_open(path, len, &dir);
    if (answer == 0)
        rt_dir_close(dir);
    return answer;
}
#define WIDE_PATHS \
    PATH(rt_fd_open, A_FILE, READS, true, closed(rt_fd_open(path, len, RT_OPEN_READ, 0))) \
    PATH(rt_fd_open_new, NOTHING, CHANGES, true, \
         closed(rt_fd_open(path, len, RT_OPEN_WRITE | RT_OPEN_CREATE | RT_OPEN_NEW, 0600))) \
    PATH(rt_fs_chmod, A_FILE, CHANGES, true, rt_fs_chmod(path, len, 0644)) \
    PATH(rt_fs_rename_from, A_FILE, CHANGES, true, rt_fs_rename(path, len, rename_to, NUL, 0)) \
    PATH(rt_fs_rename_to, NOTHING, CHANGES, true, rt_fs_rename(rename_to, NUL, path, len, 0)) \
    PATH(rt_fs_symlink, NOTHING, CHANGES, true, rt_fs_symlink("target", NUL, path, len)) \
    PATH(rt_fs_link_target, A_LINK, READS, true, rt_fs_link_target(path, len, &buf)) \
    PATH(rt_fs_temp_file, A_DIR, CHANGES, true, closed(rt_fs_temp_file(path, len, &buf))) \
    PATH(rt_fs_remove_tree, A_FILE, CHANGES, true, rt_fs_remove_tree(path, len)) \
    PATH(rt_dir_open, A_DIR, READS, true, opened(path, len)) \
    PATH(rt_fs_read_many, A_FILE, READS, false, first(path))
#else
#define WIDE_PATHS
#endif

// More than the small file system has room for.
static char text[1 << 18];
// In the directory of the name that is tried, as renaming does not cross file systems.
static char rename_to[64];

#define PATH(name, need, deed, counts, expression) \
    static int64_t path_##name(const char *path, size_t len) { (void)len; return expression; }
PATHS
#undef PATH
#define PATH(name, need, deed, counts, expression) {#name, need, deed, counts, path_##name},
static const struct path_case {
    const char *name;
    enum need need;
    enum deed deed;
    bool counts; // takes a length
    int64_t (*call)(const char *path, size_t len);
} paths[] = {PATHS};

static const char *const columns[] = {"plain", "nothing", "3 GiB", "not UTF-8", "name 255", "name 256", "path 4095",
                                      "path 4096", "denied", "read-only", "full", "loop", "absent", "no dir", "race"};
enum column { PLAIN, ZERO, HUGE_LEN, NOT_UTF8, NAME_255, NAME_256, PATH_4095, PATH_4096, DENIED, READ_ONLY, FULL, LOOP,
              ABSENT, NO_DIR, RACE };

static bool mounts; // a read-only and a small file system could be mounted
static int failures, skips;

static void must(bool ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(99);
    }
}

static void prepare(const struct path_case *function, const char *dir, const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(rename_to, sizeof rename_to, "%.50s/other", dir);
    unlink(rename_to);
    if (unlink(path) != 0 && rmdir(path) != 0 && errno == ENOTEMPTY) {
        char command[700]; // a temporary file is in it
        snprintf(command, sizeof command, "rm -r '%s'", path);
        must(system(command) == 0, command);
    }
    int fd;
    switch (function->need) {
    case A_FILE: must((fd = open(path, O_CREAT | O_WRONLY, 0644)) >= 0, path); close(fd); break;
    case A_DIR: must(mkdir(path, 0755) == 0, path); break;
    case A_LINK: must(symlink("file", path) == 0, path); break;
    case NOTHING: break;
    }
    if (strcmp(function->name, "rt_fs_rename_to") == 0) {
        must((fd = open(rename_to, O_CREAT | O_WRONLY, 0644)) >= 0, rename_to);
        close(fd);
    }
}

// In a child that may do as little as the user nobody.
static int64_t denied(const struct path_case *function) {
    int ends[2];
    must(pipe(ends) == 0 && fflush(stdout) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(1);
        snprintf(rename_to, sizeof rename_to, "secret/other");
        int64_t answer = function->call("secret/x", 8);
        _exit(write(ends[1], &answer, sizeof answer) != sizeof answer);
    }
    int64_t answer = 1;
    close(ends[1]);
    if (read(ends[0], &answer, sizeof answer) != sizeof answer)
        answer = 1;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return answer;
}

// Renames the directory of the name away and back all the time.
static atomic_bool racing;
static void *racer(void *unused) {
    while (atomic_load(&racing))
        if (rename("race", "gone") == 0)
            rename("gone", "race");
    return unused;
}

static bool races(const struct path_case *function) {
    // Slower and no different from the others: they fill a large file each time.
    int times = function->deed == FILLS ? 30 : 300;
    pthread_t thread;
    atomic_store(&racing, true);
    must(pthread_create(&thread, NULL, racer, NULL) == 0, "thread");
    bool fine = true;
    snprintf(rename_to, sizeof rename_to, "race/other");
    for (int at = 0; at < times && fine; at++) {
        int64_t answer = function->call("race/x", 6);
        // Made twice or removed twice, and a directory that is not there: nothing else may happen.
        fine = answer >= 0 || answer == -ENOENT || answer == -EEXIST;
        if (!fine)
            printf("%s: %lld in a race\n", function->name, (long long)answer);
    }
    atomic_store(&racing, false);
    pthread_join(thread, NULL);
    return fine;
}

static char try(const struct path_case *function, enum column column) {
    static char path[5000];
    int64_t answer;
    bool fine;
    memset(path, 0, sizeof path);
    switch (column) {
    case PLAIN:
        prepare(function, "dir", "x");
        fine = function->call("dir/x", 5) >= 0;
        break;
    case ZERO:
        if (strcmp(function->name, "rt_fs_temp_file") == 0)
            return '.'; // the names are then those of the root
        prepare(function, "dir", "x");
        fine = function->call("", 0) == -ENOENT;
        break;
    case HUGE_LEN:
        if (!function->counts)
            return '.';
        // Nothing of the text is looked at: there is not so much.
        fine = function->call("x", (size_t)GIB3) == -ENAMETOOLONG;
        fine &= function->call("x", 0) == -ENOENT || strcmp(function->name, "rt_fs_temp_file") == 0;
        break;
    case NOT_UTF8:
        prepare(function, "dir", "\xff\xfe\x80");
        fine = function->call("dir/\xff\xfe\x80", 7) >= 0;
        break;
    case NAME_255:
        strcpy(path, "dir/");
        memset(path + 4, 'n', 255);
        prepare(function, "dir", path + 4);
        fine = function->call(path, 259) >= 0;
        break;
    case NAME_256:
        prepare(function, "dir", "x");
        memset(path, 'n', 256);
        if (strstr(function->name, "temp_file"))
            path[255] = '/', path[256] = 'n'; // a name is put behind it
        fine = (answer = function->call(path, strlen(path))) == -ENAMETOOLONG || answer == -ENOENT;
        fine &= answer == -ENAMETOOLONG || strstr(function->name, "temp_file");
        break;
    case PATH_4095:
        if (strstr(function->name, "temp_file"))
            return '.';
        prepare(function, "dir", "x");
        for (int at = 0; at < 4090; at += 2)
            path[at] = '.', path[at + 1] = '/';
        strcpy(path + 4090, "dir/x");
        fine = function->call(path, 4095) >= 0;
        break;
    case PATH_4096:
        for (int at = 0; at < 4090; at += 2)
            path[at] = '.', path[at + 1] = '/';
        strcpy(path + 4090, "dir//x");
        fine = function->call(path, 4096) == -ENAMETOOLONG;
        break;
    case DENIED:
        fine = (answer = denied(function)) == -EACCES;
        break;
    case READ_ONLY:
        if (!mounts)
            return '?';
        must(mount(NULL, "ro", NULL, MS_REMOUNT, NULL) == 0, "writable");
        prepare(function, "ro", "x");
        must(mount(NULL, "ro", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "read-only");
        answer = function->call("ro/x", 4);
        fine = function->deed == READS ? answer >= 0 : answer == -EROFS;
        break;
    case FULL:
        if (function->deed != FILLS)
            return '.';
        fine = strstr(function->name, "copy_to") ? rt_fs_copy("large", 5, "/dev/full", NUL) == -ENOSPC
                                                 : function->call("/dev/full", 9) == -ENOSPC;
        if (!mounts)
            return fine ? '?' : '-';
        prepare(function, "small", "x");
        fine &= function->call("small/x", 7) == -ENOSPC && unlink("small/x") == 0;
        break;
    case LOOP:
        snprintf(rename_to, sizeof rename_to, "dir/other");
        must((answer = open(rename_to, O_CREAT | O_WRONLY, 0644)) >= 0 && close((int)answer) == 0, rename_to);
        fine = function->call("loop/x", 6) == -ELOOP;
        break;
    case ABSENT:
        // What is made would be there then.
        if (function->need == NOTHING)
            return '.';
        fine = function->call("dir/absent", 10) == -ENOENT;
        break;
    case NO_DIR:
        fine = function->call("file/x", 6) == -ENOTDIR;
        break;
    case RACE:
        prepare(function, "race", "x");
        fine = races(function);
        break;
    }
    return fine ? '+' : '-';
}

static int descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

// What is said of one function, beside the table.
#define CHECK(function, what, condition) \
    do { \
        bool holds = (condition); \
        printf("%-24s %-40s %c\n", function, what, holds ? '+' : '-'); \
        failures += !holds; \
    } while (0)

static void sizes(void) {
    CHECK("rt_fs_read", "empty file", rt_fs_write("empty", 5, 0, NULL, 0) == 0 && rt_fs_read("empty", 5, &buf) == 0);
    CHECK("rt_file_read_text", "empty file", some(rt_file_read_text("empty")) == 0);
    CHECK("rt_fs_copy", "empty file", rt_fs_copy("empty", 5, "empty2", 6) == 0 && rt_file_size("empty2") == 0);
    CHECK("rt_fs_list", "empty directory", rt_fs_list("nobody", 6, &buf) == 0 && buf.len == 0 && buf.ptr[0] == 0);
    CHECK("rt_fs_read", "procfs, whose size is 0", rt_fs_read("/proc/self/status", NUL, &buf) > 500);
    CHECK("rt_fs_copy", "procfs", rt_fs_copy("/proc/self/status", NUL, "status", 6) > 500);
    CHECK("rt_fs_list", "procfs", rt_fs_list("/proc", NUL, &buf) > 20);
    CHECK("rt_fs_stat", "procfs", rt_file_size("/proc/self/status") == 0 && rt_file_exists("/proc/self/status"));
    CHECK("rt_fs_mkdir", "procfs", rt_fs_mkdir("/proc/new", NUL, 0755, 0) < 0);
    CHECK("rt_file_size", "3 GiB", truncate("empty2", GIB3) == 0 && rt_file_size("empty2") == GIB3);
    char *huge = (char *)mmap(NULL, (size_t)GIB3, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(huge != MAP_FAILED, "3 GiB");
    // One call of the kernel takes less than 2 GiB.
    CHECK("rt_fs_write", "3 GiB", rt_fs_write("/dev/null", NUL, 0, huge, (size_t)GIB3) == GIB3);
    CHECK("rt_env_set_var", "a value of 0 bytes", rt_env_set_var("EDGE", 4, "", 0) == 0 && rt_env_var("EDGE", 4, &buf) == 0);
    CHECK("rt_env_set_var", "a value of 100,000 bytes",
          rt_env_set_var("EDGE", 4, memset(text, 'v', sizeof text), 100000) == 0 && rt_env_var("EDGE", 4, &buf) == 100000);
    CHECK("rt_env_var", "a name that is not UTF-8",
          rt_env_set_var("\xff\xfe", 2, "v", 1) == 0 && rt_env_var("\xff\xfe", 2, &buf) == 1);
    CHECK("rt_env_var", "a name of 3 GiB", rt_env_var("EDGE", (size_t)GIB3, &buf) == -ENAMETOOLONG);
    static const char octets[] = "sh\0-c\0test \"$1\" = \"$(printf '\\377')\"\0sh\0\xff";
    CHECK("rt_process_exec", "an argument that is not UTF-8", rt_process_exec(octets, sizeof octets) == 0);
    CHECK("rt_process_exec", "more than the system takes",
          rt_process_exec((memset(text, 'x', sizeof text), text[5] = 0, text[sizeof text - 1] = 0, text), sizeof text) < 0);
    CHECK("rt_process_run", "denied", rt_process_run("./file", NULL, 0) == -1 && rt_last_errno() == EACCES);
    CHECK("rt_process_run", "a directory", rt_process_run("./dir", NULL, 0) == -1 && rt_last_errno() == EACCES);
    CHECK("rt_process_run", "a loop", rt_process_run("./loop", NULL, 0) == -1 && rt_last_errno() == ELOOP);
    char here[4096];
    must(mkdir("leaving", 0755) == 0 && getcwd(here, sizeof here) && chdir("leaving") == 0 && rmdir("../leaving") == 0, "cwd");
    CHECK("rt_env_current_dir", "removed", rt_env_current_dir(&buf) == -ENOENT);
    CHECK("rt_env_cwd", "removed", rt_env_cwd() == NULL && rt_last_errno() == ENOENT);
    must(chdir(here) == 0, "chdir");
    CHECK("rt_fs_unlock", "closed", rt_fs_unlock(9999) == -EBADF && rt_fs_unlock(-1) == -EBADF && rt_fs_unlock(1LL << 32) == -EBADF);
    CHECK("rt_file_unlock", "closed", !rt_file_unlock(9999) && rt_last_errno() == EBADF);
#ifdef RT_WIDE
    char byte[8];
    struct RtMap map = {NULL, 0};
    const int64_t gone = 9999;
    CHECK("rt_fd_read", "closed", rt_fd_read(gone, byte, 1) == -EBADF && rt_fd_read(1LL << 40, byte, 1) == -EBADF);
    CHECK("rt_fd_write", "closed", rt_fd_write(gone, byte, 1) == -EBADF);
    CHECK("rt_fd_read_at", "closed", rt_fd_read_at(gone, 0, byte, 1) == -EBADF);
    CHECK("rt_fd_write_at", "closed", rt_fd_write_at(gone, 0, byte, 1) == -EBADF);
    CHECK("rt_fd_seek", "closed", rt_fd_seek(gone, 0, RT_SEEK_SET) == -EBADF);
    CHECK("rt_fd_truncate", "closed", rt_fd_truncate(gone, 0) == -EBADF);
    CHECK("rt_fd_sync", "closed", rt_fd_sync(gone) == -EBADF);
    CHECK("rt_fd_close", "closed", rt_fd_close(gone) == -EBADF && rt_fd_close(-1) == -EBADF);
    CHECK("rt_map", "closed", rt_map(gone, 0, 1, 0, &map) == -EBADF);
    struct RtPoll poll_ = {(int32_t)gone, RT_POLL_READ, 0};
    CHECK("rt_poll", "closed", rt_poll(&poll_, 1, 0) == 1 && poll_.happened == RT_POLL_INVALID);
    CHECK("rt_process_spawn", "closed stream",
          rt_process_spawn(&(struct RtSpawn){.args = "true", .args_len = 5, .streams = {0, 10000, 0}}, sizeof(struct RtSpawn)) == -EBADF);
    CHECK("rt_fd_read", "0 bytes", rt_fd_read(0, byte, 0) == 0);
    CHECK("rt_poll", "0 descriptors", rt_poll(NULL, 0, 0) == 0);
    CHECK("rt_random", "0 bytes", rt_random(NULL, 0) == 0);
    int64_t file = rt_fd_open("empty2", 6, RT_OPEN_READ | RT_OPEN_WRITE, 0), null = rt_fd_open("/dev/null", NUL, RT_OPEN_WRITE, 0);
    CHECK("rt_fd_seek", "3 GiB", rt_fd_seek(file, -1, RT_SEEK_END) == GIB3 - 1);
    CHECK("rt_fd_truncate", "3 GiB", rt_fd_truncate(file, GIB3 + 1) == 0 && rt_file_size("empty2") == GIB3 + 1);
    CHECK("rt_fd_write_at", "behind 3 GiB", rt_fd_write_at(file, GIB3, "z", 1) == 1);
    CHECK("rt_fd_read_at", "behind 3 GiB", rt_fd_read_at(file, GIB3, byte, 8) == 1 && byte[0] == 'z');
    CHECK("rt_map", "3 GiB", rt_map(file, 0, (size_t)GIB3 + 1, 0, &map) == 0 && ((char *)map.ptr)[GIB3] == 'z' && rt_unmap(&map) == 0);
    CHECK("rt_fd_write", "3 GiB", rt_fd_write(null, huge, (size_t)GIB3) == GIB3);
    CHECK("rt_fd_write_at", "3 GiB", rt_fd_write_at(null, 0, huge, (size_t)GIB3) == GIB3);
    CHECK("rt_fd_close", "open", rt_fd_close(file) == 0 && rt_fd_close(null) == 0);
    CHECK("rt_shared_memory", "3 GiB", (file = rt_shared_memory(GIB3)) >= 0 && rt_fd_seek(file, 0, RT_SEEK_END) == GIB3 && rt_fd_close(file) == 0);
    CHECK("rt_fs_remove_tree", "below a loop", rt_fs_remove_tree("loop", 4) == 0 && symlink("loop", "loop") == 0);
    CHECK("rt_fs_rename", "to another file system", rt_fs_rename("file", 4, "/proc/file", NUL, 0) < 0);
    CHECK("rt_fs_link_target", "of 4,095 bytes", (memset(text, 't', 4095), rt_fs_symlink(text, 4095, "far", 3)) == 0 && rt_fs_link_target("far", 3, &buf) == 4095);
    // Depth is bound by descriptors, and what is refused can be removed in steps.
    char deep[2 * 300 + 1];
    for (int at = 0; at < 300; at++)
        deep[2 * at] = 'd', deep[2 * at + 1] = '/';
    CHECK("rt_fs_remove_tree", "300 directories deep", rt_fs_mkdir(deep, 600, 0755, RT_RECURSIVE) == 0 && rt_fs_remove_tree("d", 1) == 0);
    CHECK("rt_fs_read_many", "200 files, one of them missing", ({
              char list[200 * 8], *end = list;
              int64_t lens[200];
              for (int at = 0; at < 200; at++) {
                  int len = sprintf(end, "m%d", at) + 1;
                  must(at == 77 || rt_fs_write(end, NUL, 0, end, (size_t)len) == len, "many");
                  end += len;
              }
              bool right = rt_fs_read_many(list, (size_t)(end - list), &buf, lens, 200) == 199 && lens[77] == -ENOENT;
              size_t at = 0, name = 0;
              for (int file = 0; file < 200 && right; file++) {
                  size_t len = strlen(list + name) + 1;
                  if (file != 77) {
                      right = lens[file] == (int64_t)len && memcmp(buf.ptr + at, list + name, len) == 0;
                      at += len;
                  }
                  name += len;
              }
              right && at == buf.len;
          }));
#endif
    munmap(huge, (size_t)GIB3);
    rt_buf_free(&buf);
}

int main(int argc, char **argv) {
    must(argc == 2 && chdir(argv[1]) == 0, "usage: edges EMPTY-DIRECTORY");
    umask(022);
    memset(text, 'x', sizeof text - 1);
    mounts = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    must(mkdir("dir", 0755) == 0 && mkdir("race", 0755) == 0 && mkdir("secret", 0700) == 0 && mkdir("nobody", 0755) == 0 &&
             mkdir("ro", 0755) == 0 && mkdir("small", 0755) == 0 && symlink("loop", "loop") == 0, "fixture");
    must(rt_file_write_text("file", "text\n") && rt_fs_write("large", 5, 0, text, sizeof text) > 0, "fixture");
    must(rt_file_write_text("secret/x", "") && chmod("secret", 0) == 0, "fixture");
    mounts = mounts && mount("none", "ro", "tmpfs", 0, NULL) == 0 && mount("none", "small", "tmpfs", 0, "size=64k") == 0;
    int before = descriptors();

    size_t cells = 0;
    printf("%-24s", "");
    for (size_t column = 0; column < LENGTH(columns); column++)
        printf(" %s%s", columns[column], column + 1 == LENGTH(columns) ? "\n" : ",");
    for (size_t row = 0; row < LENGTH(paths); row++) {
        char line[LENGTH(columns) * 2 + 1] = {0};
        for (size_t column = 0; column < LENGTH(columns); column++) {
            char mark = try(&paths[row], (enum column)column);
            line[2 * column] = mark, line[2 * column + 1] = ' ';
            failures += mark == '-';
            skips += mark == '?';
            cells += mark == '+';
        }
        printf("%-24s %s\n", paths[row].name, line);
    }
    sizes();
    CHECK("all of them", "leave no descriptor open", descriptors() == before);
    if (skips)
        printf("SKIP: %d cases need the right to mount file systems\n", skips);
    printf("%zu cases of the table hold, %d cases do not\n", cells, failures);
    return failures != 0;
}
