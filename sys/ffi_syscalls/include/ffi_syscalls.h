/* System calls for programs in any language. Made by cbindgen: do not edit.
 * What is inside #if defined(RT_WIDE) is in libffi_syscalls_wide only. */

#ifndef FFI_SYSCALLS_H
#define FFI_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Given as a length, says that the text ends with a byte 0 instead. */
#define RT_NUL_TERMINATED SIZE_MAX

// The version of the interface this library implements: the higher 16 bits count changes that break
// callers (and the symbol version and soname with them), the lower 16 additions.
#define RT_ABI_VERSION (1 << 16)

// Write behind what is there.
#define RT_APPEND 1

#if defined(RT_WIDE)
// The same, counted while the machine sleeps too.
#define RT_CLOCK_BOOT 2
#endif

#if defined(RT_WIDE)
// Nanoseconds that only go forward, not counted while the machine sleeps.
#define RT_CLOCK_MONOTONIC 1
#endif

#if defined(RT_WIDE)
// Nanoseconds this process has computed.
#define RT_CLOCK_PROCESS 3
#endif

#if defined(RT_WIDE)
// Nanoseconds since 1970, which may be set.
#define RT_CLOCK_WALL 0
#endif

// Fail with EEXIST if the name exists, even as a dangling link.
#define RT_CREATE_NEW 2

// Remove an empty directory instead of a file.
#define RT_DIRECTORY 1

// Lock for reading, beside other readers.
#define RT_LOCK_SHARED 1

// Wait for the lock.
#define RT_LOCK_WAIT 2

#if defined(RT_WIDE)
// Writes reach the file and everyone who maps it.
#define RT_MAP_SHARED 2
#endif

#if defined(RT_WIDE)
// Writable. Writes stay in this process unless RT_MAP_SHARED is given too.
#define RT_MAP_WRITE 1
#endif

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

#if defined(RT_WIDE)
// Do not wait.
#define RT_NO_WAIT 1
#endif



#if defined(RT_WIDE)
// Every write goes to the end.
#define RT_OPEN_APPEND 4
#endif

#if defined(RT_WIDE)
// Make the file if there is none.
#define RT_OPEN_CREATE 8
#endif

#if defined(RT_WIDE)
// Together with RT_OPEN_CREATE: EEXIST if there is one, even a dangling link.
#define RT_OPEN_NEW 16
#endif

#if defined(RT_WIDE)
// ELOOP if the name itself is a symbolic link.
#define RT_OPEN_NO_FOLLOW 64
#endif

#if defined(RT_WIDE)
// Open for reading.
#define RT_OPEN_READ 1
#endif

#if defined(RT_WIDE)
// Drop the contents.
#define RT_OPEN_TRUNCATE 32
#endif

#if defined(RT_WIDE)
// Open for writing.
#define RT_OPEN_WRITE 2
#endif

#if defined(RT_WIDE)
// An error is pending; always waited for.
#define RT_POLL_ERROR 8
#endif

#if defined(RT_WIDE)
// The other side is gone; always waited for.
#define RT_POLL_HANGUP 16
#endif

#if defined(RT_WIDE)
// The descriptor is not open; always waited for.
#define RT_POLL_INVALID 32
#endif

#if defined(RT_WIDE)
// There is something to read, or the end.
#define RT_POLL_READ 1
#endif

#if defined(RT_WIDE)
// A write would not wait.
#define RT_POLL_WRITE 4
#endif

// Make the directories above it too, and accept one that exists.
#define RT_RECURSIVE 1

#if defined(RT_WIDE)
// EEXIST instead of replacing what has the new name.
#define RT_RENAME_NEW 1
#endif

#if defined(RT_WIDE)
// Count from where the descriptor is.
#define RT_SEEK_CURRENT 1
#endif

#if defined(RT_WIDE)
// Count from the end.
#define RT_SEEK_END 2
#endif

