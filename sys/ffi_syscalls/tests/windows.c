// Uses the library as a C program on Windows does, in an empty directory given as its argument. What
// is the same on all systems is asked for in the same words as in abi.c.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RT_WIDE
#include "ffi_syscalls.h"

__declspec(dllimport) int __stdcall SetCurrentDirectoryA(const char *path);

#define NUL_TERMINATED RT_NUL_TERMINATED

static int failures, checks;

// Says what did not hold, and goes on.
#define CHECK(condition) \
    do { \
        checks++; \
        if (!(condition)) { \
            printf("%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, rt_last_errno()); \
            failures++; \
        } \
    } while (0)

static bool is(char *text, const char *wanted) {
    bool same = text != NULL && strcmp(text, wanted) == 0;
    rt_free(text);
    return same;
}

static void files(void) {
    struct RtBuf buf = {NULL, 0, 0};
    struct RtStat stat_;
    CHECK(rt_abi_version() == RT_ABI_VERSION && rt_getpid() > 0 && rt_system_cpu_count() >= 1);
    CHECK(rt_file_write_text("plain", "one\n") && rt_file_append_text("plain", " two"));
    CHECK(is(rt_file_read_text("plain"), "one\n two") && rt_file_size("plain") == 8);
    CHECK(rt_file_copy("plain", "copied") && is(rt_file_read_text("copied"), "one\n two"));
    CHECK(rt_file_modified_time("plain") > 1600000000 && rt_file_exists("plain"));
    CHECK(rt_file_delete("copied") && !rt_file_exists("copied") && rt_last_errno() == ENOENT);
    CHECK(!rt_file_remove("copied") && rt_last_errno() == ENOENT && rt_file_read_text("copied") == NULL);
    CHECK(rt_dir_create("a/b\\c", true) && rt_dir_create("a/b/c", true) && !rt_dir_create("a", false));
    CHECK(rt_last_errno() == EEXIST && !rt_dir_create("plain/below", true) && rt_file_write_text("a/1", ""));
    char **names = rt_dir_list("a");
    CHECK(names && names[0] && names[1] && names[2] == NULL);
    rt_free(names);
    CHECK(rt_dir_list("plain") == NULL && rt_last_errno() == ENOTDIR);
    CHECK(rt_fs_read("plain?not", 5, &buf) == 8 && buf.ptr[8] == 0 && rt_fs_read("a", 1, &buf) < 0);
    CHECK(rt_fs_read(NULL, 0, &buf) == -EFAULT && rt_fs_read("plain", 5, NULL) == -EFAULT);
    CHECK(rt_fs_read("pl\0in", 5, &buf) == -EINVAL && rt_fs_read("", 0, &buf) == -ENOENT);
    CHECK(rt_fs_read("not \xff utf-8", RT_NUL_TERMINATED, &buf) == -EILSEQ);
    CHECK(rt_fs_read("x", (size_t)3 << 30, &buf) == -ENAMETOOLONG);
    CHECK(rt_fs_write("\xc3\xbc", 2, RT_CREATE_NEW, "\xc3\xbc", 2) == 2);
    CHECK(rt_fs_write("\xc3\xbc", 2, RT_CREATE_NEW, "", 0) == -EEXIST && rt_fs_read("\xc3\xbc", 2, &buf) == 2);
    CHECK(rt_fs_stat("plain", 5, 0, &stat_, sizeof stat_) == sizeof stat_ && stat_.size == 8);
    CHECK((stat_.mode & RT_MODE_KIND) == RT_MODE_FILE && stat_.links == 1);
    CHECK(rt_fs_stat("a", 1, 0, &stat_, sizeof stat_) > 0 && (stat_.mode & RT_MODE_KIND) == RT_MODE_DIRECTORY);
    CHECK(rt_fs_remove("a", 1, 0) == -EISDIR && rt_fs_remove("a", 1, RT_DIRECTORY) == -ENOTEMPTY);
    CHECK(rt_fs_copy("plain", 5, "plain", 5) == -EINVAL && rt_fs_copy("a", 1, "plain", 5) == -EISDIR);
    CHECK(rt_file_size("plain") == 8 && rt_fs_list("a", 1, &buf) == 2);
    int64_t lock = rt_file_lock("plain");
    CHECK(lock >= 0 && rt_file_lock("plain") == -1 && rt_last_errno() == EAGAIN);
    CHECK(rt_fs_lock("plain", 5, RT_LOCK_SHARED) == -EAGAIN && rt_file_unlock(lock));
    int64_t one = rt_fs_lock("plain", 5, RT_LOCK_SHARED), two = rt_fs_lock("plain", 5, RT_LOCK_SHARED);
    CHECK(one >= 0 && two >= 0 && rt_fs_unlock(one) == 0 && rt_fs_unlock(two) == 0 && rt_fs_unlock(-1) == -EBADF);
    // Longer than the paths of old.
    char deep[600] = "";
    for (int at = 0; at < 60; at++)
        strcat(deep, "somewhat/");
    size_t len = strlen(deep);
    CHECK(rt_fs_mkdir(deep, len, 0755, RT_RECURSIVE) == 0 && rt_fs_stat(deep, len, 0, &stat_, sizeof stat_) > 0);
    strcat(deep, "file");
    CHECK(rt_file_write_text(deep, "deep") && is(rt_file_read_text(deep), "deep") && rt_file_delete(deep));
    // Not by rt_fs_remove_tree, as wine cannot tell the path of an open directory that is so long.
    for (; len > 9; len -= 9)
        CHECK(rt_fs_remove(deep, len, RT_DIRECTORY) == 0);
    CHECK(rt_fs_remove_tree("somewhat", RT_NUL_TERMINATED) == 0 && !rt_file_exists("somewhat"));
    rt_buf_free(&buf);
}

static void environment(void) {
    struct RtBuf buf = {NULL, 0, 0};
    CHECK(rt_env_set("FFI_TEST", "v\xc3\xa4lue") && is(rt_env_get("FFI_TEST"), "v\xc3\xa4lue"));
    CHECK(rt_env_var("FFI_NONE", 8, &buf) == -ENOENT && is(rt_env_get("FFI_NONE"), ""));
    CHECK(!rt_env_set("A=B", "") && rt_last_errno() == EINVAL && rt_env_set_var("FFI_TEST", 8, "longer", 4) == 0);
    CHECK(rt_env_var("FFI_TEST", 8, &buf) == 4 && strcmp((char *)buf.ptr, "long") == 0);
    int64_t variables = rt_env_list(&buf);
    CHECK(variables > 2 && rt_env_remove_var("FFI_TEST", 8) == 0 && rt_env_list(&buf) == variables - 1);
    CHECK(rt_env_remove_var("FFI_TEST", 8) == 0 && rt_env_set("HOME", "C:\\x") && is(rt_env_home(), "C:\\x"));
    char *here = rt_env_cwd(), *host = rt_hostname();
    CHECK(here && strlen(here) > 3 && host && *host);
    rt_free(here), rt_free(host), rt_buf_free(&buf);
}

static void processes(const char *self) {
    const char *seven[] = {"exit", "7"}, *echo[] = {"echo", "a \"quoted\\\" one\\", ""};
    CHECK(rt_process_run(self, seven, 2) == 7 && rt_process_run("no-such-command", NULL, 0) == -1);
    CHECK(rt_last_errno() == ENOENT && rt_process_run(self, echo, 3) == 0);
    int64_t ends[2];
    CHECK(rt_pipe(ends) == 0);
    struct RtPoll poll_ = {(int32_t)ends[0], RT_POLL_READ, 0};
    CHECK(rt_poll(&poll_, 1, 20) == 0);
    char args[600], some[32];
    size_t len = (size_t)sprintf(args, "%s%cvariable", self, 0) + 1;
    struct RtSpawn spawn;
    memset(&spawn, 0, sizeof spawn);
    spawn.args = args, spawn.args_len = len;
    spawn.env = "WHO=child\0SystemRoot=C:\\windows", spawn.env_len = 32;
    spawn.streams[1] = (uint32_t)ends[1] + 1;
    int64_t child = rt_process_spawn(&spawn, sizeof spawn);
    CHECK(child > 0 && rt_fd_close(ends[1]) == 0 && rt_poll(&poll_, 1, 20000) == 1);
    CHECK(rt_fd_read(ends[0], some, 5) == 5 && memcmp(some, "child", 5) == 0 && rt_fd_read(ends[0], some, 5) == 0);
    CHECK(rt_process_wait(child, 0) == 3 && rt_fd_close(ends[0]) == 0);
    len = (size_t)sprintf(args, "%s%csleep", self, 0) + 1;
    memset(&spawn, 0, sizeof spawn);
    spawn.args = args, spawn.args_len = len;
    child = rt_process_spawn(&spawn, sizeof spawn);
    CHECK(child > 0 && rt_process_wait(child, RT_NO_WAIT) == -EAGAIN && rt_process_kill(child, 0) == 0);
    CHECK(rt_process_kill(child, 9) == 0 && rt_process_wait(child, 0) == (RT_SIGNALED | 9));
    CHECK(rt_process_kill(0, 0) == -EINVAL && rt_process_wait(-1, 0) == -ECHILD);
}

static void the_rest(void) {
    struct RtBuf buf = {NULL, 0, 0};
    char some[16];
    int64_t file = rt_fd_open("w", 1, RT_OPEN_READ | RT_OPEN_WRITE | RT_OPEN_CREATE, 0644);
    CHECK(file >= 0 && rt_fd_write(file, "12345678", 8) == 8 && rt_fd_seek(file, -3, RT_SEEK_END) == 5);
    CHECK(rt_fd_read(file, some, 8) == 3 && memcmp(some, "678", 3) == 0 && rt_fd_read(file, some, 8) == 0);
    CHECK(rt_fd_read_at(file, 2, some, 3) == 3 && memcmp(some, "345", 3) == 0 && rt_fd_seek(file, 0, RT_SEEK_CURRENT) == 8);
    CHECK(rt_fd_write_at(file, 7, "abc", 3) == 3 && rt_fd_truncate(file, 9) == 0 && rt_fd_sync(file) == 0);
    CHECK(rt_fd_seek(file, (int64_t)3 << 30, RT_SEEK_SET) == (int64_t)3 << 30);
    struct RtMap map = {NULL, 0};
    CHECK(rt_map(file, 0, 9, RT_MAP_WRITE | RT_MAP_SHARED, &map) == 0 && memcmp(map.ptr, "1234567ab", 9) == 0);
    *(char *)map.ptr = 'X';
    CHECK(rt_map_sync(&map) == 0 && rt_unmap(&map) == 0 && map.len == 0 && rt_map(file, 0, 0, 0, &map) == -EINVAL);
    CHECK(rt_fd_close(file) == 0 && is(rt_file_read_text("w"), "X234567ab"));
    CHECK(rt_fd_read(file, some, 1) == -EBADF && rt_fd_close(-1) == -EBADF);
    CHECK(rt_fs_rename("w", 1, "v", 1, 0) == 0 && rt_fs_write("w", 1, 0, "", 0) == 0);
    CHECK(rt_fs_rename("v", 1, "w", 1, RT_RENAME_NEW) == -EEXIST && rt_fs_rename("v", 1, "w", 1, 0) == 0);
    struct RtStat stat_;
    CHECK(rt_fs_chmod("w", 1, 0444) == 0 && rt_fs_stat("w", 1, 0, &stat_, sizeof stat_) > 0);
    CHECK((stat_.mode & 0777) == 0444 && rt_fs_chmod("w", 1, 0644) == 0 && rt_fs_chmod("w", 1, 0100000) == -EINVAL);
    int64_t temp = rt_fs_temp_file(".", 1, &buf);
    CHECK(temp >= 0 && rt_fd_close(temp) == 0 && rt_fs_remove((char *)buf.ptr, buf.len, 0) == 0);
    int64_t shared = rt_shared_memory(65536);
    CHECK(shared >= 0 && rt_map(shared, 0, 65536, RT_MAP_WRITE | RT_MAP_SHARED, &map) == 0);
    CHECK(rt_fd_write_at(shared, 4096, "seen", 4) == 4 && memcmp((char *)map.ptr + 4096, "seen", 5) == 0);
    CHECK(rt_unmap(&map) == 0 && rt_fd_close(shared) == 0);
    int64_t now = rt_clock(RT_CLOCK_MONOTONIC);
    CHECK(now > 0 && rt_clock(RT_CLOCK_MONOTONIC) >= now && rt_clock(RT_CLOCK_BOOT) > 0 && rt_clock(9) == -EINVAL);
    CHECK(rt_clock(RT_CLOCK_WALL) / 1000000000 > 1600000000 && rt_clock(RT_CLOCK_PROCESS) >= 0);
    uint8_t chance[2][512];
    CHECK(rt_random(chance[0], 512) == 512 && rt_random(chance[1], 512) == 512 && memcmp(chance[0], chance[1], 512));
    CHECK(rt_fs_mkdir("tree/a/b", RT_NUL_TERMINATED, 0755, RT_RECURSIVE) == 0 && rt_file_write_text("tree/a/f", "x"));
    void *dir;
    CHECK(rt_dir_open("tree/a", RT_NUL_TERMINATED, &dir) == 0 && rt_dir_next(dir, &buf) > 0 && rt_dir_next(dir, &buf) > 0);
    CHECK(rt_dir_next(dir, &buf) == 0);
    rt_dir_close(dir);
    CHECK(rt_fs_remove_tree("tree", 4) == 0 && !rt_file_exists("tree") && rt_fs_remove_tree("tree", 4) == -ENOENT);
    int64_t lens[3];
    CHECK(rt_fs_read_many("plain\0none\0w", 13, &buf, lens, 3) == 2 && lens[0] == 8 && lens[1] == -ENOENT && lens[2] == 9);
    rt_buf_free(&buf);
}

int main(int argc, char **argv) {
    // What the tests above start.
    if (argc == 3 && strcmp(argv[1], "exit") == 0)
        return atoi(argv[2]);
    if (argc == 4 && strcmp(argv[1], "echo") == 0)
        return strcmp(argv[2], "a \"quoted\\\" one\\") != 0 || argv[3][0] != 0;
    if (argc == 2 && strcmp(argv[1], "variable") == 0)
        return printf("%s", getenv("WHO")) == 5 ? 3 : 4;
    if (argc == 2 && strcmp(argv[1], "sleep") == 0)
        return rt_poll(NULL, 0, 60000) != 0;
    if (argc != 2 || !SetCurrentDirectoryA(argv[1])) {
        fprintf(stderr, "usage: windows EMPTY-DIRECTORY\n");
        return 64;
    }
    files();
    environment();
    processes(argv[0]);
    the_rest();
    printf("%d of %d checks hold\n", checks - failures, checks);
    return failures != 0;
}
