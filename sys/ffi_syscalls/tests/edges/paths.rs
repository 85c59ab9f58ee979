//! The functions that take a path, each against every case of one.

use std::ffi::{CStr, CString, OsStr, c_char};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::ptr::null_mut;

use ffi_syscalls::*;

use crate::Tally;
use crate::fixture::{self, TEXT, c, filled, number, some, start, yes};

/// The length of a text that ends with a 0.
const NUL: usize = RT_NUL_TERMINATED;
const GIB_3: usize = 3 << 30;

/// What has to be under the name before the call.
#[derive(Clone, Copy)]
enum Need {
    File,
    Dir,
    Link,
    Nothing,
}

/// What the call does there.
#[derive(Clone, Copy, PartialEq)]
enum Deed {
    Reads,
    Changes,
    Fills,
}

/// How the call knows where a path ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Zero,
    Length,
}

/// A path that is tried: always a C string too, so that either form can be called.
struct At<'a> {
    path: *const c_char,
    len: usize,
    /// For renaming, a name in the same directory: renaming does not cross file systems.
    other: &'a CStr,
}

struct Function {
    name: &'static str,
    need: Need,
    deed: Deed,
    end: End,
    call: fn(&At<'_>) -> i64,
}

/// A lock or descriptor is given up at once.
fn unlocked(lock: i64) -> i64 {
    if lock < 0 { lock } else { rt_fs_unlock(lock) }
}

fn closed(file: i64) -> i64 {
    if file < 0 { file } else { rt_fd_close(file) }
}

macro_rules! functions {
    ($($name:literal $need:ident $deed:ident $end:ident |$at:ident| $call:expr;)*) => {
        [$(Function {
            name: $name,
            need: Need::$need,
            deed: Deed::$deed,
            end: End::$end,
            call: |$at| {
                // SAFETY: the path and the other name outlive the call; all else is a local or a literal.
                unsafe { $call }
            },
        }),*]
    };
}

static FUNCTIONS: [Function; 36] = functions! {
    "rt_file_exists" File Reads Zero |at| yes(rt_file_exists(at.path));
    "rt_file_read_text" File Reads Zero |at| some(rt_file_read_text(at.path));
    "rt_file_mmap_read_text" File Reads Zero |at| some(rt_file_mmap_read_text(at.path));
    "rt_file_mmap_read_bytes" File Reads Zero |at| some(rt_file_mmap_read_bytes(at.path));
    "rt_file_size" File Reads Zero |at| number(rt_file_size(at.path));
    "rt_file_modified_time" File Reads Zero |at| number(rt_file_modified_time(at.path));
    "rt_file_write_text" Nothing Fills Zero |at| yes(rt_file_write_text(at.path, start(&TEXT)));
    "rt_file_append_text" Nothing Fills Zero |at| yes(rt_file_append_text(at.path, start(&TEXT)));
    "rt_file_delete" File Changes Zero |at| yes(rt_file_delete(at.path));
    "rt_file_remove" File Changes Zero |at| yes(rt_file_remove(at.path));
    "rt_dir_create" Nothing Changes Zero |at| yes(rt_dir_create(at.path, false));
    "rt_dir_list" Dir Reads Zero |at| some(rt_dir_list(at.path));
    "rt_file_lock" File Changes Zero |at| unlocked(number(rt_file_lock(at.path)));
    "rt_file_copy" File Reads Zero |at| yes(rt_file_copy(at.path, c"/dev/null".as_ptr()));
    "rt_fs_read" File Reads Length |at| filled(|buf| rt_fs_read(at.path, at.len, buf)).0;
    "rt_fs_write" Nothing Fills Length |at| rt_fs_write(at.path, at.len, 0, TEXT.as_ptr().cast(), TEXT.len());
    "rt_fs_stat" File Reads Length |at| {
        let mut stat = std::mem::zeroed::<RtStat>();
        rt_fs_stat(at.path, at.len, 0, &raw mut stat, size_of::<RtStat>())
    };
    "rt_fs_list" Dir Reads Length |at| filled(|buf| rt_fs_list(at.path, at.len, buf)).0;
    "rt_fs_mkdir" Nothing Changes Length |at| rt_fs_mkdir(at.path, at.len, 0o755, 0);
    "rt_fs_mkdir, recursive" Nothing Changes Length |at| rt_fs_mkdir(at.path, at.len, 0o755, RT_RECURSIVE);
    "rt_fs_remove" File Changes Length |at| rt_fs_remove(at.path, at.len, 0);
    "rt_fs_remove, directory" Dir Changes Length |at| rt_fs_remove(at.path, at.len, RT_DIRECTORY);
    "rt_fs_copy, from" File Reads Length |at| rt_fs_copy(at.path, at.len, c"/dev/null".as_ptr(), NUL);
    "rt_fs_copy, to" Nothing Fills Length |at| rt_fs_copy(c"large".as_ptr(), NUL, at.path, at.len);
    "rt_fs_lock" File Reads Length |at| unlocked(rt_fs_lock(at.path, at.len, RT_LOCK_SHARED));
    "rt_fd_open" File Reads Length |at| closed(rt_fd_open(at.path, at.len, RT_OPEN_READ, 0));
    "rt_fd_open, new" Nothing Changes Length |at| {
        closed(rt_fd_open(at.path, at.len, RT_OPEN_WRITE | RT_OPEN_CREATE | RT_OPEN_NEW, 0o600))
    };
    "rt_fs_chmod" File Changes Length |at| rt_fs_chmod(at.path, at.len, 0o644);
    "rt_fs_rename, from" File Changes Length |at| rt_fs_rename(at.path, at.len, at.other.as_ptr(), NUL, 0);
    "rt_fs_rename, to" Nothing Changes Length |at| rt_fs_rename(at.other.as_ptr(), NUL, at.path, at.len, 0);
    "rt_fs_symlink" Nothing Changes Length |at| rt_fs_symlink(c"target".as_ptr(), NUL, at.path, at.len);
    "rt_fs_link_target" Link Reads Length |at| filled(|buf| rt_fs_link_target(at.path, at.len, buf)).0;
    "rt_fs_temp_file" Dir Changes Length |at| closed(filled(|buf| rt_fs_temp_file(at.path, at.len, buf)).0);
    "rt_fs_remove_tree" File Changes Length |at| rt_fs_remove_tree(at.path, at.len);
    "rt_dir_open" Dir Reads Length |at| {
        let mut dir = null_mut();
        let answer = rt_dir_open(at.path, at.len, &raw mut dir);
        if answer == 0 {
            rt_dir_close(dir);
        }
        answer
    };
    "rt_fs_read_many" File Reads Zero |at| {
        let mut len = 0;
        let list = CStr::from_ptr(at.path).to_bytes_with_nul();
        let read = filled(|buf| rt_fs_read_many(start(list), list.len(), buf, &raw mut len, 1)).0;
        if read < 0 { read } else { len }
    };
};

impl Function {
    fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Calls with a path, and with `other` in the directory that is given.
    fn at(&self, path: &[u8], dir: &str) -> i64 {
        let other = other(dir);
        let text = c(path);
        (self.call)(&At { path: text.as_ptr(), len: path.len(), other: &other })
    }