#if defined(RT_WIDE)
// Count from the start.
#define RT_SEEK_SET 0
#endif

// Set in a status if a signal ended the process; the number of the signal is added to it.
#define RT_SIGNALED 256

#if defined(RT_WIDE)
// The child leads a process group of its own, whose number is the child's: a negative number given
// to `rt_process_kill` then reaches all of it.
#define RT_SPAWN_GROUP 1
#endif

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
  // When the contents last changed, in nanoseconds since 1970; the largest number for a time that
  // cannot be said so, before 1677 or after 2262.
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

#if defined(RT_WIDE)
// A part of a file in memory. Reading behind the end of a file that became shorter ends the process
// (SIGBUS): map what no one else cuts.
typedef struct RtMap {
  // The first byte.
  void *ptr;
  // The number of bytes.
  size_t len;
} RtMap;
#endif

#if defined(RT_WIDE)
// A descriptor to wait for.
typedef struct RtPoll {
  // The descriptor; a negative one is passed over.
  int32_t fd;
  // What to wait for, of the RT_POLL constants.
  uint16_t wanted;
  // What happened.
  uint16_t happened;
} RtPoll;
#endif

#if defined(RT_WIDE)
// What to start, and how. Fields are only ever added at the end, and 0 in each is the usual.
typedef struct RtSpawn {
  // The program and its arguments, each text followed by a byte 0.
  const char *args;
  // The length of `args`.
  size_t args_len;
  // The environment, `NAME=value` each followed by a byte 0; this process's own if null.
  const char *env;
  // The length of `env`.
  size_t env_len;
  // The descriptors that become the child's 0, 1 and 2, in this order, plus one; 0 keeps this
  // process's own.
  uint32_t streams[3];
  // RT_SPAWN_GROUP or 0.
  uint32_t flags;
} RtSpawn;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// RT_ABI_VERSION as the library was built, for callers that were compiled against another.
int64_t rt_abi_version(void);

// Frees a buffer's memory and makes it empty again. Null and empty buffers are allowed.
//
// # Safety
// `buf` is null or points to a buffer as described at `RtBuf`.
void rt_buf_free(struct RtBuf *buf);

#if defined(RT_WIDE)
// The time of a clock in nanoseconds. EINVAL for a clock there is not.
int64_t rt_clock(uint32_t clock);
#endif

#if defined(RT_WIDE)
// Closes a directory. Null is allowed.
//
// # Safety
// `dir` is null or from `rt_dir_open`, and not used again.
void rt_dir_close(void *dir);
#endif

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

#if defined(RT_WIDE)
// The name of the next entry in `out`, without `.` and `..`. Returns 0 at the end, and otherwise 1
// plus the kind as in the bits of RT_MODE_KIND, which are 0 where the file system does not tell.
//
// # Errors
// - `getdents64`: EBADF, EINVAL, EIO, ENOENT
// - `malloc`: ENOMEM
//
// # Safety
// `dir` is from `rt_dir_open` and not closed, `out` a valid buffer.
int64_t rt_dir_next(void *dir, struct RtBuf *out);
#endif

#if defined(RT_WIDE)
// Opens a directory to be read entry by entry, in memory that does not grow with it. `*out` is for
// `rt_dir_next` and `rt_dir_close`.
//
// # Errors
// - `openat`: EACCES, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR
// - `malloc`: ENOMEM
//
// # Safety
// `path` is a readable text, `out` writable.
int64_t rt_dir_open(const char *path, size_t path_len, void **out);
#endif

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

#if defined(RT_WIDE)
// The environment as a list, `NAME=value` each followed by a byte 0; returns how many.
//
// # Errors
// - `malloc`: ENOMEM
//
// # Safety
// `out` is a valid buffer, and no thread changes the environment meanwhile.
int64_t rt_env_list(struct RtBuf *out);
#endif

