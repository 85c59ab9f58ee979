/* System calls for programs in any language. Made by cbindgen: do not edit.
 * What is inside #if defined(RT_WIDE) is in libffi_syscalls_wide only. */

#ifndef FFI_SYSCALLS_H
#define FFI_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of the interface this library implements: the higher 16 bits count changes that break
// callers (and the symbol version and soname with them), the lower 16 additions.
#define RT_ABI_VERSION (1 << 16)

// Write behind what is there.
#define RT_APPEND 1

// Fail with EEXIST if the name exists, even as a dangling link.
#define RT_CREATE_NEW 2

// Remove an empty directory instead of a file.
#define RT_DIRECTORY 1

// Lock for reading, beside other readers.
#define RT_LOCK_SHARED 1

// Wait for the lock.
#define RT_LOCK_WAIT 2

// The kind of a directory.
#define RT_MODE_DIRECTORY 16384

// The kind of a regular file.
#define RT_MODE_FILE 32768

// The bits of a mode that tell what it is, the other 12 being permissions. The values are POSIX's,
// on every system.
#define RT_MODE_KIND 61440

// The kind of a symbolic link.
#define RT_MODE_SYMLINK 40960

// Describe a symbolic link itself.
#define RT_NO_FOLLOW 1



// Make the directories above it too, and accept one that exists.
#define RT_RECURSIVE 1

// Set in a status if a signal ended the process; the number of the signal is added to it.
#define RT_SIGNALED 256

// Bytes owned by the caller and grown by this library. Start with all three fields zero; the same
// buffer can be given to any number of calls, each of which replaces the contents and reuses the
// memory. `rt_buf_free` ends it. A byte 0 that `len` does not count follows the contents. After a
// failed call the contents are unspecified, and the buffer is still to be freed.
typedef struct RtBuf {
  // The first byte; null only while `cap` is 0.
  uint8_t *ptr;
  // The number of bytes that are contents.
  size_t len;
  // The number of bytes allocated.
  size_t cap;
} RtBuf;

// What is known of a name. Later versions add fields at the end only.
typedef struct RtStat {
  // In bytes.
  int64_t size;
  // When the contents last changed, in nanoseconds since 1970.
  int64_t modified_ns;
  // The device it is on.
  uint64_t device;
  // Its number there; with `device`, its identity.
  uint64_t inode;
  // The number of names it has.
  uint64_t links;
  // The kind and the permissions; see RT_MODE_KIND.
  uint32_t mode;
  // The owner.
  uint32_t uid;
  // The group.
  uint32_t gid;
  // Always 0.
  uint32_t reserved;
} RtStat;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Entries of a directory as the kernel writes them; in glibc from 2.30 and in musl.
extern ptrdiff_t getdents64(int fd, uint8_t *into, size_t len);

// RT_ABI_VERSION as the library was built, for callers that were compiled against another.
int64_t rt_abi_version(void);

// Frees a buffer's memory and makes it empty again. Null and empty buffers are allowed.
//
// # Safety
// `buf` is null or points to a buffer as described at `RtBuf`.
void rt_buf_free(struct RtBuf *buf);

// Makes a directory with mode 0755 less the umask; with `recursive` also those above it, and one
// that exists is then success.
//
// # Errors
// As `rt_fs_mkdir`.
//
// # Safety
// `path` is a C string.
bool rt_dir_create(const char *path, bool recursive);

// The names in a directory, without `.` and `..`: an array that ends with null, to be freed by one
// `rt_free`, which frees the names too. Null on failure.
//
// # Errors
// As `rt_fs_list`.
//
// # Safety
// `path` is a C string.
char **rt_dir_list(const char *path);

// The working directory, an absolute path; returns its length. ENOENT if it was removed,
// ERANGE if it is longer than any path that can be used.
//
// # Errors
// - `getcwd`: EACCES, ENOENT
// - `malloc`: ENOMEM
//
// # Safety
// `out` is a valid buffer.
int64_t rt_env_current_dir(struct RtBuf *out);

// The working directory, or null.
//
// # Errors
// As `rt_env_current_dir`.
char *rt_env_cwd(void);

// The value of a variable, an empty text if there is none (errno is then ENOENT), or null.
//
// # Errors
// As `rt_env_var`.
//
// # Safety
// `name` is a C string, and no thread changes the environment meanwhile.
char *rt_env_get(const char *name);

// The user's home directory, an empty text if nothing knows it, or null.
//
// # Errors
// As `rt_env_home_dir`.
//
// # Safety
// No thread changes the environment meanwhile.
char *rt_env_home(void);

// The user's home directory: HOME if it is set and not empty, else what the user database says.
// Returns its length; ENOENT if neither knows.
//
// # Errors
// - `malloc`: ENOMEM
//
// # Safety
// `out` is a valid buffer, and no thread changes the environment meanwhile.
int64_t rt_env_home_dir(struct RtBuf *out);

// Sets a variable.
//
// # Errors
// As `rt_env_set_var`.
//
// # Safety
// Both are C strings, and no other thread uses the environment.
bool rt_env_set(const char *name, const char *value);