    /// Calls with a length that has nothing to do with the text.
    fn with_length(&self, len: usize) -> i64 {
        (self.call)(&At { path: c"x".as_ptr(), len, other: c"dir/other" })
    }

    /// Makes what the call needs and nothing else.
    fn prepare(&self, dir: &str, name: &[u8]) {
        let path = Path::new(dir).join(OsStr::from_bytes(name));
        let other = Path::new(dir).join("other");
        fixture::clear(&path);
        fixture::clear(&other);
        match self.need {
            Need::File => fs::write(path, "").unwrap(),
            Need::Dir => fs::create_dir(path).unwrap(),
            Need::Link => symlink("file", path).unwrap(),
            Need::Nothing => {}
        }
        if self.is("rt_fs_rename, to") {
            fs::write(other, "").unwrap();
        }
    }

    /// Prepares a name in a directory, and calls with it.
    fn on(&self, dir: &str, name: &[u8]) -> i64 {
        self.prepare(dir, name);
        self.at(&[dir.as_bytes(), b"/", name].concat(), dir)
    }
}

fn other(dir: &str) -> CString {
    c(format!("{dir}/other").as_bytes())
}

/// `dir/x` after as many `./` as make a path of the length; longer ones by a second `/`.
fn long(len: usize) -> Vec<u8> {
    let mut path = b"./".repeat(2045);
    path.extend(if len == 4095 { b"dir/x".as_slice() } else { b"dir//x" });
    assert_eq!(path.len(), len);
    path
}

/// What one case says of one function.
type Case = fn(&Function) -> char;

fn mark(holds: bool) -> char {
    if holds { '+' } else { '-' }
}

const CASES: [(&str, Case); 15] = [
    // What is needed is empty: a file, a directory.
    ("empty", |it| mark(it.on("dir", b"x") >= 0)),
    ("no length", |it| {
        if it.is("rt_fs_temp_file") {
            return '.'; // the names are then those of the root
        }
        it.prepare("dir", b"x");
        mark(it.at(b"", "dir") == -i64::from(libc::ENOENT) && (it.end == End::Zero || it.with_length(0) < 0))
    }),
    // Nothing of the text is looked at: there is not so much.
    ("3 GiB", |it| match it.end {
        End::Zero => '.',
        End::Length => mark(it.with_length(GIB_3) == -i64::from(libc::ENAMETOOLONG)),
    }),
    ("not UTF-8", |it| mark(it.on("dir", b"\xff\xfe\x80") >= 0)),
    ("name 255", |it| mark(it.on("dir", &[b'n'; 255]) >= 0)),
    ("name 256", |it| {
        // What is temporary gets a name behind it.
        let path =
            if it.is("rt_fs_temp_file") { [[b'n'; 256].as_slice(), b"/n"].concat() } else { vec![b'n'; 256] };
        it.prepare("dir", b"x");
        mark(it.at(&path, "dir") == -i64::from(libc::ENAMETOOLONG))
    }),
    ("path 4095", |it| {
        if it.is("rt_fs_temp_file") {
            return '.';
        }
        it.prepare("dir", b"x");
        mark(it.at(&long(4095), "dir") >= 0)
    }),
    ("path 4096", |it| mark(it.at(&long(4096), "dir") == -i64::from(libc::ENAMETOOLONG))),
    ("procfs", |it| {
        let path = match it.need {
            Need::File => "/proc/self/status",
            Need::Dir => "/proc/self/task",
            Need::Link => "/proc/self/cwd",
            Need::Nothing => "/proc/self/new",
        };
        let answer = it.at(path.as_bytes(), "/proc/self");
        // The lock is for writing, and root may open the file for that.
        mark(if it.deed == Deed::Reads { answer >= 0 } else { answer < 0 || it.is("rt_file_lock") })
    }),
    ("denied", |it| {
        let answer = fixture::as_nobody(|| it.at(b"secret/x", "secret"));
        answer.map_or('?', |answer| mark(answer == -i64::from(libc::EACCES)))
    }),
    ("loop", |it| {
        fs::write("dir/other", "").unwrap();
        mark(it.at(b"loop/x", "dir") == -i64::from(libc::ELOOP))
    }),
    ("absent", |it| match it.need {
        Need::Nothing => '.', // it would be there then
        Need::File | Need::Dir | Need::Link => mark(it.at(b"dir/absent", "dir") == -i64::from(libc::ENOENT)),
    }),
    ("no dir", |it| {
        fs::write("dir/other", "").unwrap();
        mark(it.at(b"file/x", "dir") == -i64::from(libc::ENOTDIR))
    }),
    ("EINTR", |it| mark(fixture::under_signals(|| (0..20).all(|_| it.on("dir", b"x") >= 0)))),
    ("race", |it| {
        it.prepare("race", b"x");
        // Slower and no different from the others: they fill a large file each time.
        let times = if it.deed == Deed::Fills { 30 } else { 300 };
        // Made twice or removed twice, and a directory that is not there: nothing else may happen.
        let allowed = [libc::ENOENT, libc::EEXIST].map(|errno| -i64::from(errno));
        let fine = |answer: i64| answer >= 0 || allowed.contains(&answer);
        let holds = fixture::in_a_race(|| (0..times).all(|_| fine(it.at(b"race/x", "race"))));
        // It may have been away when the last renaming found another in its place.
        fixture::clear(Path::new("gone"));
        fixture::clear(Path::new("race"));
        fs::create_dir("race").unwrap();
        mark(holds)
    }),
];

/// The two cases that need file systems of their own, for all functions, in a process that mounts them.
const MOUNTED: [(&str, Case); 2] = [
    ("read-only", |it| {
        assert!(fixture::mount(None, c"ro", libc::MS_REMOUNT, None), "writable");
        it.prepare("ro", b"x");
        assert!(fixture::mount(None, c"ro", libc::MS_REMOUNT | libc::MS_RDONLY, None), "read-only");
        let answer = it.at(b"ro/x", "ro");
        mark(if it.deed == Deed::Reads { answer >= 0 } else { answer == -i64::from(libc::EROFS) })
    }),
    ("full", |it| {
        if it.deed != Deed::Fills {
            return '.';
        }
        let full = -i64::from(libc::ENOSPC);
        // Copying would have to change the mode of a device.
        let device = it.is("rt_fs_copy, to") || it.at(b"/dev/full", "dir") == full;
        let holds = device && it.on("small", b"x") == full;
        fixture::clear(Path::new("small/x"));
        mark(holds)
    }),
];

/// The marks of [`MOUNTED`], one function after the other; none where nothing can be mounted.
fn mounted() -> Vec<u8> {
    fixture::in_child(|| {
        let ready = fixture::may_mount()
            && fixture::mount(Some(c"tmpfs"), c"ro", 0, None)
            && fixture::mount(Some(c"tmpfs"), c"small", 0, Some(c"size=64k"));
        let marks = FUNCTIONS.iter().flat_map(|function| MOUNTED.map(|(_, case)| case(function) as u8));
        if ready { marks.collect() } else { b"?".repeat(FUNCTIONS.len() * MOUNTED.len()) }
    })
}

/// Tries every case of every function, and prints the table.
pub fn table(tally: &mut Tally) {
    let mounted = mounted();
    let columns: Vec<_> = CASES.iter().chain(&MOUNTED).map(|(name, _)| *name).collect();
    println!("{:24} {}", "", columns.join(", "));
    for (row, function) in FUNCTIONS.iter().enumerate() {
        let mut line = String::new();
        for (column, name) in columns.iter().enumerate() {
            let mark = match CASES.get(column) {
                Some((_, case)) => case(function),
                None => {
                    let place = row * MOUNTED.len() + column - CASES.len();
                    mounted.get(place).map_or('-', |mark| char::from(*mark))
                }
            };
            tally.count(function.name, name, mark);
            line.extend([mark, ' ']);
        }
        println!("{:24} {line}", function.name);
    }
}