#if defined(RT_WIDE)
// Removes a variable; one that is not there is removed already. EINVAL for a name that is empty or
// has `=`.
//
// # Safety
// `name` is a readable text, and no other thread uses the environment.
int64_t rt_env_remove_var(const char *name, size_t name_len);
#endif

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

#if defined(RT_WIDE)
// Closes a descriptor. It is gone whatever the answer, which may be the failure of an earlier write.
//
// # Errors
// - `close`: EBADF, EDQUOT, EIO, ENOSPC
int64_t rt_fd_close(int64_t file);
#endif

#if defined(RT_WIDE)
// Opens a file and returns its descriptor. `mode` is for a file that is made.
//
// # Errors
// - `openat`: EACCES, EBUSY, EDQUOT, EEXIST, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENXIO, EPERM, EROFS, ETXTBSY
//
// # Safety
// `path` is a readable text.
int64_t rt_fd_open(const char *path,
                   size_t path_len,
                   uint32_t flags,
                   uint32_t mode);
#endif

#if defined(RT_WIDE)
// Reads up to `len` bytes from where the descriptor is; 0 is the end. Fewer come when fewer are there.
//
// # Errors
// - `read`: EAGAIN, EBADF, EFAULT, EINVAL, EIO, EISDIR
//
// # Safety
// `into` is writable for `len` bytes.
int64_t rt_fd_read(int64_t file,
                   void *into,
                   size_t len);
#endif

#if defined(RT_WIDE)
// Reads at an offset, until `len` bytes are there or the end, and leaves the descriptor where it is.
//
// # Errors
// - `pread64`: EAGAIN, EBADF, EFAULT, EINVAL, EIO, EISDIR, ENXIO, EOVERFLOW, ESPIPE
//
// # Safety
// `into` is writable for `len` bytes.
int64_t rt_fd_read_at(int64_t file,
                      int64_t offset,
                      void *into,
                      size_t len);
#endif

#if defined(RT_WIDE)
// Moves a descriptor and returns its new offset; `origin` is one of the RT_SEEK constants.
//
// # Errors
// - `lseek`: EBADF, EINVAL, EOVERFLOW, ESPIPE
int64_t rt_fd_seek(int64_t file, int64_t offset, uint32_t origin);
#endif

#if defined(RT_WIDE)
// Waits until what was written is on the device.
//
// # Errors
// - `fsync`: EBADF, EDQUOT, EINVAL, EIO, ENOSPC, EROFS
int64_t rt_fd_sync(int64_t file);
#endif

#if defined(RT_WIDE)
// Cuts a file, or extends it with zeros.
//
// # Errors
// - `ftruncate`: EBADF, EFBIG, EINVAL, EIO, EPERM
int64_t rt_fd_truncate(int64_t file, int64_t len);
#endif

#if defined(RT_WIDE)
// Writes all of `len` bytes where the descriptor is. After a failure, some of them may be written.
//
// # Errors
// - `write`: EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINVAL, EIO, ENOSPC, EPERM, EPIPE
//
// # Safety
// `from` is readable for `len` bytes.
int64_t rt_fd_write(int64_t file, const void *from, size_t len);
#endif

#if defined(RT_WIDE)
// Writes all of `len` bytes at an offset, and leaves the descriptor where it is.
//
// # Errors
// - `pwrite64`: EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINVAL, EIO, ENOSPC, ENXIO, EOVERFLOW, EPERM, EPIPE, ESPIPE
//
// # Safety
// `from` is readable for `len` bytes.
int64_t rt_fd_write_at(int64_t file,
                       int64_t offset,
                       const void *from,
                       size_t len);
#endif

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

#if defined(RT_WIDE)
// Sets the 12 permission bits of what a name leads to.
//
// # Errors
// - `fchmodat`: EACCES, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EPERM, EROFS
//
// # Safety
// `path` is a readable text.
int64_t rt_fs_chmod(const char *path, size_t path_len, uint32_t mode);
#endif

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