// Sets a variable. EINVAL for a name that is empty or has `=`.
//
// # Errors
// - `malloc`: ENOMEM
//
// # Safety
// `name` is a readable text, `value` one, and no other thread uses the environment.
int64_t rt_env_set_var(const char *name, size_t name_len, const char *value, size_t value_len);

// The value of a variable; returns its length. ENOENT if there is none, which is not the same as an
// empty one.
//
// # Errors
// - `malloc`: ENOMEM
//
// # Safety
// `name` is a readable text, `out` a valid buffer, and no thread changes the environment meanwhile.
int64_t rt_env_var(const char *name, size_t name_len, struct RtBuf *out);

// Writes behind the contents of a file, making it if need be.
//
// # Errors
// As `rt_fs_write`.
//
// # Safety
// Both are C strings.
bool rt_file_append_text(const char *path, const char *content);

// Copies a file and its permission bits.
//
// # Errors
// As `rt_fs_copy`.
//
// # Safety
// Both are C strings.
bool rt_file_copy(const char *from, const char *to);

// Removes a file or link.
//
// # Errors
// As `rt_fs_remove`.
//
// # Safety
// `path` is a C string.
bool rt_file_delete(const char *path);

// Whether a name leads to something. `false` also if that cannot be found out: the errno is then
// not ENOENT.
//
// # Errors
// As `rt_fs_stat`.
//
// # Safety
// `path` is a C string.
bool rt_file_exists(const char *path);

// Locks an existing file for writing, without waiting, and returns a descriptor for
// `rt_file_unlock`, or -1; EAGAIN says that someone else has it.
//
// # Errors
// As `rt_fs_lock`.
//
// # Safety
// `path` is a C string.
int64_t rt_file_lock(const char *path);

// The contents of a file as bytes, or null. The length is not told, for which there is
// `rt_fs_read`; a 0 follows the last byte.
//
// # Errors
// As `rt_fs_read`.
//
// # Safety
// `path` is a C string.
uint8_t *rt_file_mmap_read_bytes(const char *path);

// The same as `rt_file_read_text`. The name is from a time when the file was mapped and then
// copied: reading is as fast, and a file cut meanwhile does not kill the process.
//
// # Errors
// As `rt_fs_read`.
//
// # Safety
// `path` is a C string.
char *rt_file_mmap_read_text(const char *path);

// When the contents last changed, in whole seconds since 1970, or -1 (which a file from 1969 also
// has: `rt_fs_stat` tells them apart).
//
// # Errors
// As `rt_fs_stat`.
//
// # Safety
// `path` is a C string.
int64_t rt_file_modified_time(const char *path);

// The contents of a file, whatever its size is said to be, with a 0 behind them; null on failure. A
// text with a 0 inside looks shorter than it is: `rt_fs_read` tells the length.
//
// # Errors
// As `rt_fs_read`.
//
// # Safety
// `path` is a C string.
char *rt_file_read_text(const char *path);

// The same as `rt_file_delete`.
//
// # Errors
// As `rt_fs_remove`.
//
// # Safety
// `path` is a C string.
bool rt_file_remove(const char *path);

// The size in bytes, or -1.
//
// # Errors
// As `rt_fs_stat`.
//
// # Safety
// `path` is a C string.
int64_t rt_file_size(const char *path);

// Gives up a lock.
//
// # Errors
// As `rt_fs_unlock`.
bool rt_file_unlock(int64_t lock);

// Replaces the contents of a file, making it if need be.
//
// # Errors
// As `rt_fs_write`.
//
// # Safety
// Both are C strings.
bool rt_file_write_text(const char *path, const char *content);

// Frees what a function of the first interface returned. Null is allowed.
//
// # Safety
// `pointer` is null or was returned by this library and not freed before.
void rt_free(void *pointer);

// Copies a file's contents and permission bits and returns the number of bytes. The kernel copies
// where it can, by plain reading and writing otherwise; what the system claims as size is not
// asked. A file is not copied onto itself: EINVAL. A failure in between leaves a part.
//
// # Errors
// - `openat`: EACCES, EDQUOT, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY
// - `newfstatat`: EIO, ENOMEM
// - `copy_file_range`, absorbed: EBADF, EINVAL, EIO, ENOSYS, EOPNOTSUPP, EPERM, ETXTBSY, EXDEV
// - `ftruncate`: EFBIG, EIO, EPERM
// - `read`: EIO, EISDIR
// - `close`: EDQUOT, EIO, ENOSPC
//
// # Safety
// Both are readable texts.
int64_t rt_fs_copy(const char *from,
                   size_t from_len,
                   const char *to,
                   size_t to_len);

// Lists a directory without `.` and `..`: names in the system's order, each followed by a byte 0.
// Returns the number of names.
//
// # Errors
// - `openat`: EACCES, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR
// - `getdents64`: EIO, ENOTDIR
// - `malloc`: ENOMEM
//
// # Safety
// `path` is a readable text, `out` a valid buffer.
int64_t rt_fs_list(const char *path, size_t path_len, struct RtBuf *out);