#if defined(RT_WIDE)
// The text of a symbolic link; returns its length.
//
// # Errors
// - `readlinkat`: EACCES, EINVAL, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR
// - `malloc`: ENOMEM
//
// # Safety
// `path` is a readable text, `out` a valid buffer.
int64_t rt_fs_link_target(const char *path, size_t path_len, struct RtBuf *out);
#endif

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

#if defined(RT_WIDE)
// Reads many files. `paths` is a list of `count` texts, each followed by a byte 0; the contents go
// behind each other into `out`, and `lens` gets one number for each: its length or a negated errno.
// Returns how many were read. They are opened in groups, and where the system allows it (io_uring)
// each group is opened and read by a few calls; elsewhere it is told what will be read, so that a cold
// disk works on all side by side. The answers are the same.
//
// # Errors
// - `malloc`: ENOMEM
// - `io_uring_setup`, absorbed: EINVAL, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM
// - `io_uring_enter`, absorbed: EINVAL, ENOSYS, EPERM
//
// # Safety
// `paths` is readable for `paths_len` bytes, `out` a valid buffer, `lens` writable for `count`
// numbers.
int64_t rt_fs_read_many(const char *paths,
                        size_t paths_len,
                        struct RtBuf *out,
                        int64_t *lens,
                        size_t count);
#endif

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

#if defined(RT_WIDE)
// Removes a file, or a directory with all that is in it. A symbolic link is removed, never followed,
// whatever anyone does to the tree meanwhile: each directory is opened by its name in the one above,
// and what is opened is emptied. The first failure ends it, but for what others removed before.
// The depth is bound by the number of descriptors a process may have: EMFILE.
//
// # Errors
// - `unlinkat`: EACCES, EBUSY, EIO, ENAMETOOLONG, ENOMEM, EPERM, EROFS
// - `openat`: EACCES, EMFILE, ENFILE, ENOMEM
// - `getdents64`: EIO
// - `malloc`: ENOMEM
//
// # Safety
// `path` is a readable text.
int64_t rt_fs_remove_tree(const char *path,
                          size_t path_len);
#endif

#if defined(RT_WIDE)
// Gives a file or directory another name, replacing in one step a file, or an empty directory, that
// has it. With RT_RENAME_NEW nothing is replaced.
//
// # Errors
// - `renameat2`: EACCES, EBUSY, EDQUOT, EEXIST, EINVAL, EIO, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV
//
// # Safety
// Both are readable texts.
int64_t rt_fs_rename(const char *from,
                     size_t from_len,
                     const char *to,
                     size_t to_len,
                     uint32_t flags);
#endif

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

#if defined(RT_WIDE)
// Makes a symbolic link to a text that need not lead anywhere.
//
// # Errors
// - `symlinkat`: EACCES, EDQUOT, EEXIST, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS
//
// # Safety
// Both are readable texts.
int64_t rt_fs_symlink(const char *target,
                      size_t target_len,
                      const char *path,
                      size_t path_len);
#endif

#if defined(RT_WIDE)
// Makes a file that no one else has, readable and writable for its owner alone, in a directory.
// Returns its open descriptor, and its path in `out`. The caller removes it.
//
// # Errors
// - `openat`: EACCES, EDQUOT, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS
// - `malloc`: ENOMEM
//
// # Safety
// `dir` is a readable text, `out` a valid buffer.
int64_t rt_fs_temp_file(const char *dir,
                        size_t dir_len,
                        struct RtBuf *out);
#endif

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

#if defined(RT_WIDE)
// Maps `len` bytes of a file from an offset that is a multiple of the page size. The descriptor can be
// closed afterwards. EINVAL for no bytes.
//
// # Errors
// - `mmap`: EACCES, EAGAIN, EBADF, EINVAL, ENFILE, ENODEV, ENOMEM, EOVERFLOW, EPERM
//
// # Safety
// `out` is writable.
int64_t rt_map(int64_t file,
               int64_t offset,
               size_t len,
               uint32_t flags,
               struct RtMap *out);