// Locks a whole existing file against other openings of it, in this process too, and returns a
// descriptor that holds the lock until `rt_fs_unlock`. Without RT_LOCK_WAIT, EAGAIN says that
// someone else has it.
//
// # Errors
// - `openat`: EACCES, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, EROFS, ETXTBSY
// - `fcntl`: EAGAIN, EDEADLK, ENOLCK
//
// # Safety
// `path` is a readable text.
int64_t rt_fs_lock(const char *path,
                   size_t path_len,
                   uint32_t flags);

// Makes a directory with permission bits `mode` less the umask. With RT_RECURSIVE also those above
// it, and a directory that exists is success.
//
// # Errors
// - `mkdirat`: EACCES, EDQUOT, EEXIST, EIO, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS
//
// # Safety
// `path` is a readable text.
int64_t rt_fs_mkdir(const char *path,
                    size_t path_len,
                    uint32_t mode,
                    uint32_t flags);

// Reads a whole file and returns the number of bytes. It reads until the end is reported, whatever
// size the system claims, so that procfs and pipes come whole.
//
// # Errors
// - `openat`: EACCES, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOMEM, ENOTDIR, ENXIO, EPERM
// - `read`: EAGAIN, EINVAL, EIO, EISDIR
// - `malloc`: ENOMEM
//
// # Safety
// `path` is a readable text, `out` a valid buffer.
int64_t rt_fs_read(const char *path,
                   size_t path_len,
                   struct RtBuf *out);

// Removes a name, never what a symbolic link leads to. With RT_DIRECTORY, an empty directory.
//
// # Errors
// - `unlinkat`: EACCES, EBUSY, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, ENOTEMPTY, EPERM, EROFS
//
// # Safety
// `path` is a readable text.
int64_t rt_fs_remove(const char *path,
                     size_t path_len,
                     uint32_t flags);

// Describes a name. `out` has room for `out_size` bytes, the size of the structure the caller was
// compiled with: as much as both sides know is written, and that number of bytes returned.
//
// # Errors
// - `newfstatat`: EACCES, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EOVERFLOW
//
// # Safety
// `path` is a readable text, `out` writable for `out_size` bytes.
int64_t rt_fs_stat(const char *path,
                   size_t path_len,
                   uint32_t flags,
                   struct RtStat *out,
                   size_t out_size);

// Gives up a lock and closes its descriptor. EBADF for what is none.
//
// # Errors
// - `fcntl`: EBADF, ENOLCK
int64_t rt_fs_unlock(int64_t lock);

// Writes a whole file, making it with mode 0666 less the umask if there is none, and returns the
// number of bytes. Flags: RT_APPEND, RT_CREATE_NEW; without them the former contents are lost.
// A failure in between leaves a part of the data; for an exchange in one step, write beside it and
// rename.
//
// # Errors
// - `openat`: EACCES, EDQUOT, EEXIST, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY
// - `write`: EAGAIN, EDQUOT, EFBIG, EINVAL, EIO, ENOSPC, EPERM, EPIPE
// - `close`: EDQUOT, EIO, ENOSPC
//
// # Safety
// `path` is a readable text, `data` readable for `data_len` bytes.
int64_t rt_fs_write(const char *path,
                    size_t path_len,
                    uint32_t flags,
                    const void *data,
                    size_t data_len);

// The number of this process.
int64_t rt_getpid(void);

// The machine's name, or null.
//
// # Errors
// As `rt_sys_hostname`.
char *rt_hostname(void);

// The errno left by the last function of the first interface that failed on this thread.
// The second interface neither needs nor keeps it.
int32_t rt_last_errno(void);

// Runs a program to its end. `args` is a list, texts that are each followed by a byte 0: the first
// names the program, looked for through PATH unless it has a `/`, and all are its arguments. Returns
// its exit code, 0 to 255, or RT_SIGNALED and the signal that ended it. It inherits the standard
// streams, the environment and the signal mask. The process is not forked, so that the cost does not
// grow with the size of the caller. A program that cannot be started is an error (ENOENT, EACCES,
// ENOEXEC ...), never a status.
//
// # Errors
// - `clone`: EAGAIN, ENOMEM
// - `execve`: E2BIG, EACCES, EIO, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, ETXTBSY
// - `wait4`: ECHILD
// - `malloc`: ENOMEM
//
// # Safety
// `args` is readable for `args_len` bytes.
int64_t rt_process_exec(const char *args,
                        size_t args_len);

// Runs a program, found through PATH, with `count` arguments besides its name. Returns its exit
// code, or 128 and the signal that ended it, or -1 if it could not be run.
//
// # Errors
// As `rt_process_exec`.
//
// # Safety
// `program` is a C string, and `args` points to `count` of them.
int32_t rt_process_run(const char *program, const char *const *args, size_t count);

// The machine's name; returns its length.
//
// # Errors
// - `uname`: EFAULT
// - `malloc`: ENOMEM
//
// # Safety
// `out` is a valid buffer.
int64_t rt_sys_hostname(struct RtBuf *out);

// The number of processors that are online, at least 1.
int64_t rt_system_cpu_count(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FFI_SYSCALLS_H */