#endif

#if defined(RT_WIDE)
// Waits until what was written to a shared mapping is on the device.
//
// # Errors
// - `msync`: EBUSY, EINVAL, EIO, ENOMEM
//
// # Safety
// `map` is from `rt_map` and still mapped.
int64_t rt_map_sync(const struct RtMap *map);
#endif

#if defined(RT_WIDE)
// Makes a pipe: what is written to `ends[1]` is read from `ends[0]`.
//
// # Errors
// - `pipe2`: EMFILE, ENFILE
//
// # Safety
// `ends` is writable for two numbers.
int64_t rt_pipe(int64_t *ends);
#endif

#if defined(RT_WIDE)
// Waits until something happens to one of `count` descriptors, at most `timeout_ms` milliseconds,
// without end if that is negative. Returns how many have something in `happened`; 0 is the timeout.
// EINTR is passed on, so that the caller can act on the signal and knows its own deadline.
//
// # Errors
// - `poll`: EFAULT, EINVAL, ENOMEM
//
// # Safety
// `polls` is valid for `count` elements.
int64_t rt_poll(struct RtPoll *polls, size_t count, int32_t timeout_ms);
#endif

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

#if defined(RT_WIDE)
// Sends a signal to a process, or to the group of a negative number; signal 0 only asks whether one
// could. 0 and -1, which mean very many processes, are refused with EINVAL.
//
// # Errors
// - `kill`: EINVAL, EPERM, ESRCH
int64_t rt_process_kill(int64_t pid, int32_t signal);
#endif

// Runs a program, found through PATH, with `count` arguments besides its name. Returns its exit
// code, or 128 and the signal that ended it, or -1 if it could not be run.
//
// # Errors
// As `rt_process_exec`.
//
// # Safety
// `program` is a C string, and `args` points to `count` of them.
int32_t rt_process_run(const char *program, const char *const *args, size_t count);

#if defined(RT_WIDE)
// Starts a program and returns its number, for `rt_process_wait`. `size` is the size of the structure
// the caller was compiled with. The process is not forked. Signals that are blocked here are not in
// the child. A program that cannot be started is an error.
//
// # Errors
// - `clone`: EAGAIN, ENOMEM
// - `execve`: E2BIG, EACCES, EIO, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM, ETXTBSY
// - `malloc`: ENOMEM
//
// # Safety
// `spawn` is readable for `size` bytes, and its pointers for their lengths.
int64_t rt_process_spawn(const struct RtSpawn *spawn,
                         size_t size);
#endif

#if defined(RT_WIDE)
// Waits for a child and returns its exit code, or RT_SIGNALED and the signal. With RT_NO_WAIT, EAGAIN
// says that it still runs. A child can be waited for once.
//
// # Errors
// - `wait4`: ECHILD, EINVAL
int64_t rt_process_wait(int64_t pid,
                        uint32_t flags);
#endif

#if defined(RT_WIDE)
// Fills memory with random bytes that are fit for keys.
//
// # Errors
// - `getrandom`: ENOSYS
//
// # Safety
// `into` is writable for `len` bytes.
int64_t rt_random(void *into, size_t len);
#endif

#if defined(RT_WIDE)
// Makes `len` bytes of zeros that have no name, as a descriptor: mapped with RT_MAP_SHARED here and
// in a child that gets the descriptor, they are the same memory.
//
// # Errors
// - `memfd_create`: EMFILE, ENFILE, ENOMEM
// - `ftruncate`: EFBIG, EINVAL, EPERM
int64_t rt_shared_memory(int64_t len);
#endif

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

#if defined(RT_WIDE)
// Ends a mapping and empties the structure; an empty one is allowed.
//
// # Errors
// - `munmap`: EINVAL, ENOMEM
//
// # Safety
// `map` is from `rt_map`, and its memory not used afterwards.
int64_t rt_unmap(struct RtMap *map);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FFI_SYSCALLS_H */
